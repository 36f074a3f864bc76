#!/usr/bin/env python3
"""Finds out how often each part of the code runs when requests are answered: Tools/dense.py, or make dense

A release build that counts, in .build_dense, answers what Tests/Footprint asks, lets some wait, and lists. What only
its start runs is left out. Of Swift's libraries, which are compiled already, valgrind tells what ran. Tools/dense.txt
gets the result, which Tools/dense uses. The counts differ a little each time. Make it anew when much of the request
path has changed, or when `make footprint` counts more than before.
"""

import collections
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
FOLDER = os.path.join(ROOT, ".build_dense")
SWIFT = os.environ.get("SWIFT") or "swift"
JOBS = ["-j", os.environ["JOBS"]] if os.environ.get("JOBS") else []
PROGRAM = os.path.join(FOLDER, "release", "leasehold")
PROFILE = os.path.join(ROOT, "Tools", "dense.txt")

sys.path.append(os.path.join(ROOT, "Tests", "Footprint"))
os.environ["LEASEHOLD"] = PROGRAM

import test_footprint as footprint  # noqa: E402

CYCLES, REFUSALS, ROUNDS, IDLE_SECONDS = 3000, 1500, 30, 4
# Other pairs of requests, a fifth as often.
OTHERS = (
    ("--query", "ttl=30s&owner=me&mode=shared"), ("--query", "ttl=30s&limit=4&count=2"),
    ("--query", "ttl=30s&wait=5s"), ("--mode", "http-several"), ("--key-prefix", "php:4020"),
    ("--mode", "http-variable"),
)
PAGES = ("/readyz", "/healthz", "/version", "/locks", "/leases", "/locks/held", "/metrics")
HEAD = "# How often the code of a request ran. Made by Tools/dense.py, read by Tools/dense.\n"


def tool(name):
    """One of the tools that come with the compiler."""
    return os.path.join(os.path.dirname(os.path.realpath(shutil.which(SWIFT))), name)


def said(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout


def build():
    resources = said(tool("clang"), "-print-resource-dir").strip()
    runtime = os.path.join(resources, "lib", "linux", f"libclang_rt.profile-{os.uname().machine}.a")
    frontend = [part for flag in ("-ir-profile-generate", "-disable-incremental-llvm-codegen")
                for part in ("-Xswiftc", "-Xfrontend", "-Xswiftc", flag)]
    others = ["-Xcc", "-fprofile-generate", "-Xlinker", "-u__llvm_profile_runtime", "-Xlinker", runtime]
    static = said(os.path.join(ROOT, "Tools", "static"), FOLDER).split()
    subprocess.run([SWIFT, "build", *JOBS, "-c", "release", "--product", "leasehold", "--scratch-path", FOLDER,
                    *static, *frontend, *others], cwd=ROOT, check=True)


def requests(daemon, folder):
    """Asks for one kind of thing after the other."""
    client = footprint.built(folder, "cycle_client")
    footprint.cycles(client, daemon.path, CYCLES)
    yield
    footprint.refusals(None, daemon.path, REFUSALS)
    yield
    daemon.get("/segments?key=0x4c48&size=65536", "-X", "POST")
    for words in OTHERS:
        footprint.cycles(client, daemon.path, CYCLES // 5, *words)
        yield
    said(footprint.built(folder, "handoff_client"), "--mode", "http", "--unix", daemon.path, "--seconds", "1",
         "--connections", str(footprint.CONNECTIONS))
    yield
    for page in PAGES:
        for _ in range(ROUNDS):
            daemon.get(page)
        yield
    time.sleep(IDLE_SECONDS)
    yield


@contextlib.contextmanager
def serving(folder, *before, program=None):
    """A daemon that listens; what it counts goes into the folder."""
    os.environ["LLVM_PROFILE_FILE"] = os.path.join(folder, "raw")
    daemon = footprint.Daemon(folder, *before, program=program)
    try:
        while not os.path.exists(daemon.path):
            time.sleep(0.02)
        time.sleep(0.3)
        yield daemon
    finally:
        daemon.__exit__()


def counted(ask):
    """Name and checksum of each function that ran while a daemon was asked, with its counters."""
    with tempfile.TemporaryDirectory() as folder:
        with serving(folder) as daemon:
            collections.deque(ask(daemon, folder), maxlen=0)
        text = said(tool("llvm-profdata"), "merge", "--sparse", "--text", "-o", "-", os.path.join(folder, "raw"))
    functions = {}
    for record in text.split("\n\n"):
        lines = [line for line in record.splitlines() if not line.startswith(("#", ":"))]
        if lines:
            count = int(lines[2])
            functions[lines[0], lines[1]] = [int(line) for line in lines[3:3 + count]]
    return functions


def ordered():
    """Names of all functions that ran after the start, those first that most kinds of requests run.

    They are next to each other then, and do not drive each other out of a cache. The first two kinds, which are the
    plain ones, count more than all others together. Of as many, the methods of one type are next to each other."""
    kinds = collections.Counter()
    with tempfile.TemporaryDirectory() as folder:
        out, program = os.path.join(folder, "profile"), os.path.join(folder, "leasehold")
        # valgrind does not read all that a debugger is told.
        subprocess.run(["strip", "-g", "-o", program, PROGRAM], check=True)
        with serving(folder, "valgrind", "--tool=callgrind", *footprint.CACHE, f"--callgrind-out-file={out}",
                     program=program) as daemon:
            said("callgrind_control", "--zero", str(daemon.process.pid))
            for number, _ in enumerate(requests(daemon, folder), 1):
                said("callgrind_control", "--dump", str(daemon.process.pid))
                ran = footprint.costs(f"{out}.{number}")[0]
                weight = 1000 if number <= 2 else 1
                kinds.update({name: weight if ran[name] >= ROUNDS else 0 for name in ran})
    inside = said(tool("llvm-nm"), "--defined-only", "--format=just-symbols", PROGRAM).splitlines()
    return sorted(kinds.keys() & set(inside), key=lambda name: (-kinds[name], name))


def row(name, checksum, counters):
    words, zeros = [], 0
    for counter in [*counters, None]:
        if counter == 0:
            zeros += 1
            continue
        if zeros:
            words.append("0" if zeros == 1 else f"0x{zeros}")
            zeros = 0
        if counter is not None:
            # Three digits say enough.
            words.append(str(int(float(f"{counter:.2e}"))))
    return " ".join([name, checksum, *words]) + "\n"


def main():
    build()
    started, rows = counted(lambda *_: ()), {}
    for (name, checksum), counters in counted(requests).items():
        before = started.get((name, checksum), [0] * len(counters))
        later = [max(0, count - early) for count, early in zip(counters, before)]
        if any(later):
            # One that other files may not call has their folder before its name. The linker knows it without.
            name = name.split(";")[-1]
            rows[name] = row(name, checksum, later)
    names = dict.fromkeys((*ordered(), *sorted(rows)))
    with open(PROFILE, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(rows.get(name, f"{name}\n") for name in names)
    print(f"{len(names)} functions, {len(rows)} with counts, in {os.path.relpath(PROFILE, ROOT)}")


if __name__ == "__main__":
    main()
