"""The load of the kill loop and of the signals: something of all that the service does, and books that must balance."""

import re
import time

from faults import books as kernel
from history import SECOND, History
from kinds import Bound, Converter, Holder, Keeper, Keyed, Line, Mover, Namer
from support import FAILURES, KeepAlive, quiet
from traffic import Caller, Crew, Lock, NativeWorker

GRACE_MS = 10  # after a restart, for leases that expired meanwhile; short, or nothing expires between two kills
PHP, APACHE, SYSV = 0x5AFE10, 0x5AFE12, 0x5AFE11
OWN = [
    Lock("mutex"),
    Lock("documents"),
    Lock("pool", 4),
    Lock("shared-pool", 6, natives=2),
    Lock("shared-slots", 3, natives=1),
    Lock("wide", 1000),
    Lock("gpus", 4, names=("gpu0", "gpu1", "gpu2", "gpu3")),
]


def native_locks(directory):
    """Locks in sets of PHP, of Apache::Session, of a path and of a program of somebody else."""
    return [
        Lock(f"php:{PHP:#x}", 3, natives=1),
        Lock("apache:load"),
        Lock(f"path:{directory}/sem", 3),
        Lock(f"sysv:{SYSV:#x}.0", slots=4, natives=1),
    ]


class Load:
    """All the callers and programs, which go on and are parked together."""

    def __init__(self, server, chance, report, callers=6):
        self.server, self.report = server, report
        self.locks = OWN + native_locks(server.directory)
        server.post("/semaphores", key=f"{SYSV:#x}", nsems=1, values=str(self.locks[-1].slots))
        self.history = History({lock.key: lock.capacity for lock in self.locks} | {
            f"{lock.key}#{name}": 1 for lock in self.locks for name in (*lock.names, Namer.OTHER)})
        sysv = {lock.key: self.keep(lock) for lock in self.locks if lock.natives}
        self.natives = [
            NativeWorker(chance.random(), self.history, lock, sysv[lock.key])
            for lock in self.locks
            for _ in range(lock.natives)
        ]
        kinds = [Caller] * callers + [Converter, Mover, Holder, Bound, Keyed, Keyed, Line, Line, Namer, Keeper]
        self.callers = [
            # The kernel tells over the Unix socket alone who asks, which a process needs that a lease is bound to.
            kind(chance.random(), server if not number % 3 and kind is not Bound else server.over_unix, self.history,
                 self.locks)
            for number, kind in enumerate(kinds)
        ]
        self.workers = Crew(self.natives + self.callers)
        self.books = Books(self)
        for worker in self.workers:
            worker.start()

    def keep(self, lock):
        """One unit of a lock that natives use, held all the time: never idle, the lock keeps its semaphore."""
        sent_at = time.monotonic_ns()
        answer = self.server.post(
            f"{lock.path}/acquire", ttl="2h", owner="keeper", **({"limit": lock.limit} if lock.limit else {}))
        assert answer.status == 201, answer
        self.history.granted(answer.json, sent_at)
        return answer["sysv"]

    def resume(self):
        self.workers.go()

    def park(self):
        def stuck(worker):
            raise AssertionError(f"{worker} does not park")

        self.workers.park(30, stuck)

    def settle(self):
        """The end: when every deadline has passed, everything is free."""
        for worker in self.workers:
            worker.leave()
        keepers = [
            grant
            for grant in self.history.leases()
            if grant.deadline and grant.deadline > time.monotonic_ns() + 600 * SECOND
        ]
        for grant in keepers:
            grant.release_sent_at = time.monotonic_ns()
            self.report.expect(
                self.server.delete(f"/leases/{grant.lease}").status == 200,
                f"a long lease of {grant.key} did not survive all the kills")
        wire = KeepAlive(self.server.over_unix)

        def free():
            try:
                return not any(self.books.imbalance(wire, lock, nobody=True) for lock in self.locks)
            except FAILURES:
                return False

        is_free = quiet(free, 20)
        self.report.expect(
            is_free, f"not everything is free at the end: {[self.books.imbalance(wire, lock) for lock in self.locks]}"
                     f"{self.server.get('/leases').text}")
        self.books.values_agree(wire)
        wire.close()
        self.log = self.server.log_text()
        self.workers.end()

    def finish(self, summary, least):
        """Looks at what everybody saw, and ends the program."""
        for text in self.history.violations():
            self.report.violation(text)
        if self.report.violations:
            odd = re.findall(r"^.*(?: warning (?!file desc)| error |=rewritten|=set-removed).*$", self.log, re.M)
            print("the log says:", *odd[-40:], sep="\n  ")
        leases = len(self.history.leases())
        print(f"{leases} leases, {sum(worker.turns for worker in self.natives)} native turns; turns:", *(
            f"{type(worker).__name__} {worker.turns}" for worker in self.callers))
        self.report.expect(leases > least, f"too little traffic: {leases} leases")
        for worker in self.callers:
            self.report.expect(worker.turns > least / 10, f"{type(worker).__name__} did only {worker.turns} turns")
        self.report.finish(summary)


