"""A thousand requests of which the newest wins: one is left, and each other is told at once that a newer one waits.

python3 Tests/Robustness/newest.py --waiters 1000

Each comes on a connection of its own. First one after the other: the time is from the last byte of the newer request to
the first byte of the older one's answer. Then all at once.
"""

import json
import select
import socket
import time

from support import Report, arguments, percentile, quiet, raise_descriptor_limit, running

KEY = "deploy"
MOST_MS = 5.0


def connect(server):
    connected = socket.socket(socket.AF_UNIX)
    connected.connect(server.unix)
    return connected


def ask(connected, number, group="web"):
    target = f"/locks/{KEY}/acquire?wait=20m&ttl=60s&newest={group}&owner={number}"
    connected.sendall(f"POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())


def answer(connected, timeout=30):
    """Status and body of an answer; None while there is none."""
    connected.settimeout(timeout)
    data = b""
    while not data.endswith(b"}\n"):
        more = connected.recv(65536)
        if not more:
            return None
        data += more
    head, _, body = data.partition(b"\r\n\r\n")
    return int(head.split()[1]), json.loads(body)


def one_after_the_other(server, report, waiters):
    """Answers the waiter that is left."""
    idle = [connect(server) for _ in range(waiters)]
    before, times = None, []
    for number, connected in enumerate(idle):
        ask(connected, number)
        sent = time.perf_counter()
        if before is None:
            assert quiet(lambda: server.waiting(KEY) == 1), "the first one waits"
        else:
            ready = ready_of([before], 30)
            times.append((time.perf_counter() - sent) * 1000)
            report.expect(bool(ready), f"waiter {number - 1} heard nothing")
            status, problem = answer(before)
            report.expect((status, problem["code"]) == (409, "superseded"), f"waiter {number - 1} got {problem}")
        before = connected
    p50, p99, most = percentile(times, 0.5), percentile(times, 0.99), max(times)
    print(f"{len(times)} told one after the other: p50 {p50:.3f} ms, p99 {p99:.3f} ms, max {most:.3f} ms", flush=True)
    report.expect(p99 <= MOST_MS, f"p99 is {p99:.3f} ms, at most {MOST_MS} were promised")
    return before


def all_at_once(server, report, waiters):
    """Answers who is left."""
    crowd = [connect(server) for _ in range(waiters)]
    begun = time.perf_counter()
    for number, connected in enumerate(crowd):
        ask(connected, number)
    left = set(crowd)
    deadline = time.monotonic() + 60
    while len(left) > 1 and time.monotonic() < deadline:
        for connected in ready_of(left):
            status, problem = answer(connected)
            report.expect((status, problem["code"]) == (409, "superseded"), f"somebody got {problem}")
            left.discard(connected)
    print(f"{waiters} at once: {len(left)} left after {(time.perf_counter() - begun) * 1000:.0f} ms", flush=True)
    report.expect(len(left) == 1, f"{len(left)} wait")
    return left.pop()


def ready_of(sockets, seconds=1):
    """Those of many sockets that can be read, in so many seconds."""
    poll, by_number = select.poll(), {}
    for connected in sockets:
        by_number[connected.fileno()] = connected
        poll.register(connected, select.POLLIN)
    return [by_number[number] for number, _ in poll.poll(seconds * 1000)]


def main():
    options = arguments(__doc__, waiters=1000)
    raise_descriptor_limit()
    report = Report()
    with running("--max-waiters", str(options.waiters * 2), "--max-connections", str(options.waiters * 3)) as server:
        held = server.over_unix.acquire(KEY, ttl="1h", newest="web")
        assert held.status == 201, held
        newest = one_after_the_other(server, report, options.waiters)
        report.expect(server.waiting(KEY) == 1, f"{server.waiting(KEY)} wait")
        shown = server.get(f"/leases/{held['lease']}")
        report.expect(shown.json.get("yield") is True, f"the holder is not asked to yield: {shown}")
        left = all_at_once(server, report, options.waiters)
        status, _ = answer(newest)
        report.expect(status == 409, "the newest of before still waits")
        report.expect(quiet(lambda: server.waiting(KEY) == 1), f"{server.waiting(KEY)} wait")
        server.over_unix.release(held)
        status, lease = answer(left)
        report.expect(status == 201, f"the newest got {lease}")
        lock = server.lock(KEY).json
        report.expect(len(lock["holders"]) == 1 and not lock["waiters"], f"more than one is left: {lock}")
    report.finish(f"newest {2 * options.waiters}")


if __name__ == "__main__":
    main()
