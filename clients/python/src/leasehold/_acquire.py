"""An acquire from the first byte to a lease that is looked after; what is interrupted is taken back."""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any, Callable, Dict, List, Optional, Set

from . import _process
from ._drive import FOREVER, Flow
from ._follow import read_hold
from ._service import Sending, Service
from ._state import State
from ._tasks import GIVES_UP, let_go, take_back
from ._want import BOUND, Want
from ._watcher import Job
from ._wire import Answer, Lines, Silent
from .errors import AlreadyHeld, Deadlock, Invalid, LeaseholdError, LeaseLost, Locked, from_problem, invalid

ASKS_AGAIN = 20.0  # seconds after which who waits asks whether the service is there, and for its place again


class Taken:
    """What an acquire may have got so far, for whoever is interrupted: a lease, or what nobody has answered yet."""

    def __init__(self) -> None:
        self.state: Optional[State] = None
        self.attempt: Optional[Attempt] = None  # until it is refused
        self.jobs: List[Job] = []

    def undo(self) -> None:
        """Gives it back beside the caller, who did not get it."""
        state, self.state = self.state, None
        attempt, self.attempt = self.attempt, None
        if state is not None:
            let_go(state, self.jobs)
        elif attempt is not None and attempt.first is not None:
            for lines in attempt.opened:  # its lease ends with it
                lines.connection.close()
            if attempt.way != "stream":
                self.jobs.append(_process.watcher().submit(_taking_back(attempt)))


class Attempt:
    """One acquire: its key, its end, and when its request was sent."""

    def __init__(self, service: Service, want: Want, way: str, leases: List[State], ends: float,
                 over: Set[str]) -> None:
        self.service, self.want, self.way = service, want, way
        self.key = os.urandom(16).hex()
        self.ends = ends
        self.own = leases
        named = _process.holding(leases, service, [part["key"] for part in want.wants])
        self.holding = [lease for lease in named if lease not in over]
        self.body = want.body()
        self.first: Optional[float] = None
        self.last = 0.0
        self.opened: List[Lines] = []  # streams of a lease

    def wait(self) -> Optional[float]:
        """What is left to wait, and at most what the service lets one wait; None tries once."""
        if self.want.wait == 0:
            return None
        return max(0.001, min(self.ends - time.monotonic(), self.service.longest_wait))

    def sending(self) -> Sending:
        """The request with what is left of its wait."""
        wait = self.wait()
        self.last = self.service.clock()
        self.first = self.last if self.first is None else self.first
        patience, again = (wait or 0.0) + self.service.timeout, False
        if (wait or 0.0) > ASKS_AGAIN and self.way != "stream":
            patience, again = ASKS_AGAIN, True
        return Sending(self._request(wait), time.monotonic() + patience, again)

    def leaving(self) -> Sending:
        """The same request as one that takes its place over, and leaves the queue at once."""
        return Sending(self._request(None if self.want.wait == 0 else 0.001), time.monotonic() + self.service.timeout)

    def _request(self, wait: Optional[float]) -> bytes:
        fields = "" if self.way == "stream" else f"Idempotency-Key: {self.key}\r\n"
        return self.service.request("POST", self.want.target(self.way, wait, self.holding), fields, self.body)

    def deadline(self, answer: Dict[str, Any]) -> float:
        """The latest instant that is surely not after the service's deadline (rule 22)."""
        if answer["expires_in_ms"] is None:
            return FOREVER
        granted = (self.first or 0.0) + max(0, answer["waited_ms"] - 1) / 1000
        return float(max(granted + answer["ttl_ms"] / 1000, self.last + answer["expires_in_ms"] / 1000))

    def state(self, answer: Dict[str, Any], taken: Taken) -> State:
        """The lease of an answer, which counts as taken and as this context's from now on."""
        longest = FOREVER
        if self.want.max_hold is not None:
            longest = (self.first or 0.0) + max(0, answer["waited_ms"] - 1) / 1000 + self.want.max_hold
        state = State(self.service, self.way, answer, self.deadline(answer), longest)
        state.renewed_at = max(self.last, state.deadline - state.ttl) if state.deadline < FOREVER else self.last
        state.context, taken.state = self.own, state
        self.own.append(state)
        return state

    def refusal(self, answer: Answer, taken: Taken) -> LeaseholdError:
        """The error of an answer that gives nothing; that of who has the lock itself is AlreadyHeld (rule 10)."""
        taken.attempt = None
        error = from_problem(answer.status, answer.json())
        mine = {state.ref for state in self.own} | {word[:10] for word in self.holding}
        circle = error.circle if isinstance(error, Deadlock) else []
        if isinstance(error, Locked):
            held = bool(error.holders) and all(holder.get("ref") in mine for holder in error.holders)
        else:
            held = len(circle) == 1
        if not held:
            return error
        names = ", ".join(part["key"] for part in self.want.wants)
        return AlreadyHeld(f"This thread, task, or the program above it has {names} already: a lock is not reentrant.",
                           code="already-held", status=error.status, request_id=error.request_id, problem=error.problem)


