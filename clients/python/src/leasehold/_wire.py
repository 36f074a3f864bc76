"""HTTP/1.1 on one connection, as flows: a request goes out, a head and a body come back, or lines as they come."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any, Dict, NamedTuple, Optional
from weakref import WeakSet

from ._address import Address, connect
from ._drive import READ, WRITE, Flow

if TYPE_CHECKING:
    import ssl

MAXIMUM_HEAD = 1 << 16
MAXIMUM_LINE = 1 << 22
open_connections: WeakSet[Connection] = WeakSet()


class Broken(ConnectionError):
    """The connection ended, or what came is no HTTP; `begun` when a part of the answer was there."""

    def __init__(self, text: str, begun: bool) -> None:
        super().__init__(text)
        self.begun = begun


class Silent(TimeoutError):
    """Nothing came in time."""


class Answer(NamedTuple):
    """A whole answer."""

    status: int
    body: bytes

    def json(self) -> Dict[str, Any]:
        """The object in the body; an answer that is not of the service is told as a problem with no code."""
        try:
            value = json.loads(self.body)
        except ValueError:
            value = None
        if isinstance(value, dict):
            return value
        return {"detail": f"An answer with status {self.status} came that is not Leasehold's."}


class Connection:
    """A connection; it has one request at a time. What it reads and has not given out stays in `data`."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.data = bytearray()
        self.left: Optional[int] = 0  # of the body or its chunk; None: all until the connection ends
        self.chunked = False
        self.reusable = True
        open_connections.add(self)

    def close(self) -> None:
        """Ends it for this process; a parent's connection goes on."""
        self.sock.close()

    def hang_up(self) -> None:
        """Ends it for whoever waits on it, too, here and at the other end."""
        try:
            self.sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass

    def _send(self, data: bytes, until: float) -> Flow[None]:
        while data:
            try:
                data = data[self.sock.send(data, socket.MSG_NOSIGNAL):]
            except BlockingIOError:
                if not (yield self.fd, WRITE, until):
                    raise Silent("the request could not be sent in time") from None

    def receive(self, until: float) -> Flow[bytes]:
        """The next bytes as they come, none at the end."""
        while True:
            if not (yield self.fd, READ, until):
                raise Silent("no answer came in time")
            try:
                return self.sock.recv(65536)
            except BlockingIOError:
                pass

    def send(self, data: bytes, until: float) -> Flow[None]:
        """Sends all of a request."""
        yield from self._send(data, until)

    def _fill(self, until: float, begun: bool = True) -> Flow[None]:
        got = yield from self.receive(until)
        if not got:
            raise Broken("the connection ended", begun or bool(self.data))
        self.data += got

    def head(self, until: float) -> Flow[int]:
        """Reads the head of an answer; its status."""
        while True:
            end = self.data.find(b"\r\n\r\n")
            if end >= 0:
                break
            if len(self.data) > MAXIMUM_HEAD:
                raise Broken("the head of the answer does not end", True)
            yield from self._fill(until, begun=False)
        head = bytes(self.data[:end]).lower()
        del self.data[:end + 4]
        if head[:7] != b"http/1." or not head[9:12].isdigit():
            raise Broken("the answer is not HTTP", True)
        self.chunked = _field(head, b"transfer-encoding") == b"chunked"
        length = _field(head, b"content-length")
        self.left = 0 if self.chunked else int(length) if length.isdigit() else None
        self.reusable = head[7:8] == b"1" and _field(head, b"connection") != b"close" and self.left is not None
        return int(head[9:12])

    def piece(self, until: float) -> Flow[bytes]:
        """The next bytes of the body; none at its end."""
        if self.chunked and self.left == 0:
            size = yield from self._size(until)
            if size == 0:
                yield from self._line(until)
                self.chunked = False
            self.left = size
        if self.left == 0:
            return b""
        if not self.data:
            try:
                yield from self._fill(until)
            except Broken:
                if self.left is not None:
                    raise
                self.left = 0
                return b""
        piece = bytes(self.data if self.left is None else self.data[:self.left])
        del self.data[:len(piece)]
        if self.left is not None:
            self.left -= len(piece)
            if self.left == 0 and self.chunked:
                yield from self._line(until)
        return piece

    def _size(self, until: float) -> Flow[int]:
        line = yield from self._line(until)
        try:
            return int(line.partition(b";")[0], 16)
        except ValueError:
            raise Broken("a chunk of the answer has no size", True) from None

    def _line(self, until: float) -> Flow[bytes]:
        while True:
            line, end, rest = self.data.partition(b"\r\n")
            if end:
                self.data = rest
                return bytes(line)
            if len(self.data) > MAXIMUM_HEAD:
                raise Broken("a line of the answer does not end", True)
            yield from self._fill(until)

    def body(self, until: float) -> Flow[bytes]:
        """The rest of the body."""
        body = b""
        while True:
            piece = yield from self.piece(until)
            if not piece:
                return body
            body += piece

    def ask(self, request: bytes, until: float) -> Flow[Answer]:
        """Sends a request and reads its answer."""
        yield from self.send(request, until)
        status = yield from self.head(until)
        return Answer(status, (yield from self.body(until)))


def _field(head: bytes, name: bytes) -> bytes:
    start = head.find(b"\r\n" + name + b":")
    return b"" if start < 0 else head[start + len(name) + 3:].partition(b"\r\n")[0].strip()


class Lines:
    """The lines of an answer that stays open."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.text = b""

    def next(self, until: float) -> Flow[Optional[bytes]]:
        """The next line without its end, None behind the last."""
        while True:
            line, end, rest = self.text.partition(b"\n")
            if end:
                self.text = rest
                return line.rstrip(b"\r")
            if len(self.text) > MAXIMUM_LINE:
                raise Broken("a line of the answer does not end", True)
            piece = yield from self.connection.piece(until)
            if not piece:
                return None
            self.text += piece


def open_connection(address: Address, context: Optional[ssl.SSLContext], until: float) -> Flow[Connection]:
    """A new connection to the service."""
    sock = yield from connect(address, until)
    if context is None:
        return Connection(sock)
    from ._tls import TLSConnection  # ssl costs 10 ms to import
    connection = TLSConnection(sock, context, address.host)
    try:
        yield from connection.handshake(until)
    except BaseException:
        connection.close()
        raise
    return connection
