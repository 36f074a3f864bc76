"""Processes that hold slots with stop=term are stopped while kill -9 ends the service at random instants.

At the moment of each grant the process that had the slot before must be gone, unless its lease was released. A process
is not killed before its deadline, nor after its release; and each that is to be stopped is.

python3 Tests/Robustness/stops.py --stops 300
"""

import json
import random
import signal
import subprocess
import threading
import time

from support import FAILURES, Report, arguments, percentile, running

KEY, SLOTS, WORKERS = "crane", ("left", "middle", "right"), 5
JSON = {"Content-Type": "application/json"}
MANNERS = {
    "polite": "echo; exec sleep 600",
    "stubborn": "trap '' TERM; echo; exec sleep 600",
    "frozen": "echo; kill -STOP $$; exec sleep 600",
    "slow": "exec perl -e '$SIG{TERM} = sub { select undef, undef, undef, 0.2; exit }; "
            "syswrite STDOUT, qq(\\n); sleep 1 while 1'",
}
PATIENCE = 60


class Process:
    """What holds a slot."""

    def __init__(self, manner):
        self.manner = manner
        self.popen = subprocess.Popen(["sh", "-c", MANNERS[manner]], stdout=subprocess.PIPE)
        self.start = self.seen()[1]
        self.popen.stdout.readline()
        self.popen.stdout.close()

    @property
    def lives(self):
        """Whether it runs, asked of the kernel: poll() says so, too, while another thread waits for its end."""
        state, start = self.seen()
        return state not in "ZX" and start == self.start

    def seen(self):
        """Its state and its start; a number is used again."""
        try:
            with open(f"/proc/{self.popen.pid}/stat", encoding="ascii") as file:
                fields = file.read().rpartition(") ")[2].split()
                return fields[0], fields[19]
        except (FileNotFoundError, ProcessLookupError):
            return "X", None

    def kill(self):
        self.popen.kill()
        self.popen.wait()

    def __repr__(self):
        return f"the {self.manner} process {self.popen.pid}"


class Play:
    def __init__(self, server, options):
        self.server, self.options, self.report = server, options, Report()
        self.chance = random.Random(options.seed)
        self.holders, self.lock = dict.fromkeys(SLOTS), threading.Lock()
        self.stopped, self.renewed, self.broken, self.released, self.kills = 0, 0, 0, 0, 0
        self.lags = []
        self.is_over = threading.Event()

    def until_answered(self, method, target, body=None, headers=None):
        while True:
            try:
                answer = self.server.over_unix.request(
                    method, target, json.dumps(body) if body else None, JSON | (headers or {}), timeout=PATIENCE)
                if answer.status != 503:
                    return answer
            except FAILURES:
                pass
            time.sleep(0.002)

    def run(self):
        workers = [
            threading.Thread(target=self.guarded, args=(number, random.Random(self.chance.random())))
            for number in range(WORKERS)]
        for worker in workers:
            worker.start()
        while not self.is_over.wait(0.05 + self.chance.random() * self.options.seconds_between_kills):
            self.server.kill()
            self.kills += 1
            time.sleep(self.chance.choice((0, 0, 0.3)))
            self.server.start()
        for worker in workers:
            worker.join()

    def guarded(self, number, chance):
        try:
            turn = 0
            while not self.is_over.is_set():
                turn += 1
                self.turn(chance, f"{number}-{turn}")
        except BaseException as error:
            self.report.violation(f"worker {number}: {error!r}")
            raise
        finally:
            self.is_over.set()

    def turn(self, chance, name):
        process = Process(chance.choice(list(MANNERS)))
        try:
            act = chance.choice((self.expires, self.expires, self.renews, self.is_broken, self.is_released))
            ttl = {self.is_released: 600_000, self.is_broken: 600_000}.get(act, chance.randrange(200, 700))
            body = {
                "slots": SLOTS, "ttl": f"{ttl}ms", "wait": "30s", "owner": name, "bind": f"pid:{process.popen.pid}",
                "stop": "term", "grace": f"{chance.randrange(100, 300)}ms"}
            answer = self.until_answered("POST", f"/locks/{KEY}/acquire", body, {"Idempotency-Key": name})
            if answer.status in (410, 422) and not process.lives:
                return None  # the first answer was lost, and it was stopped since
            if answer.status not in (200, 201, 410):
                return self.report.violation(f"{name}: {answer}")
            if answer.status == 410:
                return self.wait_for_end(process, f"though its lease is over: {answer}")
            lease = answer.json
            slot = lease["slots"][0]
            self.granted(slot, process)
            return act(chance, lease, process, slot)
        finally:
            process.kill()

    def granted(self, slot, process):
        with self.lock:
            before = self.holders[slot]
            if not process.lives:
                return  # its slot may have gone on: the answer came late
            self.holders[slot] = process
        if before is not None and before.lives:
            self.report.violation(f"{before} lives, and {process} has its slot {slot}")

    def wait_for_end(self, process, what):
        """Waits until it was stopped, and answers when that was seen."""
        try:
            process.popen.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.report.violation(f"{process} lives on, {what}")
        moment = time.monotonic_ns()
        with self.lock:
            self.stopped += 1
            if self.stopped >= self.options.stops:
                self.is_over.set()
        return moment

    def expires(self, _, lease, process, slot):
        deadline = lease["deadline_monotonic_ns"]
        moment = self.wait_for_end(process, f"though lease {lease['ref']} is over")
        if process.popen.returncode == -signal.SIGKILL:
            if moment < deadline:
                self.report.violation(f"{process} was killed {(deadline - moment) / 1e6} ms before its deadline")
            self.lags.append((moment - deadline) / 1e6)

    def renews(self, chance, lease, process, slot):
        time.sleep(chance.random() * lease["ttl_ms"] / 1000)
        answer = self.until_answered("POST", f"/leases/{lease['lease']}/renew", {"ttl": "400ms"})
        if answer.status == 200:
            lease = answer.json
            with self.lock:
                self.renewed += 1
        self.expires(chance, lease, process, slot)

    def is_broken(self, chance, lease, process, slot):
        after = chance.choice((0, chance.randrange(50, 400)))
        self.until_answered("POST", f"/leases/{lease['lease']}/break", {"after": f"{after}ms"})
        self.wait_for_end(process, f"though an operator ended lease {lease['ref']}")
        with self.lock:
            self.broken += 1

    def is_released(self, chance, lease, process, slot):
        time.sleep(chance.random() * 0.2)
        with self.lock:
            # From here on another one may have it.
            if self.holders[slot] is process:
                self.holders[slot] = None
        self.until_answered("DELETE", f"/leases/{lease['lease']}")
        time.sleep(chance.random() * 0.5)
        if not process.lives:
            self.report.violation(f"{process} was stopped after its release")
        with self.lock:
            self.released += 1


def main():
    options = arguments(__doc__, stops=300, seconds_between_kills=1.5)
    with running("--recovery-grace", "100ms") as server:
        play = Play(server, options)
        play.run()
        answer = server.get(f"/locks/{KEY}")
        if answer.status == 200 and answer["held"]:
            play.report.violation(f"in the end: {answer}")
        server.kill()
    late = f"KILL after the deadline: p50 {percentile(play.lags, 0.5):.1f} ms, " if play.lags else ""
    play.report.finish(
        f"processes stopped {play.stopped}, kills of the service {play.kills}, renewals {play.renewed}, "
        f"breaks {play.broken}, releases {play.released}, {late}")


if __name__ == "__main__":
    main()
