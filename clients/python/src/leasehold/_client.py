"""`Client`: one service, and what can be asked of it beside locks."""

from __future__ import annotations

import json
import os
import time
from typing import TYPE_CHECKING, Any, Dict, Iterator, Optional, Sequence, Tuple, Union

from ._drive import FOREVER, run
from ._service import Service, query, quote
from ._want import Key, Seconds, Slots, duration, seconds
from ._wire import Lines
from .errors import from_problem

if TYPE_CHECKING:
    from ._lease import Lease

Json = Dict[str, Any]


class Client:
    """A service: where it is, and who you are to it. Threads and tasks share one freely.

    url: unix:/PATH, http://HOST:PORT or https://HOST:PORT; without it LEASEHOLD_URL, the usual socket, the usual port.
    token: sent as a bearer token; without it LEASEHOLD_TOKEN. timeout: seconds that the service may be away or silent.
    """

    def __init__(self, url: Optional[str] = None, *, token: Optional[str] = None, timeout: Seconds = 5) -> None:
        self.service = Service(url, token, seconds(timeout, "timeout") or 0.0)

    @property
    def url(self) -> str:
        """Where the service is."""
        return self.service.address.url

    def acquire(self, key: Key, **options: Any) -> Lease:
        """Takes a lock of this service; the arguments are those of `Lock`."""
        from ._lock import Lock
        return Lock(key, **options, client=self).acquire()

    def locks(self, prefix: str = "", state: Optional[str] = None) -> Iterator[Json]:
        """The locks whose names begin so; state is held, free, waited, cooling or damaged."""
        return self._pages("/locks", "locks", {"key": prefix, "state": state or ""})

    def lock(self, key: str) -> Json:
        """Who holds a lock, and who waits for it."""
        return self._ask("GET", f"/locks/{quote(key)}")

    def leases(self, owner: Optional[str] = None, prefix: str = "") -> Iterator[Json]:
        """The leases that are out, by their refs."""
        return self._pages("/leases", "leases", {"owner": owner or "", "key": prefix})

    def resize(self, key: str, slots: Union[int, Sequence[str]], pinned: bool = False) -> Json:
        """Gives a counting lock another number of slots, or other names of them, even while it is in use; 0 pauses it.

        pinned: whatever number callers ask for from now on, it keeps this one.
        """
        want = {**Slots(key, slots).want(), "resize": "true", **({"pinned": "true"} if pinned else {})}
        return self._ask("PUT", f"/locks/{quote(want.pop('key'))}" + query(
            {name: str(value) for name, value in want.items() if name != "count"}))

    def break_(self, ref: str, after: Seconds = 0, reason: Optional[str] = None) -> Json:
        """Ends somebody's lease, now or after a time, and says why."""
        parameters = {"after": duration(seconds(after, "after") or 0.0)}
        if reason is not None:
            parameters["reason"] = reason
        return self._ask("POST", f"/leases/{quote(ref)}/break" + query(parameters))

    def events(self, key: Optional[str] = None, kinds: Sequence[str] = (), since: Optional[str] = None,
               wait: Optional[Seconds] = None) -> Iterator[Json]:
        """What happens, as it happens, each with its `id`; ends with the connection, or after `wait`."""
        patience = seconds(wait, "wait")
        parameters = {"key": key, "kind": ",".join(kinds) or None, "since": since,
                      "wait": None if patience is None else duration(patience)}
        target = "/events" + query({name: value for name, value in parameters.items() if value is not None})
        until = time.monotonic() + self.service.timeout
        connection = run(self.service.open(until))
        try:
            run(connection.send(self.service.request("GET", target), until))
            status = run(connection.head(until))
            if status != 200:
                raise from_problem(status, json.loads(run(connection.body(until))))
            lines, identity = Lines(connection), ""
            while True:
                line = run(lines.next(FOREVER))
                if line is None:
                    return
                name, _, value = line.decode().partition(": ")
                if name == "id":
                    identity = value
                elif name == "data":
                    yield {**json.loads(value), "id": identity}
        except OSError as error:
            raise self.service.unavailable(error) from error
        finally:
            connection.close()

    def _ask(self, method: str, target: str) -> Json:
        answer = run(self.service.simple(method, target))
        if answer.status >= 400:
            raise from_problem(answer.status, answer.json())
        return answer.json()

    def _pages(self, path: str, name: str, parameters: Dict[str, str]) -> Iterator[Json]:
        wanted = {key: value for key, value in parameters.items() if value}
        while True:
            page = self._ask("GET", path + query(wanted))
            yield from page[name]
            if not page.get("next_cursor"):
                return
            wanted["cursor"] = page["next_cursor"]

    def __repr__(self) -> str:
        return f"<Client {self.url}>"


_clients: Dict[Tuple[Optional[str], ...], Client] = {}


def default_client() -> Client:
    """The client of who gives none: where the environment says."""
    said = (os.environ.get("LEASEHOLD_URL"), os.environ.get("LEASEHOLD_TOKEN"))
    client = _clients.get(said)
    if client is None:
        client = _clients.setdefault(said, Client())
    return client
