"""A daemon with the preloaded library, its traffic, and the checks after each failed call."""

import contextlib
import http.client
import os
import random
import re
import shutil
import ssl
import subprocess
import sys
import time
import traceback

from faults import books, mixed, table
from faults.control import Faults
from history import SECOND, History
from support import FAILURES, KeepAlive, access, harness, quiet
from traffic import Crew, NativeWorker

CRASH = re.compile(r"^.*(?:Fatal error|\*\*\* |Crashed|stack smashing|AddressSanitizer).*$", re.M)
LASTING = 40  # calls in a row that fail: for as long as a case takes
START_SECONDS, STOP_SECONDS = 15, 15
ARGUMENTS = (
    "--recovery-grace", "2s", "--heartbeat", "100ms", "--idle-locks", "1s", "--drain-timeout", "500ms",
    "--shm-key", "0x5afe20", "--log-level", "warning",
)


class FaultyServer(harness.Server):
    """A daemon whose calls can be made to fail; its port may be one for TLS."""

    def __init__(self, faults, *arguments, tls=False, prefix=()):
        self.faults, self.trusted = faults, None
        words = [f"{name}={value}" for name, value in faults.environment().items()]
        super().__init__(*arguments, prefix=(*prefix, "env", *words))
        if tls:
            certificate, key = access.make_certificate(self.directory)
            self.trusted = ssl.create_default_context(cafile=certificate)
            self.arguments += ["--tls-cert", certificate, "--tls-key", key]
        self.state = os.path.join(self.directory, "state")
        os.mkdir(self.state)
        self.arguments += ["--state-dir", self.state]
        self.path_lock = "path:" + os.path.join(self.directory, "sem").replace("/", "%2F")
        self.arguments += ["--path-roots", self.directory]

    def connection(self, timeout=harness.PATIENCE):
        if self.trusted is None:
            return super().connection(timeout)
        return http.client.HTTPSConnection("localhost", self.port, timeout=timeout, context=self.trusted)

    def is_ready(self):
        # Not over TLS, which may be what fails.
        try:
            return self.over_unix.get("/readyz", timeout=2).status == 200
        except FAILURES:
            return False

    def crash(self):
        """What the log says of a crash; None when there was none."""
        found = CRASH.search(self.log_text())
        return found and found[0]


def clear():
    """Removes every set and every segment of this namespace."""
    for kind, column, option in (("sem", "semid", "-s"), ("shm", "shmid", "-m")):
        with open(f"/proc/sysvipc/{kind}", encoding="ascii") as file:
            names = file.readline().split()
            numbers = [dict(zip(names, line.split(), strict=False))[column] for line in file]
        for number in numbers:
            subprocess.run(["ipcrm", option, number], check=False, capture_output=True)


