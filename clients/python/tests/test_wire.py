"""Answers that are lost, late, in pieces, or no HTTP."""

import json
import os
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from support import LiveTest, eventually, leasehold
from leasehold import Client, Denied, Lock, Unavailable


class Script:
    """A service that answers each request of each connection with the next bytes, in pieces of some size."""

    def __init__(self, answers, size=1 << 20):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"
        self.answers, self.size, self.requests = list(answers), size, []
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self):
        while True:
            try:
                connection, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection):
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while True:
                request = connection.recv(65536)
                if not request or request.startswith(b"GET /events"):  # which nobody tells here
                    return
                self.requests.append(request)
                answer = self.answers.pop(0) if self.answers else None
                if answer is None:
                    return
                try:
                    for start in range(0, len(answer), self.size):
                        connection.sendall(answer[start:start + self.size])
                        time.sleep(0.0005 if self.size < 1000 else 0)
                except BrokenPipeError:  # the client has what it needs
                    return
                if self.answers and self.answers[0] is None:  # the end of the connection
                    self.answers.pop(0)
                    return


def answer(body, status=200, head="Content-Length: %d"):
    return f"HTTP/1.1 {status} X\r\n{head % len(body) if '%d' in head else head}\r\n\r\n".encode() + body


class Wire(unittest.TestCase):
    def ask(self, *answers, size=1 << 20, timeout=0.3):
        script = Script(answers, size)
        self.addCleanup(script.listener.close)
        try:
            return Client(script.url, timeout=timeout).lock("x")
        finally:
            self.requests = script.requests

    def test_in_whatever_pieces_it_comes(self):
        chunked = answer(b"5;x=y\r\n{\"a\":\r\n3\r\n12}\r\n0\r\nTrailer: 1\r\n\r\n", head="Transfer-Encoding: chunked")
        for size in (1, 2, 7, 1 << 20):
            self.assertEqual(self.ask(answer(b'{"a":12}'), size=size), {"a": 12})
            self.assertEqual(self.ask(chunked, size=size), {"a": 12})
            closing = answer(b'{"a":12}', head="connection: CLOSE\r\ncontent-LENGTH:%d")
            self.assertEqual(self.ask(closing, size=size), {"a": 12})

    def test_until_the_connection_ends(self):
        self.assertEqual(self.ask(b"HTTP/1.0 200 OK\r\n\r\n{}", None), {})

    def test_what_is_no_http_is_no_answer(self):
        for text in (b"SSH-2.0-OpenSSH\r\n\r\n", b"HTTP/1.1 2x0 OK\r\n\r\n", b"x" * 70000, b"\0" * 10,
                     answer(b"zz\r\n{}\r\n0\r\n\r\n", head="Transfer-Encoding: chunked"),
                     answer(b"{", head="Content-Length: 5")):
            with self.subTest(text[:20]), self.assertRaises(Unavailable):
                self.ask(text, None)

    def test_a_page_of_a_proxy_is_an_error_with_its_status(self):
        with self.assertRaises(leasehold.LeaseholdError) as error:
            self.ask(answer(b"<html>502</html>", 502))
        self.assertEqual((error.exception.status, error.exception.code), (502, ""))

    def test_503_is_asked_again(self):
        self.assertEqual(self.ask(answer(b'{"code":"starting"}', 503), answer(b"{}"), timeout=5), {})

    def test_a_release_that_finds_no_room_is_sent_again(self):
        grant = {"lease": "a" * 32, "ref": "a" * 10, "key": "x", "fence": 1, "mode": "exclusive", "owner": "me",
                 "ttl_ms": 30000, "expires_in_ms": 30000, "waited_ms": 0}
        refusal = answer(b'{"code":"caller-limit"}', 429)
        for late in ([], [refusal] * 9):  # within the two seconds of the release, and by the watcher afterwards
            granted = answer(json.dumps(grant).encode(), 201)
            script = Script([granted, refusal, answer(b"{}", 500), *late, answer(b"{}")])
            self.addCleanup(script.listener.close)
            lease = leasehold.acquire("x", ttl=30, wait=0, client=Client(script.url))
            self.assertTrue(lease.release())
            eventually(lambda: not script.answers, "the service has heard it")  # noqa: B023
            self.assertEqual({request.split()[0] for request in script.requests[1:]}, {b"DELETE"})

    def test_an_idle_connection_that_ended_is_replaced(self):
        script = Script([answer(b"{}"), None, answer(b'{"second":1}')])
        self.addCleanup(script.listener.close)
        client = Client(script.url)
        client.lock("x")
        self.assertEqual(client.lock("x"), {"second": 1})

    def test_a_token_goes_along_and_is_shown_nowhere(self):
        script = Script([answer(b"{}")])
        self.addCleanup(script.listener.close)
        client = Client(script.url, token="s3cret")
        client.lock("x")
        self.assertIn(b"\r\nAuthorization: Bearer s3cret\r\n", script.requests[0])
        self.assertNotIn("s3cret", repr(client) + str(client))
        self.assertRaises(leasehold.Invalid, Client, script.url, token="a b\r\nX: y")


