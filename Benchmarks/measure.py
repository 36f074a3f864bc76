"""The measurements. Each returns plain data; report.py makes tables of it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from dataclasses import dataclass, field
from pathlib import Path

from servers import BenchmarkError, Server

CASES = [(transport, connections) for connections in (1, 64) for transport in ("TCP", "Unix")]
WAIT_KEY = "memory-wait"
WAIT_TARGET = f"/locks/{WAIT_KEY}/acquire?ttl=60s&wait=600s"


@dataclass
class Plan:
    rounds: int
    seconds: float
    handovers: int
    waiting_connections: int
    leases: int
    waiters: int


FULL = Plan(rounds=5, seconds=2.0, handovers=1000, waiting_connections=8, leases=100_000, waiters=10_000)
QUICK = Plan(rounds=2, seconds=0.5, handovers=200, waiting_connections=8, leases=10_000, waiters=1_000)


@dataclass
class CycleRow:
    contender: str
    runs: list[dict] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(run[name] for run in self.runs)

    @property
    def cpu_us(self) -> float:
        """Over all rounds together: ticks are coarse, so one round alone is less exact."""
        return 1e6 * sum(run["server_cpu_s"] for run in self.runs) / sum(run["cycles"] for run in self.runs)

    @property
    def cpu_us_by_round(self) -> list[float]:
        return [1e6 * run["server_cpu_s"] / run["cycles"] for run in self.runs]


@dataclass(frozen=True)
class Kind:
    """Other requests than acquire and release of a lock of one's own: two in turns, by eight connections."""
    what: str
    words: tuple[str, ...]
    # Requested once of each server before.
    before: str = ""
    # True where plain C answers the same.
    has_yardstick: bool = False


KINDS = [
    Kind("acquires of a lock that somebody holds, two", ("--mode", "http-refused"),
         before="/locks/held/acquire?ttl=1h", has_yardstick=True),
    Kind("three locks on one lease, and its release", ("--mode", "http-several")),
    Kind("a semaphore of PHP's, acquire and release", ("--key-prefix", "php:4020")),
    Kind("a shared variable, PUT and GET", ("--mode", "http-variable"), before="/segments?key=0x4c48&size=65536"),
]


@dataclass
class KindRow:
    kind: Kind
    rows: list[CycleRow]


def run_client(argv: list[str], seconds_max: float) -> dict:
    """Runs one of the C clients and returns what it prints. Any error of theirs is an error of the run."""
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=seconds_max + 30, stdin=subprocess.DEVNULL)
    except subprocess.TimeoutExpired as error:
        raise BenchmarkError(f"did not end: {' '.join(argv)}") from error
    if done.returncode != 0:
        raise BenchmarkError(f"failed ({done.returncode}): {' '.join(argv)}\n{done.stdout}{done.stderr}")
    return json.loads(done.stdout)


def cycle(
    client: Path, server: Server, transport: str, connections: int, seconds: float, words: tuple[str, ...] = ()
) -> dict:
    before = server.cpu_seconds()
    argv = [str(client), "--mode", server.mode, *server.address(transport), *words]
    result = run_client([*argv, "--connections", str(connections), "--seconds", str(seconds)], seconds)
    result["server_cpu_s"] = server.cpu_seconds() - before
    return result


def cycles(client: Path, contenders: list[Server], plan: Plan) -> dict[tuple[str, int], list[CycleRow]]:
    """Rounds outside, contenders inside: whatever else the machine does meanwhile hits all of them alike."""
    table = {case: [CycleRow(server.name) for server in contenders] for case in CASES}
    for server in contenders:
        for transport in ("TCP", "Unix"):
            cycle(client, server, transport, 64, 0.3)  # not counted: first pages, caches, the clock frequency
    for _ in range(plan.rounds):
        for case, rows in table.items():
            for server, row in zip(contenders, rows):
                row.runs.append(cycle(client, server, *case, plan.seconds))
    return table


def kinds(client: Path, contenders: list[Server], plan: Plan) -> list[KindRow]:
    """Interleaved, like the cycles, over the Unix socket."""
    found = []
    for kind in KINDS:
        servers = [server for server in contenders if server.mode == "http"
                   and (kind.has_yardstick or server.name != "plain C")]
        for server in servers:
            if kind.before and server.request("POST", kind.before)[0] != 201:
                raise BenchmarkError(f"{server.name} refused {kind.before}")
        row = KindRow(kind, [CycleRow(server.name) for server in servers])
        for counted in (False, *[True] * plan.rounds):
            for server, one in zip(servers, row.rows):
                run = cycle(client, server, "Unix", 8, plan.seconds if counted else 0.3, kind.words)
                if counted:
                    one.runs.append(run)
        found.append(row)
    return found


@dataclass
class HandoffRow:
    contender: str
    how: str
    argv: list[str]
    runs: list[dict] = field(default_factory=list)

    def median(self, name: str) -> float:
        return statistics.median(run[name] for run in self.runs)

    @property
    def handovers(self) -> int:
        return sum(run["handovers"] for run in self.runs)


