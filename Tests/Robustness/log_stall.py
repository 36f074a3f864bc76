"""A log that nobody reads, whose reader dies, or whose disk is full: leases end in time, and answers come as fast.

python3 Tests/Robustness/log_stall.py --seconds 60        (on an idle machine)

The same load runs twice, first with a log that is read: leases that expire, waiters that are logged, and requests that
are refused, each with a line of the log. What is measured is how late a waiter behind a lease gets its grant, and how
long an acquire and its release take.
"""

import contextlib
import ctypes
import fcntl
import os
import random
import subprocess
import tempfile
import threading
import time

from support import KeepAlive, Report, arguments, harness, percentile, quiet

MS = 1e6
SETVAL = 16  # linux/sem.h
CLONE_NEWNS, MS_REC, MS_PRIVATE = 0x20000, 0x4000, 0x40000
libc = ctypes.CDLL(None, use_errno=True)


def fill(pipe):
    """Fills a pipe through a description of its own, so that the daemon's stays blocking."""
    own = os.open(f"/proc/self/fd/{pipe}", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(own, b"x")
    os.close(own)


def drain(descriptor, into=None):
    """Reads what is there."""
    os.set_blocking(descriptor, False)
    with contextlib.suppress(BlockingIOError):
        while data := os.read(descriptor, 65536):
            if into is not None:
                into.append(data)
    os.set_blocking(descriptor, True)


@contextlib.contextmanager
def daemon(log):
    """A daemon that logs all it can into a descriptor."""
    server = harness.Server("--log-level", "debug", "--slow-wait", "1h")
    server.process = subprocess.Popen(server.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    harness._started.append(server.process)
    try:
        server.wait_ready()
        yield server
    finally:
        begun = time.monotonic()
        server.stop()
        assert time.monotonic() - begun < 10, "it does not stop in time"


def dropped(server):
    """Lines that the daemon says it lost."""
    return server.metric("leasehold_log_lines_dropped_total")


class Load:
    """Every request leaves a line. Ends with itself after so many seconds."""

    def __init__(self, server, seconds, chance):
        self.server, self.end, self.chance = server, time.monotonic() + seconds, chance
        self.lags, self.answers, self.failures = [], [], []
        jobs = [self.expiries, self.pairs, self.refusals, self.short_leases, self.writes]
        threads = [threading.Thread(target=self.guarded, args=(job,), daemon=True) for job in jobs]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(seconds + 30)
            if thread.is_alive():
                self.failures.append("a client hangs")

    def guarded(self, job):
        wire = KeepAlive(self.server.over_unix, timeout=15)
        try:
            while time.monotonic() < self.end:
                job(wire)
        except Exception as error:  # noqa: BLE001 - it is told, and the run fails
            self.failures.append(f"{job.__name__}: {error!r}")
        wire.close()

    def expiries(self, wire):
        held = wire.request("POST", "/locks/clock/acquire", ttl="100ms", owner="clock").json
        answer = wire.request("POST", "/locks/clock/acquire", wait="10s", ttl="100ms")
        self.lags.append((time.monotonic_ns() - held["deadline_monotonic_ns"]) / MS)
        wire.request("DELETE", "/leases/" + answer["lease"])

    def pairs(self, wire):
        begun = time.monotonic_ns()
        lease = wire.request("POST", "/locks/pair/acquire", ttl="10s")["lease"]
        wire.request("DELETE", "/leases/" + lease)
        self.answers.append((time.monotonic_ns() - begun) / MS)
        time.sleep(0.001)

    def refusals(self, wire):
        connection = self.server.connection()
        connection.request("GET", "/locks", headers={"Host": "elsewhere.example"})
        assert connection.getresponse().status == 421
        connection.close()
        time.sleep(0.002)

    def short_leases(self, wire):
        # Long names, so that a pipe is full after a few of them.
        key = "short-" + "x" * 180 + str(self.chance.randrange(1000))
        assert wire.request("POST", f"/locks/{key}/acquire", ttl="100ms", owner="y" * 120).status in (201, 423)
        time.sleep(0.005)

    def writes(self, wire):
        # Another program writes the value under a lease: a line of drift. The kernel tells of writes by the second.
        held = wire.request("POST", "/locks/php:31818/acquire", ttl="10s").json
        time.sleep(1.1)
        assert libc.semctl(held["sysv"]["id"], 0, SETVAL, 1) == 0, os.strerror(ctypes.get_errno())
        assert wire.request("DELETE", "/leases/" + held["lease"]).json["reason"] == "rewritten"

    def __str__(self):
        return (f"expiries {len(self.lags)} late ms p50 {percentile(self.lags, 0.5):.2f} "
                f"p99 {percentile(self.lags, 0.99):.2f}; pairs {len(self.answers)} ms "
                f"p50 {percentile(self.answers, 0.5):.3f} p99 {percentile(self.answers, 0.99):.3f}")


def run(name, server, options, report):
    load = Load(server, options.seconds, random.Random(options.seed))
    print(f"{name}: {load}", flush=True)
    for failure in load.failures:
        report.violation(f"{name}: {failure}")
    report.expect(server.get("/healthz").status == 200, f"{name}: not healthy")
    drift = server.metric('leasehold_drift_total{kind="rewritten"}')
    report.expect(drift > 0, f"{name}: no value that was written was noticed")
    return load


def compare(name, load, normal, options, report):
    """At p99 leases end no later than so many ms after those of a run with a reader, and answers are as fast.

    What a busy machine adds differs from run to run: half as much again, or a millisecond, is no waiting for a reader.
    """
    late = percentile(load.lags, 0.99) - percentile(normal.lags, 0.99)
    report.expect(late <= options.limit_ms, f"{name}: expiries are {late:.1f} ms later")
    usual = percentile(normal.answers, 0.5)
    slower = percentile(load.answers, 0.5) - usual
    report.expect(slower <= max(1, usual / 2), f"{name}: answers take {slower:.2f} ms longer than {usual:.2f} ms")


def read_log(options, report):
    reader, writer = os.pipe()
    texts = []

    def read():
        while data := os.read(reader, 65536):
            texts.append(data)

    thread = threading.Thread(target=read)
    with daemon(writer) as server:
        os.close(writer)
        thread.start()
        normal = run("read", server, options, report)
        report.expect(dropped(server) == 0, "read: lines were dropped")
    thread.join()
    os.close(reader)
    return normal


def stalled(options, report, normal):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
    texts = []
    with daemon(writer) as server:
        fill(writer)
        os.close(writer)
        load = run("stalled", server, options, report)
        compare("stalled", load, normal, options, report)
        # What is missing is told as soon as there is room, and all that is not missing is there.
        flood(server)
        lost = dropped(server)
        report.expect(lost > 0, "stalled: no line was dropped")
        told = lambda: drain(reader, texts) or b"lines were dropped" in b"".join(texts)
        report.expect(quiet(told), "stalled: the log does not tell of the lines that it lost")
    drain(reader, texts)
    os.close(reader)
    lines = b"".join(texts).decode()
    counts = [int(line.rsplit("lines_dropped=", 1)[1]) for line in lines.splitlines() if "lines_dropped=" in line]
    report.expect(sum(counts) == lost, f"stalled: the log tells of {counts}, the metric of {lost}")
    print(f"stalled: lines dropped {lost}", flush=True)


def flood(server):
    """More lines than the queue holds: each wait leaves one."""
    wire = KeepAlive(server.over_unix)
    begun = time.monotonic()
    held = wire.request("POST", "/locks/flood/acquire", ttl="300s", owner="z" * 120)
    assert held.status == 201, held
    while dropped(server) == 0 and time.monotonic() - begun < 120:
        for _ in range(200):
            wire.request("POST", "/locks/flood/acquire", wait="1ms", owner="z" * 120)
    wire.request("DELETE", "/leases/" + held["lease"])
    wire.close()


def reader_dies(options, report, normal):
    reader, writer = os.pipe()
    with daemon(writer) as server:
        os.close(writer)
        os.close(reader)
        load = run("reader gone", server, options, report)
        compare("reader gone", load, normal, options, report)
        report.expect(dropped(server) > 0, "reader gone: no line was dropped")


def full_disk(options, report, normal):
    """On a small file system of this process alone; it is full, then it is not."""
    folder = tempfile.mkdtemp(prefix="leasehold-full-")
    if libc.unshare(CLONE_NEWNS) != 0 or libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None) != 0 \
            or libc.mount(b"tmpfs", folder.encode(), b"tmpfs", 0, b"size=64k") != 0:
        os.rmdir(folder)
        return print("full disk: skipped, no file system can be mounted here", flush=True)
    try:
        log = os.open(folder + "/log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        rest = os.open(folder + "/rest", os.O_WRONLY | os.O_CREAT)
        with contextlib.suppress(OSError):
            while os.write(rest, b"x" * 4096):
                pass
        os.close(rest)
        with daemon(log) as server:
            os.close(log)
            load = run("full disk", server, options, report)
            compare("full disk", load, normal, options, report)
            lost = dropped(server)
            report.expect(lost > 0, "full disk: no line was dropped")
            os.remove(folder + "/rest")
            server.acquire("again", ttl="100ms")
            with open(folder + "/log", encoding="utf-8") as file:
                told = lambda: file.seek(0) or "lines were dropped" in file.read()
                report.expect(quiet(told), "full disk: the log does not tell of the lines that it lost")
    finally:
        libc.umount2(folder.encode(), 2)
        os.rmdir(folder)


def main():
    options = arguments(__doc__, seconds=3.0, limit_ms=5.0)
    report = Report()
    normal = read_log(options, report)
    stalled(options, report, normal)
    reader_dies(options, report, normal)
    full_disk(options, report, normal)
    report.finish(f"seconds {options.seconds}")


if __name__ == "__main__":
    main()
