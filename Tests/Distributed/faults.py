#!/usr/bin/env python3
"""Three members of etcd on hosts of their own, three services, and clients that honour their leases by their own clock;
members and services die, stop and are cut off meanwhile, and what lies between them lies. Needs network namespaces.

    faults.py [--etcd PATH] [--seconds N] [--seed N] [--election MS] [FAULT...]

Checks of the history: never more units than there are, among clients that stop at the end of their lease; fences grow
with each grant of a lock for one; nobody overtakes in the queue of a lock for one; no lease that its holder was told of
was dead before its deadline; nothing stays in the queues afterwards. Ends only what it started.
"""

import json
import random
import signal
import sys
import threading
import time

import cluster
import history
import rig
from cluster import FAILURES, Cluster, Services, Wires, call, coded

OF_WIRES = ["answers-dropped", "keepalive-lies", "watch-silent", "reads-old"]
FAULTS = ["none", "leader-kill", "leader-stop", "leader-cut", "service-kill", "service-stop", *OF_WIRES]
SLOTS = 3
CAPACITY = {"w": 1, "s": SLOTS, "x": 1}
# In these every service finds a majority at once, so who came first stands in line first.
PROMPT = {"none", "keepalive-lies", "watch-silent", "reads-old"}


class Clients:
    """What they saw while one fault was at work: six share two locks, three more forget to give back a third."""

    def __init__(self, what, seed, seconds, members):
        self.what, self.seed, self.guard, self.members = what, seed, threading.Lock(), members
        self.held, self.queued, self.statuses, self.dead = [], [], {}, []
        self.stop, self.wait = time.monotonic() + seconds, min(10, int(seconds))
        self.finished, self.written = [], []
        self.threads = [threading.Thread(target=self.run, args=(number,)) for number in range(9)]
        self.threads += [threading.Thread(target=self.probe), threading.Thread(target=self.write)]
        for thread in self.threads:
            thread.start()

    def join(self):
        for thread in self.threads:
            thread.join()

    def note(self, status):
        with self.guard:
            self.statuses[str(status)] = self.statuses.get(str(status), 0) + 1

    @staticmethod
    def ask(*words):
        try:
            return call(*words, timeout=14)
        except FAILURES:
            return "lost", {}

    def run(self, number):
        dice, port = random.Random(self.seed * 100 + number), Services.ports[number % 3]
        while time.monotonic() < self.stop:
            forgets = number >= 6
            lock, count = ("x", 1) if forgets else dice.choice([("w", 1), ("s", 1), ("s", 2)])
            query = f"wait={self.wait}s&ttl=" + ("2s" if forgets else "4s")
            if lock == "s":
                query += f"&limit={SLOTS}&count={count}"
            key = {"Idempotency-Key": f"{self.what} {dice.random()}"}
            for attempt in range(3):
                sent = time.monotonic()
                status, lease = self.ask(port, "POST", f"/locks/f-{lock}/acquire?{query}", key)
                self.note(status)
                if status in (200, 201, 423, 408):
                    break
                # The answer is lost, or nobody knows: again with the same key, through another service.
                port = dice.choice(Services.ports)
                time.sleep(0.1)
            if status in (200, 201):
                self.hold(dice, lock, count, port, lease, sent, forgets, attempt == 0 and status == 201)
            if number % 2:
                port = dice.choice(Services.ports)

    def probe(self):
        """Takes locks that nobody else wants, one after the other: how long is nothing to be had?"""
        number = 0
        while time.monotonic() < self.stop:
            number += 1
            for port in Services.ports:
                status, lease = self.ask(port, "POST", f"/locks/p-{self.what}-{number}/acquire?ttl=4s")
                if status == 201 and self.ask(port, "DELETE", f"/leases/{lease['lease']}")[0] == 200:
                    self.finished.append(time.monotonic())
            time.sleep(0.02)

    def write(self):
        """Writes to the members themselves: how long does etcd take nothing?"""
        body = {"key": coded("bare"), "value": ""}
        while time.monotonic() < self.stop:
            for host in self.members.hosts:
                try:
                    status, _ = call(2379, "POST", "/v3/kv/put", timeout=0.5, host=host.address, body=body)
                except FAILURES:
                    continue
                if status == 200:
                    self.written.append(time.monotonic())
            time.sleep(0.02)

    def hold(self, dice, lock, count, port, lease, sent, forgets, is_first):
        begun, waited = time.monotonic(), 0 if lease.get("replayed") else lease["waited_ms"]
        until = min(sent + (waited + lease["expires_in_ms"]) / 1000, begun + lease["expires_in_ms"] / 1000)
        if begun >= until:
            return
        if lock == "x" and is_first:
            with self.guard:
                self.queued.append((begun - waited / 1000, sent, begun))
        if not forgets and dice.random() < 0.2:
            asked = time.monotonic()
            status, renewed = self.ask(dice.choice(Services.ports), "POST", f"/leases/{lease['lease']}/renew")
            self.note(f"renew {status}")
            self.look(lock, lease, status, renewed, until)
            if status == 200:
                until = max(until, asked + renewed["expires_in_ms"] / 1000)
        time.sleep(max(0, until - time.monotonic() - 0.001 if forgets
                       else min(dice.random() * 0.05, until - time.monotonic() - 0.01)))
        with self.guard:
            self.held.append(history.Held(lock, count, begun, min(time.monotonic(), until), lease["fence"]))
        if not forgets:
            status, answer = self.ask(port, "DELETE", f"/leases/{lease['lease']}")
            self.note(f"release {status}")
            self.look(lock, lease, status, answer, until)

    def look(self, lock, lease, status, answer, until):
        """Notes a lease that is dead while its holder may still believe in it."""
        if status in (404, 410) and answer.get("reason") != "released" and time.monotonic() < until:
            with self.guard:
                self.dead.append((lock, lease["fence"], answer, round(until - time.monotonic(), 3)))

    def overtakings(self):
        """Pairs of which one stood in line for two seconds when the other came, which got the lock first."""
        return [f"who came at {sent:.3f} overtook who waited since {since:.3f}"
                for since, _, got in self.queued for _, sent, first in self.queued
                if self.what in PROMPT and sent > since + 2 and first < got]

    def violations(self):
        return [*history.violations(self.held, CAPACITY), *self.overtakings(),
                *(f"dead while it was held: {dead}" for dead in self.dead)]

    def told(self):
        return json.dumps(self.statuses, sort_keys=True)

    def longest_gaps(self):
        """Seconds without a cycle of a lock of one's own, a grant of the shared ones, a put of etcd's."""
        shared = sorted(held.begun for held in self.held if held.lock != "x")
        own, of_all, bare = (max([b - a for a, b in zip(times, times[1:])], default=0)
                             for times in (self.finished, shared, self.written))
        return f"longest gap {own:.2f} s, of shared locks {of_all:.2f} s, of bare puts {bare:.2f} s"


