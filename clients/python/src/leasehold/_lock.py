"""`Lock`: what `with`, `async with` and `@` take."""

from __future__ import annotations

import functools
import threading
from types import TracebackType
from typing import TYPE_CHECKING, Any, Callable, Dict, List, Optional, Type, TypeVar, cast

from . import _process
from ._acquire import Taken, acquire as _acquire
from ._client import Client, default_client
from ._drive import run
from ._lease import Lease
from ._want import Count, Key, Names, One, Seconds, Want
from .errors import invalid

if TYPE_CHECKING:
    from typing_extensions import ParamSpec

    from .aio import AsyncLease

    P = ParamSpec("P")

Call = TypeVar("Call", bound=Callable[..., Any])
ON_LOST = ("raise", "ignore")
COROUTINE, GENERATORS = 0x80, 0x20 | 0x200  # inspect.CO_COROUTINE; CO_GENERATOR, CO_ASYNC_GENERATOR


class Lock:
    """A lock with how it is to be taken. One object serves any number of threads and tasks, again and again.

    wait: seconds to wait in line; 0 tries once, None waits without end. shared: to read beside other readers.
    slots, count: a counting lock of so many slots, and how many to take; a list of names names them, and `lease.slot`
    is the one you got; slot: the names to take. ttl: lets the lease end so many seconds after its last renewal, which
    this library sends; without it the lease lives as long as this process. max_hold: how long it may be held at most.
    hold_at_least: how long it stays taken after the grant; cooldown: after a loss. stop_grace: at the end of
    max_hold, or when an operator ends the lease, this process gets TERM and after that time KILL, and only then
    others get the lock. newest: a group of which only the newest waits, and whose holder is asked to yield. owner,
    note: what others are shown. create, value: make the set of a `sysv:` name. keep: auto, process, cgroup, stream or
    renewal. on_lost: raise LeaseLost at the end of the block, or ignore.
    """

    def __init__(self, key: Key, *, wait: Optional[Seconds] = None, shared: bool = False, slots: Count = None,
                 slot: Names = None, count: int = 1, ttl: Optional[Seconds] = None,
                 max_hold: Optional[Seconds] = None, hold_at_least: Optional[Seconds] = None,
                 cooldown: Optional[Seconds] = None, stop_grace: Optional[Seconds] = None,
                 newest: Optional[str] = None, owner: Optional[str] = None,
                 note: Optional[str] = None, create: bool = False, value: Optional[int] = None, keep: str = "auto",
                 on_lost: str = "raise", client: Optional[Client] = None) -> None:
        self._want = Want(key, One(shared, slots, slot, count, create, value), wait=wait, ttl=ttl, max_hold=max_hold,
                          keep=keep, hold_at_least=hold_at_least, cooldown=cooldown, grace=stop_grace,
                          stop=None if stop_grace is None else "term", newest=newest, owner=owner, note=note)
        if on_lost not in ON_LOST:
            raise invalid(f"on_lost={on_lost!r} is neither raise nor ignore.", "on_lost")
        self._on_lost = on_lost
        self._client = client
        self._open = _Open()

    def acquire(self) -> Lease:
        """Takes it without a block: the lease is yours to release."""
        service = (self._client or default_client()).service
        taken = Taken()
        try:
            return Lease(run(_acquire(service, self._want, _process.leases_of(None), taken)), self._on_lost)
        except BaseException:
            taken.undo()
            raise

    def __enter__(self) -> Lease:
        lease = self.acquire()
        try:
            self._open.push(lease, threading.get_ident())
            return lease
        except BaseException:
            lease.release()
            raise

    def __exit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                 trace: Optional[TracebackType]) -> None:
        try:
            self._open.last(threading.get_ident()).__exit__(kind, error, trace)
        except BaseException:  # the handler of a signal may raise before it is released
            self._open.last(threading.get_ident()).release()
            raise
        finally:
            self._open.pop(threading.get_ident())

    async def acquire_async(self) -> AsyncLease:
        """Takes it as the task that runs, without a block: the lease is yours to release."""
        from . import aio
        return await aio.take(self._client, self._want, self._on_lost)

    async def __aenter__(self) -> AsyncLease:
        from . import aio
        lease = await self.acquire_async()
        self._open.push(await lease.__aenter__(), aio.task())
        return lease

    async def __aexit__(self, kind: Optional[Type[BaseException]], error: Optional[BaseException],
                        trace: Optional[TracebackType]) -> None:
        from . import aio
        lease: AsyncLease = self._open.pop(aio.task())
        await lease.__aexit__(kind, error, trace)

    def __call__(self, function: Call) -> Call:
        """Holds it during each call of a function; each call has a lease of its own."""
        flags = getattr(getattr(function, "__code__", None), "co_flags", 0)
        if flags & GENERATORS:
            raise TypeError("a generator runs after its call has returned: take the lock within it")
        if flags & COROUTINE:
            @functools.wraps(function)
            async def awaited(*words: Any, **named: Any) -> Any:
                async with self:
                    return await function(*words, **named)
            return cast(Call, awaited)

        @functools.wraps(function)
        def called(*words: Any, **named: Any) -> Any:
            with self:
                return function(*words, **named)
        return cast(Call, called)

    def __repr__(self) -> str:
        return f"<Lock {', '.join(want['key'] for want in self._want.wants)}>"

    def __reduce__(self) -> str:
        raise TypeError("a lock cannot be pickled: make it in each process")


class _Open:
    """The leases of blocks that are not left yet, by the thread or task that entered them."""

    def __init__(self) -> None:
        self._leases: Dict[object, List[Any]] = {}

    def push(self, lease: object, who: object) -> None:
        self._leases.setdefault(who, []).append(lease)

    def last(self, who: object) -> Any:
        """The last of this thread or task; the only one there is, when another thread leaves the block."""
        return self._leases[self._entered(who)][-1]

    def pop(self, who: object) -> Any:
        """Takes out the last."""
        who = self._entered(who)
        leases = self._leases[who]
        lease = leases.pop()
        if not leases:
            del self._leases[who]
        return lease

    def _entered(self, who: object) -> object:
        if who in self._leases:
            return who
        if len(self._leases) != 1:
            raise RuntimeError("this thread or task is in no block of this lock")
        return next(iter(self._leases))


def _taking(lock: Callable[P, Lock]) -> Callable[P, Lease]:
    def acquire(*words: P.args, **named: P.kwargs) -> Lease:
        """Takes a lock; the arguments are those of `Lock`. The lease ends when it is released, or with this process."""
        return lock(*words, **named).acquire()
    acquire.__wrapped__ = lock  # type: ignore[attr-defined]
    return acquire


acquire = _taking(Lock)
