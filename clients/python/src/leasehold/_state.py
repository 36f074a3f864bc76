"""What is known of a lease, and until when it counts as held (rules 21 to 27)."""

from __future__ import annotations

import enum
import threading
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from . import _process
from ._drive import FOREVER
from ._service import Service
from ._wire import Connection
from .errors import LeaseLost

SHORTEST_TTL = 0.1  # that a service takes
OF_OURS = {
    "deadline": "The lease's time is up, and no renewal was answered.",
    "silent": "Nothing was heard of the service on the connection that the lease is bound to.",
    "connection-closed": "The connection that the lease was bound to has ended.",
    "forked": "The lease is the parent process's.",
}


class Phase(enum.Enum):
    """Held, then one of the others for ever."""

    HELD = 1
    RELEASED = 2
    LOST = 3


class State:
    """A lease. Several threads use it; what changes is changed under `guard`."""

    def __init__(self, service: Service, way: str, answer: Dict[str, Any], deadline: float, max_hold: float) -> None:
        self.service, self.way = service, way
        self.followed = True  # in the service's events
        self.id: str = answer["lease"]
        self.ref: str = answer["ref"]
        self.fence: int = answer["fence"]
        self.mode: str = answer["mode"]
        self.owner: Optional[str] = answer["owner"]
        self.kept_until: Optional[str] = answer.get("kept_until")
        self.yield_asked = False
        self.take(answer)
        self.ttl: float = answer["ttl_ms"] / 1000
        self.deadline = deadline
        self.grace: float = (answer.get("recovery_grace_ms") or 0) / 1000  # in which a stream can be opened again
        self.suspended = FOREVER  # until when it is held although its stream has ended
        self.last_deadline = max_hold
        self.renewed_at: float = service.clock()
        self.renewing = False
        self.epoch = 0  # counts what makes the answer of an earlier renewal meaningless
        self.breaking: Optional[Dict[str, Any]] = None
        self.phase = Phase.HELD
        self.given_back = False  # whether the service has answered to its release, or the watcher sees to that
        self.loss: Optional[LeaseLost] = None
        self.guard = threading.Lock()
        self.generation = _process.generation
        self._listeners: List[Callable[[], None]] = []
        self._askers: List[Callable[[], None]] = []  # of the listeners who also hear that it is asked to yield
        self._ended: Optional[threading.Event] = None
        self.context: List[State] = []
        self.connection: Optional[Connection] = None  # that a lease on several locks is bound to

    def take(self, answer: Dict[str, Any]) -> None:
        """Takes the locks that an answer names."""
        locks = answer.get("locks") or [answer]
        self.fences: Dict[str, int] = {lock["key"]: lock.get("fence", self.fence) for lock in locks}
        self.keys: Tuple[str, ...] = tuple(self.fences)
        self.slots: Tuple[str, ...] = tuple(name for lock in locks for name in lock.get("slots") or [])

    def lost(self) -> Optional[LeaseLost]:
        """Why it is lost, asked of the clock and not of the watcher; None while it is held, or was released."""
        if self.phase is Phase.HELD:
            if self.generation != _process.generation:
                # Another thread of the parent may have had the guard, and its listeners are the parent's, too.
                self.guard, self._listeners, self._ended = threading.Lock(), [], None
                self.lose({"reason": "forked"})
            elif self.service.clock() >= self.end_by():
                own = "connection-closed" if self.suspended < self.deadline else "deadline"
                self.lose(self.breaking or {"reason": own})
        return self.loss

    def lose(self, problem: Dict[str, Any], at: Phase = Phase.HELD) -> None:
        """Ends it with what the service, or we, say of it. Later words count for nothing, but those of the release."""
        with self.guard:
            if self.phase is not at:
                return
            self.phase = Phase.LOST
            reason = str(problem.get("reason") or problem.get("code"))
            said = problem.get("detail") or OF_OURS.get(reason) or f"The lease is over: {reason}."
            self.loss = LeaseLost(f"{', '.join(self.keys)}: {said}", code=str(problem.get("code", reason)),
                                  status=int(problem.get("status", 0)), request_id=problem.get("request_id"),
                                  problem={**problem, "reason": reason})
            listeners, self._listeners = self._listeners, []
        self._leave(listeners)
        self.hang_up()

    def hang_up(self) -> None:
        """Ends the connection it is bound to."""
        if self.connection is not None and self.generation == _process.generation:
            self.connection.hang_up()

    def end(self) -> bool:
        """Marks it as released; False when it was over before."""
        if self.lost() is not None:
            return False
        with self.guard:
            if self.phase is not Phase.HELD:
                return False
            self.phase = Phase.RELEASED
            listeners, self._listeners = self._listeners, []
        self._leave(listeners)
        return True

    def leave(self) -> None:
        """Counts as its context's no more."""
        if self in self.context:
            self.context.remove(self)

    def _leave(self, listeners: List[Callable[[], None]]) -> None:
        self.leave()
        if self._ended is not None:
            self._ended.set()
        for listener in listeners:
            listener()

    def ended(self) -> threading.Event:
        """An event that is set when the lease is released or lost."""
        with self.guard:
            if self._ended is None:
                self._ended = threading.Event()
                if self.phase is not Phase.HELD:
                    self._ended.set()
            return self._ended

    def listen(self, listener: Callable[[], None], until_asked: bool = False) -> None:
        """Calls when it is over, or asked to yield, on any thread; at once when it is already."""
        with self.guard:
            if self.phase is Phase.HELD and not (until_asked and self.yield_asked):
                self._listeners.append(listener)
                if until_asked:
                    self._askers.append(listener)
                return
        listener()

    def ask_to_yield(self) -> None:
        """Notes that a newer request of its group waits."""
        with self.guard:
            self.yield_asked = True
            askers, self._askers = self._askers, []
        for asker in askers:
            asker()

    def forget(self, listener: Callable[[], None]) -> None:
        """Takes a listener back."""
        with self.guard:
            for listeners in (self._listeners, self._askers):
                if listener in listeners:
                    listeners.remove(listener)

    def end_by(self) -> float:
        """When it counts as lost at the latest, by the service's clock."""
        return min(self.deadline, self.suspended)

    def suspend(self, seen: float) -> None:
        """Notes that the stream it lives by has ended: it stood at `seen`, and can be opened again in the grace."""
        self.suspended = seen + self.grace

    def resume(self, answer: Dict[str, Any], connection: Connection) -> bool:
        """Notes that it lives by another stream, unless it was over before."""
        if self.lost() is not None:
            return False
        with self.guard:
            if self.phase is not Phase.HELD:
                return False
            self.grace, self.suspended = (answer.get("recovery_grace_ms") or 0) / 1000, FOREVER
            self.connection = self.connection and connection
            return True

    def remaining(self) -> Optional[float]:
        """Seconds to the deadline, not less than 0; None when there is none."""
        end = self.end_by()
        return None if end == FOREVER else max(0.0, end - self.service.clock())

    def due(self, share: float = 1 / 3) -> float:
        """When its watcher has something to do, by time.monotonic(): renew, at a share of the ttl, or end it."""
        at = self.end_by()
        if self.way == "renewal" and not self.renewing and self.breaking is None and \
                at < self.last_deadline - SHORTEST_TTL:
            at = min(at, self.renewed_at + self.ttl * share)
        return at if at == FOREVER else time.monotonic() + at - self.service.clock()

    def joins(self, now: float) -> bool:
        """Whether it can be renewed at time.monotonic() together with others: due soon, and for the ttl that it has."""
        return self.way == "renewal" and not self.renewing and self.phase is Phase.HELD and self.due(1 / 4) <= now and \
            self.next_ttl() >= self.ttl

    def next_ttl(self) -> float:
        """What the next renewal asks for: the ttl, or what is left of max_hold."""
        return min(self.ttl, self.last_deadline - self.service.clock())

    def renewed(self, epoch: int, sent: float, answer: Dict[str, Any]) -> None:
        """Takes the deadline of a renewal that was sent at `sent`, unless another one was begun since."""
        left = answer.get("expires_in_ms")
        with self.guard:
            if epoch == self.epoch:
                self.renewed_at = sent
                self.deadline = FOREVER if left is None else max(self.deadline, sent + left / 1000)
        if answer.get("yield"):
            self.ask_to_yield()

    def shorten(self, sent: float, ttl: float) -> int:
        """Prepares for a renewal to another ttl: the deadline is not after what it asks for. The new epoch."""
        with self.guard:
            self.epoch += 1
            self.ttl = ttl
            self.deadline = min(self.deadline, sent + ttl)
            return self.epoch

    def break_after(self, sent: float, problem: Dict[str, Any]) -> None:
        """Notes that an operator ends it: it is held until then, and renewed no more."""
        with self.guard:
            self.epoch += 1
            self.breaking = {"code": "broken", **problem, "reason": "broken"}
            self.deadline = min(self.deadline, sent + problem["breaking_in_ms"] / 1000)

    def told(self, sent: float, status: int, answer: Dict[str, Any]) -> None:
        """Takes what an answer about it says: 404 and 410 end it, unless it is only about to be broken."""
        if answer.get("yield"):
            self.ask_to_yield()
        if answer.get("breaking_in_ms") is not None:
            self.break_after(sent, answer)
        elif status in (404, 410):
            self.lose(answer)
