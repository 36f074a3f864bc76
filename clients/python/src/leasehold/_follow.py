"""How loss is told without being asked for: the stream of events of a service, and the stream of a held lease."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from ._drive import FOREVER, Flow, pause
from ._service import FIRST_PAUSE, LONGEST_PAUSE, Sending, Service
from ._state import Phase, State
from ._wire import Answer, Broken, Connection, Lines, Silent
from .errors import LeaseholdError

ENDS = ("expired", "broken", "removed", "transferred")
ALL: Tuple[str, ...] = (*ENDS, "yield")
LOOKS_EVERY = 15.0
SILENCE = 20.0  # seconds without a line: a stream has a heartbeat or a comment every few seconds


def follow(service: Service, leases: Callable[[], List[State]]) -> Flow[None]:
    """Follows the events for the leases of this process, for ever (rule 24)."""
    since, wait, kinds = "", 0.1, ALL
    while True:
        connection: Optional[Connection] = None
        try:
            connection = yield from service.open(time.monotonic() + service.timeout)
            target = f"/events?kind={','.join(kinds)}" + (f"&since={since}" if since else "")
            until = time.monotonic() + service.timeout
            yield from connection.send(service.request("GET", target), until)
            status = yield from connection.head(until)
            if status == 200:
                wait = 0.1
                since = yield from _events(Lines(connection), service, leases, since)
            elif status == 400 and kinds is ALL:  # an older service, which asks nobody to yield
                kinds = ENDS
            else:  # no right to read, or too many followers: what is asked for every now and then must do
                connection.close()
                yield from _ask_for_all(service, leases)
                yield from pause(LOOKS_EVERY)
        except (OSError, ValueError, LeaseholdError):
            pass
        finally:
            if connection is not None:
                connection.close()
        yield from pause(wait)
        wait = min(2 * wait, 5.0)


def _events(lines: Lines, service: Service, leases: Callable[[], List[State]], since: str) -> Flow[str]:
    """Reads the stream to its end; the last id."""
    heard, subscribed = time.monotonic(), bool(since)
    looks_at = heard + LOOKS_EVERY if since else heard
    while True:
        if subscribed and time.monotonic() >= looks_at:
            yield from _ask_for_all(service, leases)
            looks_at = time.monotonic() + LOOKS_EVERY
        try:
            line = yield from lines.next(min(looks_at, heard + SILENCE) if subscribed else heard + SILENCE)
        except Silent:
            if time.monotonic() >= heard + SILENCE:
                return since
            continue
        except Broken:
            return since
        if line is None:
            return since
        heard = time.monotonic()
        name, _, value = line.decode(errors="replace").partition(": ")
        if name == "id":
            since, subscribed = value, True  # the first comes at once: from now on nothing is missed
        elif name == "event":
            looks_at = heard if value == "gap" else looks_at
        elif name == "data":
            _tell(json.loads(value), leases())


def _tell(event: Dict[str, Any], leases: List[State]) -> None:
    kind = event.get("kind")
    for state in leases:
        if state.ref != event.get("ref"):
            continue
        if kind == "yield":
            state.ask_to_yield()
        elif kind in ENDS:
            state.lose({**event, "reason": event.get("reason") or kind, "ended_at": event.get("at"),
                        "code": kind if kind in ("expired", "broken") else "released"})


def _ask_for_all(service: Service, leases: Callable[[], List[State]]) -> Flow[None]:
    """Asks for each lease; a service that gives no answer ends none."""
    for state in leases():
        sent = service.clock()
        try:
            request = service.request("GET", f"/leases/{state.id}")
            until = time.monotonic() + service.timeout
            answer = yield from service.once(lambda: Sending(request, until), until)  # noqa: B023
        except (OSError, LeaseholdError):
            return
        if answer.status in (200, 404, 410):
            state.told(sent, answer.status, answer.json())


def read_hold(state: State, lines: Lines, told: bool = True) -> Flow[None]:
    """Reads the stream of a held lease; one that ends with the service is opened again (rule 14).

    `told` says whether lines come on it: on the connection of a lease on several locks nothing does.
    """
    stream: Optional[Lines] = lines
    while stream is not None:
        seen = yield from _read(state, stream, told)
        if seen is None:
            return
        if not state.grace:
            return state.lose({"reason": "connection-closed"})
        state.suspend(seen)
        stream, told = (yield from _open_again(state)), True


def _read(state: State, lines: Lines, told: bool) -> Flow[Optional[float]]:
    """Reads to the end; None when the lease is over, else when the connection was last seen standing."""
    beats: List[float] = []
    heard, seen = time.monotonic(), state.service.clock()
    silence = SILENCE if told else FOREVER
    try:
        while True:
            looks_at = time.monotonic() + (state.grace / 4 or FOREVER) - (state.service.clock() - seen)
            try:
                until = min(heard + silence, looks_at)
                line = yield from (lines.next(until) if told else lines.connection.receive(until))
            except Silent:  # so it stands
                if time.monotonic() >= heard + silence:
                    state.lose({"reason": "silent"})
                    return None
                seen = state.service.clock()
                continue
            if line is None or (not told and not line):
                return seen
            heard = time.monotonic()
            message = json.loads(line) if told else {}
            if "heartbeat" in message:
                beats = [*beats[-1:], heard]
                if len(beats) == 2:
                    silence = max(0.5, 4 * (beats[1] - beats[0]))
            elif "yield" in message:
                state.ask_to_yield()
            elif "breaking_in_ms" in message:
                state.break_after(state.service.clock(), message)
            elif "ended" in message:
                said = state.breaking if message["ended"] == "broken" and state.breaking else {}
                state.lose({**said, **message, "reason": message["ended"], "ended_at": message.get("at")})
                return None
    except (OSError, ValueError):
        return seen
    finally:
        lines.connection.close()


def _open_again(state: State) -> Flow[Optional[Lines]]:
    """Binds the lease to another stream, before the grace is over; None when the lease is over."""
    service, wait = state.service, FIRST_PAUSE
    while state.lost() is None and state.phase is Phase.HELD:
        sent, connection = service.clock(), None
        until = time.monotonic() + min(service.timeout, state.remaining() or 0.0)
        try:
            connection = yield from service.open(until)
            yield from connection.send(service.request("POST", f"/leases/{state.id}/hold"), until)
            status, lines = (yield from connection.head(until)), Lines(connection)
            if status == 200:
                first = json.loads((yield from lines.next(until)) or b"null")
                if isinstance(first, dict) and state.resume(first, connection):
                    connection = None
                    return lines
            else:
                answer = Answer(status, (yield from connection.body(until))).json()
                state.told(sent, status, answer)
                if status < 500 and status != 429 and state.breaking is None:
                    state.lose({**answer, "reason": "connection-closed"})
        except (OSError, ValueError, LeaseholdError):
            pass
        finally:
            if connection is not None:
                connection.close()
        yield from pause(wait)
        wait = min(2 * wait, LONGEST_PAUSE)
    return None
