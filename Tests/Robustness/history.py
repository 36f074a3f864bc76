"""What clients saw, and what must be true of it.

A grant is *certain* from the moment its answer was read until its release was sent or its deadline passed. At no moment
may the certain grants of a lock, native ones included, be more than the lock has.
"""

import bisect
import threading
import time
from dataclasses import dataclass, field

SECOND = 1_000_000_000


@dataclass
class Grant:
    key: str
    units: int
    sent_at: int  # when the request was sent
    granted_at: int  # when the answer was read
    deadline: int | None  # the earliest that is possible; None: none
    latest: int | None  # the latest that is possible, when a renew got no answer
    lease: str = ""
    ref: str = ""
    fence: int = 0
    release_sent_at: int | None = None
    ended_at: int | None = None  # known to be over

    def is_certain(self, now):
        if self.release_sent_at is not None or self.ended_at is not None:
            return False
        return self.deadline is None or now < self.deadline

    def certain_until(self):
        ends = [end for end in (self.release_sent_at, self.ended_at, self.deadline) if end is not None]
        return min(ends) if ends else time.monotonic_ns()


@dataclass
class History:
    capacities: dict  # key -> units
    grants: list = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def granted(self, answer, sent_at):
        """Records the answer of an acquire."""
        deadline = answer["deadline_monotonic_ns"]
        grant = Grant(
            answer["key"],
            answer["sysv"]["units"],
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
        grant = Grant(key, units, now, now, None, None)
        with self.lock:
            self.grants.append(grant)
        return grant

    def leases(self):
        with self.lock:
            return [grant for grant in self.grants if grant.lease]

    def exclusion(self):
        """Descriptions of moments in which a lock was given to more than it has room for."""
        found = []
        for key, capacity in self.capacities.items():
            events = []
            for grant in self.grants:
                end = grant.certain_until()
                if grant.key == key and end > grant.granted_at:
                    events += [(grant.granted_at, 1, grant.units), (end, 0, -grant.units)]
            held = 0
            for moment, _, units in sorted(events):
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
