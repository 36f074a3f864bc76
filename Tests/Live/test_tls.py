"""HTTPS: everything that depends on how bytes go out and how a peer is seen to leave, over TLS."""

import json
import os
import socket
import ssl
import subprocess
import unittest

import access
from harness import LiveTest, Pending, eventually


class TLS(LiveTest):
    @classmethod
    def setUpClass(cls):
        cls.server = access.TokenServer().ends_with(cls)
        cls.certificate, key = access.make_certificate(cls.server.directory)
        cls.server.arguments += ["--tls-cert", cls.certificate, "--tls-key", key]
        cls.client = access.TokenClient(cls.server.port, cls.server.tokens["lock"], cls.certificate)
        cls.server.is_ready = lambda: cls.server.over_unix_ready()
        cls.server.start()

    def acquire_later(self, key, **parameters):
        before = self.client.waiting(key)
        pending = Pending(lambda: self.client.acquire(key, wait="20s", timeout=60, **parameters))
        eventually(lambda: pending.done or self.client.waiting(key) > before, f"a waiter for {key}")
        return pending

    def raw(self):
        context = ssl.create_default_context(cafile=self.certificate)
        plain = socket.create_connection(("127.0.0.1", self.server.port), 20)
        return context.wrap_socket(plain, server_hostname="localhost")

    def send(self, sock, method, target):
        token = self.server.tokens["lock"]
        sock.sendall(f"{method} {target} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\r\n".encode())

    def test_locks_are_taken_and_released_on_one_connection(self):
        connection = self.client.connection()
        for _ in range(50):
            lease = self.granted(self.client.acquire(self.key(), connection=connection))
            answer = self.client.request("DELETE", f"/leases/{lease['lease']}", connection=connection)
            self.assertEqual(answer.status, 200)
        self.assertEqual(self.client.get("/openapi.yaml", connection=connection).status, 200)
        connection.close()

    def test_a_waiter_gets_its_grant(self):
        lease = self.granted(self.client.acquire(self.key()))
        waiters = [self.acquire_later(self.key()) for _ in range(3)]
        for waiter in waiters:
            self.assertEqual(self.client.release(lease).status, 200)
            lease = self.granted(waiter.answer())

    def test_a_waiter_that_hangs_up_leaves_the_queue(self):
        self.granted(self.client.acquire(self.key()))
        with self.raw() as sock:
            self.send(sock, "POST", f"/locks/{self.key()}/acquire?wait=60s")
            eventually(lambda: self.client.waiting(self.key()) == 1, "a waiter")
        eventually(lambda: self.client.waiting(self.key()) == 0, "an empty queue")

    def test_a_bound_lease_ends_with_its_connection(self):
        with self.raw() as sock:
            self.send(sock, "POST", f"/locks/{self.key()}/acquire?bind=connection&ttl=0")
            self.assertIn(b"201 Created", sock.recv(65536))
            self.assertEqual(self.client.lock(self.key())["available"], 0)
        eventually(lambda: self.client.lock(self.key())["available"] == 1, "the end of the lease")

    def test_hold_lives_as_long_as_its_connection(self):
        with self.raw() as sock:
            self.send(sock, "POST", f"/locks/{self.key()}/hold")
            received = b""
            while b'"lease"' not in received:
                received += sock.recv(65536)
            self.assertEqual(self.client.lock(self.key())["available"], 0)
        eventually(lambda: self.client.lock(self.key())["available"] == 1, "the end of the lease")

    def test_hold_beats_and_hears_of_its_end(self):
        command = [
            *["curl", "-sN", "--cacert", self.certificate, "-H", f"Authorization: Bearer {self.server.tokens['lock']}"],
            *["-X", "POST", f"https://localhost:{self.server.port}/locks/{self.key()}/hold"],
        ]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as curl:
            self.addCleanup(curl.kill)
            lease = json.loads(curl.stdout.readline())
            self.assertIn("heartbeat", json.loads(curl.stdout.readline()))
            self.assertEqual(self.client.release(lease).status, 200)
            self.assertEqual(json.loads(curl.stdout.read().splitlines()[-1])["ended"], "released")

    def test_requests_that_came_in_one_record_are_all_answered(self):
        """What was read from the socket and not used yet is in the library, where epoll does not see it."""
        lease = self.granted(self.client.acquire(self.key()))
        auth = f"Host: localhost\r\nAuthorization: Bearer {self.server.tokens['lock']}\r\n\r\n"
        with self.raw() as sock:
            wait = f"POST /locks/{self.key()}/acquire?wait=20s HTTP/1.1\r\n{auth}"
            sock.sendall((wait + f"GET /version HTTP/1.1\r\n{auth}" * 3).encode())
            eventually(lambda: self.client.waiting(self.key()) == 1, "a waiter")
            self.assertEqual(self.client.release(lease).status, 200)
            received = b""
            while received.count(b'"api":"1"') < 3:
                chunk = sock.recv(65536)
                self.assertTrue(chunk, received)
                received += chunk
            self.assertEqual(received.count(b"HTTP/1.1 201 Created"), 1)

    def test_a_large_answer_and_a_large_body(self):
        value = json.dumps("x" * 500_000)
        self.assertEqual(self.client.request("PUT", "/shm/large", value).status, 201)
        self.assertEqual(self.client.get("/shm/large").json, "x" * 500_000)

    def test_what_is_not_tls_1_2_or_newer_is_not_served(self):
        answer = self.server.raw(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        self.assertNotIn(b"200 OK", answer)
        for version in ("-tls1", "-tls1_1"):
            shown = subprocess.run(
                ["openssl", "s_client", version, "-connect", f"127.0.0.1:{self.server.port}"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=20)
            self.assertNotIn("Cipher is TLS", shown.stdout, version)
            self.assertNotEqual(shown.returncode, 0)
        with self.raw() as sock:
            self.assertEqual(sock.version(), "TLSv1.3")

    def test_the_unix_socket_stays_plain(self):
        self.assertEqual(self.server.over_unix.get("/locks").status, 200)

    def test_a_drain_answers_waiters_over_tls(self):
        server = access.TokenServer().ends_with(self)
        certificate, key = access.make_certificate(server.directory)
        server.arguments += ["--tls-cert", certificate, "--tls-key", key]
        server.is_ready = server.over_unix_ready
        server.start()
        client = access.TokenClient(server.port, server.tokens["lock"], certificate)
        self.granted(client.acquire("drained"))
        pending = Pending(lambda: client.acquire("drained", wait="20s", timeout=60))
        eventually(lambda: client.waiting("drained") == 1, "a waiter")
        self.assertEqual(server.terminate(), 0)
        self.assertProblem(pending.answer(), 503, "draining")


class Certificates(unittest.TestCase):
    def test_what_does_not_fit_together_is_refused_with_a_reason(self):
        server = access.TokenServer().ends_with(self)
        certificate, key = access.make_certificate(server.directory)
        other = os.path.join(server.directory, "other")
        os.mkdir(other)
        nonsense = os.path.join(other, "nonsense")
        access.write_private(nonsense, "nonsense\n")
        _, stranger = access.make_certificate(other)
        given = list(server.arguments)
        os.chmod(key, 0o644)
        for pair, words in (
            ((certificate, key), "others can read"),
            ((certificate, stranger), "cannot be used together"),
            ((nonsense, stranger), "cannot be used together"),
            ((certificate, nonsense), "cannot be used together"),
            ((certificate, "/nowhere"), "No such file"),
        ):
            with self.subTest(pair):
                server.arguments = [*given, "--tls-cert", pair[0], "--tls-key", pair[1]]
                server.spawn()
                self.assertEqual(server.process.wait(20), 78, server.log_text())
                self.assertIn(words, server.log_text())


if __name__ == "__main__":
    unittest.main()