class Stage:
    """One daemon, and what is known of it."""

    def __init__(self, library, seed, report, verbose=False, tls=False):
        self.report, self.chance, self.verbose = report, random.Random(seed), verbose
        self.faults = Faults(library, harness.PROGRAM)
        self.judge = mixed.Judge(report)
        self.server = FaultyServer(self.faults, *ARGUMENTS, tls=tls)
        self.log_read, self.wants_told = 0, True
        self.workers, self.natives, self.rates = Crew(), [], {}

    # MARK: Life

    def start(self):
        self.server.start()
        self.prepare()
        self.history = History({lock.key: lock.capacity for lock in mixed.LOCKS + [mixed.SHARED]})
        self.workers = Crew(
            mixed.workers(self.server, self.history, self.judge, self.chance, self.server.path_lock))
        self.workers.append(SteadyNative(self.chance.random(), self.history, mixed.SHARED, self.keeper["sysv"]))
        for worker in self.workers:
            worker.start()

    def prepare(self):
        """The sets of native programs, and one lease that keeps the shared lock where it is."""
        server = self.server
        self.keeper = self.must(server.acquire(mixed.SHARED.key, limit=mixed.SHARED.limit, ttl="2h"))
        server.post("/semaphores", key="0x5afe11", nsems=2, values="2,0")
        for key, more in ((mixed.PHP, {"limit": 2}), (mixed.APACHE, {}), (server.path_lock, {"limit": 2})):
            answer = server.request("POST", f"/locks/{key}/acquire", ttl="5s", **more)
            server.release(self.must(answer))
        with contextlib.suppress(FAILURES):
            server.request("PUT", "/shm/1", body="1", headers={"Content-Type": "application/json"})
        path_key = server.get(f"/keys/{server.path_lock}")["sysv"]["key"] & 0xFFFFFFFF
        self.native_values = {
            0x5AFE10: [[2, 0, 0], [1, 0, 0], [0, 0, 0]], 0x5AFE11: [[2, 0]], 0x5AFE12: [[0, 0]],
            path_key: [[2, 0, *books.values_of(path_key)[2:]]],
        }

    @staticmethod
    def must(answer):
        assert answer.status in (200, 201), answer
        return answer.json

    def stop(self):
        """SIGTERM, which must do its work whatever fails."""
        begun = time.monotonic()
        with contextlib.suppress(ProcessLookupError):
            self.server.process.terminate()
        try:
            status = self.server.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.report.violation(f"{self.judge.fault}: SIGTERM did nothing for {STOP_SECONDS} s")
            self.server.kill()
            return None
        self.report.expect(status >= 0, f"{self.judge.fault}: ended by signal {-status} at its stop")
        return status if time.monotonic() - begun < STOP_SECONDS else None

    def end(self):
        self.workers.end()
        if self.server.process.poll() is None:
            self.server.kill()
        shutil.rmtree(self.server.directory, ignore_errors=True)

    # MARK: Traffic

    def go(self):
        self.workers.go()

    def park(self):
        def stuck(worker):
            stack = "".join(traceback.format_stack(sys._current_frames()[worker.ident])[-4:])
            self.report.violation(f"{self.judge.fault}: {type(worker).__name__} does not come back:\n{stack}")
            self.server.kill()

        self.workers.park(4 * mixed.PATIENCE, stuck)

    def measure(self, seconds=1.5):
        """How often each function is called in a second of this traffic."""
        before = self.faults.calls()
        self.go()
        time.sleep(seconds)
        self.park()
        after = self.faults.calls()
        self.rates = {key: (after[key] - before[key]) / seconds for key in after if after[key] > before[key]}
        return self.rates

    # MARK: One case

    def case(self, function, module, error, nth, times=1):
        """One call fails under traffic; whether it did."""
        name = f"{module}: {function} {error}, call {nth}" + (f", {times} times" if times > 1 else "")
        self.judge.fault, self.judge.hurt, self.judge.unusual = name, 0, set()
        before, signs = len(self.report.violations), self.signs()
        self.faults.arm(function, module, error, nth, times)
        self.go()
        fired = quiet(lambda: self.faults.fired(function, module) >= times, 1.0, 0.01)
        time.sleep(0.05)
        self.faults.disarm(function, module)
        self.park()
        self.check(removal=error == "EIDRM")
        lasted = times == LASTING and self.faults.fired(function, module) > 0
        if lasted and not table.quiet(function, error) and not self.is_told(signs):
            text = f"{name}: nobody was told, at " + self.place(function, module)
            if self.wants_told:
                self.report.violation(text)
            else:
                print(f"note: {text}", flush=True)
        if self.verbose or len(self.report.violations) > before:
            self.tell(function, module, fired)
        self.judge.fault = None
        return fired

    def is_told(self, signs):
        """Whether somebody was: who asked, the log, or who reads the metrics. The log has a beat of a second."""
        return self.judge.hurt or self.judge.unusual or quiet(lambda: self.signs() != signs, 2.5, 0.1)

    def signs(self):
        """What the daemon itself says of failures: its log, and its metrics."""
        try:
            lines = self.server.over_unix.get("/metrics", timeout=5).text.splitlines()
        except FAILURES:
            lines = []
        return self.server.log_text(), [line for line in lines if line.startswith(table.TELLING)]

    def place(self, function, module):
        return " < ".join(self.faults.where(function, module)[:8])

    def tell(self, function, module, fired):
        text = self.server.log_text()
        print(f"--- {self.judge.fault}: {'fired' if fired else 'not reached'}, {self.judge.hurt} answers hurt")
        if fired:
            print("    at " + self.place(function, module))
        print("    log: " + text[self.log_read:].replace("\n", "\n    log: ")[-1500:], flush=True)
        self.log_read = len(text)

    def check(self, removal):
        """After a failed call, with the traffic parked."""
        fault, report = self.judge.fault, self.report
        if self.server.process.poll() is not None:
            report.violation(f"{fault}: the daemon ended with {self.server.process.returncode}: {self.server.crash()}")
            self.restart()
            return
        wire = KeepAlive(self.server.over_unix, timeout=5)
        try:
            ready = quiet(lambda: wire.request("GET", "/readyz").status == 200, 3, 0.02)
            report.expect(ready, f"{fault}: not ready afterwards: {wire.request('GET', '/readyz').text}")
            if not removal:
                self.leases_stand(wire)
                keeper = wire.request("GET", f"/leases/{self.keeper['lease']}")
                report.expect(keeper.status == 200, f"{fault}: a long lease was lost: {keeper}")
            if not self.settled(wire):
                leases = wire.request("GET", "/leases").text
                report.violation(f"{fault}: after all leases: {self.imbalance()}; {leases[:400]}")
                self.restart()
        except FAILURES as error:
            report.violation(f"{fault}: does not answer afterwards: {error!r}")
            self.restart()
        finally:
            wire.close()
        if not removal:
            for text in self.history.exclusion() + self.history.fences():
                report.violation(f"{fault}: {text}")
        self.history.grants.clear()
        if removal:
            self.renew_keeper()

    def leases_stand(self, wire):
        for grant in self.history.leases():
            if not grant.is_certain(time.monotonic_ns() + SECOND // 100):
                continue
            answer = wire.request("GET", f"/leases/{grant.lease}")
            if answer.status != 200 and grant.is_certain(time.monotonic_ns()):
                self.report.violation(f"{self.judge.fault}: a lease of {grant.key} was lost: {answer}")

    def settled(self, wire):
        for worker in self.workers:
            if isinstance(worker, NativeWorker):
                worker.restart()

        def is_so():
            leases = wire.request("GET", "/leases")["leases"]
            return all(lease["ref"] == self.keeper["ref"] for lease in leases) and not self.imbalance()

        return quiet(is_so, 4, 0.02)

    def imbalance(self):
        sysv = self.keeper["sysv"]
        out = {(sysv["id"], sysv["semaphores"][0]): 1}
        return books.imbalance(int(self.server.control_key, 16), out, self.native_values)

    def renew_keeper(self):
        """A set may have been removed, and others are in its place now."""
        answer = self.server.get(f"/leases/{self.keeper['lease']}")
        try:
            if answer.status != 200:
                self.server.delete(f"/locks/{mixed.SHARED.key}", force="true")
            else:
                self.server.release(self.keeper)
            self.prepare()
        except (AssertionError, *FAILURES) as error:
            self.report.violation(f"{self.judge.fault}: cannot be used any more: {error!r}")
            self.restart()
            return
        for worker in self.workers:
            if isinstance(worker, NativeWorker):
                worker.sysv = self.keeper["sysv"]
                worker.restart()

    def restart(self, fresh=True):
        """Kills and starts the daemon; a fresh one knows nothing of what was."""
        if self.server.process.poll() is None:
            self.server.kill()
        if fresh:
            clear()
            self.server.start()
            self.prepare()
        else:
            self.server.start()
        for worker in self.workers:
            if isinstance(worker, NativeWorker):
                worker.sysv = self.keeper["sysv"]
                worker.restart()


class SteadyNative(NativeWorker):
    """A native program that gets over the removal of its set."""

    def turn(self):
        try:
            super().turn()
        except AssertionError:
            time.sleep(0.05)
            self.restart()
