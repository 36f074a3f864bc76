"""The commands over TLS: a CA of the test's own, and everything that may be wrong with a certificate."""

import json
import os
import signal
import socket
import ssl
import subprocess
import tempfile
import threading
import unittest

from support import PROGRAM, CliTest, Ticker, eventually

import access


class Authority:
    """A CA in a folder; signs certificates."""

    def __init__(self, folder, name):
        self.folder, self.name = folder, name
        self.certificate, self.key = self.path("ca.pem"), self.path("ca.key")
        self.openssl("req", "-x509", *self.new_key(self.key), "-out", self.certificate, "-days", "2",
                     "-subj", f"/CN={name}")

    def path(self, name):
        return os.path.join(self.folder, f"{self.name}-{name}")

    @staticmethod
    def new_key(path):
        return "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", path

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def sign(self, name, alternatives, days=2):
        """A certificate for some names, and its key; with negative days it has expired."""
        certificate, key = self.path(f"{name}.pem"), self.path(f"{name}.key")
        request, extensions = self.path("request"), self.path("extensions")
        with open(extensions, "w", encoding="ascii") as file:
            file.write(f"subjectAltName={alternatives}\n")
        self.openssl("req", *self.new_key(key), "-out", request, "-subj", "/CN=service")
        self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.key, "-CAcreateserial",
                     "-days", str(days), "-extfile", extensions, "-out", certificate)
        os.chmod(key, 0o600)
        return certificate, key


class Peer:
    """Answers every connection as it is told, over TLS where it has a certificate."""

    def __init__(self, certificate=None, answer=b""):
        self.context, self.answer = None, answer
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(*certificate)
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]
        self.requests = []
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                plain, _ = self.socket.accept()
            except OSError:
                return
            try:
                with self.context.wrap_socket(plain, server_side=True) if self.context else plain as sock:
                    self.requests.append(sock.recv(65536))
                    sock.sendall(self.answer)
            except OSError:
                pass

    def close(self):
        self.socket.close()


class TlsTest(CliTest):
    arguments = ()

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.authority, cls.stranger = Authority(folder.name, "own"), Authority(folder.name, "other")
        cls.server = access.TokenServer("--heartbeat", "200ms", *cls.arguments).ends_with(cls)
        certificate, key = cls.authority.sign("service", "DNS:localhost,IP:127.0.0.1")
        cls.server.arguments += ["--tls-cert", certificate, "--tls-key", key]
        cls.server.is_ready = cls.server.over_unix_ready
        cls.server.start()
        cls.server.request = cls.server.over_unix.request  # what the helpers of the tests ask goes by the Unix socket

    @classmethod
    def environment(cls, url=None):
        return {**os.environ, "LEASEHOLD_URL": url or f"https://localhost:{cls.server.port}",
                "LEASEHOLD_CACERT": cls.authority.certificate, "LEASEHOLD_TOKEN": cls.server.tokens["lock"]}


