"""Markdown out of the measurements."""

from __future__ import annotations

import os
import platform
import textwrap
from pathlib import Path

from measure import CycleRow, HandoffRow, KindRow, MemoryRow, StartRow

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


def table(head: list[str], rows: list[list[str]]) -> str:
    lines = ["| " + " | ".join(head) + " |", "|---|" + "---:|" * (len(head) - 1)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def cycle_section(cycles: dict[tuple[str, int], list[CycleRow]]) -> str:
    head = ["contender", "cycles/s", "p50 us", "p99 us", "server CPU us/cycle", "CPU, plain C = 1", "(by round)",
            "client busy"]
    parts = ["### Acquire and release"]
    for (transport, connections), rows in cycles.items():
        yardstick = next(row for row in rows if row.contender == "plain C")
        lines = []
        for row in rows:
            ratios = [own / plain for own, plain in zip(row.cpu_us_by_round, yardstick.cpu_us_by_round)]
            lines.append([
                row.contender, f"{row.median('cycles_per_second'):,.0f}", f"{row.median('p50_us'):,.0f}",
                f"{row.median('p99_us'):,.0f}", f"{row.cpu_us:.1f}", f"{row.cpu_us / yardstick.cpu_us:.2f}",
                f"{min(ratios):.2f}..{max(ratios):.2f}", f"{100 * row.median('client_busy'):.0f} %",
            ])
        noun = "connection" if connections == 1 else "connections"
        parts.append(f"{connections} {noun}, {transport}:\n\n" + table(head, lines))
    sizes = {row.contender: row.runs[0] for row in next(iter(cycles.values()))}
    parts.append("Bytes of an acquire's and a release's answer: " + "; ".join(
        f"{name} {run['acquire_bytes']} and {run['release_bytes']}" for name, run in sizes.items()) + ".")
    return "\n\n".join(parts)


def kind_section(kinds: list[KindRow]) -> str:
    """The first contender of each kind is its yardstick."""
    lines = []
    for kind in kinds:
        first = kind.rows[0]
        for row in kind.rows:
            ratios = [own / other for own, other in zip(row.cpu_us_by_round, first.cpu_us_by_round)]
            lines.append([f"{kind.kind.what}: {row.contender}", f"{row.median('cycles_per_second'):,.0f}",
                          f"{row.median('p50_us'):,.0f}", f"{row.cpu_us:.1f}", f"{row.cpu_us / first.cpu_us:.2f}",
                          f"{min(ratios):.2f}..{max(ratios):.2f}"])
    return "### Other requests\n\nTwo in turns, 8 connections, Unix:\n\n" + table(
        ["requests: contender", "a second", "p50 us", "server CPU us", "CPU, first = 1", "(by round)"], lines)


def handoff_section(rows: list[HandoffRow]) -> str:
    lines = [[f"{row.contender}: {row.how}", f"{row.handovers:,}", f"{row.median('p50_us'):,.1f}",
              f"{row.median('p99_us'):,.1f}"] for row in rows]
    return "### Hand-over to a waiter\n\n" + table(["contender", "hand-overs", "p50 us", "p99 us"], lines)


def raw_section(pairs: dict) -> str:
    return ("### The kernel alone\n\nAcquire and release by semop(2), two operations each, no server: "
            f"{pairs['p50_ns']:.0f} ns a pair (p99 of batches of 1,000: {pairs['p99_ns']:.0f} ns).")


def start_section(rows: list[StartRow]) -> str:
    floor = rows[0]
    lines = [[row.what, f"{row.wall_ms:.1f}", f"{row.wall_ms / floor.wall_ms:.1f}", f"{row.cpu_ms:.1f}"]
             for row in rows]
    return "### Start\n\n`true` under a lock that is free:\n\n" + table(
        ["command", "ms", "flock = 1", "CPU ms"], lines)


def memory_section(rows: list[MemoryRow]) -> str:
    def kib(count: int) -> str:
        return f"{count / 1024:,.0f}"

    head = ["server and load", "RSS before KiB", "RSS after KiB", "PSS after KiB", "of it segment KiB",
            "RSS bytes each", "of it segment"]
    lines = [[
        f"{row.contender}: {row.count:,} {row.what}", kib(row.before["rss"]), kib(row.after["rss"]),
        kib(row.after["pss"]), kib(row.after["segment"]), f"{row.growth_per_item('rss'):,.0f}",
        f"{row.growth_per_item('segment'):,.0f}",
    ] for row in rows]
    text = "### Memory\n\n" + table(head, lines)
    waiting = {(row.contender, row.what): row.growth_per_item("rss") for row in rows if row.what.startswith("waiters")}
    for (contender, what), each in waiting.items():
        if contender == "Leasehold":
            own = each - waiting["plain C", what]
            text += f"\n\n{what.capitalize()}: {own:,.0f} bytes each beyond libmicrohttpd's suspended connection."
    return text


def machine_line(versions: dict[str, str], isolated: bool, load: tuple[float, float]) -> str:
    model = next((line.split(":", 1)[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines()
                  if line.startswith("model name")), platform.machine())
    known = ", ".join(f"{name} {version}" for name, version in versions.items())
    return (f"Machine: {model}, {os.cpu_count()} CPUs, Linux {os.uname().release}; {known}; "
            f"{'IPC namespaces of their own' if isolated else 'the IPC namespace of the host'}; "
            f"load average {load[0]:.2f} before, {load[1]:.2f} after.")


def wrapped(text: str) -> str:
    """Prose in lines of at most 118 columns; tables keep theirs."""
    lines = text.split("\n")
    return "\n".join(line if line.startswith("|") or len(line) <= 118 else textwrap.fill(
        line, 118, break_long_words=False, break_on_hyphens=False) for line in lines)


def write(path: Path, text: str) -> None:
    """Between the two marks of a page that has them; otherwise the whole file."""
    text = wrapped(text)
    old = path.read_text() if path.exists() else ""
    if BEGIN in old and END in old:
        head, tail = old.split(BEGIN, 1)[0], old.split(END, 1)[1]
        text = f"{head}{BEGIN}\n\n{text}\n{END}{tail}"
    path.write_text(text)