class Faults:
    def __init__(self, members, services, wires, dice, seconds):
        self.members, self.services, self.wires, self.dice = members, services, wires, dice
        self.lead, self.pause = min(3, seconds / 6), min(8, seconds / 3)

    def go_on(self, what, stop):
        """One after the other until it is time to stop; all is whole again at the end."""
        while what != "none" and time.monotonic() + self.lead + self.pause < stop:
            time.sleep(self.lead)
            # One thing is wrong at a time.
            rig.eventually(self.members.are_whole, "the members are whole again", 30)
            if what in OF_WIRES:
                self.wires.say(what)
                time.sleep(self.pause)
                self.wires.say("none")
            else:
                self.once(what, self.members.leader(), self.dice.randrange(3))

    def once(self, what, leader, service):
        if what == "leader-kill":
            self.members.kill(leader)
            time.sleep(self.pause)
            self.members.start(leader)
        elif what == "leader-stop":
            self.members.signal(leader, signal.SIGSTOP)
            time.sleep(self.pause)
            self.members.signal(leader, signal.SIGCONT)
        elif what == "leader-cut":
            self.members.hosts[leader].cut()
            time.sleep(self.pause)
            self.members.hosts[leader].join()
        elif what == "service-kill":
            self.services.kill(service)
            time.sleep(min(2, self.pause))
            self.services.start(service)
        elif what == "service-stop":
            self.services.signal(service, signal.SIGSTOP)
            time.sleep(self.pause)
            self.services.signal(service, signal.SIGCONT)


def run(etcd, faults, seconds, seed, election=1000):
    """Prints a line a fault; returns what was wrong in all of them."""
    members = Cluster(etcd, election)
    wrong = []
    try:
        print("etcd", members.status(0)["version"], flush=True)
        for of_wires in (False, True):
            wanted = [what for what in faults if (what in OF_WIRES) == of_wires]
            wires = Wires(members, seed) if wanted and of_wires else None
            services = Services(wires.urls if wires else [members.url(k) for k in range(3)]) if wanted else None
            try:
                for what in wanted:
                    clients = Clients(what, seed, seconds, members)
                    Faults(members, services, wires, random.Random(seed), seconds).go_on(what, clients.stop)
                    clients.join()
                    found = clients.violations()
                    wrong += found
                    print(f"{what}: {len(clients.held)} grants, {clients.longest_gaps()}, "
                          f"{len(found)} violations, answers {clients.told()}", flush=True)
                    for violation in found[:5]:
                        print("  " + violation, flush=True)
                    rig.eventually(lambda: all(services.answers(k) for k in range(3)), "all services answer")
                if wanted:
                    # Leases of 4 s, twice as long after a change of the leader, and what etcd is late.
                    rig.eventually(lambda: not members.keys("/lh/1/q/"), "the queues are empty", 25)
            finally:
                if services:
                    services.stop()
                if wires:
                    wires.stop()
        print(f"nothing is left in the queues; seed {seed}", flush=True)
    finally:
        members.stop()
    return wrong


if __name__ == "__main__":
    parser = cluster.arguments(__doc__)
    parser.add_argument("faults", nargs="*", choices=[[], *FAULTS])
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    parser.add_argument("--election", type=int, default=1000, help="etcd's --election-timeout, in milliseconds")
    words = parser.parse_args()
    if rig.why_not():
        sys.exit(rig.why_not())
    sys.exit(1 if run(words.etcd, words.faults or FAULTS, words.seconds, words.seed, words.election) else 0)
