"""Leases bound to processes of other PID namespaces than the service's: below it, and beside it."""

import os
import signal
import subprocess
import sys
import time
import unittest

from harness import LiveTest, Server
from processes import CLIENT, SECONDS_UNTIL_GONE, Client, ProcessTest, in_namespace


@unittest.skipUnless(os.getuid() == 0, "needs to make PID namespaces")
class Below(ProcessTest):
    """Callers in a PID namespace below the service's, as containers are beside a service of the host."""

    def test_numbers_are_the_callers(self):
        for bind in ("pid:SELF", "peer"):
            client = self.client(self.key(bind), bind, prefix=in_namespace())
            self.assertEqual((client.status, client.pid), (201, 1), client.text)
            waiter = self.server.acquire_later(self.key(bind))
            client.close()
            self.granted(waiter.answer())

    def test_a_relative_in_the_callers_namespace(self):
        script = "sleep 600 & exec " + " ".join(
            f"'{word}'" for word in (sys.executable, "-c", CLIENT, self.server.unix, self.key(), "pid:2"))
        process = subprocess.Popen(
            [*in_namespace(), "sh", "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.addCleanup(self.shut, process)
        answer = process.stdout.readline()
        self.assertRegex(answer, r'^1 201 .*"bind":"pid:2"')
        pid = self.server.lock(self.key())["holders"][0]["pid"]
        child = self.child_of(pid)
        waiter = self.server.acquire_later(self.key())
        os.kill(child, signal.SIGKILL)
        self.granted(waiter.answer())
        self.assertIsNone(process.poll())

    @staticmethod
    def child_of(pid):
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            return int(file.read().split()[0])

    @staticmethod
    def shut(process):
        process.kill()
        process.wait()
        process.stdin.close()
        process.stdout.close()

    def test_a_number_that_is_none_there(self):
        client = self.client(self.key(), f"pid:{os.getpid()}", prefix=in_namespace())
        self.assertEqual(client.status, 422, client.text)
        self.assertIn('"code":"no-such-process"', client.text)


class BelowByNumber(Below):
    arguments = ("--peer-pidfd", "never")


@unittest.skipUnless(os.getuid() == 0, "needs to make PID namespaces")
class Beside(LiveTest):
    """Service and caller in sibling PID namespaces, with one IPC namespace and a socket that both reach."""

    arguments = ()

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments, prefix=in_namespace()).ends_with(cls)
        cls.addClassCleanup(cls.server.kill)  # unshare passes no SIGTERM on
        cls.server.start()

    def client(self, key, bind):
        client = Client(self.server, key, bind, in_namespace())
        self.addCleanup(client.close)
        return client

    def test_a_number_is_refused_with_the_alternatives(self):
        client = self.client(self.key(), "pid:SELF")
        self.assertEqual(client.status, 422, client.text)
        for word in ('"code":"no-such-process"', "bind=peer", "bind=connection", "hold", "ttl", "--pid=host"):
            self.assertIn(word, client.text)

    def test_the_peer_is_seen_to_end(self):
        client = self.client(self.key(), "peer")
        if client.status == 422:
            self.skipTest("this kernel has no SO_PEERPIDFD")
        self.assertEqual(client.status, 201, client.text)
        self.assertIsNone(self.server.lock(self.key())["holders"][0]["pid"])
        waiter = self.server.acquire_later(self.key())
        begun = time.monotonic()
        client.close()
        self.granted(waiter.answer())
        self.assertLess(time.monotonic() - begun, SECONDS_UNTIL_GONE)


@unittest.skipUnless(os.getuid() == 0, "needs to make PID namespaces")
class BesideByNumber(Beside):
    arguments = ("--peer-pidfd", "never")

    def test_the_peer_is_seen_to_end(self):
        client = self.client(self.key(), "peer")
        self.assertEqual(client.status, 422, client.text)
        self.assertIn('"code":"no-such-process"', client.text)


if __name__ == "__main__":
    unittest.main()
