"""The one watcher of a process (rule 19): a thread that renews, follows and gives back, for all leases and clients."""

from __future__ import annotations

import _thread
import heapq
import itertools
import os
import select
import sys
import threading
import time
from collections import deque
from typing import Callable, Deque, Dict, List, Set, Tuple

from ._drive import FOREVER, READ, Flow, milliseconds
from ._follow import follow
from ._service import Service
from ._state import Phase, State
from ._tasks import renew, renew_many

TOGETHER = 1000  # leases that a service renews in one request
LINGERS = 60.0  # seconds without a lease until the thread ends


class Job:
    """A flow that the watcher runs. `settled` when it need not be waited for any more."""

    def __init__(self, flow: Callable[[Job], Flow[None]]) -> None:
        self.flow = flow(self)
        self.begun = False
        self.turn = 0  # counts its waits; an older timer is not its own
        self.fd = -1
        self._guard = threading.Lock()
        self._settled = False
        self._listeners: List[Callable[[], None]] = []

    def settle(self) -> None:
        """Tells who waits that what matters to them is done."""
        with self._guard:
            self._settled = True
            listeners, self._listeners = self._listeners, []
        for listener in listeners:
            listener()

    def when_settled(self, listener: Callable[[], None]) -> None:
        """Calls once, on any thread."""
        with self._guard:
            if not self._settled:
                self._listeners.append(listener)
                return
        listener()

    def wait(self, timeout: float) -> bool:
        """Waits on this thread; whether it is settled."""
        event = threading.Event()
        self.when_settled(event.set)
        return event.wait(timeout)


