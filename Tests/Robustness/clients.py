"""Clients that die while they wait and while their grant is on the way: no slot is lost, none stays held.

python3 Tests/Robustness/clients.py --clients 1000
"""

import os
import random
import signal
import socket
import struct
import time

from support import Report, arguments, percentile, quiet, raise_descriptor_limit, running

DETECTION = 5.0  # seconds, generously, until the service has noticed a death


class Dying:
    """A client that sends one acquire and never reads the answer. Some are processes of their own."""

    def __init__(self, address, target, death):
        self.death, self.pid = death, None
        data = f"POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        if death == "kill":
            parent, self.pid = os.getpid(), os.fork()
            if self.pid == 0:
                # Inherited copies of other clients' sockets would keep those alive.
                os.closerange(3, 1 << 16)
                connected = self.connect(address)
                connected.sendall(data)
                while os.getppid() == parent:
                    time.sleep(1)
                os._exit(0)
        else:
            self.socket = self.connect(address)
            self.socket.sendall(data)

    @staticmethod
    def connect(address):
        if isinstance(address, int):
            return socket.create_connection(("127.0.0.1", address))
        connected = socket.socket(socket.AF_UNIX)
        connected.connect(address)
        return connected

    def die(self):
        if self.pid:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            return
        if self.death == "reset":
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.socket.close()


class Trial:
    def __init__(self, server, chance, report):
        self.server, self.chance, self.report = server, chance, report
        self.detections = []

    def client(self, key, query):
        address = self.chance.choice((self.server.port, self.server.unix))
        death = self.chance.choice(("close", "reset", "kill"))
        return Dying(address, f"/locks/{key}/acquire?wait=60s&{query}", death)

    def hold(self, key, limit):
        answer = self.server.acquire(key, limit=limit, count=limit, ttl="60s")
        assert answer.status == 201, answer
        return answer

    def while_waiting(self, number, count):
        """All die in the queue; then nobody was ever granted anything."""
        key, limit = f"waiting-{number}", self.chance.randint(1, 4)
        held = self.hold(key, limit)
        clients = [
            self.client(key, f"limit={limit}&count={self.chance.randint(1, limit)}&ttl=60s") for _ in range(count)
        ]
        assert quiet(lambda: self.server.waiting(key) == count), f"{self.server.waiting(key)} of {count} wait"
        self.chance.shuffle(clients)
        for client in clients:
            client.die()
        begun = time.monotonic()
        gone = quiet(lambda: self.server.waiting(key) == 0, DETECTION)
        self.detections.append(time.monotonic() - begun)
        self.report.expect(gone, f"{key}: the dead still wait: {self.server.lock(key)}")
        self.server.release(held)
        lock = self.server.lock(key).json
        self.report.expect(
            lock["holders"] == [] and lock["available"] == limit, f"{key}: a dead waiter was granted: {lock}"
        )

    def while_granted(self, number, count):
        """The head of the queue dies at the moment of its grant; its lease, being bound, ends with it."""
        key = f"granted-{number}"
        held = self.hold(key, 1)
        clients = []
        for position in range(count):  # one after the other: the order of the queue is the order of the list
            clients.append(self.client(key, "limit=1&ttl=60s&bind=connection"))
            assert quiet(lambda position=position: self.server.waiting(key) > position, pause=0.001)
        self.server.release(held)
        for client in clients:
            time.sleep(self.chance.random() * 0.003)
            client.die()
        begun = time.monotonic()
        answer = self.server.acquire(key, limit=1, wait=f"{DETECTION}s", ttl="60s")
        self.detections.append(time.monotonic() - begun)
        if answer.status != 201:
            self.report.violation(f"{key}: a slot is lost: {self.server.lock(key)}")
            return
        self.server.release(answer)
        lock = self.server.lock(key).json
        self.report.expect(lock["available"] == 1 and not lock["holders"] and not lock["waiters"], f"{key}: {lock}")
        self.report.expect(lock["sysv"]["value"] == 1, f"{key}: the semaphore is {lock['sysv']['value']}")

    def while_granted_unbound(self, number, count):
        """The same with leases that only their ttl ends: a grant that nobody read lasts that long, and no longer."""
        key = f"unbound-{number}"
        held = self.hold(key, 1)
        clients = [self.client(key, "limit=1&ttl=300ms") for _ in range(count)]
        assert quiet(lambda: self.server.waiting(key) == count)
        self.server.release(held)
        for client in clients:
            time.sleep(self.chance.random() * 0.003)
            client.die()
        answer = self.server.acquire(key, limit=1, wait=f"{DETECTION + 0.3 * count}s")
        self.report.expect(answer.status == 201, f"{key}: a slot is lost: {self.server.lock(key)}")
        if answer.status == 201:
            self.server.release(answer)


def main():
    options = arguments(__doc__, clients=1000, max_seconds=300)
    raise_descriptor_limit()
    chance, report = random.Random(options.seed), Report()
    begun, died, number = time.monotonic(), 0, 0
    with running() as server:
        trial = Trial(server, chance, report)
        while died < options.clients and time.monotonic() - begun < options.max_seconds:
            number += 1
            kind = (trial.while_waiting, trial.while_granted, trial.while_granted_unbound)[number % 3]
            count = chance.randint(5, 30)
            kind(number, count)
            died += count
        leases = server.get("/leases")["leases"]
        report.expect(quiet(lambda: not server.get("/leases")["leases"], 5), f"leases are left: {leases}")
    print(
        f"free after p50 {percentile(trial.detections, 0.5) * 1000:.1f} ms, max {max(trial.detections) * 1000:.1f} ms"
    )
    report.finish(f"clients {died}")


if __name__ == "__main__":
    main()
