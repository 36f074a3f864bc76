"""What clients saw, and what must be true of it.

A grant is *certain* from the moment its answer was read until its release was sent or its deadline passed. At no moment
may the certain grants of a lock, native ones included, be more than the lock has.
"""

import bisect
import threading
import time
from dataclasses import dataclass, field

SECOND = 1_000_000_000
RW_UNITS = 16384  # of an exclusive lease, whatever its set counts it as


@dataclass
class Grant:
    stands: list  # (key, units) for each of its locks
    sent_at: int  # when the request was sent
    granted_at: int  # when the answer was read
    deadline: int | None  # the earliest that is possible; None: none
    latest: int | None  # the latest that is possible, when a renew got no answer; None: not known
    lease: str = ""
    ref: str = ""
    fence: int = 0
    release_sent_at: int | None = None
    ended_at: int | None = None  # known to be over
    changes: list = field(default_factory=list)  # (moment, units) of conversions, as far as they are certain

    @property
    def key(self):
        return self.stands[0][0]

    @property
    def units(self):
        return self.stands[0][1]

    def is_certain(self, now):
        if self.release_sent_at is not None or self.ended_at is not None:
            return False
        return self.deadline is None or now < self.deadline

    def certain_until(self):
        ends = [end for end in (self.release_sent_at, self.ended_at, self.deadline) if end is not None]
        return min(ends) if ends else time.monotonic_ns()

    def becomes(self, units):
        """Another number of units is certain from now on."""
        self.changes.append((time.monotonic_ns(), units))

    def events(self, key):
        """(moment, 1 where units are taken, the change) of a lock."""
        units, end = sum(units for name, units in self.stands if name == key), self.certain_until()
        if not units or end <= self.granted_at:
            return
        yield self.granted_at, 1, units
        for moment, after in self.changes:
            if self.granted_at < moment < end and after != units:
                yield moment, int(after > units), after - units
                units = after
        yield end, 0, -units


@dataclass
class History:
    capacities: dict  # key -> units
    grants: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)
    wrong: list = field(default_factory=list)  # promises that were broken, as they were noticed

    def granted(self, answer, sent_at):
        """Records the answer of an acquire, or finds the grant that a retry was told of again."""
        if answer["replayed"]:
            with self.lock:
                for known in reversed(self.grants):
                    if known.lease == answer["lease"]:
                        return known
        deadline = answer["deadline_monotonic_ns"]
        grant = Grant(
            stands_of(answer),
            sent_at,
            time.monotonic_ns(),
            deadline,
            deadline,
            answer["lease"],
            answer["ref"],
            answer["fence"],
        )
        with self.lock:
            self.grants.append(grant)
        return grant

    def native(self, key, units):
        now = time.monotonic_ns()
        grant = Grant([(key, units)], now, now, None, None)
        with self.lock:
            self.grants.append(grant)
        return grant

    def leases(self):
        with self.lock:
            return [grant for grant in self.grants if grant.lease]

    def violation(self, text):
        with self.lock:
            self.wrong.append(text)

    def violations(self):
        """Everything that is wrong."""
        return self.wrong + self.exclusion() + self.fences()

    def exclusion(self):
        """Descriptions of moments in which a lock was given to more than it has room for."""
        found = []
        for key, capacity in self.capacities.items():
            held = 0
            for moment, _, units in sorted(event for grant in self.grants for event in grant.events(key)):
                held += units
                if held > capacity:
                    found.append(f"{key}: {held} of {capacity} units given out at {moment}")
        return found

    def fences(self):
        """Descriptions of fences that did not grow: a request sent after an answer was read has the higher fence."""
        leases = sorted((grant for grant in self.grants if grant.lease), key=lambda grant: grant.granted_at)
        read_at = [grant.granted_at for grant in leases]
        highest, so_far = [], 0
        for grant in leases:
            so_far = max(so_far, grant.fence)
            highest.append(so_far)
        found = []
        for grant in leases:
            earlier = bisect.bisect_left(read_at, grant.sent_at)
            if earlier and highest[earlier - 1] >= grant.fence:
                found.append(f"{grant.key}: fence {grant.fence} after {highest[earlier - 1]}")
        if len({grant.fence for grant in leases}) != len({grant.lease for grant in leases}):
            found.append("two leases have one fence")
        return found


def stands_of(answer):
    """What an answer gives: units of locks, and of each named slot the only one."""
    locks = answer.get("locks", [answer])
    return [(one["key"], units_of(one)) for one in locks] + [
        (f"{one['key']}#{name}", 1) for one in locks for name in one.get("slots", [])]


def units_of(lock):
    """Units of a lease on a lock of its answer."""
    return RW_UNITS if lock["kind"] == "rw" and lock["mode"] == "exclusive" else lock["sysv"]["units"]
