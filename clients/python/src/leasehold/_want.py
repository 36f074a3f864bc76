"""What is asked for: the arguments of `Lock`, checked, and the requests they become."""

from __future__ import annotations

import json
import math
import os
import socket
import sys
from datetime import timedelta
from functools import lru_cache
from typing import Any, Dict, List, Mapping, NamedTuple, Optional, Sequence, Union

from ._service import query, quote
from .errors import Invalid, invalid

Seconds = Union[int, float, timedelta]
KEEPS = ("auto", "process", "cgroup", "stream", "renewal")
BOUND = ("process", "cgroup")  # to what only a service of this host can see
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


Part = Union[str, Shared, Slots, Mapping[str, Any]]
Count = Union[None, int, Sequence[str]]  # of slots: how many there are, or their names
Names = Union[None, str, Sequence[str]]
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


class One(NamedTuple):
    """How one lock is wanted; several say it each."""

    shared: bool
    slots: Count
    slot: Names
    number: int
    create: bool
    value: Optional[int]

    def want(self, part: Part) -> Dict[str, Any]:
        """A lock as a request says it."""
        if isinstance(part, str):
            part = self._part(part)
        if isinstance(part, Shared):
            return {"key": part.key, "mode": "shared"}
        if isinstance(part, Slots):
            return part.want()
        if not isinstance(part, Mapping) or not isinstance(part.get("key"), str):
            raise Invalid(f"{part!r} is no lock: give a name, Shared(name) or Slots(name, slots).",
                          code="invalid-parameter", problem={"parameter": "key"})
        return {name: ",".join(said) if isinstance(said, (list, tuple)) else said for name, said in part.items()}

    def _part(self, key: str) -> Part:
        if self.shared and self.slots is not None:
            raise invalid("A counting lock (slots) has no readers (shared).", "shared")
        if self.value is not None and not self.create:
            raise invalid("value needs create: it is that of a set which is made.", "value")
        if self.slots is not None:
            return Slots(key, self.slots, self.number, self.slot)
        if self.number != 1:
            raise invalid("count needs slots: how many the lock has.", "count")
        want: Dict[str, Any] = {"key": key, **({"mode": "shared"} if self.shared else {})}
        if self.slot:
            want["slot"] = ",".join([self.slot] if isinstance(self.slot, str) else self.slot)
        if self.create:
            want["create"] = "1"
        return want if self.value is None else {**want, "value": self.value}


PLAIN = One(False, None, None, 1, False, None)


def parts(key: Key, one: One = PLAIN) -> List[Dict[str, Any]]:
    """The locks as a request says them."""
    found = [one.want(part) for part in ([key] if isinstance(key, (str, Shared, Slots, Mapping)) else key)]
    if not found:
        raise invalid("No lock is named.", "key")
    return found


class Want:
    """One acquire as often as it is made: all but its Idempotency-Key, its wait and what is held meanwhile.

    terms: what the service is told of the lease as it is; times are numbers of seconds or timedelta, None is unsaid.
    """

    def __init__(self, key: Key, one: One, *, wait: Optional[Seconds], ttl: Optional[Seconds],
                 max_hold: Optional[Seconds], keep: str, **terms: Union[None, str, Seconds]) -> None:
        if keep not in KEEPS:
            raise invalid(f"keep={keep!r} is none of {', '.join(KEEPS)}.", "keep")
        self.wait = seconds(wait, "wait")
        ttl = seconds(ttl, "ttl", 0.001)
        self.max_hold = seconds(max_hold, "max_hold", 0.001)
        if ttl is not None and keep not in ("auto", "renewal"):
            raise invalid(f"keep={keep!r} needs no ttl; max_hold bounds how long the lock may be held.", "ttl")
        self.keep = "renewal" if ttl is not None else keep
        self.ttl = min(ttl or DEFAULT_TTL, self.max_hold or math.inf)
        self.single = isinstance(key, (str, Shared, Slots, Mapping))
        self.path, self.wants = "", parts(key, one)
        self.parameters: Dict[str, str] = {}
        if self.single:
            self.path = f"/locks/{quote(self.wants[0]['key'])}/"
            self.parameters.update({name: str(said).lower() if said is True or said is False else str(said)
                                    for name, said in self.wants[0].items() if name != "key"})
        if terms.get("owner") is None:
            terms["owner"] = default_owner()
        for name, value in terms.items():
            if isinstance(value, str):
                self.parameters[name] = value
            elif value is not None:
                self.parameters[name] = duration(seconds(value, name) or 0.0)

    def target(self, way: str, wait: Optional[float], holding: List[str]) -> str:
        """The path and the query of an acquire or a hold."""
        parameters = dict(self.parameters)
        if way in BOUND:
            parameters["bind"] = f"pid:{os.getpid()}" if way == "process" else way
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
