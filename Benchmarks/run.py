#!/usr/bin/env python3
"""Measures Leasehold side by side with plain C on libmicrohttpd, Redis and bare semop(2). See README.md."""

from __future__ import annotations

import argparse
import contextlib
import os
import resource
import shlex
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import measure
import report
import servers
from measure import Plan
from servers import BenchmarkError, Server

HERE = Path(__file__).resolve().parent
CFLAGS = ["-O2", "-Wall", "-Wextra", "-Werror", "-std=gnu11", "-pthread"]
CLIENT_PARTS = ["bench.c", "dialect_http.c", "dialect_redis.c"]
PROGRAMS = {
    "plain_server": ["plain_server.c", "plain_slots.c", "bench.c", "-lmicrohttpd"],
    "cycle_client": ["cycle_client.c", *CLIENT_PARTS],
    "handoff_client": ["handoff_client.c", *CLIENT_PARTS],
    "fill_client": ["fill_client.c", *CLIENT_PARTS],
    "raw_semop": ["raw_semop.c", "bench.c"],
}
SECTIONS = ["cycles", "kinds", "handoff", "raw", "start", "memory"]


def say(text: str) -> None:
    print(f"benchmark: {text}", file=sys.stderr, flush=True)


def build(work: Path) -> dict[str, Path]:
    for name, parts in PROGRAMS.items():
        sources = [part if part.startswith("-") else str(HERE / part) for part in parts]
        done = subprocess.run(["gcc", *CFLAGS, "-o", str(work / name), *sources], capture_output=True, text=True)
        if done.returncode != 0:
            raise BenchmarkError(f"{name} does not build (gcc, libmicrohttpd-dev?):\n{done.stderr}")
    return {name: work / name for name in PROGRAMS}


def first_line(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=True).stdout.splitlines()[0]


def versions_of(contenders: list[Server]) -> dict[str, str]:
    found = {"gcc": first_line("gcc", "-dumpfullversion")}
    for server in contenders:
        if server.name == "Redis":
            found["Redis"] = first_line("redis-server", "--version").split("v=", 1)[1].split()[0]
        else:
            status, answer = server.request("GET", "/version")
            if status != 200:
                raise BenchmarkError(f"{server.name}: GET /version is {status}: {answer}")
            for name in ("libmicrohttpd", "swift"):
                if name in answer:
                    found.setdefault(name, answer[name])
            if server.name == "Leasehold":
                found["Leasehold"] = answer.get("version", "(no version)")
    return found


