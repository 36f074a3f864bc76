"""An engine that takes its time, fails and forgets: a debug build makes the local one so (LHDELAYS)."""

import concurrent.futures
import os
import socket
import statistics
import time
import unittest

from harness import PROGRAM, LiveTest, Server, eventually, statuses


def is_debug_build():
    with open(PROGRAM, "rb") as file:
        return b"LHDELAYS" in file.read()


class DelayedServer(Server):
    def __init__(self, delays, *arguments):
        super().__init__(*arguments)
        self.prefix = ["env", f"LHDELAYS={delays}"]


@unittest.skipUnless(is_debug_build(), "a release build has no delays")
class Delays(LiveTest):
    @classmethod
    def setUpClass(cls):
        cls.server = DelayedServer("ms=200").ends_with(cls).start()

    def test_two_hundred_slow_acquires_go_on_at_once(self):
        requests = []
        begun = time.monotonic()
        for number in range(200):
            sock = self.server.socket()
            self.addCleanup(sock.close)
            sock.sendall(
                f"POST /locks/{self.key(str(number))}/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                "Connection: close\r\n\r\n".encode()
            )
            requests.append(sock)
        health = []
        for sock in requests:
            if len(health) < 20:
                asked = time.monotonic()
                self.assertEqual(self.server.get("/healthz").status, 200)
                health.append(time.monotonic() - asked)
            answer = b""
            while piece := sock.recv(65536):
                answer += piece
            self.assertEqual(statuses(answer), [201], answer[:500])
        took = time.monotonic() - begun
        self.assertGreater(took, 0.2, "nothing was slow")
        self.assertLess(took, 2.0)
        self.assertLess(statistics.median(health), 0.02, health)

    def test_a_full_pool_says_so_and_health_goes_on(self):
        lease = self.granted(self.server.acquire(self.key()))
        with concurrent.futures.ThreadPoolExecutor(100) as pool:
            answers = list(pool.map(lambda _: self.server.get(f"/leases/{lease['lease']}"), range(100)))
        refused = [answer for answer in answers if answer.status != 200]
        for answer in refused:
            self.assertProblem(answer, 503, "engine-unavailable")
        self.assertEqual(self.server.get("/healthz").status, 200)
        self.assertGreaterEqual(len(answers) - len(refused), 64)

    def test_a_slow_service_stops_in_time(self):
        server = DelayedServer("ms=5000").ends_with(self).start()
        sock = server.socket()
        self.addCleanup(sock.close)
        sock.sendall(b"GET /locks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        eventually(lambda: "leasehold_http" in server.get("/metrics").text, "it serves")
        begun = time.monotonic()
        self.assertEqual(server.terminate(), 0)
        self.assertLess(time.monotonic() - begun, 4)


@unittest.skipUnless(is_debug_build(), "a release build has no delays")
class Speeds(LiveTest):
    """The same answers, whatever time the engine takes."""

    def story(self, server):
        name, other = self.key(), self.key("-other")
        lease = self.granted(server.acquire(name, ttl="30s"))
        self.assertProblem(server.acquire(name), 423, "locked")
        self.assertProblem(server.acquire(name, ttl="soon"), 400, "invalid-parameter")
        self.assertProblem(server.acquire(name, wait="100ms"), 423, "wait-timeout")
        waiting = server.acquire_later(name)
        self.assertEqual(server.lock(name).json["waiting"], 1)
        renewed = self.granted(server.post(f"/leases/{lease['lease']}/renew", ttl="60s"), 200)
        self.assertEqual(renewed["ttl_ms"], 60000)
        self.assertLessEqual(renewed["expires_in_ms"], 60000, "it counts from the answer")
        self.assertEqual(server.release(lease).status, 200)
        lease = self.granted(waiting.answer())
        with server.socket() as sock:
            sock.sendall(f"POST /locks/{other}/hold HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n".encode())
            eventually(lambda: server.lock(other).json.get("holders"), "a held lock")
        eventually(lambda: not server.lock(other).json.get("holders"), "a hold that ended with its connection")
        self.assertEqual(server.release(lease).status, 200)
        self.assertProblem(server.get(f"/leases/{lease['lease']}"), 410, "released")

    def test_a_story_is_the_same_at_each_speed(self):
        for milliseconds in (0, 20, 200):
            with self.subTest(milliseconds=milliseconds):
                server = DelayedServer(f"ms={milliseconds}").ends_with(self).start()
                self.story(server)


@unittest.skipUnless(is_debug_build(), "a release build has no delays")
class Unreliable(LiveTest):
    @classmethod
    def setUpClass(cls):
        cls.seed = os.getpid()
        cls.server = DelayedServer(f"ms=20,fail=5,forget=10,seed={cls.seed}", "--max-leases", "5000")
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()

    def hang_up(self, target, key):
        with self.server.socket() as sock:
            sock.sendall(
                f"POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
                f"Idempotency-Key: {key}\r\n\r\n".encode()
            )
            # Some leave at once, some about when the answer comes.
            time.sleep(0.001 * (hash(key) % 45))
            sock.shutdown(socket.SHUT_RDWR)

    def repeat(self, call, wanted):
        for _ in range(50):
            answer = call()
            if answer.status in wanted:
                return answer
            self.assertIn(answer.json["code"], ("engine-unavailable", "outcome-unknown", "undelivered"), answer)
        raise AssertionError(f"seed {self.seed}: never answered")

    def cycle(self, number):
        key, name = f"k{self.seed}-{number}", self.key(str(number))
        self.hang_up(f"/locks/{name}/acquire", key)
        lease = self.repeat(
            lambda: self.server.acquire(name, headers={"Idempotency-Key": key}), (200, 201)
        ).json["lease"]
        # Whatever was on its way to take the lease back has come by now.
        time.sleep(0.1)
        alive = self.repeat(lambda: self.server.get(f"/leases/{lease}"), (200, 410))
        return alive.status == 200

    def test_of_a_thousand_retries_none_is_told_of_a_dead_lease(self):
        with concurrent.futures.ThreadPoolExecutor(24) as pool:
            alive = list(pool.map(self.cycle, range(1000)))
        self.assertEqual(alive.count(False), 0, f"seed {self.seed}")


if __name__ == "__main__":
    unittest.main()
