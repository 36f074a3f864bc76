"""A hundred thousand leases: what they weigh, how long recovery takes, and what happens when all expire at once.

python3 Tests/Robustness/leases.py --leases 100000
"""

import multiprocessing
import signal
import socket
import subprocess
import threading
import time

from support import FAILURES, KeepAlive, Report, arguments, quiet, running

LOCKS = 100
SLOTS = 30000  # of each lock
GRACE = 3.0  # seconds after the restart; all leases expire at its end


def make(path, first, count, limit, ttl, results):
    """Acquires `count` leases over one connection, many requests on the way at once."""
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(path)
    granted, batch, query = 0, 50, f"limit={limit}&ttl={ttl}s"
    for start in range(first, first + count, batch):
        size = min(batch, first + count - start)
        connected.sendall(
            b"".join(
                f"POST /locks/many-{number % LOCKS}/acquire?{query} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
                for number in range(start, start + size)
            )
        )
        text = b""
        while text.count(b"HTTP/1.1 ") < size or not text.endswith(b"}\n"):
            data = connected.recv(1 << 20)
            if not data:
                break
            text += data
        granted += text.count(b"HTTP/1.1 201")
    results.put(granted)


def segments():
    """Size and resident bytes of the shared memory in this namespace: there is nobody but the daemon."""
    with open("/proc/sysvipc/shm", encoding="ascii") as file:
        names = file.readline().split()
        rows = [dict(zip(names, line.split(), strict=False)) for line in file]
    return sum(int(row["size"]) for row in rows), sum(int(row["rss"]) for row in rows)


def held(server):
    answer = server.over_unix.get("/locks", key="many-", limit=1000)
    return sum(lock["held"] for lock in answer["locks"])


class Bystander(threading.Thread):
    """Somebody else's requests, and the longest time one took."""

    def __init__(self, server):
        super().__init__(daemon=True)
        self.wire, self.over, self.worst, self.count = KeepAlive(server.over_unix), False, 0.0, 0

    def run(self):
        while not self.over:
            begun = time.monotonic()
            try:
                answer = self.wire.request("POST", "/locks/bystander/acquire", ttl="10s", wait="5s")
                self.wire.request("DELETE", f"/leases/{answer['lease']}")
            except FAILURES:
                continue
            self.worst = max(self.worst, (time.monotonic() - begun) / 2)
            self.count += 1
            time.sleep(0.002)


def fill(server, options):
    context, results = multiprocessing.get_context("fork"), multiprocessing.get_context("fork").Queue()
    share = options.leases // 4
    makers = [
        context.Process(target=make, args=(server.unix, number * share, share, SLOTS, options.ttl, results))
        for number in range(4)
    ]
    begun = time.monotonic()
    for maker in makers:
        maker.start()
    granted = sum(results.get(timeout=options.ttl * 4) for _ in makers)
    for maker in makers:
        maker.join()
    return granted, time.monotonic() - begun


def terminate_while_it_recovers(server, report, recovery, granted, times=5):
    """SIGTERM ends a daemon that recovers, soon, and its leases stay for the next."""
    for number in range(times):
        server.kill()
        said = server.log_text()
        server.spawn()
        time.sleep(recovery * (number + 0.5) / times)
        begun = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        try:
            status = server.process.wait(20)
        except subprocess.TimeoutExpired:
            report.violation("SIGTERM does not end a daemon that recovers")
            return server.start()
        took = time.monotonic() - begun
        # Before the program catches it, and says anything, the signal itself ends the process.
        is_early = status == -signal.SIGTERM and server.log_text() == said
        report.expect(status == 0 or is_early, f"SIGTERM in recovery: {status}")
        report.expect(took < recovery + 1, f"SIGTERM in recovery takes {took:.1f} s")
        server.start()
        report.expect(held(server) == granted, f"{held(server)} of {granted} leases after SIGTERM in recovery")


def main():
    options = arguments(__doc__, leases=100_000, ttl=60, limit_seconds=1.0)
    options.leases -= options.leases % 4
    report = Report()
    with running("--recovery-grace", f"{GRACE}s", "--max-leases", str(2 * options.leases)) as server:
        _, empty = segments()
        granted, seconds = fill(server, options)
        made_at = time.monotonic()
        size, resident = segments()
        report.expect(granted == options.leases, f"{granted} of {options.leases} were granted")
        print(
            f"{granted} leases in {seconds:.1f} s; ledger {size} bytes, touched {resident - empty}, "
            f"{(resident - empty) / granted:.0f} bytes each"
        )
        server.kill()
        begun = time.monotonic()
        server.start()
        recovery = time.monotonic() - begun
        report.expect(held(server) == granted, f"{held(server)} of {granted} leases after kill -9")
        report.expect(recovery < options.limit_seconds, "recovery takes too long")
        print(f"recovered in {recovery * 1000:.0f} ms, the start of the program included")
        terminate_while_it_recovers(server, report, recovery, granted)
        # Dead while all deadlines pass: then they end together, when the grace is over.
        server.kill()
        time.sleep(max(0.0, made_at + options.ttl + 1 - time.monotonic()))
        server.start()
        ready_at = time.monotonic()
        bystander = Bystander(server)
        bystander.start()
        report.expect(quiet(lambda: held(server) < granted, 30, 0.005), "nothing expires")
        first = time.monotonic()
        report.expect(quiet(lambda: held(server) == 0, 30, 0.005), f"{held(server)} leases never expire")
        last = time.monotonic()
        bystander.over = True
        bystander.join(10)
        print(
            f"all expired in {(last - first) * 1000:.0f} ms, from {first - ready_at:.2f} s after the start; meanwhile "
            f"{bystander.count} other requests, the slowest {bystander.worst * 1000:.0f} ms"
        )
        report.expect(last - first < options.limit_seconds, "expiry of all takes too long")
        report.expect(bystander.worst < options.limit_seconds, "others had to wait too long")
        listed = server.over_unix.get("/locks", key="many-", limit=1000)["locks"]
        report.expect(all(lock["sysv"]["value"] == lock["limit"] for lock in listed), "a semaphore is not full again")
    report.finish(f"leases {granted}")


if __name__ == "__main__":
    main()
