"""The daemon under a service manager: sockets handed over, and what it says to the watchdog."""

import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import unittest

from access import TokenClient, make_token, write_private
from harness import PATIENCE, PROGRAM, UnixConnection, control_keys, eventually


class Managed(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.mkdtemp(prefix="leasehold-")
        self.addCleanup(shutil.rmtree, self.folder)
        self.path = os.path.join(self.folder, "inherited.sock")
        self.key = control_keys()

    def start(self, *flags, sockets=(), environment=None):
        """Starts the daemon as sd_listen_fds(3) has it: descriptors from 3 on, and LISTEN_PID is its own."""
        variables = {**os.environ, **(environment or {}), "LISTEN_FDS": str(len(sockets)),
                     "LISTEN_FDNAMES": ":".join(f"socket-{number}" for number in range(len(sockets)))}
        command = ["sh", "-c", 'LISTEN_PID=$$ exec "$@"', "sh", PROGRAM, "serve", "--control-key", self.key, *flags]
        child = os.fork()
        if child == 0:
            try:
                # High numbers first, so that no descriptor is overwritten before it is copied.
                high = [os.dup2(each.fileno(), 100 + each.fileno()) for each in sockets]
                for offset, number in enumerate(high):
                    os.dup2(number, 3 + offset)
                os.execvpe(command[0], command, variables)
            finally:
                os._exit(127)
        self.addCleanup(self.end, child)
        return child

    def end(self, child, number=signal.SIGKILL):
        """Ends the daemon and answers its status; the second time nothing happens."""
        try:
            os.kill(child, number)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        except (ProcessLookupError, ChildProcessError):
            return None

    def listening(self):
        """What a service manager would open: a Unix socket and one on the loopback address."""
        local, web = socket.socket(socket.AF_UNIX), socket.socket()
        local.bind(self.path)
        web.bind(("127.0.0.1", 0))
        for each in (local, web):
            each.listen(64)
            self.addCleanup(each.close)
        return local, web

    def ask(self, method, target):
        connection = UnixConnection(self.path)
        try:
            connection.request(method, target)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        finally:
            connection.close()


class SocketsHandedOver(Managed):
    def test_both_answer_and_the_configured_ones_are_not_opened(self):
        local, web = self.listening()
        mine = os.path.join(self.folder, "configured.sock")
        child = self.start("--unix", mine, "--port", "1", sockets=(local, web))
        # The kernel keeps the connection until the daemon accepts it: no waiting for it to be up.
        self.assertEqual(self.ask("POST", "/locks/a/acquire?format=text")[0], 201)
        url = f"http://127.0.0.1:{web.getsockname()[1]}/locks/a"
        answer = subprocess.run(["curl", "-sf", url], capture_output=True, text=True, check=True, timeout=PATIENCE)
        self.assertEqual(len(json.loads(answer.stdout)["holders"]), 1)
        self.assertFalse(os.path.exists(mine))
        self.assertEqual(self.end(child, signal.SIGTERM), 0)
        self.assertTrue(os.path.exists(self.path), "the file belongs to the service manager")

    def test_no_request_is_refused_while_the_daemon_is_restarted(self):
        local, web = self.listening()
        child = self.start(sockets=(local, web))
        lease = self.ask("POST", "/locks/a/acquire?ttl=60s&format=text")[1].strip()
        self.assertEqual(self.end(child, signal.SIGTERM), 0)
        early = socket.socket(socket.AF_UNIX)
        early.connect(self.path)
        early.sendall(f"GET /leases/{lease} HTTP/1.0\r\n\r\n".encode())
        self.addCleanup(early.close)
        self.start(sockets=(local, web))
        early.settimeout(PATIENCE)
        self.assertIn(b" 200 ", early.recv(100))

    def test_an_address_that_others_reach_is_refused(self):
        with socket.socket() as wide:
            wide.bind(("0.0.0.0", 0))
            wide.listen()
            child = self.start(sockets=(wide,))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 78)

    def test_such_an_address_is_served_for_tokens_with_the_word_that_they_travel_in_the_clear(self):
        token, line = make_token("ci", "--role", "lock")
        tokens = os.path.join(self.folder, "tokens")
        write_private(tokens, line + "\n")
        with socket.socket() as wide:
            wide.bind(("0.0.0.0", 0))
            wide.listen()
            child = self.start("--token-file", tokens, sockets=(wide,))
            self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 78)
            self.start("--token-file", tokens, "--insecure-plain-http", sockets=(wide,))
            port = wide.getsockname()[1]
            self.assertEqual(TokenClient(port).post("/locks/a/acquire").status, 401)
            self.assertEqual(TokenClient(port, token).post("/locks/a/acquire").status, 201)


class NoPort(Managed):
    def test_host_none_leaves_the_unix_socket_alone(self):
        child = self.start("--host", "none", "--unix", self.path)
        eventually(lambda: os.path.exists(self.path), "the socket is there")
        self.assertEqual(self.ask("GET", "/readyz")[0], 200)
        # Only the daemon's own descriptors count: other daemons may listen on this host.
        inodes = self.descriptors(child)
        for table in ("tcp", "tcp6"):
            with open(f"/proc/{child}/net/{table}", encoding="ascii") as rows:
                found = [row for row in rows if f"socket:[{row.split()[9]}]" in inodes]
            self.assertEqual(found, [])

    @staticmethod
    def descriptors(child):
        """What a process has open; a connection that ends meanwhile is no longer there to be read."""
        found = set()
        for each in os.listdir(f"/proc/{child}/fd"):
            with contextlib.suppress(FileNotFoundError):
                found.add(os.readlink(f"/proc/{child}/fd/{each}"))
        return found

    def test_host_none_alone_is_refused(self):
        child = self.start("--host", "none")
        self.assertEqual(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), 64)


class Watchdog(Managed):
    def test_it_hears_that_all_is_well_until_the_daemon_hangs(self):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            address = os.path.join(self.folder, "notify")
            manager.bind(address)
            manager.settimeout(PATIENCE)
            child = self.start("--port", "0", "--unix", self.path,
                               environment={"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "200000"})
            heard = [manager.recv(4096).decode() for _ in range(4)]
            self.assertTrue(heard[0].startswith("READY=1\nSTATUS=serving on"), heard)
            self.assertEqual(heard[1:], ["WATCHDOG=1\nSTATUS=serving: 0 leases, 0 locks, 0 waiters"] * 3)
            self.ask("POST", "/locks/a/acquire")
            eventually(lambda: "1 leases, 1 locks" in manager.recv(4096).decode(), "the status follows")
            os.kill(child, signal.SIGSTOP)
            manager.settimeout(1)
            with self.assertRaises(TimeoutError):
                for _ in range(100):
                    manager.recv(4096)
            os.kill(child, signal.SIGCONT)
            manager.settimeout(PATIENCE)
            self.assertIn("WATCHDOG=1", manager.recv(4096).decode())
            os.kill(child, signal.SIGTERM)
            begun = time.monotonic()
            while manager.recv(4096) != b"STOPPING=1":
                self.assertLess(time.monotonic() - begun, PATIENCE)


if __name__ == "__main__":
    unittest.main()
