"""Stopping, dying, coming back; two daemons at once."""

import time
import unittest

from harness import PATIENCE, Pending, Server, free_port
from test_hold import Stream


class RestartTest(unittest.TestCase):
    def start(self, *arguments, **more):
        server = Server(*arguments, **more)
        self.addCleanup(server.stop)
        return server.start()

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

    def test_sigterm_ends_holds_and_the_program(self):
        server = self.start()
        connection = server.connection()
        connection.request("POST", "/locks/k/hold")
        response = connection.getresponse()
        self.assertEqual(response.status, 201)
        response.readline()
        self.assertEqual(server.terminate(), 0)
        response.read()
        connection.close()


class Dying(RestartTest):
    def test_a_hold_that_attaches_within_the_grace_keeps_its_lease(self):
        server = self.start()
        streams = []
        for target in ("/locks/k/hold", "/locks/left/hold"):
            stream = Stream(server, target)
            self.addCleanup(stream.close)
            streams.append(stream.json())
        kept, left = streams
        server.kill()
        server.start()
        again = Stream(server, f"/leases/{kept['lease']}/hold")
        self.addCleanup(again.close)
        self.assertEqual((again.status, again.json()["fence"]), (200, kept["fence"]))
        self.assertEqual(server.acquire("left", wait="10s").status, 201)
        self.assertEqual(server.get(f"/leases/{left['lease']}")["reason"], "connection-closed")
        self.assertEqual(server.get(f"/leases/{kept['lease']}").status, 200)
        again.close()
        self.assertEqual(server.acquire("k", wait="10s").status, 201)

    def test_a_bound_lease_does_not_survive_its_connection_by_a_crash(self):
        server = self.start("--recovery-grace", "100ms")
        connection = server.connection()
        lease = server.acquire("k", bind="connection", ttl=0, connection=connection)
        self.assertEqual(lease.status, 201, lease)
        server.kill()
        connection.close()
        server.start()
        self.assertEqual(server.acquire("k", wait="20s").status, 201)



class TwoDaemons(RestartTest):
    def test_a_second_daemon_with_the_same_control_key_names_the_first(self):
        server = self.start()
        second = Server(control_key=server.control_key)
        self.addCleanup(second.stop)
        second.spawn()
        self.assertNotEqual(second.process.wait(PATIENCE), 0)
        self.assertIn(str(server.pid), second.log_text())
        self.assertEqual(server.get("/readyz").status, 200)

    def test_a_standby_takes_over_when_the_first_is_killed(self):
        server = self.start()
        lease = self.lease(server)
        standby = Server("--standby", control_key=server.control_key)
        self.addCleanup(standby.stop)
        standby.spawn()
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

    def test_daemons_with_different_control_keys_do_not_know_each_other(self):
        first, second = self.start(), self.start()
        self.lease(first)
        self.lease(second)
        self.assertEqual(len(first.get("/leases")["leases"]), 1)

    def test_a_port_in_use_is_said_plainly(self):
        server = self.start()
        second = Server(port=server.port)
        self.addCleanup(second.stop)
        second.spawn()
        self.assertNotEqual(second.process.wait(PATIENCE), 0)
        self.assertIn(str(server.port), second.log_text())
        self.assertRegex(second.log_text(), r"in use|EADDRINUSE")

    def test_a_stale_socket_file_is_replaced_and_a_live_one_is_not(self):
        server = self.start()
        server.kill()
        server.start()
        self.assertEqual(server.over_unix.get("/readyz").status, 200)
        second = Server(unix=server.unix)
        self.addCleanup(second.stop)
        second.spawn()
        self.assertNotEqual(second.process.wait(PATIENCE), 0)
        self.assertEqual(server.over_unix.get("/readyz").status, 200)

    def test_a_port_that_becomes_free_in_time_is_taken(self):
        port = free_port()
        server = self.start(port=port)
        second = Server(port=port)
        self.addCleanup(second.stop)
        second.spawn()
        stopping = Pending(server.terminate)
        second.wait_ready()
        self.assertEqual(stopping.answer(), 0)


if __name__ == "__main__":
    unittest.main()
