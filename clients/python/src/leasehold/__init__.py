"""Leasehold for Python: `with Lock("deploy", wait=10) as lease:` has the lock `deploy` while its block runs.

The lock is given back however the block ends, also when the process is killed. See README.md and BEHAVIOUR.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ._client import Client
from ._lease import Lease
from ._lock import Lock, acquire
from ._want import Shared, Slots
from .errors import (
    AlreadyHeld, Deadlock, Denied, Invalid, KernelLimit, LeaseholdError, LeaseLost, Locked, Superseded, Unavailable,
    WaitTimeout,
)

if TYPE_CHECKING:
    from . import aio
    from .aio import AsyncLease

__version__ = "0.2.0.dev0"
__all__ = [
    "AlreadyHeld", "AsyncLease", "Client", "Deadlock", "Denied", "Invalid", "KernelLimit", "Lease", "LeaseLost",
    "LeaseholdError", "Lock", "Locked", "Shared", "Slots", "Superseded", "Unavailable", "WaitTimeout", "acquire",
    "aio",
]


def __getattr__(name: str) -> Any:
    """Imports what needs asyncio when it is used first."""
    if name in ("aio", "AsyncLease"):
        import importlib
        aio = importlib.import_module(".aio", __name__)
        return aio if name == "aio" else aio.AsyncLease
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
