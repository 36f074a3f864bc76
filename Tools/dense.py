#!/usr/bin/env python3
"""Finds out how often each part of the code runs when requests are answered: Tools/dense.py, or make dense

A release build that counts, in .build_dense, answers what Tests/Footprint asks, lets some wait, and lists. What only
its start runs is left out. Of Swift's libraries, which are compiled already, valgrind tells what ran. Tools/dense.txt
gets the result, which Tools/dense uses. The counts differ a little each time. Make it anew when much of the request
path has changed, or when `make footprint` counts more than before.
"""

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
    daemon.__enter__()
    client = footprint.built(folder, "cycle_client")
    footprint.cycles(client, daemon.path, CYCLES)
    footprint.refusals(None, daemon.path, REFUSALS)
    daemon.get("/segments?key=0x4c48&size=65536", "-X", "POST")
    for words in OTHERS:
        footprint.cycles(client, daemon.path, CYCLES // 5, *words)
    said(footprint.built(folder, "handoff_client"), "--mode", "http", "--unix", daemon.path, "--seconds", "1",
         "--connections", str(footprint.CONNECTIONS))
    for page in PAGES * ROUNDS:
        daemon.get(page)
    time.sleep(IDLE_SECONDS)


def counted(ask):
    """Name and checksum of each function that ran while a daemon was asked, with its counters."""
    with tempfile.TemporaryDirectory() as folder:
        raw = os.path.join(folder, "raw")
        os.environ["LLVM_PROFILE_FILE"] = raw
        daemon = footprint.Daemon(folder)
        try:
            ask(daemon, folder)
        finally:
            daemon.__exit__()
        text = said(tool("llvm-profdata"), "merge", "--sparse", "--text", "-o", "-", raw)
    functions = {}
    for record in text.split("\n\n"):
        lines = [line for line in record.splitlines() if not line.startswith(("#", ":"))]
        if lines:
            count = int(lines[2])
            functions[lines[0], lines[1]] = [int(line) for line in lines[3:3 + count]]
    return functions


def libraries(own):
    """Names of functions of Swift's libraries that ran after the start, the busiest first: those that are not `own`."""
    with tempfile.TemporaryDirectory() as folder:
        out, program = os.path.join(folder, "profile"), os.path.join(folder, "leasehold")
        os.environ["LLVM_PROFILE_FILE"] = os.path.join(folder, "raw")
        # valgrind does not read all that a debugger is told.
        subprocess.run(["strip", "-g", "-o", program, PROGRAM], check=True)
        daemon = footprint.Daemon(folder, "valgrind", "--tool=callgrind", *footprint.CACHE,
                                  f"--callgrind-out-file={out}", program=program)
        try:
            nothing(daemon, folder)
            said("callgrind_control", "--zero", str(daemon.process.pid))
            requests(daemon, folder)
        finally:
            daemon.__exit__()
        ran = footprint.costs(out)[0]
    inside = set(said(tool("llvm-nm"), "--defined-only", "--format=just-symbols", PROGRAM).splitlines())
    return sorted((name for name in ran if ran[name] and name in inside - own), key=lambda name: -ran[name])


def nothing(daemon, _):
    """Waits until it listens."""
    while not os.path.exists(daemon.path):
        time.sleep(0.02)
    time.sleep(0.3)


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
    started, rows = counted(nothing), []
    for (name, checksum), counters in counted(requests).items():
        before = started.get((name, checksum), [0] * len(counters))
        later = [max(0, count - early) for count, early in zip(counters, before)]
        if any(later):
            # One that other files may not call has their folder before its name. The linker knows it without.
            rows.append((-max(later), name.split(";")[-1], checksum, later))
    more = libraries({name for _, name, *_ in rows})
    with open(PROFILE, "w", encoding="utf-8") as file:
        file.write(HEAD)
        file.writelines(row(*parts) for _, *parts in sorted(rows))
        file.writelines(f"{name}\n" for name in more)
    print(f"{len(rows)} functions, and {len(more)} of Swift's, in {os.path.relpath(PROFILE, ROOT)}")


if __name__ == "__main__":
    main()