def handoff_rows(
    programs: dict[str, Path], contenders: list[Server], plan: Plan, prefix: list[str]
) -> list[HandoffRow]:
    raw = [*prefix, str(programs["raw_semop"]), "--mode", "handoff", "--count", str(plan.handovers)]
    rows = [HandoffRow("semop(2)", "two processes, no server", [*raw, "--seconds", "30"])]
    ways = {
        "Leasehold": [("http", "acquire?wait=10s")],
        "Redis": [("redis-list", "BLPOP of a token"), ("redis", "SET NX, asking again every 0.5..1.5 ms")],
    }
    for server in contenders:
        for mode, how in ways.get(server.name.partition(",")[0], []):
            for transport in ("TCP", "Unix"):
                argv = [str(programs["handoff_client"]), "--mode", mode, *server.address(transport)]
                argv += ["--connections", str(plan.waiting_connections), "--handovers", str(plan.handovers)]
                rows.append(HandoffRow(server.name, f"{how}, {transport}", [*argv, "--seconds", "30"]))
    return rows


def handoff(programs: dict[str, Path], contenders: list[Server], plan: Plan, prefix: list[str]) -> list[HandoffRow]:
    rows = handoff_rows(programs, contenders, plan, prefix)
    for _ in range(plan.rounds):
        for row in rows:
            row.runs.append(run_client(row.argv, 30))
    return rows


def raw_pairs(programs: dict[str, Path], plan: Plan, prefix: list[str]) -> dict:
    runs = [
        run_client([*prefix, str(programs["raw_semop"]), "--mode", "pairs", "--seconds", str(plan.seconds / 2)], 10)
        for _ in range(plan.rounds)
    ]
    return {name: statistics.median(run[name] for run in runs) for name in ("p50_ns", "p99_ns", "mean_ns")}


@dataclass
class StartRow:
    what: str
    wall_ms: float
    cpu_ms: float


def starts(program: str, server: Server, work: Path, plan: Plan) -> list[StartRow]:
    """A command under a lock, from fork to wait, and all the processes that it takes."""
    url = server.address("Unix")[1]
    environment = {**os.environ, "LEASEHOLD_URL": f"unix:{url}"}
    commands = {
        "flock(1)": ["flock", str(work / "flock"), "true"],
        "leasehold run": [program, "run", "start", "true"],
        "leasehold run --exec": [program, "run", "--exec", "start", "true"],
        "leasehold --version": [program, "--version"],
    }
    found: dict[str, list[tuple[float, float]]] = {what: [] for what in commands}
    with open(os.devnull, "wb") as null:
        for _ in range(plan.rounds * 30):
            for what, words in commands.items():
                begin = time.perf_counter()
                quiet = [(os.POSIX_SPAWN_DUP2, null.fileno(), 1)]
                pid = os.posix_spawnp(words[0], words, environment, file_actions=quiet)
                _, status, usage = os.wait4(pid, 0)
                found[what].append((time.perf_counter() - begin, usage.ru_utime + usage.ru_stime))
                if status != 0:
                    raise BenchmarkError(f"{words} ended with {status}")
    return [StartRow(what, statistics.median(wall for wall, _ in rows) * 1e3,
                     statistics.mean(cpu for _, cpu in rows) * 1e3) for what, rows in found.items()]


@dataclass
class MemoryRow:
    contender: str
    what: str
    count: int
    before: dict[str, int]
    after: dict[str, int]

    def growth_per_item(self, name: str) -> float:
        return (self.after[name] - self.before[name]) / self.count


def lease_memory(fill: Path, server: Server, count: int, per_key: int, what: str) -> MemoryRow:
    """`per_key` 1: a lock for every lease; more: so many leases on each counting lock of that limit."""
    before = server.memory()
    query = "ttl=1h" if per_key == 1 else f"ttl=1h&limit={per_key}"
    argv = [str(fill), "--mode", "leases", *server.address("Unix"), "--count", str(count)]
    run_client([*argv, "--per-key", str(per_key), "--query", query, "--seconds", "120"], 120)
    return MemoryRow(server.name, what, count, before, server.memory())


def waiting_at(server: Server) -> int:
    """How many requests the server says that it has put to sleep."""
    if server.name == "plain C":
        return server.request("GET", "/stats")[1]["suspended"]
    locks = server.request("GET", "/locks")[1]["locks"]
    return sum(lock["waiting"] for lock in locks if lock["key"] == WAIT_KEY)


def waiter_memory(fill: Path, server: Server, count: int, primed: bool) -> MemoryRow:
    """All waiters want one lock. The plain server is started with that path as its --suspend-path.

    `primed`: each connection has had another answer before, so that libmicrohttpd has touched all of its memory.
    """
    if server.name != "plain C":
        status, answer = server.request("POST", f"/locks/{WAIT_KEY}/acquire?ttl=1h")
        if status != 201:
            raise BenchmarkError(f"{server.name} refused the holder: {status} {answer}")
    before = server.memory()
    argv = [str(fill), "--mode", "waiters", *server.address("Unix"), "--count", str(count)]
    argv += ["--target", WAIT_TARGET, "--seconds", "120", *(["--prime"] if primed else [])]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as client:
        try:
            deadline = time.monotonic() + 60
            while waiting_at(server) < count:
                if time.monotonic() > deadline or client.poll() is not None:
                    raise BenchmarkError(f"{server.name}: {waiting_at(server)} of {count} requests wait")
                time.sleep(0.1)
            after = server.memory()
        finally:
            # The client looks at its sockets once more, and ends when its input does.
            _, complaints = client.communicate(timeout=30)
    if client.returncode != 0:
        raise BenchmarkError(f"{server.name}, waiters: {complaints.decode(errors='replace')}")
    return MemoryRow(server.name, f"waiters, {'used' if primed else 'new'} connections", count, before, after)
