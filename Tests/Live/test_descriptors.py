"""A process without descriptors: who asks then is turned away at once, and nobody after it."""

import http.client
import unittest

from harness import LiveTest, Server, eventually


class Descriptors(LiveTest):
    """The service may have 96 files; its Unix socket gets them all."""

    @classmethod
    def setUpClass(cls):
        cls.server = Server("--heartbeat", "100ms", prefix=("prlimit", "--nofile=96:96")).ends_with(cls).start()

    def test_a_listener_is_not_deaf_after_descriptors_ran_out(self):
        idle = self.server.connection()
        self.addCleanup(idle.close)
        self.assertEqual(self.server.request("GET", "/healthz", connection=idle).status, 200)
        taken = []
        try:
            while len(taken) < 200:
                taken.append(self.server.over_unix.connection())
                self.server.over_unix.request("GET", "/healthz", connection=taken[-1])
        except (OSError, http.client.HTTPException):
            pass
        self.assertLess(len(taken), 100, "the descriptors never ran out")
        with self.assertRaises((OSError, http.client.HTTPException)):
            self.server.request("GET", "/healthz", timeout=5)
        # One that was open goes on, and the log has the cause and the remedy.
        self.assertEqual(self.server.request("GET", "/healthz", connection=idle).status, 200)
        eventually(lambda: "no descriptor" in self.server.log_text(), "a line about descriptors")
        for connection in taken:
            connection.close()
        # Those of the other listener are free: it must not wait for one of its own to close.
        eventually(self.answers, "an answer over TCP")
        text = self.server.request("GET", "/metrics", connection=idle).text
        refused = [line for line in text.splitlines() if line.startswith("leasehold_http_refused_connections_total ")]
        self.assertGreater(int(refused[0].split()[1]), 0)

    def answers(self):
        try:
            return self.server.get("/healthz", timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False


if __name__ == "__main__":
    unittest.main()
