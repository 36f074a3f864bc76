"""A connection within TLS. The ssl module reads and writes memory here, so that flows do the waiting."""

from __future__ import annotations

import os
import socket
import ssl

from ._drive import Flow
from ._wire import Broken, Connection
from .errors import Denied


def context() -> ssl.SSLContext:
    """Checks certificate and name; LEASEHOLD_CACERT names the authorities."""
    return ssl.create_default_context(cafile=os.environ.get("LEASEHOLD_CACERT") or None)


class TLSConnection(Connection):
    """The same within TLS, which reads and writes memory."""

    def __init__(self, sock: socket.socket, context: ssl.SSLContext, host: str) -> None:
        super().__init__(sock)
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_hostname=host)

    def _flush(self, until: float) -> Flow[None]:
        yield from self._send(self.outgoing.read(), until)

    def _more(self, until: float) -> Flow[None]:
        yield from self._flush(until)
        got = yield from self.receive(until)
        self.incoming.write(got) if got else self.incoming.write_eof()

    def handshake(self, until: float) -> Flow[None]:
        """Speaks until both sides agree."""
        while True:
            try:
                self.tls.do_handshake()
                return (yield from self._flush(until))
            except ssl.SSLWantReadError:
                yield from self._more(until)
            except ssl.SSLCertVerificationError as error:
                raise Denied(f"The service's certificate is refused: {error.verify_message}.",
                             code="certificate-refused") from None

    def send(self, data: bytes, until: float) -> Flow[None]:
        self.tls.write(data)
        yield from self._flush(until)

    def _fill(self, until: float, begun: bool = True) -> Flow[None]:
        while True:
            try:
                got = self.tls.read(65536)
            except ssl.SSLWantReadError:
                yield from self._more(until)
                continue
            except (ssl.SSLEOFError, ssl.SSLZeroReturnError):
                got = b""
            if not got:
                raise Broken("the connection ended", begun or bool(self.data))
            self.data += got
            return
