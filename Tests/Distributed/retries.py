#!/usr/bin/env python3
"""Retries through another service while the first hangs: is anybody told of a lease that is dead?

    retries.py [--etcd PATH] [--retries N] [--seed N]

Three members of etcd, three services. The first is stopped and continued again and again. Each caller asks it, gives
up after some milliseconds or hangs on, and asks another one with the same Idempotency-Key. A lease that it is told of
has to live: the third service renews it, at once and after the first one has gone on, and then gives it back.
"""

import collections
import random
import signal
import socket
import sys
import threading
import time

import cluster
import rig
from cluster import FAILURES, Services, call

CALLERS = 8


class Retries:
    def __init__(self, services, count, seed):
        self.services, self.count, self.seed = services, count, seed
        self.guard, self.told, self.dead = threading.Lock(), collections.Counter(), []
        self.turns = 0  # how often the first service has gone on
        self.is_over = threading.Event()

    def note(self, what):
        with self.guard:
            self.told[what] += 1

    def stop_and_continue(self):
        dice = random.Random(self.seed)
        while not self.is_over.is_set():
            self.services.signal(0, signal.SIGSTOP)
            time.sleep(dice.uniform(0.02, 0.6))
            self.services.signal(0, signal.SIGCONT)
            with self.guard:
                self.turns += 1
            time.sleep(dice.uniform(0.005, 0.1))

    def first(self, path, key, dice):
        """Asks the service that may hang, and hangs up, or leaves the connection open."""
        asked = socket.create_connection(("127.0.0.1", Services.ports[0]), 5)
        asked.sendall(f"POST {path} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {key}\r\n\r\n".encode())
        asked.settimeout(dice.choice([0.005, 0.02, 0.1]))
        try:
            self.note("answered in time" if asked.recv(4096) else "closed")
        except TimeoutError:
            self.note("given up")
        if dice.random() < 0.5:
            asked.close()
        return asked

    def caller(self, number):
        dice = random.Random(self.seed * 100 + number)
        for turn in range(self.count // CALLERS):
            key = f"retry {self.seed} {number} {turn}"
            path = f"/locks/r-{number}-{turn % 5}/acquire?ttl=10s&wait=9s"
            asked, sent = self.first(path, key, dice), time.monotonic()
            try:
                status, lease = call(Services.ports[1], "POST", path, {"Idempotency-Key": key})
            except FAILURES:
                status, lease = "lost", {}
            self.note(f"retry {status}")
            if status in (200, 201):
                until = sent + lease["expires_in_ms"] / 1000
                self.look(lease, until, "at once")
                # The first service gets to see the request, and that its caller is gone.
                seen = self.turns + 2
                while self.turns < seen:
                    time.sleep(0.005)
                self.look(lease, until, "later")
                self.note(f"release {call(Services.ports[2], 'DELETE', '/leases/' + lease['lease'])[0]}")
            asked.close()

    def look(self, lease, until, when):
        status, answer = call(Services.ports[2], "POST", f"/leases/{lease['lease']}/renew")
        self.note(f"renew {when} {status}")
        if status in (404, 410) and time.monotonic() < until:
            with self.guard:
                self.dead.append((when, lease["key"], lease["fence"], lease.get("replayed"), answer))

    def run(self):
        stopper = threading.Thread(target=self.stop_and_continue)
        callers = [threading.Thread(target=self.caller, args=(number,)) for number in range(CALLERS)]
        for thread in [stopper, *callers]:
            thread.start()
        for thread in callers:
            thread.join()
        self.is_over.set()
        stopper.join()


def main(words):
    with cluster.members_and_services(words.etcd) as (members, services):
        retries = Retries(services, words.retries, words.seed)
        retries.run()
        version = members.status(0)["version"]
        dead = len(retries.dead)
        print(f"etcd {version}: {words.retries} retries, {dead} told of a dead lease; seed {words.seed}")
        print(dict(sorted(retries.told.items())))
        for dead in retries.dead[:5]:
            print(" ", dead)
        rig.eventually(lambda: not members.keys("/lh/1/q/"), "the queues are empty", 30)
    return 1 if retries.dead else 0


if __name__ == "__main__":
    parser = cluster.arguments(__doc__)
    parser.add_argument("--retries", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=random.randrange(1 << 20))
    sys.exit(main(parser.parse_args()))
