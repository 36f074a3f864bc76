"""Stopping, dying, coming back; two daemons at once."""

import time
import unittest

from harness import PATIENCE, Pending, Server, free_port


class RestartTest(unittest.TestCase):
    def start(self, *arguments, **more):
        return Server(*arguments, **more).ends_with(self).start()

    def lease(self, server, key="k", **parameters):
        answer = server.acquire(key, **parameters)
        self.assertEqual(answer.status, 201, answer)
        return answer.json


class Stopping(RestartTest):
    def test_sigterm_sends_waiters_away_and_leases_survive_the_restart(self):
        server = self.start()
        lease = self.lease(server, limit=2, count=2, owner="me")
        waiters = [server.acquire_later("k", limit=2), server.acquire_later("k", limit=2)]
        self.assertEqual(server.terminate(), 0)
        for waiter in waiters:
            answer = waiter.answer()
            self.assertEqual((answer.status, answer["code"]), (503, "draining"), answer)
            self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        server.start()
        read = server.get(f"/leases/{lease['lease']}")
        self.assertEqual(read.status, 200, read)
        for name in ("lease", "ref", "key", "fence", "owner", "count", "limit", "deadline_monotonic_ns", "sysv"):
            self.assertEqual(read[name], lease[name], name)
        self.assertEqual(server.acquire("k", limit=2)["code"], "locked")
        self.assertEqual(server.release(lease).status, 200)
        self.assertGreater(self.lease(server, limit=2)["fence"], lease["fence"])


class TwoDaemons(RestartTest):
    def test_a_second_daemon_with_the_same_control_key_names_the_first(self):
        server = self.start()
        second = Server(control_key=server.control_key).ends_with(self).spawn()
        self.assertNotEqual(second.process.wait(PATIENCE), 0)
        self.assertIn(str(server.pid), second.log_text())
        self.assertEqual(server.get("/readyz").status, 200)

    def test_a_standby_takes_over_when_the_first_is_killed(self):
        server = self.start()
        lease = self.lease(server)
        standby = Server("--standby", control_key=server.control_key).ends_with(self).spawn()
        time.sleep(0.5)
        self.assertIsNone(standby.process.poll(), "a standby waits")
        self.assertFalse(standby.is_ready())
        server.kill()
        standby.wait_ready()
        self.assertEqual(standby.get(f"/leases/{lease['lease']}").status, 200)
        self.assertEqual(standby.release(lease).status, 200)

    def test_a_standby_takes_over_port_and_socket_when_the_first_is_told_to_stop(self):
        server = self.start()
        lease = self.lease(server)
        standby = Server("--standby", control_key=server.control_key, port=server.port, unix=server.unix)
        self.addCleanup(standby.stop)
        standby.spawn()
        time.sleep(0.3)
        self.assertEqual(server.terminate(), 0)
        standby.wait_ready()
        self.assertEqual(standby.get(f"/leases/{lease['lease']}").status, 200)
        self.assertEqual(standby.over_unix.get("/readyz").status, 200)

    def test_a_port_in_use_is_said_plainly(self):
        server = self.start()
        second = Server(port=server.port).ends_with(self).spawn()
        self.assertNotEqual(second.process.wait(PATIENCE), 0)
        self.assertIn(str(server.port), second.log_text())
        self.assertRegex(second.log_text(), r"in use|EADDRINUSE")

    def test_a_port_that_becomes_free_in_time_is_taken(self):
        port = free_port()
        server = self.start(port=port)
        second = Server(port=port).ends_with(self).spawn()
        stopping = Pending(server.terminate)
        second.wait_ready()
        self.assertEqual(stopping.answer(), 0)


if __name__ == "__main__":
    unittest.main()
