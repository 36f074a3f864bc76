"""How loss is told without being asked for: the stream of events of a service, and the stream of a held lease."""

from __future__ import annotations

import json
import time
from typing import Any, Callable, Dict, List, Optional

from ._drive import FOREVER, Flow, pause
from ._service import Sending, Service
from ._state import State
from ._wire import Broken, Connection, Lines, Silent
from .errors import LeaseholdError

KINDS = ("expired", "broken", "removed", "transferred")
LOOKS_EVERY = 15.0
SILENCE = 20.0  # seconds without a line: a stream has a heartbeat or a comment every few seconds


def follow(service: Service, leases: Callable[[], List[State]]) -> Flow[None]:
    """Follows the events for the leases of this process, for ever (rule 24)."""
    since, wait = "", 0.1
    while True:
        connection: Optional[Connection] = None
        try:
            connection = yield from service.open(time.monotonic() + service.timeout)
            target = f"/events?kind={','.join(KINDS)}" + (f"&since={since}" if since else "")
            until = time.monotonic() + service.timeout
            yield from connection.send(service.request("GET", target), until)
            if (yield from connection.head(until)) == 200:
                wait = 0.1
                since = yield from _events(Lines(connection), service, leases, since)
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
        if kind in KINDS and state.ref == event.get("ref"):
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


def read_hold(state: State, lines: Lines) -> Flow[None]:
    """Reads the stream of a held lease to its end."""
    beats: List[float] = []
    silence = SILENCE
    try:
        while True:
            line = yield from lines.next(time.monotonic() + silence)
            if line is None:
                return state.lose({"reason": "connection-closed"})
            message = json.loads(line)
            if "heartbeat" in message:
                beats = [*beats[-1:], time.monotonic()]
                if len(beats) == 2:
                    silence = max(0.5, 4 * (beats[1] - beats[0]))
            elif "breaking_in_ms" in message:
                state.break_after(state.service.clock(), message)
            elif "ended" in message:
                said = state.breaking if message["ended"] == "broken" and state.breaking else {}
                return state.lose({**said, "reason": message["ended"], "ended_at": message.get("at")})
    except Silent:
        state.lose({"reason": "silent"})
    except (OSError, ValueError):
        state.lose({"reason": "connection-closed"})
    finally:
        lines.connection.close()


def guard_connection(state: State, connection: Connection) -> Flow[None]:
    """Waits for the end of a connection that a lease on several locks is bound to; nothing comes on it."""
    try:
        while (yield from connection.receive(FOREVER)):
            pass
    except OSError:
        pass
    finally:
        connection.close()
    state.lose({"reason": "connection-closed"})
