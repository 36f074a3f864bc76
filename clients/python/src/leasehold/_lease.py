"""A lease as the program sees it."""

from __future__ import annotations

import json
import os
import threading
import time
from types import TracebackType
from typing import Any, Dict, List, Optional, Sequence, Tuple, Type

from . import _process
from ._drive import Flow, run
from ._service import Sending, query, quote
from ._state import Phase, State
from ._tasks import LOST_HERE, RELEASE_SECONDS, let_go, read_mode, renewal
from ._want import Part, Seconds, duration, parts, seconds
from ._watcher import Job
from .errors import LeaseLost, from_problem, invalid



class Held:
    """What leases of threads and of tasks have in common."""

    def __init__(self, state: State, on_lost: str) -> None:
        self._state = state
        self._on_lost = on_lost

    @property
    def keys(self) -> Tuple[str, ...]:
        """The names of its locks."""
        return self._state.keys

    @property
    def ref(self) -> str:
        """What listings, events and `break_` call it; no secret."""
        return self._state.ref

    @property
    def fence(self) -> int:
        """A number that grows with every grant of the lock: send it along with writes that must not come late."""
        return self._state.fence

    @property
    def fences(self) -> Dict[str, int]:
        """The number of each of its locks: what was added to the lease has its own."""
        return dict(self._state.fences)

    @property
    def slot(self) -> Optional[str]:
        """The name of its slot, the first where it has several; None where slots have no names."""
        return self._state.slots[0] if self._state.slots else None

    @property
    def slots(self) -> Tuple[str, ...]:
        """The names of its slots; empty where they have none."""
        return self._state.slots

    @property
    def mode(self) -> str:
        """exclusive or shared."""
        return self._state.mode

    @property
    def owner(self) -> Optional[str]:
        """What others are shown."""
        return self._state.owner

    @property
    def kept_by(self) -> str:
        """process, cgroup, stream or renewal."""
        return self._state.way

    @property
    def kept_until(self) -> Optional[str]:
        """The instant until which `hold_at_least` keeps it taken, RFC 3339; None where nothing does."""
        return self._state.kept_until

    @property
    def yield_asked(self) -> bool:
        """Whether a newer request of its group (`newest`) waits: give it back as soon as you like to."""
        return self._state.yield_asked

    @property
    def remaining(self) -> Optional[float]:
        """Seconds until its deadline on this process's clock; None when it has none."""
        return self._state.remaining()

    @property
    def lost(self) -> bool:
        """Whether it ended before it was released; nobody is asked but the clock."""
        return self._state.lost() is not None

    @property
    def lost_reason(self) -> Optional[str]:
        """Why it was lost; None while it was not."""
        loss = self._state.lost()
        return None if loss is None else loss.reason

    def check(self) -> None:
        """Raises LeaseLost when it is lost, or was released."""
        loss = self._state.lost()
        if loss is not None:
            raise loss.with_traceback(None)
        if self._state.phase is Phase.RELEASED:
            raise LeaseLost(f"{', '.join(self.keys)}: The lease was released.", code="released",
                            problem={"reason": "released"})

    def env(self) -> Dict[str, str]:
        """The environment of this process with what `leasehold run` gives its command, for a program to be started."""
        state = self._state
        above = os.environ.get("LEASEHOLD_HOLDING")
        slots = {"LEASEHOLD_SLOT": ",".join(state.slots)} if state.slots else {}
        return {**os.environ, **slots, "LEASEHOLD_LEASE": state.id, "LEASEHOLD_FENCE": str(state.fence),
                "LEASEHOLD_LOCK": "\n".join(state.keys), "LEASEHOLD_URL": state.service.address.url,
                "LEASEHOLD_HOLDING": f"{above},{state.id}" if above else state.id}

    def __repr__(self) -> str:
        loss = self._state.lost()
        how = f"lost: {loss.reason}" if loss else self._state.phase.name.lower()
        return f"<{type(self).__name__} {', '.join(self.keys)} {self.mode} fence={self.fence} {how}>"

    def __reduce__(self) -> str:
        raise TypeError("a lease is of one process, and cannot be pickled")

    def _release(self, jobs: List[Job], early: bool) -> Flow[bool]:
        """Gives it back; what is not answered in time, or is interrupted, is left to the watcher (rule 28)."""
        state = self._state
        held = state.end()
        _process.watcher().drop(state)
        here = state.loss is not None and state.loss.reason in LOST_HERE and not state.given_back
        early = early and state.kept_until is not None
        if not held and not here and not early:
            return False
        until = time.monotonic() + RELEASE_SECONDS
        name = state.id + ("?early=true" if early else "")
        try:
            answer = yield from state.service.simple("DELETE", f"/leases/{name}", until, insists=True)
        except BaseException as error:
            let_go(state, jobs, early)
            if not isinstance(error, OSError):
                raise
            return held
        state.given_back = True
        state.hang_up()
        if answer.status in (404, 410) and held:
            state.lose(answer.json(), at=Phase.RELEASED)  # the service ended it before
            return False
        if answer.status == 200:
            state.kept_until = answer.json().get("kept_until")
        return held

    def _renew(self, ttl: Optional[Seconds], note: Optional[str]) -> Flow[None]:
        self.check()
        state, wanted = self._state, seconds(ttl, "ttl", 0.001)
        sent = state.service.clock()
        epoch = state.epoch if wanted is None else state.shorten(sent, wanted)
        until = time.monotonic() + state.service.timeout
        try:
            answer = yield from renewal(state, wanted, until, note)
        except OSError as error:
            raise state.service.unavailable(error) from error
        if answer.status == 200:
            return state.renewed(epoch, sent, answer.json())
        state.told(sent, answer.status, answer.json())
        self.check()
        raise from_problem(answer.status, answer.json())

    def _convert(self, mode: str, wait: Optional[Seconds], jobs: List[Job]) -> Flow[None]:
        self.check()
        if mode not in ("shared", "exclusive"):
            raise invalid(f"mode={mode!r} is neither shared nor exclusive.", "mode")
        state, service = self._state, self._state.service
        patience = seconds(wait, "wait") or 0.0
        parameters = f"lease={state.id}&mode={mode}&wait={duration(patience)}"
        request = service.request("POST", f"/locks/{quote(self.keys[0])}/convert?{parameters}")
        sent = service.clock()
        try:
            answer = yield from service.ask(
                lambda: Sending(request, time.monotonic() + patience + service.timeout), float("inf"))
        except BaseException:
            jobs.append(_process.watcher().submit(lambda job: read_mode(state, job)))
            raise
        if answer.status == 200:
            state.mode = answer.json()["mode"]
            return
        state.told(sent, answer.status, answer.json())
        self.check()
        raise from_problem(answer.status, answer.json())

    def _note(self, text: str) -> Flow[None]:
        yield from self._say("PUT", "note" + query({"note": text}))

    def _add(self, locks: Sequence[Part]) -> Flow[None]:
        body = json.dumps({"want": parts(list(locks))}).encode()
        self._state.take((yield from self._say("POST", "add", body)))

    def _say(self, method: str, target: str, body: bytes = b"") -> Flow[Dict[str, Any]]:
        """Asks for something of the lease; what is gone may be that, and not the lease."""
        self.check()
        path, service = f"/leases/{self._state.id}", self._state.service
        answer = yield from service.simple(method, f"{path}/{target}", body=body)
        if answer.status < 400:
            return answer.json()
        if answer.status in (404, 410):
            sent = service.clock()
            seen = yield from service.simple("GET", path)
            self._state.told(sent, seen.status, seen.json())
        self.check()
        raise from_problem(answer.status, answer.json())


