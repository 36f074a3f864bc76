"""What is done beside the caller: renewing a lease, giving one back, and taking back what an acquire may have got."""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Callable, List, Optional

from . import _process
from ._drive import Flow, pause
from ._service import Sending, Service, query
from ._wire import Answer
from .errors import LeaseholdError, Unavailable

if TYPE_CHECKING:
    from ._state import State
    from ._watcher import Job

GIVES_UP = 3600.0  # seconds after which nobody asks any more for what a service does not answer
OVERTAKEN = 0.25
RELEASE_SECONDS = 2.0
LOST_HERE = ("deadline", "silent")  # reasons that the service may not know of yet


def renew(state: State) -> Flow[None]:
    """Renews a lease once, as often as it takes (rule 17)."""
    attempt, wait, longest = max(0.25, state.ttl / 6), 0.1, max(0.1, state.ttl / 6)
    try:
        while state.lost() is None and state.next_ttl() > 0:
            sent, epoch = state.service.clock(), state.epoch
            try:
                answer = yield from renewal(state, state.next_ttl(), time.monotonic() + attempt)
                if answer.status == 200:
                    return state.renewed(epoch, sent, answer.json())
                state.told(sent, answer.status, answer.json())
                if answer.status in (404, 410):
                    return
            except (OSError, LeaseholdError):
                pass
            yield from pause(wait)
            wait = min(2 * wait, longest)
    finally:
        state.renewing = False


def renew_many(states: List[State], alone: Callable[[State], None]) -> Flow[None]:
    """Renews leases of one service in one request; what that says nothing of is renewed `alone`."""
    service, rest = states[0].service, {state.id: (state, state.epoch) for state in states}
    sent, until = service.clock(), time.monotonic() + max(0.25, min(state.ttl for state in states) / 6)
    request = service.request("POST", "/leases/renew", body=json.dumps({"leases": [*rest]}).encode())
    try:
        answer = yield from service.once(lambda: Sending(request, until), until)
        if answer.status == 200:
            told = answer.json()
            for one in told["renewed"]:
                state, epoch = rest.pop(one["lease"])
                state.renewed(epoch, sent, one)
                state.renewing = False
            for one in told["lost"]:
                state, _ = rest.pop(one["lease"])
                status = 404 if one["code"] == "no-such-lease" else 410
                state.told(sent, status, {**one, "status": status})
                state.renewing = False
        elif answer.status in (400, 404, 405):  # a service that does not know it
            service.renews_many = False
    except (OSError, LeaseholdError, ValueError, LookupError):
        pass
    for state, _ in rest.values():
        alone(state)


def renewal(state: State, ttl: Optional[float], until: float, note: Optional[str] = None) -> Flow[Answer]:
    """Asks once for a new deadline."""
    parameters = {} if ttl is None else {"ttl": f"{round(ttl * 1000)}ms"}
    if note is not None:
        parameters["note"] = note
    request = state.service.request("POST", f"/leases/{state.id}/renew" + query(parameters))
    return (yield from state.service.once(lambda: Sending(request, until), until))


def let_go(state: State, jobs: List[Job], early: bool = False) -> None:
    """Ends a lease for its holder, and lets the watcher tell the service, which has not answered (rule 28)."""
    state.end()
    state.leave()
    _process.watcher().drop(state)
    state.hang_up()
    if state.given_back or (state.loss is not None and state.loss.reason not in LOST_HERE):
        return
    name = state.id + ("?early=true" if early else "")
    lasts = (state.remaining() or GIVES_UP) if state.way == "renewal" else GIVES_UP
    until = time.monotonic() + lasts + RELEASE_SECONDS
    jobs.append(_process.watcher().submit(lambda job: give_back(state.service, name, job, until)))
    state.given_back = True


def give_back(service: Service, lease: str, job: Job, until: float) -> Flow[None]:
    """Releases a lease whose release was not answered."""
    yield from _persist(service, "DELETE", f"/leases/{lease}", until)
    job.settle()


def take_back(service: Service, key: str, again: Callable[[], Sending], job: Job, until: float) -> Flow[None]:
    """Sees to it that an acquire whose answer is unknown leaves neither a slot nor a place in the queue (rule 11)."""
    if service.cancels_by_key:
        answer = yield from _persist(service, "DELETE", "/leases", until, f"Idempotency-Key: {key}\r\n")
        if answer is None or answer.status < 300 or answer.status in (409, 410):
            return
        service.cancels_by_key = answer.status not in (400, 404, 405)
    for last in (False, True):
        answer = yield from _persist_sending(service, again, until)
        if answer is None or answer.status not in (200, 201, 423):
            return
        if answer.status != 423:
            return (yield from give_back(service, answer.json()["lease"], job, until))
        job.settle()
        if not last:
            yield from pause(OVERTAKEN)


def _persist(service: Service, method: str, target: str, until: float,
             fields: str = "") -> Flow[Optional[Answer]]:
    request = service.request(method, target, fields)
    return (yield from _persist_sending(service, lambda: Sending(request, time.monotonic() + service.timeout), until))


def _persist_sending(service: Service, build: Callable[[], Sending], until: float) -> Flow[Optional[Answer]]:
    """Asks until there is an answer, or it is `until`; None then."""
    wait = 0.1
    while time.monotonic() < until:
        try:
            return (yield from service.ask(build, until, insists=True))
        except Unavailable:
            yield from pause(wait)
            wait = min(2 * wait, 5.0)
        except LeaseholdError:
            return None
    return None


def read_mode(state: State, job: Job) -> Flow[None]:
    """Finds out how a conversion ended whose answer was lost."""
    answer = yield from _persist(state.service, "GET", f"/leases/{state.id}", time.monotonic() + 60)
    if answer is not None and answer.status == 200:
        state.mode = answer.json().get("mode", state.mode)
    job.settle()
