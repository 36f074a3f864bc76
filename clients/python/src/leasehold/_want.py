"""What is asked for: the arguments of `Lock`, checked, and the requests they become."""

from __future__ import annotations

import json
import math
import os
import socket
import sys
from datetime import timedelta
from functools import lru_cache
from typing import Any, Dict, List, Optional, Sequence, Union

from ._service import query, quote
from .errors import Invalid, invalid

Seconds = Union[int, float, timedelta]
KEEPS = ("auto", "process", "stream", "renewal")
DEFAULT_TTL = 30.0


class Shared:
    """A lock to read, beside other readers."""

    __slots__ = ("key",)

    def __init__(self, key: str) -> None:
        self.key = key

    def __repr__(self) -> str:
        return f"Shared({self.key!r})"


class Slots:
    """Some slots of a counting lock: how many it has, or their names. slot: the names of those to take."""

    __slots__ = ("key", "slots", "count", "slot")

    def __init__(self, key: str, slots: Union[int, Sequence[str]], count: int = 1,
                 slot: Union[None, str, Sequence[str]] = None) -> None:
        self.key, self.slots, self.count = key, slots, count
        self.slot = [slot] if isinstance(slot, str) else list(slot or [])

    def want(self) -> Dict[str, Any]:
        """As a request says it."""
        if isinstance(self.slots, int):
            want: Dict[str, Any] = {"key": self.key, "limit": self.slots}
        else:
            want = {"key": self.key, "slots": ",".join(self.slots)}
        if self.slot:
            want["slot"] = ",".join(self.slot)
        if self.count != 1 or not self.slot:
            want["count"] = self.count
        return want

    def __repr__(self) -> str:
        return f"Slots({self.key!r}, {self.slots!r}, {self.count})"


Part = Union[str, Shared, Slots]
Count = Union[None, int, Sequence[str]]  # of slots: how many there are, or their names
Key = Union[Part, Sequence[Part]]


def seconds(value: Optional[Seconds], name: str, least: float = 0.0) -> Optional[float]:
    """A time as a number; None stays."""
    if value is None:
        return None
    if isinstance(value, timedelta):
        value = value.total_seconds()
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise invalid(f"{name}={value!r} is neither a number of seconds nor a timedelta.", name)
    if not (least <= value < math.inf):
        raise invalid(f"{name}={value!r} must be at least {least:g} seconds.", name)
    return float(value)


def duration(value: float) -> str:
    """Seconds for a request, in whole milliseconds and not less."""
    return f"{math.ceil(value * 1000 - 1e-6)}ms"


@lru_cache(maxsize=None)
def default_owner() -> str:
    """USER@HOST PROGRAM."""
    try:
        import pwd
        user = pwd.getpwuid(os.getuid()).pw_name
    except (ImportError, KeyError):
        user = os.environ.get("USER", str(os.getuid()))
    text = f"{user}@{socket.gethostname()} {os.path.basename(sys.argv[0]) or 'python'}"
    return "".join(letter for letter in text if letter.isprintable()).encode()[:128].decode(errors="ignore")


class Want:
    """One acquire as often as it is made: all but its Idempotency-Key, its wait and what is held meanwhile."""

    def __init__(self, key: Key, wait: Optional[Seconds], shared: bool, slots: Count, count: int,
                 ttl: Optional[Seconds], max_hold: Optional[Seconds], hold_at_least: Optional[Seconds],
                 owner: Optional[str], keep: str) -> None:
        if keep not in KEEPS:
            raise invalid(f"keep={keep!r} is none of {', '.join(KEEPS)}.", "keep")
        self.wait = seconds(wait, "wait")
        ttl = seconds(ttl, "ttl", 0.001)
        self.max_hold = seconds(max_hold, "max_hold", 0.001)
        if ttl is not None and keep in ("process", "stream"):
            raise invalid(f"keep={keep!r} needs no ttl; max_hold bounds how long the lock may be held.", "ttl")
        self.keep = "renewal" if ttl is not None else keep
        self.ttl = min(ttl or DEFAULT_TTL, self.max_hold or math.inf)
        self.single = isinstance(key, (str, Shared, Slots))
        parts = [key] if isinstance(key, (str, Shared, Slots)) else list(key)
        wants = [self._part(part, shared, slots, count) for part in parts]
        if not wants:
            raise invalid("No lock is named.", "key")
        self.path, self.wants = "", wants
        self.parameters: Dict[str, str] = {}
        if self.single:
            self.path = f"/locks/{quote(wants[0]['key'])}/"
            self.parameters.update({name: str(value) for name, value in wants[0].items() if name != "key"})
        self.parameters["owner"] = default_owner() if owner is None else owner
        at_least = seconds(hold_at_least, "hold_at_least")
        if at_least is not None:
            self.parameters["hold_at_least"] = duration(at_least)

    @staticmethod
    def _part(part: Part, shared: bool, slots: Count, count: int) -> Dict[str, Any]:
        if isinstance(part, str):
            if shared and slots is not None:
                raise invalid("A counting lock (slots) has no readers (shared).", "shared")
            part = Shared(part) if shared else Slots(part, slots, count) if slots is not None else part
        if isinstance(part, Shared):
            return {"key": part.key, "mode": "shared"}
        if isinstance(part, Slots):
            return part.want()
        if not isinstance(part, str):
            raise Invalid(f"{part!r} is no lock: give a name, Shared(name) or Slots(name, slots).",
                          code="invalid-parameter", problem={"parameter": "key"})
        if count != 1:
            raise invalid("count needs slots: how many the lock has.", "count")
        return {"key": part}

    def target(self, way: str, wait: Optional[float], holding: List[str]) -> str:
        """The path and the query of an acquire or a hold."""
        parameters = dict(self.parameters)
        if way == "process":
            parameters["bind"] = f"pid:{os.getpid()}"
            parameters["ttl"] = "0" if self.max_hold is None else duration(self.max_hold)
        elif way == "renewal":
            parameters["ttl"] = duration(self.ttl)
        elif not self.single:
            parameters["bind"] = "connection"
            parameters["ttl"] = "0" if self.max_hold is None else duration(self.max_hold)
        elif self.max_hold is not None:
            parameters["ttl"] = duration(self.max_hold)
        if wait is not None:
            parameters["wait"] = duration(wait)
        if holding:
            parameters["holding"] = ",".join(holding)
        if not self.single:
            return "/leases" + query(parameters)
        return self.path + ("hold" if way == "stream" else "acquire") + query(parameters)

    def body(self) -> bytes:
        """The locks, when they are several."""
        return b"" if self.single else json.dumps({"want": self.wants}).encode()