def acquire(service: Service, want: Want, leases: List[State], taken: Taken) -> Flow[State]:
    """Takes what is wanted; `taken` has it before it returns."""
    way = want.keep
    if way == "auto":
        way = "process" if service.binds_processes else "stream"
    if way in BOUND and service.address.unix is None:
        raise invalid(f"keep={way!r} needs the Unix socket; over TCP use stream, or a ttl.", "keep")
    ends = FOREVER if want.wait is None else time.monotonic() + want.wait
    over: Set[str] = set()
    while True:
        attempt = taken.attempt = Attempt(service, want, way, leases, ends, over)
        try:
            state = yield from (_held if way == "stream" else _keyed)(attempt, taken)
            _process.watcher().keep(state)
            return state
        except LeaseLost as error:
            if error.code == "undelivered":  # rule 12
                continue
            gone = yield from _gone(service, attempt.holding)  # rule 10
            if not gone:
                raise
            over |= gone
            continue
        except LeaseholdError as error:
            cannot = error.code in ("no-such-process", "not-supported") or \
                (isinstance(error, Invalid) and error.parameter == "bind")
            if cannot and want.keep == "auto" and way == "process":
                service.binds_processes, way = False, "stream"
                continue
            raise
        except BaseException:
            taken.undo()
            raise


def _gone(service: Service, holding: List[str]) -> Flow[Set[str]]:
    """Those of the leases that an acquire named that are over, or are not this service's."""
    gone = set()
    for lease in holding:
        answer = yield from service.simple("GET", f"/leases/{lease}")
        if answer.status != 200:
            gone.add(lease)
    return gone


def _keyed(attempt: Attempt, taken: Taken) -> Flow[State]:
    """An acquire with an Idempotency-Key, by which it can be taken back."""
    while True:
        answer = yield from attempt.service.ask(attempt.sending, FOREVER)
        if answer.status in (200, 201):
            return attempt.state(answer.json(), taken)
        if not _again(attempt, answer):
            raise attempt.refusal(answer, taken)


def _again(attempt: Attempt, answer: Answer) -> bool:
    """Whether a refusal is only of how long one request may wait."""
    problem = answer.json()
    if answer.status == 423 and problem.get("code") == "wait-timeout":
        return attempt.ends > time.monotonic() + 0.002
    if problem.get("code") == "out-of-range" and problem.get("parameter") == "wait" and "maximum_ms" in problem:
        longest = problem["maximum_ms"] / 1000
        if 0 < longest < attempt.service.longest_wait:
            attempt.service.longest_wait = longest
            return True
    return False


def _taking_back(attempt: Attempt) -> Callable[[Job], Flow[None]]:
    lasts = GIVES_UP
    if attempt.way == "renewal":  # afterwards it is over by itself
        lasts = attempt.want.ttl + min(attempt.want.wait or 0.0, 10.0) + attempt.service.timeout
    return lambda job: take_back(attempt.service, attempt.key, attempt.leaving, job, time.monotonic() + lasts)


def _held(attempt: Attempt, taken: Taken) -> Flow[State]:
    """A lease that is bound to a connection, which the watcher then reads; to close it takes everything back."""
    while True:
        answer = yield from attempt.service.ask(attempt.sending, FOREVER, partial(_exchange, attempt))
        if answer.status in (200, 201):
            lines, state = attempt.opened[-1], attempt.state(answer.json(), taken)
            if attempt.want.single:
                state.followed = False
                _process.watcher().submit(lambda _: read_hold(state, lines))
            else:
                state.connection = lines.connection
                _process.watcher().submit(lambda _: read_hold(state, lines, told=False))
            return state
        if not _again(attempt, answer):
            raise attempt.refusal(answer, taken)


def _exchange(attempt: Attempt, build: Callable[[], Sending], until: float) -> Flow[Answer]:
    """Sends the request on a connection of its own; of a stream the first line is the answer."""
    connection = yield from attempt.service.open(until)
    try:
        sending = build()
        yield from connection.send(sending.request, sending.until)
        while True:
            try:
                status = yield from connection.head(min(sending.until, time.monotonic() + ASKS_AGAIN))
                break
            except Silent:
                if time.monotonic() >= sending.until:
                    raise
                yield from attempt.service.alive()
        granted, lines = status in (200, 201), Lines(connection)
        if granted and attempt.want.single:
            body = (yield from lines.next(sending.until)) or b""
        else:
            body = yield from connection.body(sending.until)
        if granted:
            attempt.opened.append(lines)
            return Answer(status, body)
    except BaseException:
        connection.close()
        raise
    connection.close()
    return Answer(status, body)
