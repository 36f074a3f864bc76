"""Where the service is (rules 1 to 3), and a socket to it."""

from __future__ import annotations

import os
import socket
import stat
import time
from typing import Any, Callable, NamedTuple, Optional, Tuple, Union

from ._drive import WRITE, Flow
from .errors import Denied, Invalid

DEFAULT_SOCKET = "/run/leasehold/leasehold.sock"
DEFAULT_URL = "http://127.0.0.1:31818"


class Address(NamedTuple):
    """A Unix socket, or a host and a port."""

    unix: Optional[str]
    host: str
    port: int
    tls: bool

    @property
    def url(self) -> str:
        """The text for LEASEHOLD_URL."""
        if self.unix is not None:
            return f"unix:{self.unix}"
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http{'s' if self.tls else ''}://{host}:{self.port}"

    @property
    def authority(self) -> str:
        """The Host header."""
        return "localhost" if self.unix is not None else self.url.split("//", 1)[1]


class Socket(socket.socket):
    """Closes itself without a warning when it is forgotten: the connections of a thread end with the thread."""

    def __del__(self) -> None:
        socket.SocketType.close(self)  # also when a signal came before it was whole


def parse(text: str) -> Address:
    """Reads unix:/PATH, http://HOST[:PORT] or https://HOST[:PORT]."""
    if text.startswith("unix:"):
        path = text[5:]
        path = path[2:] if path.startswith("//") else path
        if path:
            return Address(path, "", 0, False)
    scheme, _, rest = text.partition("://")
    if scheme in ("http", "https"):
        host, port = rest.rstrip("/"), "31818"
        bracket = host.rfind("]")
        if ":" in host[bracket + 1:]:
            host, _, port = host.rpartition(":")
        host = host.strip("[]")
        if host and port.isascii() and port.isdigit() and not set(host) & set("/?#@ "):
            return Address(None, host, int(port), scheme == "https")
    raise Invalid(f"The address {text!r} is not unix:/PATH, http://HOST:PORT or https://HOST:PORT.",
                  code="invalid-parameter", problem={"parameter": "url"})


def find(url: Optional[str]) -> Address:
    """What is given, what the environment says, the system's socket, the user's own, the usual port."""
    text = url or os.environ.get("LEASEHOLD_URL")
    if not text:
        path = DEFAULT_SOCKET if _is(DEFAULT_SOCKET, stat.S_ISSOCK) else _own_socket()
        text = f"unix:{path}" if path else DEFAULT_URL
    return parse(text)


def _is(path: str, kind: Callable[[int], bool]) -> bool:
    try:
        return kind(os.stat(path).st_mode)
    except OSError:
        return False


def _own_socket() -> Optional[str]:
    """The socket of this user's own service, where one takes connections and nobody else can put another."""
    folder, name = os.environ.get("XDG_RUNTIME_DIR", ""), "/leasehold.sock"
    is_short = len(os.fsencode(folder)) + len("/leasehold") + len(name) < 107
    folder = f"{folder}/leasehold" if is_short and _is_own(folder) else f"/tmp/leasehold-{os.geteuid()}"
    if not _is_own(folder) or not os.path.exists(folder + name):
        return None
    with socket.socket(socket.AF_UNIX) as probe:
        try:
            probe.settimeout(2)
            probe.connect(folder + name)
        except OSError:
            return None
    return folder + name


def _is_own(folder: str) -> bool:
    """Whether a folder is this user's and closed to others."""
    try:
        found = os.lstat(folder) if folder.startswith("/") else None
    except OSError:
        return False
    return found is not None and stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() \
        and found.st_mode & 0o077 == 0


def connect(address: Address, until: float) -> Flow[socket.socket]:
    """A connected socket that does not block; OSError when there is none by then, Denied when it refuses."""
    if address.unix is not None:
        try:
            return (yield from _connect(socket.AF_UNIX, address.unix, until))
        except PermissionError:
            raise _refused(address.unix) from None
    failure: Optional[OSError] = None
    # A name is looked up by the system, which blocks; an address is not.
    for family, _, _, _, where in socket.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM):
        try:
            return (yield from _connect(family, where, until))
        except OSError as error:
            failure = error
    raise failure or OSError(f"no address for {address.host}")


def _connect(family: int, where: Union[str, Tuple[Any, ...]], until: float) -> Flow[socket.socket]:
    sock = Socket(family, socket.SOCK_STREAM)
    try:
        sock.setblocking(False)
        if family != socket.AF_UNIX:
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        while True:
            try:
                sock.connect(where)
            except BlockingIOError:
                if family == socket.AF_UNIX:  # the backlog is full, and poll(2) would not tell
                    if time.monotonic() >= until:
                        raise TimeoutError("the service does not take the connection") from None
                    yield -1, 0, min(until, time.monotonic() + 0.01)
                    continue
                if not (yield sock.fileno(), WRITE, until):
                    raise TimeoutError("the service does not take the connection") from None
                number = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                if number:
                    raise OSError(number, os.strerror(number)) from None
            return sock
    except BaseException:
        sock.close()
        raise


def _refused(path: str) -> Denied:
    group, mode = "?", "?"
    try:
        found = os.stat(path)
        mode = stat.filemode(found.st_mode)
        import grp
        group = grp.getgrgid(found.st_gid).gr_name
    except (ImportError, KeyError, OSError):
        pass
    return Denied(f"The socket {path} ({mode}) refuses you: ask to become a member of its group, {group!r}.",
                  code="socket-refused")
