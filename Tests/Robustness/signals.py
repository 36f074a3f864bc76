"""TERM, STOP and CONT under load, and daemons that start at once: one serves, and the books balance after each.

python3 Tests/Robustness/signals.py --rounds 200
"""

import random
import signal
import subprocess
import time

from faults.books import LIBC
from load import GRACE_MS, Load
from support import Report, arguments, harness, quiet, running

GETPID, GETVAL = 11, 12
PATIENCE = 15  # seconds, for a daemon to end or to begin


class Rounds:
    """What happens to the daemon."""

    def __init__(self, server, chance, report):
        self.server, self.chance, self.report = server, chance, report

    def terminate(self, then=None):
        """It ends by itself, soon, and leaves its leases to the next."""
        self.server.process.send_signal(signal.SIGTERM)
        if then:
            self.server.process.send_signal(then)
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

    def stand_by(self):
        """Of two that stand by, one serves when the first is over, and the other when that one is."""
        process, waiting = self.server.process, []
        self.server.arguments.append("--standby")
        for _ in range(2):
            self.server.spawn()
            waiting.append(self.server.process)
        self.server.arguments.remove("--standby")
        time.sleep(self.chance.random() * 0.1)
        for left in (2, 1):
            over = self.chance.random()
            process.send_signal(signal.SIGTERM if over < 0.4 else signal.SIGKILL)
            try:
                process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                self.report.violation("a daemon with others that stand by does not end")
                process.kill()
                process.wait()
            process = self.taker(waiting)
            if process is None:
                self.report.violation(f"none of {left} that stood by takes over: {self.server.log_text()[-600:]}")
                break
            waiting.remove(process)
            time.sleep(self.chance.random() * 0.1)
        for one in waiting:
            one.kill()
            one.wait()
        self.server.process = process or self.server.spawn().process

    def taker(self, waiting):
        """The process that took the guard, when it serves."""

        def serving():
            guard = LIBC.semget(int(self.server.control_key, 16), 0, 0)
            pid = LIBC.semctl(guard, 0, GETPID) if LIBC.semctl(guard, 0, GETVAL) == 1 else 0
            return next((one for one in waiting if one.pid == pid), None)

        is_served = quiet(lambda: serving() and self.server.is_ready(), PATIENCE)
        return serving() if is_served else None

    def stop_and_kill(self):
        """A daemon that is suspended is killed, or told to end, which it hears when it goes on."""
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(self.chance.random() * 0.1)
        if self.chance.random() < 0.5:
            self.server.kill()
            self.server.spawn()
            return
        self.terminate(then=signal.SIGCONT)


def main():
    options = arguments(__doc__.splitlines()[0], rounds=24, callers=6)
    chance, report = random.Random(options.seed), Report()
    with running("--recovery-grace", f"{GRACE_MS}ms", "--drain-timeout", "200ms") as server:
        load = Load(server, chance, report, options.callers)
        rounds = Rounds(server, chance, report)
        actions = [
            rounds.terminate, rounds.suspend, rounds.intrude, rounds.race, rounds.stand_by, rounds.stop_and_kill
        ]
        for number in range(options.rounds):
            action = actions[number % len(actions)]
            load.resume()
            time.sleep(0.05 + chance.random() * 0.15)
            action()
            load.park()
            server.wait_ready()
            load.books.check(f"{number} ({action.__name__})")
        load.settle()
    load.finish(f"{options.rounds} rounds", options.rounds)


if __name__ == "__main__":
    main()
