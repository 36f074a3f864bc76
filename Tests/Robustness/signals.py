"""TERM, STOP and CONT under load, and daemons that start at once: one serves, and the books balance after each.

python3 Tests/Robustness/signals.py --rounds 200
"""

import random
import signal
import subprocess
import time

from history import History
from kill_loop import GRACE_MS, LOCKS, Books, keep, park, resume, settle
from support import Report, arguments, harness, quiet, running
from traffic import Caller, NativeWorker

PATIENCE = 15  # seconds, for a daemon to end or to begin


class Rounds:
    """What happens to the daemon."""

    def __init__(self, server, chance, report):
        self.server, self.chance, self.report = server, chance, report

    def terminate(self):
        """It ends by itself, soon, and leaves its leases to the next."""
        self.server.process.send_signal(signal.SIGTERM)
        try:
            status = self.server.process.wait(PATIENCE)
            self.report.expect(status == 0, f"TERM: ended with {status}")
        except subprocess.TimeoutExpired:
            self.report.violation(f"TERM: did not end within {PATIENCE} s")
            self.server.kill()
        self.server.spawn()

    def suspend(self):
        """Whatever ran out meanwhile is over when it goes on, and nobody else got it before."""
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.random() * 0.5)
        self.server.process.send_signal(signal.SIGCONT)

    def intrude(self):
        """A second daemon beside one that serves says who does, and ends."""
        other = harness.Server(control_key=self.server.control_key).spawn()
        try:
            status = other.process.wait(PATIENCE)
            self.report.expect(
                status == 75 and f"pid {self.server.pid}" in other.log_text(),
                f"a second daemon: {status}: {other.log_text()}")
        except subprocess.TimeoutExpired:
            self.report.violation("a second daemon went on beside the first")
        other.stop()

    def race(self):
        """Of two that start at once after a kill, one serves."""
        self.server.kill()
        other = harness.Server(control_key=self.server.control_key).spawn()
        self.server.spawn()

        def ended():
            return [one for one in (self.server, other) if one.process.poll() is not None]

        one_ended = quiet(lambda: len(ended()) == 1, PATIENCE)
        self.report.expect(one_ended, f"two that start at once: {len(ended())} ended")
        for one in ended():
            self.report.expect(one.process.returncode == 75, f"the one that lost: {one.log_text()}")
        if self.server.process.poll() is not None:
            other.kill()
            self.server.spawn()
        other.stop()


def main():
    options = arguments(__doc__.splitlines()[0], rounds=24, callers=6)
    chance, report = random.Random(options.seed), Report()
    history = History({lock.key: lock.capacity for lock in LOCKS})
    with running("--recovery-grace", f"{GRACE_MS}ms", "--drain-timeout", "200ms") as server:
        sysv = {lock.key: keep(server, history, lock) for lock in LOCKS if lock.natives}
        natives = [
            NativeWorker(chance.random(), history, lock, sysv[lock.key]) for lock in LOCKS for _ in range(lock.natives)
        ]
        callers = [
            Caller(chance.random(), server.over_unix if number % 3 else server, history, LOCKS)
            for number in range(options.callers)
        ]
        books, rounds = Books(server, history, natives, report), Rounds(server, chance, report)
        actions = [rounds.terminate, rounds.suspend, rounds.intrude, rounds.race]
        for worker in natives + callers:
            worker.start()
        for number in range(options.rounds):
            resume(natives + callers)
            time.sleep(0.05 + chance.random() * 0.15)
            actions[number % len(actions)]()
            park(natives + callers)
            server.wait_ready()
            books.check(f"{number} ({actions[number % len(actions)].__name__})")
        settle(server, history, natives, callers, report, books)
    for text in history.exclusion() + history.fences():
        report.violation(text)
    report.expect(len(history.leases()) > options.rounds, f"too little traffic: {len(history.leases())} leases")
    report.finish(f"{options.rounds} rounds, {len(history.leases())} leases")


if __name__ == "__main__":
    main()
