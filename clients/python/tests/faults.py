#!/usr/bin/env python3
"""Seeded faults under programs that hold locks: does any say "held" after somebody else got the lock?

    LEASEHOLD=.build/release/leasehold clients/python/tests/faults.py [--faults 10000] [--seed N] [--holders 6]

Holders are programs of their own (threads and asyncio; leases with a ttl and leases kept by process), which reach the
service through a proxy. A fault is a connection that is cut, or passes so many bytes and then stalls or ends, a proxy
that is silent or refuses for a moment, a holder that is stopped for up to three ttls, or a daemon that is killed.
Each holder notes when it got a lease, and the last instant at which its own clock and the library said that it had
it. `--program` names another library's holder, which is given seed, ttl, keys, 1 for a ttl or 0, and the file to stop
at. A violation is a lease that was said to be held after a later fence of the same lock was granted.
"""

import argparse
import collections
import os
import random
import signal
import subprocess
import sys
import time

from support import PATIENCE, Program, Proxy, Server, eventually

TTL = 0.3
KEYS = 3
HOLDER = """
import random
dice, ttl = random.Random({seed}), {ttl}
client = Client(timeout=1)
def options():
    kept = dict(ttl=ttl) if {renewed} else dict(keep="process")
    return dict(key=f"faults {{dice.randrange({keys})}}", wait=2, client=client, **kept)
def note(lease, got, last):
    print(lease.keys[0].split()[1], lease.fence, got, last, lease.lost_reason or "-", flush=True)
def stop():
    return os.path.exists({stop!r})
def look(lease, last):
    now = time.monotonic()
    return (now, True) if not lease.lost else (last, False)
def threads():
    while not stop():
        try: lease = acquire(**options())
        except LeaseholdError: continue
        got, last = time.monotonic(), 0.0  # it may be lost already, when this program was stopped meanwhile
        until, held = got + dice.random() * 3 * ttl, True
        while held and time.monotonic() < until:
            last, held = look(lease, last)
            time.sleep(0.001)
        note(lease, got, last)
        lease.release()
async def tasks():
    while not stop():
        try: lease = await leasehold.aio.acquire(**options())
        except LeaseholdError: continue
        got, last = time.monotonic(), 0.0  # it may be lost already, when this program was stopped meanwhile
        until, held = got + dice.random() * 3 * ttl, True
        while held and time.monotonic() < until:
            last, held = look(lease, last)
            await asyncio.sleep(0.001)
        note(lease, got, last)
        await lease.release()
asyncio.run(tasks()) if {tasks} else threads()
"""


class Holder(Program):
    """A holder: the Python one, or that of another library."""

    def __init__(self, program, url, seed, renewed, tasks, stop):
        if program is None:
            super().__init__(HOLDER.format(seed=seed, ttl=TTL, renewed=renewed, keys=KEYS, stop=stop, tasks=tasks), url)
            return
        words = [program, str(seed), str(TTL), str(KEYS), str(int(renewed)), stop]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, "LEASEHOLD_URL": url})


class Run:
    """A daemon, a proxy, holders, and faults of a seed."""

    def __init__(self, seed, holders, program=None):
        self.dice = random.Random(seed)
        self.counts = collections.Counter()
        self.server = Server("--ttl-min", "100ms", "--heartbeat", "200ms").start()
        self.proxy = Proxy(self.server.unix)
        self.stop_file = os.path.join(self.server.directory, "stop")
        self.programs = [Holder(program, self.proxy.url, seed + number, number % 3 != 2, number % 2, self.stop_file)
                         for number in range(holders)]

    def fault(self):
        """The next one."""
        name = self.dice.choices(("cut", "plan", "silent", "refuse", "stop", "kill"), (40, 45, 5, 4, 5, 1))[0]
        self.counts[name] += 1
        if name == "cut":
            self.proxy.cut()
        elif name == "plan":
            up, down = self.dice.choice(((self.dice.randrange(300), None), (None, self.dice.randrange(900))))
            self.proxy.plan(up, down, self.dice.choice(("stall", "close")))
            self.proxy.cut()
        elif name in ("silent", "refuse"):
            flag = "silent" if name == "silent" else "refusing"
            setattr(self.proxy, flag, True)
            time.sleep(self.dice.random() * 1.5 * TTL)
            setattr(self.proxy, flag, False)
            self.proxy.cut()
        elif name == "stop":
            process = self.dice.choice(self.programs).process
            process.send_signal(signal.SIGSTOP)
            time.sleep(self.dice.random() * 3 * TTL if self.dice.random() < 0.3 else 0.02)
            process.send_signal(signal.SIGCONT)
        else:
            self.server.kill()
            time.sleep(self.dice.random() * 0.2)
            self.server.start()
        time.sleep(self.dice.random() * 0.04)

    def finish(self):
        """Ends the holders; what they noted."""
        open(self.stop_file, "wb").close()
        notes = []
        for program in self.programs:
            said, status = program.end(60)
            if status:
                raise AssertionError(f"a holder ended with {status}")
            notes += [line.split() for line in said.splitlines()]
        for key in range(KEYS):
            eventually(lambda: self.server.over_unix.lock(f"faults {key}").json.get("held", 0) == 0,  # noqa: B023
                       f"nobody holds {key}", PATIENCE)
        return notes

    def close(self):
        for program in self.programs:
            program.stop()
        self.proxy.close()
        self.server.stop()


def violations(notes):
    """Leases that were said to be held after a later one of the same lock was granted."""
    by_key = collections.defaultdict(list)
    for key, fence, got, last, reason in notes:
        by_key[key].append((int(fence), float(got), float(last), reason))
    for key, leases in by_key.items():
        leases.sort()
        earliest = float("inf")
        for fence, got, last, reason in reversed(leases):
            if last > earliest:
                yield f"lock {key}, fence {fence} ({reason}): held at {last:.6f}, the next granted at {earliest:.6f}"
            earliest = min(earliest, got)


def main(words):
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--faults", type=int, default=150)
    parser.add_argument("--holders", type=int, default=6)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 32))
    parser.add_argument("--program", help="the holder of another library")
    words = parser.parse_args(words)
    print(f"seed {words.seed}", flush=True)
    begun, run = time.monotonic(), Run(words.seed, words.holders, words.program)
    try:
        for _ in range(words.faults):
            run.fault()
        notes = run.finish()
    finally:
        run.close()
    found = list(violations(notes))
    reasons = collections.Counter(note[4] for note in notes)
    print("\n".join(found))
    print(f"{words.faults} faults ({', '.join(f'{count} {name}' for name, count in run.counts.most_common())}) in "
          f"{time.monotonic() - begun:.0f} s, {len(notes)} leases, lost: "
          f"{', '.join(f'{count} {name}' for name, count in reasons.most_common() if name != '-') or 'none'}")
    print(f"{len(found)} violations")
    return len(found), len(notes)


if __name__ == "__main__":
    sys.exit(bool(main(sys.argv[1:])[0]))
