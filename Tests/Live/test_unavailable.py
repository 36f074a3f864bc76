"""Where the kernel has no semaphores for the service it says so, to everybody who asks."""

import os
import sys
import unittest

from harness import LiveTest, Server, eventually

FILTER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "without_semget.py")


class Unavailable(unittest.TestCase):
    assertProblem = LiveTest.assertProblem

    def test_everything_but_health_is_503_with_the_errno(self):
        for errno in ("ENOSYS", "EPERM"):
            with self.subTest(errno):
                server = Server(prefix=[sys.executable, FILTER, errno]).ends_with(self).spawn()
                eventually(lambda: os.path.exists(server.unix) or server.process.poll() is not None, "a listener")
                self.assertIsNone(server.process.poll(), server.log_text())
                for client in (server, server.over_unix):
                    self.assertEqual(client.get("/healthz").json, {"status": "ok"})
                    for method, target in (
                        ("GET", "/readyz"), ("POST", "/locks/a/acquire?wait=5s"), ("GET", "/locks"),
                        ("GET", "/nowhere"), ("DELETE", "/leases?owner=x"), ("PUT", "/shm/x"),
                    ):
                        answer = client.request(method, target, b"{}" if method == "POST" else None)
                        self.assertProblem(answer, 503, "sysv-unavailable", errno=errno)
                self.assertIn(errno, server.log_text())
                self.assertEqual(server.terminate(), 69)

    def test_who_waits_for_readiness_is_told_by_the_end(self):
        """systemd would wait for READY=1 until its patience ends."""
        server = Server(prefix=["env", "NOTIFY_SOCKET=/nowhere", sys.executable, FILTER, "ENOSYS"])
        self.addCleanup(server.stop)
        server.spawn()
        self.assertEqual(server.process.wait(20), 73, server.log_text())
        self.assertIn("cannot open the guard (semget)", server.log_text())


if __name__ == "__main__":
    unittest.main()