class Commands(TlsTest):
    def test_leases_lists_and_top(self):
        for host in ("localhost", "127.0.0.1"):
            with self.subTest(host):
                url = f"https://{host}:{self.server.port}"
                lease = self.cli("acquire", self.key(), "--ttl", "10s", "--owner", "me", url=url).stdout.strip()
                self.assertRegex(lease, "^[0-9a-f]{32}$")
                self.assertEqual(self.holders(self.key())[0]["owner"], "me")
                self.assertEqual(self.cli("renew", lease, url=url).returncode, 0)
                self.assertIn(self.key(), self.cli("locks", url=url).stdout)
                self.assertIn(self.key(), self.cli("top", url=url).stdout)
                self.assertEqual(self.cli("release", "-", url=url, stdin=lease + "\n").returncode, 0)
                self.assertEqual(self.holders(self.key()), [])
        self.assertEqual(self.cli("ready").returncode, 0)

    def test_a_token_goes_over_tls_and_is_needed(self):
        environment = {**self.environment(), "LEASEHOLD_TOKEN": ""}
        result = subprocess.run([PROGRAM, "locks"], env=environment, capture_output=True, text=True, timeout=20,
                                check=False)
        self.assertEqual(result.returncode, 77, result)
        self.assertOneLine(result.stderr, "LEASEHOLD_TOKEN")

    def test_hold_beats_and_ends_with_its_process(self):
        holder = self.begin("hold", self.key(), "--json", stdout=subprocess.PIPE, text=True)
        lease = json.loads(holder.stdout.readline())
        for _ in range(3):
            self.assertIn("heartbeat", json.loads(holder.stdout.readline()))
        self.assertEqual(self.holders(self.key())[0]["ref"], lease["ref"])
        holder.kill()
        eventually(lambda: not self.holders(self.key()), "the lock is free")

    def test_who_waits_gets_the_lock_and_who_hangs_up_leaves_the_queue(self):
        lease = self.cli("acquire", self.key()).stdout.strip()
        gone = self.begin("acquire", self.key(), "-w", "60s", stdout=subprocess.DEVNULL)
        eventually(lambda: self.server.waiting(self.key()) == 1, "a waiter")
        gone.send_signal(signal.SIGINT)
        eventually(lambda: self.server.waiting(self.key()) == 0, "no waiter")
        waiter = self.begin("acquire", self.key(), "-w", "60s", stdout=subprocess.PIPE, text=True)
        eventually(lambda: self.server.waiting(self.key()) == 1, "a waiter")
        self.assertEqual(self.cli("release", lease).returncode, 0)
        self.assertRegex(waiter.communicate(timeout=20)[0], "^[0-9a-f]{32}\n$")
        busy = self.cli("acquire", self.key(), "--no-wait")
        self.assertEqual(busy.returncode, 75)


class Run(TlsTest):
    def test_the_command_finds_the_service_and_the_lease_is_renewed(self):
        folder, file = os.path.split(self.authority.certificate)
        url = f"https://localhost:{self.server.port}"
        script = f"cd / && sleep 1.5 && {PROGRAM} locks && echo $LEASEHOLD_URL $LEASEHOLD_CACERT"
        environment = {**self.environment(), "LEASEHOLD_CACERT": ""}
        result = subprocess.run(
            [PROGRAM, "run", "--url", url, "--cacert", file, "--ttl", "1200ms", "--keep-token", self.key(), "--", "sh",
             "-c", script],
            env=environment, cwd=folder, capture_output=True, text=True, timeout=20, check=False)
        self.assertEqual((result.returncode, result.stderr), (0, ""))
        self.assertIn(self.key(), result.stdout)
        self.assertEqual(result.stdout.splitlines()[-1].split(), [url, os.path.realpath(self.authority.certificate)])
        self.assertEqual(self.holders(self.key()), [])

    def test_renewals_share_a_connection(self):
        before = self.connections()
        ticker = Ticker(self, "--ttl", "1500ms")
        lease = self.holders(ticker.key)[0]["ref"]
        eventually(lambda: self.renewals(lease) >= 5, "five renewals")
        # One is of the acquire, one of the renewals.
        self.assertIn(len(self.connections() - before), (1, 2))
        ticker.kill_command()
        self.assertEqual(ticker.wait(), 137)
        self.assertEqual(self.holders(ticker.key), [])

    def connections(self):
        """Clients' ends of connections to the service, those included that were closed a moment ago."""
        with open("/proc/net/tcp", encoding="ascii") as file:
            rows = [line.split() for line in file.readlines()[1:]]
        return {row[1] for row in rows if row[2].endswith(f":{self.server.port:04X}")}

    def renewals(self, ref):
        text = self.server.get(f"/events?kind=renewed&key={self.key()}&since=oldest&wait=0").text
        return text.count(ref)

    def test_kill_9_gives_the_lease_back_when_the_command_is_gone(self):
        ticker = Ticker(self, "--ttl", "60s", polite=False, family=True)
        waiter = self.server.acquire_later(ticker.key)
        ticker.process.kill()
        granted = self.granted(waiter.answer())
        self.assertTrue(ticker.is_over())
        self.assertLess(ticker.last(), granted["deadline_monotonic_ns"] - granted["ttl_ms"] * 1_000_000)