class Lost(LiveTest):
    def test_a_lost_answer_costs_nothing(self):
        for options in ({}, {"ttl": 5}, {"keep": "stream"}):
            for down in (0, 5, 200):
                with self.subTest(options=options, down=down):
                    proxy = self.proxy()
                    proxy.plan(down=down, then="close")
                    with Lock(self.key, client=Client(proxy.url), wait=5, **options):
                        self.assertEqual(self.held(), 1)
                    self.assertFree(within=1)

    def test_an_answer_that_never_comes(self):
        for options in ({}, {"ttl": 5}, {"keep": "stream"}):
            with self.subTest(options):
                proxy = self.proxy()
                proxy.silent = True
                begun = time.monotonic()
                with self.assertRaises(Unavailable):
                    leasehold.acquire(self.key, wait=0, client=Client(proxy.url, timeout=0.4), **options)
                self.assertLess(time.monotonic() - begun, 3)
                proxy.silent = False
                proxy.cut()
                self.assertFree(within=4)

    def test_a_proxy_goes_silent_under_a_lease(self):
        for options, reason in (({"keep": "stream"}, "silent"), ({"ttl": 0.8}, "deadline")):
            with self.subTest(options):
                proxy = self.proxy()
                lease = leasehold.acquire(self.key, client=Client(proxy.url), **options)
                time.sleep(0.6)
                self.assertFalse(lease.lost)
                proxy.silent = True
                self.assertTrue(lease.wait_lost(5))
                self.assertEqual(lease.lost_reason, reason)
                proxy.silent = False
                proxy.cut()
                self.assertFree(within=3)

    def test_who_waits_for_long_asks_again_and_keeps_the_place(self):
        import leasehold._acquire as module
        module.ASKS_AGAIN, before = 0.2, module.ASKS_AGAIN
        self.addCleanup(setattr, module, "ASKS_AGAIN", before)
        first = leasehold.acquire(self.key, client=self.client)
        got = []

        def take(name, client, **options):
            with Lock(self.key, client=client, **options):
                got.append(name)
        threads = []
        for name, options in (("process", {}), ("stream", {"keep": "stream"}), ("ttl", {"ttl": 5})):
            threads.append(threading.Thread(target=take, args=(name, self.client), kwargs=options))
            threads[-1].start()
            eventually(lambda: self.queued() == len(threads), "it waits")
        time.sleep(0.7)
        self.assertEqual(self.queued(), 3)
        first.release()
        [thread.join(10) for thread in threads]
        self.assertEqual(got, ["process", "stream", "ttl"])

    def test_who_waits_at_a_service_that_stands_still_is_told(self):
        import leasehold._acquire as module
        module.ASKS_AGAIN, before = 0.2, module.ASKS_AGAIN
        self.addCleanup(setattr, module, "ASKS_AGAIN", before)
        first = leasehold.acquire(self.key, client=self.client)
        for options in ({}, {"keep": "stream"}):
            proxy = self.proxy()
            threading.Timer(0.3, setattr, [proxy, "silent", True]).start()
            told = []

            def take():
                try:
                    leasehold.acquire(self.key, client=Client(proxy.url, timeout=0.3), **options)  # noqa: B023
                except Unavailable as error:
                    told.append(error)  # noqa: B023
            thread = threading.Thread(target=take)
            thread.start()
            thread.join(10)
            self.assertEqual(len(told), 1)
            proxy.cut()
        first.release()


class Encrypted(LiveTest):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.mkdtemp(prefix="leasehold-tls-")
        cls.certificate, key = os.path.join(folder, "c.pem"), os.path.join(folder, "k.pem")
        subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1",
                        "-nodes", "-keyout", key, "-out", cls.certificate, "-days", "1", "-subj", "/CN=localhost",
                        "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)
        cls.arguments = ("--heartbeat", "200ms", "--tls-cert", cls.certificate, "--tls-key", key)
        super().setUpClass()

    def test_a_lock_over_tls(self):
        url = f"https://127.0.0.1:{self.server.port}"
        with self.assertRaises(Denied):
            leasehold.acquire(self.key, client=Client(url))
        os.environ["LEASEHOLD_CACERT"] = self.certificate
        self.addCleanup(os.environ.pop, "LEASEHOLD_CACERT")
        client = Client(url)
        for options in ({}, {"ttl": 5}):
            with Lock(self.key, client=client, **options) as lease:
                time.sleep(0.5)
                lease.check()
        lease = leasehold.acquire(self.key, client=client)
        self.breaks(lease)
        self.assertTrue(lease.wait_lost(5))
        self.assertEqual(lease.lost_reason, "broken")


if __name__ == "__main__":
    unittest.main()
