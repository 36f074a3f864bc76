"""kill -9 of the daemon, again and again under load; after each restart the books must balance.

python3 Tests/Robustness/kill_loop.py --kills 1000
"""

import random
import time
from dataclasses import dataclass

from history import SECOND, History
from support import FAILURES, RW_UNITS, KeepAlive, Report, arguments, quiet, running
from traffic import Caller, NativeWorker

GRACE_MS = 10  # after a restart, for leases that expired meanwhile; short, or nothing expires between two kills


@dataclass
class Lock:
    key: str
    limit: int | None
    natives: int = 0

    @property
    def capacity(self):
        return self.limit or RW_UNITS


LOCKS = [
    Lock("mutex", None),
    Lock("documents", None),
    Lock("pool", 4),
    Lock("shared-pool", 6, natives=2),
    Lock("shared-slots", 3, natives=1),
    Lock("wide", 1000),
]


class Books:
    """The checks after a restart, while all traffic is parked."""

    def __init__(self, server, history, natives, report):
        self.server, self.history, self.natives, self.report = server, history, natives, report
        self.settled = set()

    def check(self, kill):
        wire = KeepAlive(self.server.over_unix)
        self.leases_stand(wire, kill)
        for lock in LOCKS:
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
            elif grant.ended_at or now > grant.latest:
                over = quiet(lambda path=path: wire.request("GET", path).status != 200, 2, 0.005)
                self.report.expect(over, f"kill {kill}: a lease of {grant.key} outlived its end: {path}")
                self.settled.add(grant.lease)

    def imbalance(self, wire, lock):
        answer = wire.request("GET", f"/locks/{lock.key}")
        if answer.status == 404:
            return "unknown, but it is held" if self.known(lock) else None
        seen, now = answer.json, time.monotonic_ns()
        missing = self.known(lock, now) - {holder["ref"] for holder in seen["holders"]}
        if missing:
            return f"holders {missing} are not listed: {answer}"
        leases = sum(self.units(lock, holder) for holder in seen["holders"])
        native = sum(worker.units for worker in self.natives if worker.lock is lock)
        if seen["sysv"]["value"] + leases + native != lock.capacity:
            return f"{seen['sysv']['value']} free + {leases} leased + {native} native is not {lock.capacity}: {answer}"
        if seen["native_held"] != native:
            return f"native_held {seen['native_held']}, but {native} are"
        if seen["waiters"]:
            return f"waiters without clients: {answer}"
        return None

    def known(self, lock, now=None):
        now = now or time.monotonic_ns()
        return {grant.ref for grant in self.history.leases() if grant.key == lock.key and grant.is_certain(now)}

    @staticmethod
    def units(lock, holder):
        if lock.limit:
            return holder["count"]
        return RW_UNITS if holder["mode"] == "exclusive" else 1

    def values_agree(self, wire):
        """The kernel's own values, through GET /semaphores, are those of the locks."""
        for lock in LOCKS:
            seen = wire.request("GET", f"/locks/{lock.key}").json
            values = wire.request("GET", f"/semaphores/id:{seen['sysv']['id']}")["values"]
            self.report.expect(
                values[seen["sysv"]["semaphores"][0]] == seen["sysv"]["value"], f"{lock.key}: two values"
            )


def keep(server, history, lock):
    """One unit of a lock that natives use, held all the time: never idle, the lock keeps its semaphore."""
    sent_at = time.monotonic_ns()
    answer = server.acquire(lock.key, limit=lock.limit, ttl="2h", owner="keeper")
    assert answer.status == 201, answer
    history.granted(answer.json, sent_at)
    return answer["sysv"]


def park(workers):
    for worker in workers:
        worker.go.clear()
    for worker in workers:
        if not worker.parked.wait(30):
            raise AssertionError(f"{worker} does not park")
        if worker.error:
            raise worker.error


def resume(workers):
    for worker in workers:
        worker.go.set()


def kill_and_restart(server, chance):
    """Some kills hit the daemon while it starts or recovers."""
    server.kill()
    kills = 1
    while chance.random() < 0.15:
        server.spawn()
        time.sleep(chance.random() * 0.1)
        server.kill()
        kills += 1
    server.spawn()
    return kills


def main():
    options = arguments(__doc__, kills=30, callers=6, max_seconds=1500)
    chance, report = random.Random(options.seed), Report()
    history = History({lock.key: lock.capacity for lock in LOCKS})
    begun, kills = time.monotonic(), 0
    with running("--recovery-grace", f"{GRACE_MS}ms") as server:
        sysv = {lock.key: keep(server, history, lock) for lock in LOCKS if lock.natives}
        natives = [
            NativeWorker(chance.random(), history, lock, sysv[lock.key]) for lock in LOCKS for _ in range(lock.natives)
        ]
        callers = [
            Caller(chance.random(), server.over_unix if number % 3 else server, history, LOCKS)
            for number in range(options.callers)
        ]
        books = Books(server, history, natives, report)
        for worker in natives + callers:
            worker.start()
        while kills < options.kills and time.monotonic() - begun < options.max_seconds:
            resume(natives + callers)
            time.sleep(0.02 + chance.random() * 0.15)
            kills += kill_and_restart(server, chance)
            park(natives + callers)
            server.wait_ready()
            books.check(kills)
        settle(server, history, natives, callers, report, books)
    for text in history.exclusion() + history.fences():
        report.violation(text)
    leases = len(history.leases())
    seconds = time.monotonic() - begun
    print(
        f"{leases} leases, {sum(worker.turns for worker in natives)} native turns, {seconds:.0f} s, "
        f"{kills / seconds:.1f} kills/s"
    )
    report.expect(leases > kills, f"too little traffic: {leases} leases in {kills} kills")
    report.finish(f"kills {kills}")


def settle(server, history, natives, callers, report, books):
    """The end: when every deadline has passed, everything is free."""
    for worker in natives:
        worker.restart()
    keepers = [
        grant for grant in history.leases() if grant.deadline and grant.deadline > time.monotonic_ns() + 600 * SECOND
    ]
    for grant in keepers:
        grant.release_sent_at = time.monotonic_ns()
        report.expect(
            server.delete(f"/leases/{grant.lease}").status == 200, "a long lease did not survive all the kills"
        )
    wire = KeepAlive(server.over_unix)

    def free():
        try:
            answers = [wire.request("GET", f"/locks/{lock.key}") for lock in LOCKS]
        except FAILURES:
            return False
        return all(
            answer.status == 404 or answer["sysv"]["value"] == lock.capacity
            for lock, answer in zip(LOCKS, answers, strict=True)
        )

    report.expect(quiet(free, 20), f"not everything is free at the end: {server.get('/locks').text}")
    books.values_agree(wire)
    wire.close()
    for worker in natives + callers:
        worker.over = True
        worker.go.set()
    for worker in natives:
        worker.join(10)
        worker.program.kill()


if __name__ == "__main__":
    main()