class Trust(TlsTest):
    def refused(self, *parts, url=None, words=("locks",), trusted=None):
        environment = self.environment(url)
        environment["LEASEHOLD_CACERT"] = self.authority.certificate if trusted is None else trusted
        result = subprocess.run([PROGRAM, *words], env=environment, capture_output=True, text=True, timeout=20,
                                check=False)
        self.assertEqual(result.returncode, 69, result)
        self.assertOneLine(result.stderr, *parts)
        return result.stderr

    def peer(self, certificate=None, answer=b""):
        peer = Peer(certificate, answer)
        self.addCleanup(peer.close)
        return peer

    def url(self, peer, host="localhost"):
        return f"https://{host}:{peer.port}"

    def test_a_ca_that_nobody_trusts(self):
        self.refused("nobody whom this system trusts", "--cacert", trusted="")
        self.refused("no certificate of --cacert", trusted=self.stranger.certificate)
        peer = self.peer(self.stranger.sign("impostor", "DNS:localhost"))
        self.refused("no certificate of --cacert", url=self.url(peer))
        self.refused("no certificate of --cacert", url=self.url(peer), words=("run", "a", "--", "true"))
        self.refused("no certificate of --cacert", url=self.url(peer), words=("hold", "a"))
        self.assertEqual(peer.requests, [], "a token went to who was not trusted")

    def test_another_host(self):
        peer = self.peer(self.authority.sign("named", "DNS:other.example,DNS:*.wild.example,IP:10.1.2.3"))
        for host in ("localhost", "127.0.0.1"):
            self.refused(f"not for '{host}'", "other.example", "*.wild.example", "10.1.2.3", url=self.url(peer, host))
        self.assertEqual(peer.requests, [])

    def test_a_name_is_not_enough_for_an_address(self):
        peer = self.peer(self.authority.sign("name", "DNS:localhost"))
        self.refused("not for '127.0.0.1' but for localhost", url=self.url(peer, "127.0.0.1"))

    def test_an_expired_certificate(self):
        peer = self.peer(self.authority.sign("late", "DNS:localhost", days=-1))
        text = self.refused("has expired", "renew it", url=self.url(peer))
        self.assertNotIn("vouches", text)
        both = self.peer(self.authority.sign("late-other", "DNS:other.example", days=-1))
        self.refused("has expired", "not for 'localhost'", url=self.url(both))
        self.assertEqual(peer.requests + both.requests, [])

    def test_the_certificate_of_the_service_itself_may_be_trusted(self):
        made = access.make_certificate(self.server.directory)
        peer = self.peer(made, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"locks\":[]}")
        environment = {**self.environment(self.url(peer)), "LEASEHOLD_CACERT": made[0]}
        result = subprocess.run([PROGRAM, "locks"], env=environment, capture_output=True, text=True, timeout=20,
                                check=False)
        self.assertEqual(result.returncode, 0, result)
        self.assertIn(b"Authorization: Bearer ", peer.requests[0])

    def test_a_file_that_cannot_be_used(self):
        for path, words in (("/nowhere", "No such file"), (self.authority.key, "no certificate")):
            self.refused(path, words, trusted=path)
            self.refused(path, words, words=("locks", "--cacert", path))

    def test_plain_http_to_a_port_of_tls_and_the_other_way_round(self):
        for words in (("locks",), ("run", "a", "--", "true"), ("hold", "a")):
            with self.subTest(words):
                self.refused("speaks TLS", "https://", url=f"http://localhost:{self.server.port}", words=words)
        plain = self.peer(answer=b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
        silent = self.peer()
        for peer in (plain, silent):
            self.refused("does not speak TLS", "http://", url=self.url(peer))
        deaf = socket.create_server(("127.0.0.1", 0))
        self.addCleanup(deaf.close)
        self.refused("does not answer as TLS does", url=f"https://localhost:{deaf.getsockname()[1]}")

    def test_an_answer_that_is_cut_off_is_no_answer(self):
        whole = self.authority.sign("cut", "DNS:localhost")
        peer = self.peer(whole, b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"locks\":[]}")
        self.refused("reset", url=self.url(peer))
        old = self.peer(whole, b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\n\r\n{\"locks\":[]}")
        old.context.maximum_version = ssl.TLSVersion.TLSv1_2
        self.assertEqual(self.cli("locks", url=self.url(old)).returncode, 0)


if __name__ == "__main__":
    unittest.main()
