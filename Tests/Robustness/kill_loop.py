"""kill -9 of the daemon, again and again under load; after each restart the books must balance.

python3 Tests/Robustness/kill_loop.py --kills 1000
python3 Tests/Robustness/kill_loop.py --kills 1000 --at-calls 1     not at any time but at a call of libc, by its number
"""

import random
import time

from faults import control
from faults.control import Faults
from load import GRACE_MS, Load
from support import Report, arguments, harness, quiet, running


class AnyTime:
    """Kills by the clock."""

    prefix = ()
    at_a_move = False  # whether the last kill was at a call that moves units

    def __init__(self, chance):
        self.chance, self.fired = chance, 0

    def kill(self, server):
        time.sleep(0.02 + self.chance.random() * 0.15)
        server.kill()

    def begin(self, server):
        server.spawn()
        time.sleep(self.chance.random() * 0.1)
        server.kill()


class AtCalls:
    """Kills before or after the n-th call of a function, also while the daemon starts and recovers."""

    # What gives and takes is what matters most.
    OFTEN = ("semop", "semtimedop")

    def __init__(self, chance):
        self.chance, self.fired, self.at_a_move = chance, 0, False
        self.faults = Faults(control.build(), harness.PROGRAM)
        self.prefix = ("env", *(f"{name}={value}" for name, value in self.faults.environment().items()))
        self.seen, self.at_start = {}, {}

    def kill(self, server):
        before = self.faults.calls()
        if self.seen:
            # Somewhat longer than it takes until the call comes.
            self.await_kill(server, self.seen, 0.4)
        else:
            time.sleep(0.3)
            server.kill()
        self.count(self.seen, before)

    def begin(self, server):
        before = self.faults.calls()
        if not self.at_start:
            server.start()
            self.count(self.at_start, before)
            server.kill()
            return
        case = self.arm(self.at_start)
        server.spawn()
        self.settle(server, case, 1.5)

    def count(self, seen, before):
        for key, count in self.faults.calls().items():
            if count > before[key]:
                seen[key] = max(seen.get(key, 0), count - before[key])

    def await_kill(self, server, seen, seconds):
        self.settle(server, self.arm(seen), seconds)

    def arm(self, seen):
        often = [key for key in seen if key[0] in self.OFTEN]
        function, module = self.chance.choice(often if often and self.chance.random() < 0.5 else sorted(seen))
        nth = self.chance.randint(1, max(1, min(200, seen[function, module])))
        self.faults.arm(function, module, self.chance.choice((control.KILL_BEFORE, control.KILL_AFTER)), nth)
        return function, module

    def settle(self, server, case, seconds):
        ended = quiet(lambda: server.process.poll() is not None, seconds, 0.002)
        self.fired += ended
        self.at_a_move = ended and case[0] in self.OFTEN
        self.faults.disarm(*case)
        if not ended:
            server.kill()


def kill_and_restart(server, killer, chance, books):
    """Some kills hit the daemon while it starts or recovers."""
    killer.kill(server)
    kills = 1
    while chance.random() < (0.4 if killer.prefix else 0.15):
        moved, said = killer.at_a_move, len(server.log_text())
        killer.begin(server)
        # It may have found what nobody can know, and died before it could say so.
        books.unsaid += moved and " serving " not in server.log_text()[said:]
        kills += 1
    server.spawn()
    return kills


def main():
    options = arguments(__doc__.splitlines()[0], kills=30, callers=6, max_seconds=1500, at_calls=0)
    chance, report = random.Random(options.seed), Report()
    killer = (AtCalls if options.at_calls else AnyTime)(chance)
    begun, kills = time.monotonic(), 0
    with running("--recovery-grace", f"{GRACE_MS}ms", prefix=killer.prefix) as server:
        load = Load(server, chance, report, options.callers)
        while kills < options.kills and time.monotonic() - begun < options.max_seconds:
            load.resume()
            kills += kill_and_restart(server, killer, chance, load.books)
            load.park()
            server.wait_ready()
            load.books.check(kills)
        load.settle()
    seconds = time.monotonic() - begun
    print(f"{seconds:.0f} s, {kills / seconds:.1f} kills/s" + f", {killer.fired} at a call" * options.at_calls)
    load.finish(f"kills {kills}", kills)


if __name__ == "__main__":
    main()
