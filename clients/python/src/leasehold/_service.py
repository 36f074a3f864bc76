"""One service as this process knows it: how it is reached, and requests that are tried until they are answered."""

from __future__ import annotations

import os
import threading
import time
from functools import lru_cache
from typing import Callable, List, Mapping, NamedTuple, Optional

from ._address import find
from ._drive import Flow, pause
from ._wire import Answer, Broken, Connection, Silent, open_connection
from .errors import Invalid, LeaseholdError, Unavailable, from_problem

FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
NEVER_REACHED = 1.0
IDLE_CONNECTIONS = 16
_SAFE = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.~,:")


@lru_cache(maxsize=1024)
def quote(text: str) -> str:
    """Percent-encodes a value for a path or a query."""
    return "".join(chr(byte) if byte in _SAFE else f"%{byte:02X}" for byte in text.encode())


def query(parameters: Mapping[str, str]) -> str:
    """A query string with its question mark, or nothing."""
    return "?" + "&".join(f"{name}={quote(value)}" for name, value in parameters.items()) if parameters else ""


class Sending(NamedTuple):
    """A request, how long its answer is waited for, and whether it is asked again when that time is up."""

    request: bytes
    until: float
    again: bool = False


Exchange = Callable[[Callable[[], Sending], float], Flow[Answer]]


class _Idle(threading.local):
    """The connections of a thread that nobody uses at the moment."""

    def __init__(self) -> None:
        self.connections: List[Connection] = []


class Service:
    """The address of a service, and what was learnt of it."""

    def __init__(self, url: Optional[str] = None, token: Optional[str] = None, timeout: float = 5.0) -> None:
        if not timeout > 0:
            raise Invalid("A timeout is more than 0 seconds.", code="invalid-parameter",
                          problem={"parameter": "timeout"})
        self.address = find(url)
        self.timeout = timeout
        self.reached = False
        self.binds_processes = self.address.unix is not None
        self.cancels_by_key = True
        self.renews_many = True
        self.longest_wait = 3600.0
        self._tls = None
        if self.address.tls:
            from ._tls import context
            self._tls = context()
        token = token if token is not None else os.environ.get("LEASEHOLD_TOKEN")
        if token and not all("!" <= letter <= "~" for letter in token):
            raise Invalid("A token is printable ASCII.", code="invalid-parameter", problem={"parameter": "token"})
        self._fields = f" HTTP/1.1\r\nHost: {self.address.authority}\r\n"
        self._fields += f"Authorization: Bearer {token}\r\n" if token else ""
        self.idle = _Idle()

    def clock(self) -> float:
        """The clock for deadlines (rule 22): the host's own where it is shared, one that goes on in sleep elsewhere."""
        if self.address.unix is None and hasattr(time, "CLOCK_BOOTTIME"):
            return time.clock_gettime(time.CLOCK_BOOTTIME)
        return time.monotonic()

    def request(self, method: str, target: str, fields: str = "", body: bytes = b"") -> bytes:
        """The bytes of a request."""
        if body:
            fields += f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        return f"{method} {target}{self._fields}{fields}\r\n".encode() + body

    def open(self, until: float) -> Flow[Connection]:
        """A new connection; who takes it was reached, though an answer may be long in coming."""
        connection = yield from open_connection(self.address, self._tls, min(until, time.monotonic() + self.timeout))
        self.reached = True
        return connection

    def once(self, build: Callable[[], Sending], until: float) -> Flow[Answer]:
        """Asks once; a connection that stood idle and is gone meanwhile does not count (rule 36)."""
        while True:
            idle = self.idle.connections
            while idle and idle[-1].sock.fileno() < 0:  # a fork closed it
                idle.pop()
            reused = bool(idle)
            connection = idle.pop() if reused else (yield from self.open(until))
            try:
                sending = build()
                answer = yield from connection.ask(sending.request, min(sending.until, until))
            except (Broken, BrokenPipeError, ConnectionResetError) as error:
                connection.close()
                if reused and not (isinstance(error, Broken) and error.begun):
                    continue
                raise
            except Silent:
                connection.close()
                if not sending.again:
                    raise
                yield from self.alive()
                continue
            except BaseException:
                connection.close()
                raise
            if connection.reusable and len(idle) < IDLE_CONNECTIONS:
                idle.append(connection)
            else:
                connection.close()
            return answer

    def ask(self, build: Callable[[], Sending], until: float, exchange: Optional[Exchange] = None,
            insists: bool = False) -> Flow[Answer]:
        """Asks until there is an answer that is not 503; Unavailable when the service is away for too long (rule 4).

        insists: what has to be told sooner or later, such as a release, is not told where the service has no room
        for the connection (429), or fails (5xx).
        """
        away_until, wait = None, FIRST_PAUSE
        while True:
            try:
                answer = yield from (exchange or self.once)(build, until)
                if answer.status != 503 and not (insists and (answer.status == 429 or answer.status >= 500)):
                    return answer
                failure: Exception = from_problem(answer.status, answer.json())
            except LeaseholdError:
                raise
            except OSError as error:
                failure = error
            now = time.monotonic()
            if away_until is None:
                away_until = min(until, now + (self.timeout if self.reached else NEVER_REACHED))
            if now + wait > away_until:
                raise self.unavailable(failure) from failure
            yield from pause(wait)
            wait = min(2 * wait, LONGEST_PAUSE)

    def simple(self, method: str, target: str, until: Optional[float] = None, fields: str = "",
               body: bytes = b"", insists: bool = False) -> Flow[Answer]:
        """Asks what does not wait in a queue."""
        request = self.request(method, target, fields, body)
        end = float("inf") if until is None else until
        return (yield from self.ask(lambda: Sending(request, time.monotonic() + self.timeout), end, insists=insists))

    def alive(self) -> Flow[None]:
        """Asks on another connection whether somebody is there; Unavailable when nobody answers."""
        request, until = self.request("GET", "/healthz"), time.monotonic() + self.timeout
        try:
            connection = yield from self.open(until)
            try:
                yield from connection.ask(request, until)
            finally:
                connection.close()
        except LeaseholdError:
            raise
        except OSError as error:
            raise self.unavailable(error) from error

    def unavailable(self, failure: BaseException) -> Unavailable:
        """The error that tells of a failure to get an answer."""
        if isinstance(failure, Unavailable):
            return failure
        return Unavailable(f"Leasehold at {self.address.url} gives no answer: {failure or type(failure).__name__}. "
                           "Is it running (`leasehold serve`), and is this its address (LEASEHOLD_URL)?",
                           code="unavailable")
