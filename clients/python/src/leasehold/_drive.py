"""Input and output as generators, and who runs them.

A flow yields `(fd, mask, until)` when it has to wait: until the descriptor is ready, or time.monotonic() is `until`; -1
is no descriptor. It is sent True when ready and False when the time is up. So each conversation is written once, for
threads (`run`), tasks (aio.py) and the watcher.
"""

from __future__ import annotations

import math
import select
import time
from typing import Generator, Tuple, TypeVar

READ, WRITE = select.POLLIN, select.POLLOUT
FOREVER = math.inf
T = TypeVar("T")
Op = Tuple[int, int, float]
Flow = Generator[Op, bool, T]


def milliseconds(until: float) -> int:
    """What poll(2) is told so that it does not return too early; -1 is no end. The past is now, however long ago."""
    return -1 if until == FOREVER else math.ceil(max(0.0, until - time.monotonic()) * 1000)


def wait(op: Op) -> bool:
    """Waits on this thread."""
    fd, mask, until = op
    if fd < 0:
        time.sleep(max(0.0, until - time.monotonic()))
        return False
    poller = select.poll()
    poller.register(fd, mask)
    return bool(poller.poll(milliseconds(until)))


def run(flow: Flow[T]) -> T:
    """Runs a flow on this thread; an exception that interrupts the waiting is raised within the flow.

    The handler of a signal may raise anywhere: the flow is closed then, before the exception goes on.
    """
    try:
        op = next(flow)
        while True:
            try:
                ready = wait(op)
            except BaseException as error:  # KeyboardInterrupt, what signal handlers raise
                op = flow.throw(error)
            else:
                op = flow.send(ready)
    except StopIteration as stop:
        return stop.value  # type: ignore[no-any-return]
    finally:
        flow.close()


def pause(seconds: float) -> Flow[None]:
    """Lets time pass."""
    yield -1, 0, time.monotonic() + seconds
