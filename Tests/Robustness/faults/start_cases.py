"""Calls that fail while a daemon starts, takes over what the last one left, or stops."""

import contextlib
import http.client
import os
import socket
import subprocess
import time

from faults import books, mixed
from faults.stage import ARGUMENTS, CRASH, START_SECONDS, STOP_SECONDS, FaultyServer, clear
from support import FAILURES, KeepAlive, harness, quiet


class Succession:
    """Leases that stand while daemons come and go, some of which fail."""

    def __init__(self, faults, report, verbose=False):
        self.faults, self.report, self.verbose = faults, report, verbose
        # With all that a service manager gives: a socket to tell of its life, and less descriptors than there can be.
        self.server = FaultyServer(faults, *ARGUMENTS, tls=True, prefix=("prlimit", "--nofile=1024:"))
        self.manager = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.manager.bind(os.path.join(self.server.directory, "notify"))
        self.server.prefix.insert(-1, "NOTIFY_SOCKET=" + self.manager.getsockname())
        self.leases = {}

    def begin(self):
        self.sleeper = subprocess.Popen(["sleep", "7200"])
        self.server.start()
        self.prepare()
        self.stop()

    def prepare(self):
        """Takes each lease that is not there."""
        server = self.server
        server.post("/semaphores", key="0x5afe11", nsems=2, values="2,0")
        server.request("PUT", "/shm/1", body="1", headers=mixed.JSON)
        wanted = {
            f"/locks/{key}/acquire": more for key, more in (
                ("mutex", {}), ("documents", {"mode": "shared"}), ("pool", {"limit": 4, "count": 2}),
                (mixed.PHP, {"limit": 2}), (mixed.APACHE, {}), (mixed.SYSV, {}), (server.path_lock, {"limit": 2}),
                ("bound", {"bind": f"pid:{self.sleeper.pid}"}),
            )
        }
        for target, more in wanted.items():
            self.keep(target, server.over_unix.request, "POST", target, ttl="4h", **more)
        want = {"want": [{"key": "pair-a"}, {"key": "pair-b"}], "ttl": "4h"}
        self.keep("/leases", server.over_unix.json_post, "/leases", want)
        self.keep("op", server.over_unix.post, "/semaphores/0x5afe11/op?ops=1:1:undo", ttl="4h")

    def keep(self, name, ask, *words, **more):
        if name not in self.leases:
            answer = ask(*words, **more)
            assert answer.status == 201, answer
            self.leases[name] = answer["lease"]

    def measure(self):
        """How often each function is called from the first moment to readiness, and then at the stop."""
        before = self.faults.calls()
        self.server.start()
        ready = self.faults.calls()
        self.stop()
        after = self.faults.calls()
        return (
            {key: ready[key] - before[key] for key in ready if ready[key] > before[key]},
            {key: after[key] - ready[key] for key in after if after[key] > ready[key]},
        )

    def start_case(self, function, module, error, nth):
        name = f"start, {module}: {function} {error}, call {nth}"
        before = len(self.report.violations)
        log = len(self.server.log_text())
        self.hear()
        self.faults.arm(function, module, error, nth)
        begun = time.monotonic()
        self.server.spawn()
        ready = quiet(lambda: self.server.is_ready() or self.server.process.poll() is not None, START_SECONDS, 0.01)
        self.faults.disarm(function, module)
        fired, status = self.faults.fired(function, module) > 0, self.server.process.poll()
        text = self.server.log_text()[log:]
        crash = CRASH.search(text)
        self.report.expect(not crash, f"{name}: {crash and crash[0]}")
        if status is not None:
            self.clean(name, error == "EIDRM")
            self.report.expect(status > 0, f"{name}: ended with {status}")
            self.report.expect("error" in text or "leasehold:" in text, f"{name}: ended without a word: {text}")
        else:
            self.report.expect(ready, f"{name}: not ready within {START_SECONDS} s: {self.unready()}")
            if ready and time.monotonic() - begun < START_SECONDS:
                self.stand(name, error == "EIDRM")
            self.stop(name)
        if self.verbose or len(self.report.violations) > before:
            print(f"--- {name}: {'fired' if fired else 'not reached'}, status {status}")
            if fired:
                print("    at " + " < ".join(self.faults.where(function, module)[:8]))
            print("    log: " + text.replace("\n", "\n    log: "), flush=True)
        return fired

    def hear(self):
        """Empties the manager's socket, which must not be full."""
        with contextlib.suppress(BlockingIOError):
            while self.manager.recv(4096, socket.MSG_DONTWAIT):
                pass

    def stop_case(self, function, module, error, nth):
        name = f"stop, {module}: {function} {error}, call {nth}"
        before = len(self.report.violations)
        self.hear()
        self.server.start()
        with contextlib.suppress(FAILURES):
            self.server.acquire("brief", ttl="100ms")
        waiter = harness.Pending(lambda: self.server.acquire("mutex", wait="20s", timeout=STOP_SECONDS))
        self.faults.arm(function, module, error, nth)
        self.stop(name)
        self.faults.disarm(function, module)
        fired = self.faults.fired(function, module) > 0
        if self.verbose or len(self.report.violations) > before:
            print(f"--- {name}: {'fired' if fired else 'not reached'}")
            if fired:
                print("    at " + " < ".join(self.faults.where(function, module)[:8]), flush=True)
        with contextlib.suppress(OSError, http.client.HTTPException):
            answer = waiter.answer(STOP_SECONDS)
            self.report.expect(answer.status in (423, 503), f"{name}: a waiter got {answer}")
        return fired

    def unready(self):
        try:
            return self.server.get("/readyz", timeout=2).text
        except FAILURES as error:
            return repr(error)

    def stand(self, name, removal=False):
        """Every lease of before is there; a lost one is told once."""
        wire = KeepAlive(self.server, timeout=5)
        try:
            for target, lease in list(self.leases.items()):
                answer = wire.request("GET", f"/leases/{lease}")
                if answer.status != 200:
                    self.report.expect(removal, f"{name}: the lease of {target} was lost: {answer.text}")
                    del self.leases[target]
            self.prepare()
        except (AssertionError, *FAILURES) as error:
            self.report.violation(f"{name}: {error!r}")
            self.anew()
        finally:
            wire.close()

    def anew(self):
        """What cannot be used any more is removed."""
        self.server.kill()
        clear()
        self.leases = {}
        self.server.start()
        self.prepare()

    def stop(self, name="without a fault"):
        self.server.process.terminate()
        try:
            status = self.server.process.wait(STOP_SECONDS)
            self.report.expect(status >= 0, f"{name}: ended with {status}")
        except subprocess.TimeoutExpired:
            self.report.violation(f"{name}: SIGTERM did nothing for {STOP_SECONDS} s")
            self.server.kill()

    def clean(self, name, removal):
        """A daemon without faults finds everything as it was."""
        try:
            self.server.start()
        except AssertionError as error:
            self.report.violation(f"{name}, and then a good start: {error}")
            self.anew()
        self.stand(name + ", and then a good start", removal)
        self.stop()

    def end(self):
        """All is given back, and the books are equal."""
        self.server.start()
        for lease in self.leases.values():
            answer = self.server.delete(f"/leases/{lease}")
            self.report.expect(answer.status == 200, f"at the end: {answer}")
        # A brief lease of the last stop may have got the grace.
        quiet(lambda: not self.imbalance(), 6, 0.05)
        self.report.expect(not self.imbalance(), f"starts and stops, after all leases: {self.imbalance()}")
        self.sleeper.kill()
        self.sleeper.wait()
        self.server.stop()
        self.manager.close()

    def imbalance(self):
        return books.imbalance(
            int(self.server.control_key, 16), {},
            {0x5AFE10: [[2, 0, 0], [1, 0, 0], [0, 0, 0]], 0x5AFE11: [[2, 0]], 0x5AFE12: [[0, 0]]})
