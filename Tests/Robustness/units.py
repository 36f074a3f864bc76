"""Cgroups that hold a lock by bind=cgroup die at random instants; the next holder has it when the last process is gone.

At the moment of each grant the cgroup that had the lock before must be empty, whatever forked and left the session in
it; and the grant comes at most so many milliseconds after its last process ended. Those that wait die, too, and the
service: then the lease of a cgroup that lives must still be there.

python3 Tests/Robustness/units.py --units 100
"""

import os
import queue
import random
import signal
import threading
import time

from support import Report, arguments, percentile, running

from cgroups import Cgroup, why_none

KEY = "unit"
# Three processes, of which two have left the session and nobody waits for.
MEMBERS = "setsid sleep 600 & (setsid sleep 600 &) ; exec sleep 600"
CONTENDERS = 5


class Unit:
    """A cgroup with processes, and its wait for the lock."""

    def __init__(self, server, grants, number):
        self.number, self.cgroup = number, Cgroup()
        self.process = self.cgroup.run("sh", "-c", MEMBERS)
        while len(self.cgroup.pids()) < 3:
            time.sleep(0.001)
        self.answer, self.granted_at = None, None
        self.thread = threading.Thread(target=self.wait, args=(server, grants), daemon=True)
        self.thread.start()

    def wait(self, server, grants):
        try:
            self.answer = server.over_unix.acquire(
                KEY, bind=f"cgroup:{self.cgroup.path}", ttl=0, wait="10m", owner=self.number, timeout=600)
        except OSError:
            return  # the service was killed: another takes its place
        self.granted_at = time.monotonic()
        if self.answer.status == 201:
            grants.put(self)

    def die(self, chance):
        """Kills everything at once, or one after another; the last moment at which something lived."""
        if chance.random() < 0.5:
            self.cgroup.kill()
        else:
            pids = self.cgroup.pids()
            chance.shuffle(pids)
            for pid in pids:
                time.sleep(chance.random() * 0.01)
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            # What was forked since the look.
            self.cgroup.kill()
        moment = time.monotonic()
        while not self.cgroup.is_empty:
            moment = time.monotonic()
            time.sleep(0.0002)
        self.process.wait()
        return moment


class Play:
    def __init__(self, server, options):
        self.server, self.chance = server, random.Random(options.seed)
        self.grants, self.waiting, self.report, self.numbers = queue.Queue(), [], Report(), iter(range(10**9))
        self.lags, self.limit = [], options.limit_ms
        self.dead = set()
        self.killed = 0

    def fill(self):
        while len(self.waiting) < CONTENDERS:
            self.waiting.append(Unit(self.server, self.grants, next(self.numbers)))

    def next_holder(self):
        unit = self.grants.get(timeout=60)
        # One that died while it waited may be granted in that moment; then its lease ends at once.
        while unit in self.dead:
            unit = self.grants.get(timeout=60)
        self.waiting.remove(unit)
        return unit

    def hold_and_die(self, holder):
        """One holder lives for a moment, then dies; the next one is granted."""
        self.fill()
        time.sleep(self.chance.random() * 0.02)
        if self.chance.random() < 0.2:
            dying = self.chance.choice(self.waiting)
            self.waiting.remove(dying)
            self.dead.add(dying)
            dying.die(self.chance)
            dying.cgroup.remove()
            self.killed += 1
        if self.chance.random() < 0.1:
            self.restart(holder)
        if not self.grants.empty():
            self.report.violation(f"unit {holder.number} lives, and another has the lock")
        moment = holder.die(self.chance)
        following = self.next_holder()
        lag = (following.granted_at - moment) * 1000
        if not holder.cgroup.is_empty:
            self.report.violation(f"unit {holder.number} is not empty, and {following.number} has the lock")
        if lag > self.limit:
            self.report.violation(f"unit {following.number} has the lock {lag:.1f} ms after the last one's end")
        self.lags.append(lag)
        holder.cgroup.remove()
        return following

    def restart(self, holder):
        self.server.kill()
        for unit in self.waiting:
            unit.thread.join()
        while not self.grants.empty():
            self.report.violation(f"unit {self.grants.get().number} has the lock of {holder.number}")
        for unit in self.waiting:
            unit.die(self.chance)
            unit.cgroup.remove()
        self.waiting.clear()
        self.server.start()
        if self.server.get(f"/leases/{holder.answer['lease']}").status != 200:
            self.report.violation(f"unit {holder.number} lost its lease in a restart")
        self.fill()
        while self.server.over_unix.waiting(KEY) < CONTENDERS:
            time.sleep(0.005)

    def clear(self):
        for unit in self.waiting:
            unit.die(self.chance)
            unit.cgroup.remove()


def main():
    options = arguments(__doc__, units=100, limit_ms=50.0)
    if why := why_none():
        print(f"not run: {why}")
        return
    with running() as server:
        play = Play(server, options)
        play.fill()
        holder = play.next_holder()
        for _ in range(options.units):
            holder = play.hold_and_die(holder)
        holder.die(play.chance)
        holder.cgroup.remove()
        play.clear()
        server.kill()
    play.report.finish(
        f"units {len(play.lags)}, {play.killed} more died while they waited; free after the last process: "
        f"p50 {percentile(play.lags, 0.5):.2f} ms, p99 {percentile(play.lags, 0.99):.2f} ms, "
        f"max {max(play.lags):.2f} ms;")


if __name__ == "__main__":
    main()