class Books:
    """The checks after a restart, while all traffic is parked."""

    def __init__(self, load):
        self.load, self.history, self.report = load, load.history, load.report
        self.settled = set()
        self.unsaid = 0  # daemons that were killed at a move of units, and whose successors died before they told of it

    def check(self, kill):
        wire = KeepAlive(self.load.server.over_unix)
        self.leases_stand(wire, kill)
        for lock in self.load.locks:
            problem = None
            for _ in range(5):  # an expiry may be under way: the moment must become quiet
                problem = self.imbalance(wire, lock)
                if problem is None:
                    break
                time.sleep(0.02)
            if problem:
                self.report.violation(f"kill {kill}: {lock.key}: {problem}")
        wire.close()

    def leases_stand(self, wire, kill):
        for grant in self.history.leases():
            if grant.lease in self.settled:
                continue
            path, now = f"/leases/{grant.lease}", time.monotonic_ns()
            if grant.is_certain(now):
                answer = wire.request("GET", path)
                # It may have expired between the two clock readings, not more.
                if answer.status != 200 and grant.is_certain(time.monotonic_ns()):
                    self.report.violation(f"kill {kill}: a lease of {grant.key} was lost: {answer}")
            elif grant.ended_at or (grant.latest is not None and now > grant.latest):
                over = quiet(lambda path=path: wire.request("GET", path).status != 200, 2, 0.005)
                self.report.expect(over, f"kill {kill}: a lease of {grant.key} outlived its end: {path}")
                self.settled.add(grant.lease)

    def imbalance(self, wire, lock, nobody=False):
        """What is wrong with the numbers of a lock, that nobody may hold any more, or `None`."""
        answer = wire.request("GET", lock.path)
        if answer.status == 404:
            return "unknown, but it is held" if self.known(lock) else None
        seen, now = answer.json, time.monotonic_ns()
        missing = self.known(lock, now) - {holder["ref"] for holder in seen["holders"]}
        if missing:
            return f"holders {missing} are not listed: {answer}"
        native = sum(worker.units for worker in self.load.natives if worker.lock is lock)
        # Of a suspect nobody knows whether it took anything, until its semaphore is written.
        leases = [lock.held(holder) for holder in seen["holders"] if holder["state"] != "suspect"]
        doubtful = sum(lock.held(holder) for holder in seen["holders"]) - sum(leases)
        names = [name for holder in seen["holders"] for name in holder.get("slots", [])]
        if len(set(names)) != len(names) or lock.names and len(names) != sum(leases):
            return f"{len(leases)} leases with the slots {names}: {answer}"
        if nobody and (native or leases):
            return f"somebody holds it still: {answer}"
        if not lock.key.startswith("apache:"):
            total = seen["sysv"]["value"] + sum(leases) + native
            if not lock.capacity - self.lost(lock) - doubtful <= total <= lock.capacity:
                return f"{total - sum(leases) - native} free + {leases} leased + {native} native: {answer}"
        if seen["native_held"] not in (native, None):
            return f"native_held {seen['native_held']}, but {native} are"
        counted = self.miscounted(lock, seen["sysv"], leases)
        if counted:
            return f"{counted}: {answer}"
        if seen["waiters"]:
            return f"waiters without clients: {answer}"
        return None

    @staticmethod
    def miscounted(lock, sysv, leases):
        """Leases count 1024 each where natives count themselves."""
        if lock.key.startswith("php:"):
            expected = {1: 1024 * sum(leases)}
        elif lock.key.startswith("apache:"):
            readers, writers = sysv["semaphores"]
            expected = {readers: 1024 * leases.count(1), writers: 1024 * leases.count(lock.capacity)}
        else:
            return None
        values = kernel.values(sysv["id"], sysv["nsems"])
        if values is not None and all(values[number] == value for number, value in expected.items()):
            return None
        return f"the set has {values}, not {expected}"

    def lost(self, lock):
        """Units of a set of another program's making that its daemons said they cannot know of."""
        if not lock.slots:
            return 0
        found = re.findall(r"(?:suspects|unsure_releases)=(\d+)", self.load.server.log_text())
        return sum(int(number) for number in found) + self.unsaid

    def known(self, lock, now=None):
        now = now or time.monotonic_ns()
        return {
            grant.ref
            for grant in self.history.leases()
            if grant.is_certain(now) and any(key == lock.key for key, _ in grant.stands)
        }

    def values_agree(self, wire):
        """The kernel's own values, through GET /semaphores, are those of the locks."""
        for lock in self.load.locks:
            answer = wire.request("GET", lock.path)
            if answer.status == 404:
                continue
            sysv = answer["sysv"]
            values = wire.request("GET", f"/semaphores/id:{sysv['id']}")["values"]
            self.report.expect(values[sysv["semaphores"][0]] == sysv["value"], f"{lock.key}: two values")
