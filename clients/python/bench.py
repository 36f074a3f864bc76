#!/usr/bin/env python3
"""Time per cycle, take and give back, of `with leasehold.Lock` beside `with redis.lock.Lock`: TCP and Unix socket.

python3 clients/python/bench.py [--leasehold .build/release/leasehold] [--cycles 2000] [--rounds 7]

Needs redis-server (Debian's; a server of its own is started) and redis-py (PyPI's; put into a virtual environment for
the run when this Python has none). The rounds of all kinds take turns, so that other work of
the machine meets all alike; the median of the rounds is printed, and the fastest.
"""

import argparse
import importlib.util
import os
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(HERE, "src"))


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def until_there(path, process):
    deadline = time.monotonic() + 10
    while not os.path.exists(path):
        if process.poll() is not None or time.monotonic() > deadline:
            sys.exit(f"bench: {process.args} did not start")
        time.sleep(0.01)


def start(folder, program):
    """Both servers; where they are, and what ends them."""
    ports = free_port(), free_port()
    sockets = [os.path.join(folder, name) for name in ("leasehold", "redis")]
    apart = ["unshare", "-i"] if os.getuid() == 0 else ["unshare", "-Ur", "-i"]
    commands = [
        [*apart, program, "serve", "--host", "127.0.0.1", "--port", str(ports[0]), "--unix", sockets[0]],
        ["redis-server", "--port", str(ports[1]), "--bind", "127.0.0.1", "--unixsocket", sockets[1], "--save", "",
         "--appendonly", "no", "--dir", folder],
    ]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(command, **quiet) for command in commands]
    for path, process in zip(sockets, processes):
        until_there(path, process)
    return ports, sockets, processes


def kinds(ports, sockets):
    import leasehold
    import redis
    unix, tcp = leasehold.Client(f"unix:{sockets[0]}"), leasehold.Client(f"http://127.0.0.1:{ports[0]}")
    stores = redis.Redis(unix_socket_path=sockets[1]), redis.Redis(port=ports[1])
    for name, options in (("Leasehold, kept by process", {}), ("Leasehold, kept by stream", {"keep": "stream"}),
                          ("Leasehold, renewed (ttl=30)", {"ttl": 30})):
        yield (name, None if name.endswith("process") else leasehold.Lock("bench", client=tcp, **options),
               leasehold.Lock("bench", client=unix, **options))
    yield f"redis-py {redis.__version__} Lock, timeout=30", *(store.lock("bench", timeout=30) for store in stores[::-1])


def cycle(lock, count):
    begun = time.perf_counter()
    for _ in range(count):
        with lock:
            pass
    return (time.perf_counter() - begun) / count * 1e6


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--leasehold", default=os.path.join(ROOT, ".build", "release", "leasehold"))
    parser.add_argument("--cycles", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=7)
    words = parser.parse_args()
    if shutil.which("redis-server") is None:
        sys.exit("bench: no redis-server; it is in the Debian package of this name")
    with tempfile.TemporaryDirectory() as folder:
        if importlib.util.find_spec("redis") is None:
            subprocess.run([sys.executable, "-m", "venv", os.path.join(folder, "venv")], check=True)
            python = os.path.join(folder, "venv", "bin", "python")
            subprocess.run([python, "-m", "pip", "install", "-q", "redis"], check=True)
            sys.exit(subprocess.run([python, *sys.argv], check=False).returncode)
        ports, sockets, processes = start(folder, words.leasehold)
        try:
            rows = list(kinds(ports, sockets))
            times = {}
            for number in range(words.rounds + 1):  # the first warms up
                for name, *locks in rows:
                    for place, lock in zip(("TCP", "Unix"), locks):
                        if lock is not None:
                            taken = cycle(lock, words.cycles if number else 100)
                            times.setdefault((name, place), []).extend([taken] if number else [])
        finally:
            for process in processes:
                process.terminate()
                process.wait()
    said = subprocess.run(["redis-server", "--version"], capture_output=True, text=True, check=True).stdout
    version = said.split("v=")[1].split()[0]
    print(f"Python {sys.version.split()[0]}, redis-server {version}, {os.cpu_count()} cores, {words.rounds} rounds of "
          f"{words.cycles} cycles, microseconds per cycle: median (fastest)\n")
    print("| | TCP | Unix socket |\n|---|---|---|")
    for name, *_ in rows:
        cells = [times.get((name, place)) for place in ("TCP", "Unix")]
        print(f"| {name} | " + " | ".join("–" if cell is None else f"{statistics.median(cell):.0f} ({min(cell):.0f})"
                                          for cell in cells) + " |")


if __name__ == "__main__":
    main()
