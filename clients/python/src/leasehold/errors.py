"""The errors: each has the service's code, detail, status and request id (rule 37)."""

from __future__ import annotations

from typing import Any, Dict, List, Optional, Type


class LeaseholdError(Exception):
    """The base of all errors of this package."""

    def __init__(self, detail: str = "", *, code: str = "", status: int = 0, request_id: Optional[str] = None,
                 problem: Optional[Dict[str, Any]] = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.code = code
        self.status = status
        self.request_id = request_id
        self.problem: Dict[str, Any] = problem or {}

    def __str__(self) -> str:
        return self.detail


class Locked(LeaseholdError):
    """Others have the lock."""

    @property
    def holders(self) -> List[Dict[str, Any]]:
        """The leases that hold it: `ref`, `owner`, `since`, `pid` and more of each; empty where nobody told."""
        return list(self.problem.get("holders", []))

    @property
    def waiters(self) -> int:
        """How many wait for it."""
        return int(self.problem.get("waiters", 0))


class WaitTimeout(Locked, TimeoutError):
    """Others still had the lock when the wait was over."""


class AlreadyHeld(LeaseholdError):
    """This thread or task, or a `leasehold run` above it, has the lock itself: waiting would never end."""


class Deadlock(LeaseholdError):
    """Somebody who is waited for waits for what this thread or task holds."""

    @property
    def circle(self) -> List[Dict[str, Any]]:
        """Who waits for what, in order: `waits_for`, `holds`, `owner`, `ref`, `you` of each."""
        return list(self.problem.get("circle", []))


class Superseded(LeaseholdError):
    """A newer request of its group (`newest`) waits: leave the work to that one."""


class LeaseLost(LeaseholdError):
    """The lease is over, and somebody else may hold the lock."""

    @property
    def reason(self) -> str:
        """Why: ttl, broken, connection-closed, lock-removed, .., or of this library deadline, silent, forked."""
        return str(self.problem.get("reason") or self.code)

    @property
    def break_reason(self) -> Optional[str]:
        """What the operator said who broke it."""
        return self.problem.get("break_reason")

    @property
    def ended_at(self) -> Optional[str]:
        """The instant as the service tells it, RFC 3339."""
        return self.problem.get("ended_at")


class Denied(LeaseholdError, PermissionError):
    """The token, or the user, may not do this."""


class Unavailable(LeaseholdError, ConnectionError):
    """The service gave no answer, or could not do it now."""


class KernelLimit(LeaseholdError, OSError):
    """A limit of the kernel or of the service's ledger is reached."""


class Invalid(LeaseholdError, ValueError):
    """The request cannot be right, whenever it is asked."""

    @property
    def parameter(self) -> Optional[str]:
        """The parameter that is wrong, where one is."""
        return self.problem.get("parameter")


_BY_CODE: Dict[str, Type[LeaseholdError]] = {
    "wait-timeout": WaitTimeout, "deadlock": Deadlock, "no-such-lease": LeaseLost, "superseded": Superseded,
}
_BY_STATUS: Dict[int, Type[LeaseholdError]] = {
    401: Denied, 403: Denied, 410: LeaseLost, 423: Locked, 429: Unavailable, 503: Unavailable, 507: KernelLimit,
}


def from_problem(status: int, problem: Dict[str, Any]) -> LeaseholdError:
    """The error that an answer is."""
    code = str(problem.get("code", ""))
    kind = _BY_CODE.get(code) or _BY_STATUS.get(status) or (Invalid if 400 <= status < 500 else LeaseholdError)
    detail = str(problem.get("detail") or problem.get("title") or f"The service answered {status}.")
    return kind(detail, code=code, status=status, request_id=problem.get("request_id"), problem=problem)


def invalid(detail: str, parameter: str) -> Invalid:
    """What this library refuses by itself."""
    return Invalid(detail, code="invalid-parameter", problem={"parameter": parameter})
