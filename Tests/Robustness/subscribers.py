"""Many followers of /events during load: nobody misses an event, and what they cost is told.

python3 Tests/Robustness/subscribers.py --subscribers 200 --cycles 5000
"""

import multiprocessing
import os
import re
import selectors
import socket
import time

from support import Report, arguments, quiet, raise_descriptor_limit, running

import harness

NUMBER = re.compile(rb'"seq":(\d+),')
CLIENTS = 8


class Follower:
    """One open answer, and the numbers of the events that came, as they came."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(path)
        self.socket.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.socket.setblocking(False)
        self.raw, self.text = bytearray(), bytearray()
        self.first = self.last = None
        self.count, self.flaw = 0, None

    def read(self):
        data = self.socket.recv(1 << 18)
        if not data:
            self.flaw = self.flaw or "was cut off"
            return
        self.raw += data
        if self.raw.startswith(b"HTTP/"):
            head, _, self.raw = self.raw.partition(b"\r\n\r\n")
        self.unchunk()
        end = self.text.rfind(b"\n\n")
        if end < 0:
            return
        if b"event: gap" in self.text[:end]:
            self.flaw = "has a gap"
        for number in map(int, NUMBER.findall(self.text[:end])):
            if self.last is not None and number != self.last + 1:
                self.flaw = self.flaw or f"got {number} behind {self.last}"
            self.first = self.first or number
            self.last, self.count = number, self.count + 1
        del self.text[: end + 2]

    def unchunk(self):
        at = 0
        while (end := self.raw.find(b"\r\n", at)) >= 0:
            size = int(self.raw[at:end] or b"0", 16)
            if len(self.raw) < end + 2 + size + 2:
                break
            self.text += self.raw[end + 2 : end + 2 + size]
            at = end + 2 + size + 2
        del self.raw[:at]


def follow(pipe, path, count, seconds):
    """Some of the followers, in a process of their own, which yields to the load as others' programs do."""
    raise_descriptor_limit()
    os.nice(5)
    selector = selectors.DefaultSelector()
    followers = [Follower(path) for _ in range(count)]
    for follower in followers:
        selector.register(follower.socket, selectors.EVENT_READ, follower)
    pipe.send("following")
    wanted, deadline = None, time.monotonic() + seconds
    while time.monotonic() < deadline:
        if wanted is None and pipe.poll(0):
            wanted = pipe.recv()
        for event, _ in selector.select(0.2):
            event.data.read()
            if event.data.flaw:
                selector.unregister(event.fileobj)
        if wanted and all(follower.flaw or follower.count >= wanted for follower in followers):
            break
    flaws = [follower.flaw for follower in followers if follower.flaw]
    flaws += [f"has {each.count} of {wanted}" for each in followers if not each.flaw and each.count != wanted]
    pipe.send((flaws, time.monotonic()))


def cycle(path, number, cycles):
    """One caller: takes a lock of its own and gives it back."""
    connection = harness.UnixConnection(path)
    for _ in range(cycles):
        connection.request("POST", f"/locks/load-{number}/acquire?format=text")
        lease = connection.getresponse().read().decode().strip()
        connection.request("DELETE", f"/leases/{lease}")
        connection.getresponse().read()
    connection.close()


def cpu(pid):
    """Seconds of CPU that a process has used."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load(context, server, cycles):
    """Runs the callers; how long they took, and what the service used."""
    begun, used = time.monotonic(), cpu(server.pid)
    each = cycles // CLIENTS
    callers = [context.Process(target=cycle, args=(server.unix, number, each)) for number in range(CLIENTS)]
    for caller in callers:
        caller.start()
    for caller in callers:
        caller.join()
    assert all(caller.exitcode == 0 for caller in callers), "a caller failed"
    return time.monotonic() - begun, cpu(server.pid) - used


def paced(server, rate, seconds):
    """A caller that does not press: `rate` cycles a second; how long an acquire took, median and p99 in us."""
    connection, took = harness.UnixConnection(server.unix), []
    begun = time.monotonic()
    for number in range(int(rate * seconds)):
        time.sleep(max(0, begun + number / rate - time.monotonic()))
        asked = time.monotonic()
        connection.request("POST", "/locks/paced/acquire?format=text")
        lease = connection.getresponse().read().decode().strip()
        took.append(time.monotonic() - asked)
        connection.request("DELETE", f"/leases/{lease}")
        connection.getresponse().read()
    connection.close()
    took.sort()
    return took[len(took) // 2] * 1e6, took[len(took) * 99 // 100] * 1e6


def main():
    options = arguments(__doc__, subscribers=200, cycles=5000, processes=2, rate=50, seconds=4, max_seconds=240)
    raise_descriptor_limit()
    report, context = Report(), multiprocessing.get_context("fork")
    cycles = options.cycles // CLIENTS * CLIENTS
    with running("--events-kept", str(4 * cycles), "--max-event-subscribers", str(2 * options.subscribers)) as server:
        load(context, server, cycles)  # warm
        took, used = load(context, server, cycles)
        print(f"0 subscribers: {cycles / took:.0f} cycles/s, {used / cycles * 1e6:.0f} us of CPU a cycle")
        alone = paced(server, options.rate, options.seconds)
        share, groups = options.subscribers // options.processes, []
        for _ in range(options.processes):
            pipe, end = context.Pipe()
            process = context.Process(
                target=follow, daemon=True, args=(end, server.unix, share, options.max_seconds))
            process.start()
            groups.append((process, pipe))
        for _, pipe in groups:
            pipe.recv()
        total = share * options.processes
        assert quiet(lambda: server.metric("leasehold_event_subscribers") == total, 30, 0.1), "not all follow"
        beside = paced(server, options.rate, options.seconds)
        print(f"an acquire, {options.rate} a second: p50 {alone[0]:.0f} us, p99 {alone[1]:.0f} us with 0 subscribers, "
              f"p50 {beside[0]:.0f} us, p99 {beside[1]:.0f} us with {total}")
        seen = 2 * int(options.rate * options.seconds)
        begun, used_before = time.monotonic(), cpu(server.pid)
        took, used = load(context, server, cycles)
        print(f"{total} subscribers: {cycles / took:.0f} cycles/s, {used / cycles * 1e6:.0f} us of CPU a cycle")
        for _, pipe in groups:
            pipe.send(2 * cycles + seen)
        for _, pipe in groups:
            if not pipe.poll(options.max_seconds):
                raise AssertionError("the followers say nothing")
            flaws, ended = pipe.recv()
            report.expect(not flaws, f"{len(flaws)} followers, the first: {flaws[:1]}")
            print(f"all told {ended - begun:.1f} s after the load began, {ended - begun - took:.1f} s after its end")
        print(f"CPU of the service for all of it: {cpu(server.pid) - used_before:.1f} s")
        report.expect(server.metric("leasehold_event_subscribers_dropped_total") == 0, "somebody was dropped")
    report.finish(f"subscribers {total}, cycles {cycles}")


if __name__ == "__main__":
    main()