class Watcher:
    """What other threads call is under `guard`; the rest is the thread's own."""

    def __init__(self) -> None:
        self.guard = threading.Lock()
        self.leases: Dict[str, State] = {}
        self._arrivals: Deque[Job] = deque()
        self._asleep_until = -FOREVER
        self._running = False
        self._descriptors = os.pipe()
        for descriptor in self._descriptors:
            os.set_blocking(descriptor, False)
        self._numbers = itertools.count()
        self._timers: List[Tuple[float, int, Job, int]] = []
        self._waiting: Dict[int, Job] = {}
        self._followers: Dict[Service, Job] = {}
        self._jobs: Set[Job] = set()
        self._poll = select.poll()

    def close_descriptors(self) -> None:
        """For the child of a fork."""
        for descriptor in self._descriptors:
            os.close(descriptor)

    def keep(self, state: State) -> None:
        """Looks after a lease until it is over."""
        with self.guard:
            self.leases[state.id] = state
            if not self._running:
                self._start()
            elif state.due() < self._asleep_until or (state.followed and state.service not in self._followers):
                self._wake()

    def drop(self, state: State) -> None:
        """Looks after it no more."""
        with self.guard:
            self.leases.pop(state.id, None)

    def submit(self, flow: Callable[[Job], Flow[None]]) -> Job:
        """Runs a flow."""
        job = Job(flow)
        with self.guard:
            self._arrivals.append(job)
            if not self._running:
                self._start()
            elif self._asleep_until > -FOREVER:
                self._wake()
        return job

    def _start(self) -> None:
        # In this order, and by the one call that does not wait: a signal's exception may come between any two steps.
        self._running = True
        try:
            _thread.start_new_thread(self._main, ())
        except RuntimeError:  # the interpreter ends, or there can be no more threads: bindings hold without it
            self._running = False

    def _wake(self) -> None:
        try:
            os.write(self._descriptors[1], b".")
        except BlockingIOError:
            pass
        self._asleep_until = -FOREVER

    def _main(self) -> None:
        self._poll.register(self._descriptors[0], READ)
        last_use = time.monotonic()
        while True:
            self._admit()
            self._look()
            now = time.monotonic()
            with self.guard:
                if self.leases or self._arrivals or len(self._jobs) > len(self._followers):
                    last_use = now
                elif now >= last_use + LINGERS:
                    return self._end()
                self._asleep_until = self._next(last_use)
            ready = self._poll.poll(milliseconds(self._asleep_until))
            with self.guard:
                self._asleep_until = -FOREVER
            for fd, _ in ready:
                if fd == self._descriptors[0]:
                    try:
                        os.read(fd, 4096)
                    except BlockingIOError:
                        pass
                elif fd in self._waiting:
                    self._step(self._waiting[fd], True)
            now = time.monotonic()
            while self._timers and self._timers[0][0] <= now:
                _, _, job, turn = heapq.heappop(self._timers)
                if turn == job.turn:
                    self._step(job, False)

    def _end(self) -> None:
        for job in self._jobs:
            job.flow.close()
        for descriptor in (self._descriptors[0], *self._waiting):
            self._poll.unregister(descriptor)
        self._timers, self._waiting, self._followers, self._jobs = [], {}, {}, set()
        self._running = False

    def _next(self, last_use: float) -> float:
        """When there is something to do; an arrival while it is computed does not get lost, as `guard` is held."""
        if self._arrivals:
            return -FOREVER
        until = min((state.due() for state in self.leases.values()), default=last_use + LINGERS)
        while self._timers and self._timers[0][3] != self._timers[0][2].turn:
            heapq.heappop(self._timers)
        if until < FOREVER and any(state.service.address.unix is None for state in self.leases.values()):
            until = min(until, time.monotonic() + 1)  # poll(2) does not count the time that a machine sleeps
        return min(until, self._timers[0][0]) if self._timers else until

    def _admit(self) -> None:
        while True:
            with self.guard:
                if not self._arrivals:
                    return
                job = self._arrivals.popleft()
            self._step(job, False)

    def _look(self) -> None:
        """Ends what is past its deadline, renews what is due, and follows the services that leases are of."""
        with self.guard:
            leases = list(self.leases.values())
        due: Dict[Service, List[State]] = {}
        for state in leases:
            if state.lost() or state.phase is Phase.RELEASED:
                self.drop(state)
                continue
            if state.way == "renewal" and not state.renewing and state.due() <= time.monotonic():
                due.setdefault(state.service, []).append(state)
            if state.followed and state.service not in self._followers:
                service = state.service
                self._followers[service] = self._run(lambda _: follow(service, lambda: self._of(service)))

        for service, states in due.items():
            self._renew(states, [state for state in leases if state.service is service])

    def _renew(self, due: List[State], leases: List[State]) -> None:
        """Renews what is due of a service, and with several what soon will be, in one request."""
        joining = [state for state in leases if state.joins(time.monotonic())] if due[0].service.renews_many else []
        if len(joining) < 2:
            joining = []
        for start in range(0, len(joining), TOGETHER):
            part = joining[start:start + TOGETHER]
            for state in part:
                state.renewing = True
            self._run(lambda _, part=part: renew_many(part, self._renew_alone))  # type: ignore[misc]
        for state in due:
            if state not in joining:
                self._renew_alone(state)

    def _renew_alone(self, state: State) -> None:
        state.renewing = True
        self._run(lambda _: renew(state))

    def _of(self, service: Service) -> List[State]:
        with self.guard:
            return [state for state in self.leases.values() if state.service is service and state.followed]

    def _run(self, flow: Callable[[Job], Flow[None]]) -> Job:
        job = Job(flow)
        self._step(job, False)
        return job

    def _step(self, job: Job, ready: bool) -> None:
        """Lets a flow go on until it waits again."""
        if job.fd >= 0:
            self._poll.unregister(job.fd)
            del self._waiting[job.fd]
            job.fd = -1
        job.turn += 1
        self._jobs.add(job)
        try:
            fd, mask, until = job.flow.send(ready) if job.begun else next(job.flow)
            job.begun = True
        except BaseException as error:
            self._jobs.discard(job)
            job.settle()
            if not isinstance(error, StopIteration):  # one lease's trouble is not that of the others
                sys.excepthook(type(error), error, error.__traceback__)
            return
        if fd >= 0:
            job.fd = fd
            self._waiting[fd] = job
            self._poll.register(fd, mask)
        if until < FOREVER:
            heapq.heappush(self._timers, (until, next(self._numbers), job, job.turn))
