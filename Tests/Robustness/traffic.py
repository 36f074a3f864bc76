"""Load for the kill loop: HTTP clients and native programs, which can be parked while the books are checked."""

import random
import threading
import time
import urllib.parse
from dataclasses import dataclass

from history import RW_UNITS, SECOND
from support import FAILURES, KeepAlive, Native


@dataclass
class Lock:
    """A lock under load."""

    key: str
    limit: int | None = None  # what callers name
    natives: int = 0  # programs that take and give its units beside the service
    slots: int | None = None  # what a set of another program's making has
    names: tuple = ()  # what its slots are called, as many as the limit

    @property
    def capacity(self):
        return self.limit or self.slots or RW_UNITS

    @property
    def is_readers_writer(self):
        return not (self.limit or self.slots)

    @property
    def is_own(self):
        return ":" not in self.key

    @property
    def path(self):
        return "/locks/" + urllib.parse.quote(self.key, safe=":")

    def held(self, holder):
        """Units of a holder in an answer of GET."""
        if self.is_readers_writer:
            return RW_UNITS if holder["mode"] == "exclusive" else 1
        return holder["count"]

    def want(self, chance):
        """Parameters of an acquire."""
        if self.is_readers_writer:
            return {"mode": chance.choice(("exclusive", "shared", "shared"))}
        if self.names:
            some = {"slot": chance.choice(self.names[1:])} if chance.random() < 0.3 else {"count": chance.randint(1, 2)}
            return some | {"slots": ",".join(self.names)}
        count = {"count": chance.randint(1, min(2, self.capacity - 1))}
        return count | ({"limit": self.limit} if self.limit else {})


class Worker(threading.Thread):
    """Calls `turn()` again and again, except while parked."""

    def __init__(self, seed):
        super().__init__(daemon=True)
        self.random = random.Random(seed)
        self.go, self.parked, self.over = threading.Event(), threading.Event(), False
        self.turns, self.error = 0, None

    def run(self):
        try:
            while not self.over:
                if not self.go.is_set():
                    self.park()
                    self.parked.set()
                    self.go.wait()
                    self.parked.clear()
                    continue
                self.turn()
                self.turns += 1
        except Exception as error:  # a bug of this program, not of the server: the main thread reports it
            self.error = error
            self.parked.set()

    def park(self):
        """Leaves everything in a state that is known."""

    def leave(self):
        """Ends what would stay for ever; the worker is parked, and does not go on."""


class Crew(list):
    """Workers that go on, are parked and end together."""

    def go(self):
        for worker in self:
            worker.go.set()

    def park(self, patience, stuck):
        """Stops all of them; `stuck` is told of each that does not come back in time, and must bring it back."""
        for worker in self:
            worker.go.clear()
        for worker in self:
            if not worker.parked.wait(patience):
                stuck(worker)
                worker.parked.wait()
            if worker.error:
                raise worker.error

    def end(self):
        for worker in self:
            worker.over = True
        self.go()
        for worker in self:
            if isinstance(worker, NativeWorker):
                worker.join(10)
                worker.program.kill()


class Caller(Worker):
    """Acquires with short ttls; releases, renews or forgets."""

    TTLS_MS, RENEWALS_MS, WAITS_MS = (150, 300, 800, 2000), (200, 1000), (0, 20, 100)

    def __init__(self, seed, client, history, locks):
        super().__init__(seed)
        self.history, self.locks = history, locks
        self.wire = KeepAlive(client, timeout=10)

    def turn(self):
        lock = self.random.choice(self.locks)
        ttl, wait = self.random.choice(self.TTLS_MS), self.random.choice(self.WAITS_MS)
        grant = self.acquire(lock, ttl=f"{ttl}ms", wait=f"{wait}ms", **lock.want(self.random))
        if grant is None:
            return
        time.sleep(self.random.random() * 0.01)
        choice = self.random.random()
        if choice < 0.7:
            self.release(grant)
        elif choice < 0.85:
            self.renew(grant)

    def acquire(self, lock, **parameters):
        """The grant, if there was one."""
        sent_at = time.monotonic_ns()
        answer = self.ask("POST", f"{lock.path}/acquire", **parameters)
        if answer is None or answer.status not in (200, 201):
            return None
        return self.history.granted(answer.json, sent_at)

    def release(self, grant):
        grant.release_sent_at = time.monotonic_ns()
        answer = self.ask("DELETE", f"/leases/{grant.lease}")
        if answer is not None and answer.status in (200, 410):
            grant.ended_at = time.monotonic_ns()

    def renew(self, grant):
        ttl = self.random.choice(self.RENEWALS_MS)
        now = time.monotonic_ns()
        # Until the answer says otherwise the deadline may be the old or the new one.
        grant.deadline = min(grant.deadline, now + ttl * 1_000_000)
        grant.latest = max(grant.latest, now + ttl * 1_000_000 + 10 * SECOND)
        answer = self.ask("POST", f"/leases/{grant.lease}/renew", ttl=f"{ttl}ms")
        if answer is not None and answer.status == 200:
            grant.deadline = grant.latest = answer["deadline_monotonic_ns"]

    def ask(self, method, target, **query):
        try:
            return self.wire.request(method, target, **query)
        except FAILURES:
            time.sleep(0.002)  # the daemon is dead; it comes back
            return None

    def park(self):
        self.wire.close()


class NativeWorker(Worker):
    """Takes and gives units of one lock with SEM_UNDO, in a process of its own that is sometimes killed."""

    def __init__(self, seed, history, lock, sysv):
        super().__init__(seed)
        self.history, self.lock, self.sysv = history, lock, sysv
        self.program = Native(sysv)
        self.grant, self.blocked = None, False

    @property
    def units(self):
        return self.grant.units if self.grant else 0

    def turn(self):
        if self.blocked:
            self.await_block()
        elif self.grant is None:
            units = self.random.randint(1, self.lock.capacity - 1)
            if self.random.random() < 0.5:
                if self.program.ask(self.program.take(units, nowait=True)) == "ok":
                    self.grant = self.history.native(self.lock.key, units)
            else:
                self.blocked = units
                self.program.send(self.program.take(units))
        elif self.random.random() < 0.05:
            self.restart()
        else:
            self.grant.release_sent_at = time.monotonic_ns()
            assert self.program.ask(self.program.give(self.grant.units)) == "ok"
            self.grant = None
        time.sleep(self.random.random() * 0.01)

    def await_block(self):
        answer = self.program.answer(0.02)
        if answer == "ok":
            self.grant, self.blocked = self.history.native(self.lock.key, self.blocked), False
        elif answer is not None:
            raise AssertionError(f"semop: {answer}")

    def restart(self):
        """kill -9: the kernel gives back what it held."""
        if self.grant:
            self.grant.release_sent_at = time.monotonic_ns()
        self.program.kill()
        self.program, self.grant, self.blocked = Native(self.sysv), None, False

    def park(self):
        # A program asleep in semop could be granted while the books are checked.
        if self.blocked:
            self.restart()

    def leave(self):
        self.restart()