class Lease(Held):
    """A lease of `leasehold.acquire`, or of `with Lock(..) as lease`. Any thread may use it."""

    def release(self, early: bool = False) -> bool:
        """Gives the lock back; whether it was held until now. Raises nothing, and takes no longer than 2 s.

        early: frees what `hold_at_least` keeps, also after an earlier release.
        """
        try:
            return run(self._release([], early))
        except BaseException:  # the handler of a signal may raise at any step
            let_go(self._state, [], early)
            raise

    def renew(self, ttl: Optional[Seconds] = None, note: Optional[str] = None) -> None:
        """Asks for a new deadline, counted from now. A lease with a ttl is renewed without this."""
        run(self._renew(ttl, note))

    def add(self, *locks: Part) -> None:
        """Takes more locks on this lease, all or none, without a wait; `fences` tells their numbers."""
        run(self._add(locks))

    def convert(self, mode: str, wait: Optional[Seconds] = None) -> None:
        """Makes a reader of a writer (shared), or a writer of a reader (exclusive; at once, or after `wait`)."""
        run(self._convert(mode, wait, []))

    def note(self, text: str) -> None:
        """Shows others how far the work is."""
        run(self._note(text))

    def wait_lost(self, timeout: Optional[Seconds] = None) -> bool:
        """Waits until the lease is over, or the time is up; whether it is lost."""
        patience = seconds(timeout, "timeout")
        until = None if patience is None else time.monotonic() + patience
        ended = self._state.ended()
        while not self.lost:
            left = self._state.remaining()
            if until is not None:
                left = min(left if left is not None else float("inf"), until - time.monotonic())
            if ended.wait(left) or (until is not None and time.monotonic() >= until):
                break
        return self.lost

    def wait_yield(self, timeout: Optional[Seconds] = None) -> bool:
        """Waits until it is asked to yield, or the lease is over, or the time is up; whether it is asked."""
        told = threading.Event()
        self._state.listen(told.set, until_asked=True)
        try:
            told.wait(seconds(timeout, "timeout"))
        finally:
            self._state.forget(told.set)
        return self.yield_asked

    def __enter__(self) -> Lease:
        return self

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        released = self._state.phase is Phase.RELEASED
        if not self.release() and not released and kind is None and self._on_lost == "raise":
            self.check()
