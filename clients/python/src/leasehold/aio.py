"""The same for tasks of asyncio: `await leasehold.aio.acquire("deploy")`, and what `async with Lock("deploy")` uses."""

from __future__ import annotations

import asyncio
import sys
import time
from types import TracebackType
from typing import TYPE_CHECKING, Any, Awaitable, Callable, List, Optional, Type

from . import _process
from ._acquire import Taken, acquire as _acquire
from ._client import Client, default_client
from ._drive import FOREVER, READ, Flow, Op, T
from ._lease import Held
from ._lock import Lock
from ._state import Phase
from ._tasks import RELEASE_SECONDS
from ._want import Part, Seconds, Want, seconds
from ._watcher import Job

if TYPE_CHECKING:
    from typing_extensions import ParamSpec
    P = ParamSpec("P")

__all__ = ["AsyncLease", "acquire"]


def task() -> asyncio.Task[Any]:
    """The task that runs."""
    current = asyncio.current_task()
    if current is None:
        raise RuntimeError("there is no task: await this within one")
    return current


async def _ready(loop: asyncio.AbstractEventLoop, op: Op) -> bool:
    """Waits for a descriptor or a time. Canceled, it leaves nothing behind."""
    fd, mask, until = op
    future: asyncio.Future[bool] = loop.create_future()

    def ready(value: bool) -> None:
        if not future.done():
            future.set_result(value)

    timer = None if until == FOREVER else loop.call_later(max(0.0, until - time.monotonic()), ready, False)
    if fd >= 0:
        (loop.add_reader if mask == READ else loop.add_writer)(fd, ready, True)
    try:
        return await future
    finally:
        if timer is not None:
            timer.cancel()
        if fd >= 0:
            (loop.remove_reader if mask == READ else loop.remove_writer)(fd)


async def _run(flow: Flow[T], jobs: Optional[List[Job]] = None) -> T:
    """Runs a flow in this task. What an interruption leaves to the watcher is waited for a moment."""
    loop = asyncio.get_running_loop()
    try:
        op = next(flow)
        while True:
            try:
                ready = await _ready(loop, op)
            except BaseException as error:
                op = flow.throw(error)
            else:
                op = flow.send(ready)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    except asyncio.CancelledError:
        for job in jobs or ():
            await _settled(loop, job)
        raise


async def _settled(loop: asyncio.AbstractEventLoop, job: Job) -> None:
    """Waits for a job apart from what is canceled already; a second cancellation ends the waiting, not the job."""
    future = loop.create_future()

    def settle() -> None:
        if not future.done():
            future.set_result(None)

    job.when_settled(lambda: _call(loop, settle))
    timer = loop.call_later(RELEASE_SECONDS, settle)
    try:
        await future
    finally:
        timer.cancel()


def _call(loop: asyncio.AbstractEventLoop, function: Callable[[], None]) -> None:
    try:
        loop.call_soon_threadsafe(function)
    except RuntimeError:  # the loop is closed: nobody waits any more
        pass


class AsyncLease(Held):
    """A lease of `leasehold.aio.acquire`, or of `async with Lock(..) as lease`.

    Its block is canceled when it is lost, and LeaseLost leaves the block.
    """

    _owner_task: Optional[asyncio.Task[Any]] = None
    _canceled_by_loss = False

    async def release(self, early: bool = False) -> bool:
        """Gives the lock back; whether it was held until now. Canceled, it is given back all the same.

        early: frees what `hold_at_least` keeps, also after an earlier release.
        """
        jobs: List[Job] = []
        return await _run(self._release(jobs, early), jobs)

    async def renew(self, ttl: Optional[Seconds] = None, note: Optional[str] = None) -> None:
        """Asks for a new deadline, counted from now. A lease with a ttl is renewed without this."""
        await _run(self._renew(ttl, note))

    async def add(self, *locks: Part) -> None:
        """Takes more locks on this lease, all or none, without a wait; `fences` tells their numbers."""
        await _run(self._add(locks))

    async def convert(self, mode: str, wait: Optional[Seconds] = None) -> None:
        """Makes a reader of a writer (shared), or a writer of a reader (exclusive; at once, or after `wait`)."""
        jobs: List[Job] = []
        await _run(self._convert(mode, wait, jobs), jobs)

    async def note(self, text: str) -> None:
        """Shows others how far the work is."""
        await _run(self._note(text))

    async def wait_lost(self, timeout: Optional[Seconds] = None) -> bool:
        """Waits until the lease is over, or the time is up; whether it is lost."""
        await self._wait(timeout)
        return self.lost

    async def wait_yield(self, timeout: Optional[Seconds] = None) -> bool:
        """Waits until it is asked to yield, or the lease is over, or the time is up; whether it is asked."""
        await self._wait(timeout, until_asked=True)
        return self.yield_asked

    async def _wait(self, timeout: Optional[Seconds], until_asked: bool = False) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()

        def listener() -> None:
            _call(loop, over.set)

        patience = seconds(timeout, "timeout")
        timer = None if patience is None else loop.call_later(patience, over.set)
        self._state.listen(listener, until_asked)
        try:
            await over.wait()
        finally:
            self._state.forget(listener)
            if timer is not None:
                timer.cancel()

    async def __aenter__(self) -> AsyncLease:
        if self._on_lost == "raise":
            self._loop, self._owner_task = asyncio.get_running_loop(), task()
            self._state.listen(self._tell)
        return self

    def _tell(self) -> None:
        """Called by the watcher, or whoever notices the loss first."""
        if self._state.phase is Phase.LOST:
            _call(self._loop, self._cancel)

    def _cancel(self) -> None:
        if self._owner_task is not None:
            self._canceled_by_loss = True
            self._owner_task.cancel()

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        self._state.forget(self._tell)
        owner, self._owner_task = self._owner_task, None
        others = self._canceled_by_loss and not await self._absorb(owner, kind)
        released = self._state.phase is Phase.RELEASED
        held = await self.release()
        ours = kind is None or (self._canceled_by_loss and not others and issubclass(kind, asyncio.CancelledError))
        if not held and not released and self._on_lost == "raise" and ours:
            loss = self._state.lost()
            if loss is not None:
                raise loss.with_traceback(None) from None

    async def _absorb(self, owner: Optional[asyncio.Task[Any]], kind: Optional[Type[BaseException]]) -> bool:
        """Takes our own cancellation back; False when somebody else canceled the task as well."""
        if kind is None or not issubclass(kind, asyncio.CancelledError):
            try:  # it was asked for and has not come yet: it comes here
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                pass
        if owner is not None and sys.version_info >= (3, 11):
            return owner.uncancel() == 0
        return True


async def take(client: Optional[Client], want: Want, on_lost: str) -> AsyncLease:
    """Takes what is wanted as this task."""
    service, taken = (client or default_client()).service, Taken()
    try:
        state = await _run(_acquire(service, want, _process.leases_of(task()), taken), taken.jobs)
        return AsyncLease(state, on_lost)
    except BaseException:
        taken.undo()
        raise


def _taking(lock: Callable[P, Lock]) -> Callable[P, Awaitable[AsyncLease]]:
    async def acquire(*words: P.args, **named: P.kwargs) -> AsyncLease:
        """Takes a lock; the arguments are those of `Lock`. The lease ends when it is released, or with this process."""
        return await lock(*words, **named).acquire_async()
    acquire.__wrapped__ = lock  # type: ignore[attr-defined]
    return acquire


acquire = _taking(Lock)
