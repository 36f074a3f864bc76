"""The contenders as processes: started here, found ready, read from /proc, ended by their pid."""

from __future__ import annotations

import ctypes
import http.client
import json
import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

READY_SECONDS_MAX = 20
STOP_SECONDS_MAX = 15
PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None)


class BenchmarkError(Exception):
    """A measurement that cannot be trusted; ends the run."""


def namespace_prefix() -> list[str]:
    """The command that gives a server an IPC namespace of its own, or [] where that is not allowed."""
    for prefix in (["unshare", "-i"], ["unshare", "--user", "--map-root-user", "--ipc"]):
        if shutil.which("unshare") and subprocess.run([*prefix, "true"], capture_output=True).returncode == 0:
            return prefix
    return []


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _die_with_parent() -> None:
    _libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)


class Server:
    """One server process on a loopback port and a Unix socket. `name` is its row in the tables."""

    mode = "http"  # cycle_client's --mode

    def __init__(self, name: str, command: list[str], work: Path, prefix: list[str], label: str = ""):
        self.name = name
        self.port = free_port()
        self.unix_path = work / f"{name.split()[0].lower()}{label}.sock"
        self.log_path = work / f"{name.split()[0].lower()}{label}.log"
        places = {"port": str(self.port), "unix": str(self.unix_path), "dir": str(work)}
        self._argv = [*prefix, *(part.format_map(places) for part in command)]
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Server:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid  # unshare without --fork becomes the server, so this is the server's

    def start(self) -> None:
        with self.log_path.open("wb") as log:
            self._process = subprocess.Popen(
                self._argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=_die_with_parent
            )
        deadline = time.monotonic() + READY_SECONDS_MAX
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                raise BenchmarkError(f"{self.name} ended at once ({self._process.returncode}): {self._log_tail()}")
            if self.is_ready():
                return
            time.sleep(0.05)
        self.stop()
        raise BenchmarkError(f"{self.name} is not ready after {READY_SECONDS_MAX} s: {self._log_tail()}")

    def stop(self) -> None:
        if self._process is None or self._process.poll() is not None:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            print(f"benchmark: {self.name} did not end in {STOP_SECONDS_MAX} s and was killed", flush=True)
            self._process.kill()
            self._process.wait()

    def _log_tail(self) -> str:
        return self.log_path.read_text(errors="replace")[-800:].strip() or "(no output)"

    def is_ready(self) -> bool:
        try:
            return self.request("GET", "/readyz")[0] == 200
        except (OSError, http.client.HTTPException, ValueError):
            return False  # not yet, or not what it should be: the deadline decides

    def request(self, method: str, target: str) -> tuple[int, dict]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            return answer.status, json.loads(answer.read())
        finally:
            connection.close()

    def address(self, transport: str) -> list[str]:
        return ["--unix", str(self.unix_path)] if transport == "Unix" else ["--port", str(self.port)]

    def cpu_seconds(self) -> float:
        """User and system time of all threads. The kernel gives it in ticks, mostly of 10 ms."""
        fields = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self) -> dict[str, int]:
        """Bytes: `rss` and `pss` of the process, and `segment`, the part of rss that is System V shared memory."""
        result = {"rss": 0, "pss": 0, "segment": 0}
        for line in Path(f"/proc/{self.pid}/smaps_rollup").read_text().splitlines():
            for field in ("rss", "pss"):
                if line.startswith(f"{field.capitalize()}:"):
                    result[field] = int(line.split()[1]) * 1024
        of_segment = False
        for line in Path(f"/proc/{self.pid}/smaps").read_text().splitlines():
            if "-" in line.split(" ", 1)[0]:  # the head of a mapping: from-to ... path
                of_segment = "/SYSV" in line
            elif of_segment and line.startswith("Rss:"):
                result["segment"] += int(line.split()[1]) * 1024
        return result


class Redis(Server):
    mode = "redis"

    def is_ready(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as connection:
                connection.sendall(b"PING\r\n")
                return connection.recv(64).startswith(b"+PONG")
        except OSError:
            return False


def plain(binary: Path, work: Path, prefix: list[str], extra: list[str], label: str = "") -> Server:
    command = [str(binary), "--host", "127.0.0.1", "--port", "{port}", "--unix", "{unix}", *extra]
    return Server("plain C", command, work, prefix, label)


def leasehold(
    binary: str, work: Path, prefix: list[str], extra: list[str], label: str = "", name: str = "Leasehold"
) -> Server:
    command = [binary, "serve", "--host", "127.0.0.1", "--port", "{port}", "--unix", "{unix}", *extra]
    return Server(name, command, work, prefix, label)


def redis(work: Path, prefix: list[str]) -> Server | None:
    """None when Debian's redis-server is not there: a row is left out, never made up."""
    binary = shutil.which("redis-server")
    if binary is None:
        return None
    command = [binary, "--bind", "127.0.0.1", "--port", "{port}", "--unixsocket", "{unix}", "--dir", "{dir}"]
    return Redis("Redis", [*command, "--daemonize", "no", "--save", "", "--appendonly", "no"], work, prefix)
