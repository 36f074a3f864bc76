"""This process: what a fork changes, and which leases a thread or a task has."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING, List, Optional
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    import asyncio

    from ._service import Service
    from ._state import State
    from ._watcher import Watcher

MOST_HELD = 32
generation = 0  # grows in each child of a fork: what an older one took is not ours
_watcher: Optional[Watcher] = None
_guard = threading.Lock()


class _Thread(threading.local):
    def __init__(self) -> None:
        self.leases: List[State] = []


_threads = _Thread()
_tasks: WeakKeyDictionary[asyncio.Task[object], List[State]] = WeakKeyDictionary()


def watcher() -> Watcher:
    """The one watcher of this process."""
    global _watcher
    if _watcher is None:
        from ._watcher import Watcher
        with _guard:
            if _watcher is None:
                _watcher = Watcher()
    return _watcher


def leases_of(task: Optional[asyncio.Task[object]]) -> List[State]:
    """The leases of a task, or of this thread."""
    return _threads.leases if task is None else _tasks.setdefault(task, [])


def holding(leases: List[State], service: Service, wanted: List[str]) -> List[str]:
    """The ids to name as held: this context's, and those of each `leasehold run` above (rule 10).

    A request names 32 at most: those of what is wanted are among them, then the last ones.
    """
    above = os.environ.get("LEASEHOLD_HOLDING")
    if not leases and not above:
        return []
    states = [state for state in leases if state.service.address == service.address and not state.lost()]
    if len(states) > MOST_HELD:
        states.sort(key=lambda state: not set(state.keys).isdisjoint(wanted))
    ids = [word for word in (above or "").split(",") if len(word) == 32 and word.isalnum()]
    return list(dict.fromkeys(ids + [state.id for state in states]))[-MOST_HELD:]


def _in_child() -> None:
    """The child holds nothing, and closes what it inherited (rule 33)."""
    global generation, _watcher, _guard, _threads, _tasks
    from ._wire import open_connections
    generation += 1
    _guard = threading.Lock()
    _threads, _tasks = _Thread(), WeakKeyDictionary()
    for connection in list(open_connections):
        connection.close()
    if _watcher is not None:
        _watcher.close_descriptors()
        _watcher = None


os.register_at_fork(after_in_child=_in_child)