class Run:
    def __init__(self, arguments: argparse.Namespace, work: Path):
        self.arguments = arguments
        self.work = work
        self.plan: Plan = measure.QUICK if arguments.quick else measure.FULL
        self.prefix = servers.namespace_prefix()
        self.programs = build(work)
        self.plain_flags = ["--threads", str(arguments.threads)]
        self.plain_flags += ["--connection-memory", str(arguments.connection_memory)]
        self.missing: list[str] = []
        if not self.prefix:
            say("WARNING: no IPC namespace can be made here; the servers use the host's, and may leave objects there")

    def plain(self, label: str = "", extra: list[str] | None = None) -> Server:
        flags = self.plain_flags + (extra or [])
        return servers.plain(self.programs["plain_server"], self.work, self.prefix, flags, label)

    def leasehold(self, label: str = "") -> Server:
        return servers.leasehold(
            self.arguments.leasehold, self.work, self.prefix, shlex.split(self.arguments.leasehold_args), label)

    def leave_out(self, what: str) -> None:
        say(f"WARNING: {what}")
        self.missing.append(what)

    def contenders(self) -> list[Server]:
        found = [self.plain()]
        if self.arguments.leasehold:
            found.append(self.leasehold())
            if self.arguments.beside:
                found.append(servers.leasehold(
                    self.arguments.beside, self.work, self.prefix, shlex.split(self.arguments.leasehold_args),
                    "-beside", name="Leasehold, the other"))
        else:
            self.leave_out("no --leasehold given: its rows are left out")
        redis = servers.redis(self.work, self.prefix)
        if redis is None:
            self.leave_out("redis-server is not installed (apt-get install redis-server): its rows are left out")
        return found + ([redis] if redis else [])

    def timings(self, sections: list[str]) -> tuple[list[str], dict[str, str]]:
        parts = []
        with contextlib.ExitStack() as stack:
            contenders = [stack.enter_context(server) for server in self.contenders()]
            versions = versions_of(contenders)
            if "cycles" in sections:
                say("acquire and release")
                parts.append(report.cycle_section(
                    measure.cycles(self.programs["cycle_client"], contenders, self.plan)))
            if "kinds" in sections:
                say("other requests")
                parts.append(report.kind_section(
                    measure.kinds(self.programs["cycle_client"], contenders, self.plan)))
            if "handoff" in sections:
                say("hand-over")
                parts.append(report.handoff_section(
                    measure.handoff(self.programs, contenders, self.plan, self.prefix)))
            if "start" in sections and self.arguments.leasehold:
                say("start of a command")
                leasehold = next(server for server in contenders if server.name == "Leasehold")
                parts.append(report.start_section(
                    measure.starts(self.arguments.leasehold, leasehold, self.work, self.plan)))
        if "raw" in sections:
            say("semop alone")
            parts.append(report.raw_section(measure.raw_pairs(self.programs, self.plan, self.prefix)))
        return parts, versions

    def memory(self) -> str:
        """A fresh server for each row: what malloc kept of the row before would hide the growth."""
        say("memory")
        plan, fill, rows = self.plan, self.programs["fill_client"], []
        suspend = ["--suspend-path", measure.WAIT_TARGET.split("?")[0]]
        for primed in (False, True):
            with self.plain(f"-waiters-{primed}", suspend) as server:
                rows.append(measure.waiter_memory(fill, server, plan.waiters, primed))
            if self.arguments.leasehold:
                with self.leasehold(f"-waiters-{primed}") as server:
                    rows.append(measure.waiter_memory(fill, server, plan.waiters, primed))
        if self.arguments.leasehold:
            with self.leasehold("-keys") as server:
                rows.append(measure.lease_memory(fill, server, plan.leases, 1, "leases, a lock each"))
            with self.leasehold("-slots") as server:
                rows.append(measure.lease_memory(fill, server, plan.leases, 32767, "leases on counting locks"))
        return report.memory_section(rows)

    def text(self) -> str:
        load_before = os.getloadavg()[0]
        sections = self.arguments.only or SECTIONS
        parts, versions = self.timings(sections)
        if "memory" in sections:
            parts.append(self.memory())
        parts.append(report.machine_line(versions, bool(self.prefix), (load_before, os.getloadavg()[0])))
        parts += [f"**Left out**: {what}." for what in self.missing]
        command = shlex.join(["python3", "Benchmarks/run.py", *sys.argv[1:]])
        plan = self.plan
        parts.append(f"Made by `{command}`: medians of {plan.rounds} interleaved rounds of {plan.seconds:g} s.")
        return "\n\n".join(parts) + "\n"


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--leasehold", metavar="PATH", help="the leasehold binary (a release build)")
    parser.add_argument("--beside", metavar="PATH", help="another leasehold binary: an older one, say")
    parser.add_argument("--leasehold-args", default="", metavar="ARGS", help="more arguments for `leasehold serve`")
    parser.add_argument("--quick", action="store_true", help="a smoke test of a minute; the numbers are rough")
    parser.add_argument("--out", type=Path, metavar="FILE", help="write the tables there, too")
    parser.add_argument("--only", action="append", choices=SECTIONS, help="only this section; may be repeated")
    parser.add_argument("--threads", type=int, default=1, help="plain C: threads, as Leasehold has them")
    parser.add_argument("--connection-memory", type=int, default=16384, help="plain C: bytes, as Leasehold has them")
    return parser.parse_args()


def main() -> int:
    arguments = parse_arguments()
    # A terminated run still ends its servers: the exception passes through their `with`.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    try:
        with tempfile.TemporaryDirectory(prefix="leasehold-bench-") as work:
            text = Run(arguments, Path(work)).text()
    except BenchmarkError as error:
        say(f"FAILED: {error}")
        return 1
    print(text)
    if arguments.out:
        report.write(arguments.out, text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
