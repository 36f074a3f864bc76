"""What one caller may have at once."""

import os
import socket
import time
import unittest

import access
from harness import NOBODY, LiveTest, Pending, Server, UserClient, as_user, eventually

LIMITS = ("--max-leases-per-caller", "3", "--max-waiters-per-caller", "2")


class Limits(LiveTest):
    arguments = LIMITS

    def tearDown(self):
        for lock in self.server.get("/locks")["locks"]:
            self.server.delete(f"/locks/{lock['key']}", force="true")

    def test_one_lease_more_is_429_until_one_is_given_back(self):
        leases = [self.granted(self.server.acquire(self.key(f"-{n}"))) for n in range(3)]
        answer = self.server.acquire(self.key("-4"))
        problem = self.assertProblem(
            answer, 429, "caller-limit", limit_name="max-leases-per-caller", leases=3, maximum=3, caller="loopback")
        self.assertIn("--max-leases-per-caller", problem["detail"])
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(self.server.lock(self.key("-4")).status, 404)
        self.server.release(leases[0])
        self.assertEqual(self.server.acquire(self.key("-4")).status, 201)

    def test_one_waiter_more_is_429(self):
        lease = self.granted(self.server.acquire(self.key()))
        waiters = [self.server.acquire_later(self.key()) for _ in range(2)]
        answer = self.server.acquire(self.key(), wait="5s")
        self.assertProblem(answer, 429, "caller-limit", limit_name="max-waiters-per-caller", waiters=2, maximum=2)
        self.server.release(lease)
        self.granted(waiters[0].answer())
        self.assertFalse(waiters[1].done)
        later = self.server.acquire_later(self.key())
        self.server.delete(f"/locks/{self.key()}", force="true")
        self.assertEqual([waiters[1].answer().status, later.answer().status], [410, 410])

    def test_users_of_the_unix_socket_are_callers_of_their_own(self):
        for n in range(3):
            self.granted(self.server.acquire(self.key(f"-{n}")))
        self.assertEqual(self.server.acquire(self.key("-9")).status, 429)
        self.assertEqual(self.server.over_unix.acquire(self.key("-9")).status, 201)

    def test_raw_operations_on_leases_count(self):
        made = self.granted(self.server.post("/semaphores", key="private", nsems=1))["id"]
        for _ in range(3):
            self.granted(self.server.post(f"/semaphores/id:{made}/op", ops="0:1:undo"))
        answer = self.server.post(f"/semaphores/id:{made}/op", ops="0:1:undo")
        self.assertProblem(answer, 429, "caller-limit")
        self.assertEqual(self.server.get(f"/semaphores/id:{made}")["values"], [3])
        self.server.delete(f"/semaphores/id:{made}", force="true")
        self.assertEqual(self.server.acquire(self.key()).status, 201)


class TokensAreCallers(unittest.TestCase):
    def test_each_by_itself_and_not_after_a_restart(self):
        server = access.TokenServer("--max-leases-per-caller", "1").ends_with(self).start()
        lock, other = server.with_token("lock"), server.with_token("other")
        self.assertEqual(lock.acquire("a").status, 201)
        self.assertEqual(lock.acquire("b").json["caller"], "token lock")
        self.assertEqual(other.acquire("b").status, 201)
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual(lock.acquire("c").status, 201)


def unix_socket(path):
    made = socket.socket(socket.AF_UNIX)
    made.settimeout(20)
    made.connect(path)
    return made


@unittest.skipUnless(os.geteuid() == 0, "SKIPPED: needs root, to be two users")
class OneOfTwo(LiveTest):
    """A user of the Unix socket has half of what others leave, unless told otherwise; root is not held up by that."""

    arguments = (
        "--unix-mode", "0666", "--max-connections", "40", "--max-leases", "80", "--max-waiters", "8",
        "--max-event-subscribers", "6", "--operation-waiters", "6", "--max-segment-bytes-per-caller", "100KiB",
        "--max-locks-per-caller", "5",
    )

    def setUp(self):
        self.root, self.nobody = self.server.over_unix, UserClient(self.server.unix, NOBODY)
        self.open = []
        self.addCleanup(self.close)

    def close(self):
        for opened in self.open:
            opened.close()
        # But that of the question.
        eventually(lambda: self.server.metric("leasehold_http_connections") == 1, "the daemon sees them closed")

    def user_socket(self):
        made = as_user(NOBODY, lambda: unix_socket(self.server.unix))
        self.open.append(made)
        return made

    def over(self, answer, limit, maximum):
        problem = self.assertProblem(
            answer, 429, "caller-limit", limit_name=limit, maximum=maximum, caller=f"uid {NOBODY}")
        self.assertIn(f"--{limit}", problem["detail"])
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertGreaterEqual(self.server.metric(f'leasehold_caller_limit_hits_total{{limit="{limit}"}}'), 1)

    def test_connections(self):
        """20 of 40 are the user's; of more a few are told so, and health is told to all; root and others are served."""
        opened = [self.user_socket() for _ in range(60)]
        time.sleep(0.2)
        for sock in opened[:20]:
            sock.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 200"))
        self.assertEqual(self.root.get("/readyz").status, 200)
        self.assertEqual(self.server.get("/readyz").status, 200)
        opened[20].sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
        told = b"".join(iter(lambda: opened[20].recv(4096), b""))
        self.assertTrue(told.startswith(b"HTTP/1.1 429"), told)
        self.assertIn(b'"limit_name":"max-connections-per-caller","caller":"uid 65534"', told)
        opened[21].sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(opened[21].recv(4096).startswith(b"HTTP/1.1 200"))
        for sock in opened:
            sock.close()
        eventually(lambda: self.nobody.get("/version").status == 200, "room when they are closed")
        self.assertRegex(self.server.get("/metrics").text, r"leasehold_http_refused_connections_total [1-9]")

    def test_two_who_take_all_they_can_leave_room_for_a_third(self):
        def connections(user):
            """As many as are served of 25."""
            opened = [as_user(user, lambda: unix_socket(self.server.unix)) for _ in range(25)]
            self.open += opened
            served = 0
            for sock in opened:
                try:
                    sock.sendall(b"GET /version HTTP/1.1\r\nHost: localhost\r\n\r\n")
                    served += sock.recv(4096).startswith(b"HTTP/1.1 200")
                except OSError:
                    pass  # closed without a word
            return served

        self.assertEqual([connections(NOBODY - number) for number in (1, 2)], [20, 10])
        third = UserClient(self.server.unix, NOBODY - 3)
        self.assertEqual([third.get("/locks").status for _ in range(5)], [200] * 5)
        held = self.granted(self.root.acquire(self.key()))
        waiters = [UserClient(self.server.unix, NOBODY - number) for number in (1, 1, 1, 1, 2, 2, 3)]
        # One connection of each is free at least: those that were refused are closed.
        for sock in self.open:
            sock.close()
        eventually(lambda: waiters[0].get("/version").status == 200, "room when they are closed")
        pending = []
        for waiter in waiters:
            pending.append(waiter.acquire_later(self.key()))
        for number, most in ((1, 4), (2, 2), (3, 1)):
            answer = UserClient(self.server.unix, NOBODY - number).acquire(self.key(), wait="5s")
            self.assertProblem(answer, 429, "caller-limit", limit_name="max-waiters-per-caller", waiters=most)
        pending.append(UserClient(self.server.unix, NOBODY - 4).acquire_later(self.key()))
        self.root.delete(f"/locks/{self.key()}", force="true")
        self.assertEqual([waiter.answer().status for waiter in pending], [410] * 8)
        self.assertEqual(self.root.get(f"/leases/{held['lease']}").status, 410)

    def test_long_polls_count_as_waiters(self):
        held = self.granted(self.root.acquire(self.key()))
        path = f"/locks/{self.key()}"
        polls = [Pending(lambda: self.nobody.get(path, wait="20s", headers={"If-None-Match": "*"})) for _ in range(4)]
        look = lambda: self.nobody.get(path, wait="100ms", headers={"If-None-Match": "*"})
        eventually(lambda: "leasehold_lock_watchers 4" in self.server.get("/metrics").text, "as many as may")
        self.over(look(), "max-waiters-per-caller", 4)
        self.root.release(held)
        self.assertEqual([poll.answer().status for poll in polls], [200] * 4)
        self.assertEqual(look().status, 304)

    def test_a_full_listener_serves_root_and_health(self):
        opened = [unix_socket(self.server.unix) for _ in range(40)]
        self.open += opened
        for sock in opened:
            sock.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 200"))
        third = UserClient(self.server.unix, NOBODY - 3)
        self.assertProblem(third.get("/locks"), 503, "too-many-connections", limit="max-connections", maximum=40)
        self.assertEqual(third.get("/healthz").status, 200)
        self.assertEqual(self.root.get("/locks").status, 200)
        self.assertEqual(self.server.get("/locks").status, 200)
        for sock in opened:
            sock.close()
        eventually(lambda: third.get("/locks").status == 200, "room when they are closed")

    def test_waiters_for_the_guard_of_a_segment(self):
        """They count as waiters; who may not wait is still served where there is nothing to wait for."""
        made = self.granted(self.nobody.post("/segments", key="0x5e7f", size=1000, mode="0600", init="true"))
        self.assertEqual(self.nobody.get("/shm", segment="0x5e7f").status, 200)
        held = self.granted(self.root.acquire("php:0x5e7f"))
        waiters = []
        for number in range(4):
            waiters.append(Pending(lambda: self.nobody.get("/shm", segment="0x5e7f", wait="20s")))
            eventually(lambda: self.root.waiting("php:0x5e7f") == number + 1, "a waiter for the guard")
        self.over(self.nobody.get("/shm", segment="0x5e7f", wait="20s"), "max-waiters-per-caller", 4)
        self.root.release(held)
        self.assertEqual([waiter.answer().status for waiter in waiters], [200] * 4)
        self.nobody.delete(f"/segments/id:{made['id']}")
        self.root.delete("/locks/php:0x5e7f", force="true")

    def test_streams(self):
        def follow(connect):
            sock = connect()
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertTrue(sock.recv(4096).startswith(b"HTTP/1.1 200"))
            return sock

        opened = [follow(self.user_socket) for _ in range(3)]
        self.over(self.nobody.get("/events"), "max-event-subscribers-per-caller", 3)
        self.open.append(follow(lambda: unix_socket(self.server.unix)))
        for _ in range(2):  # root's one is one that others do not leave
            opened.pop().close()
        eventually(lambda: self.nobody.get("/events", wait="0s").status == 200, "room when they are closed")

    def test_raw_operations_that_wait(self):
        made = self.granted(self.nobody.post("/semaphores", key="private", nsems=1, mode="0666"))["id"]
        for _ in range(3):
            sock = self.user_socket()
            sock.sendall(f"POST /semaphores/id:{made}/op?ops=0:-1&wait=30s HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Length: 0\r\n\r\n".encode())
        eventually(lambda: "leasehold_operation_waiters 3" in self.server.get("/metrics").text, "three that wait")
        path = f"/semaphores/id:{made}/op"
        self.over(self.nobody.post(path, ops="0:-1", wait="5s"), "operation-waiters-per-caller", 3)
        self.assertProblem(self.root.post(path, ops="0:-1", wait="100ms"), 423, "wait-timeout")
        self.root.delete(f"/semaphores/id:{made}", force="true")
        eventually(lambda: "leasehold_operation_waiters 0" in self.server.get("/metrics").text, "nobody who waits")

    def test_locks_that_nobody_uses(self):
        for number in range(5):
            self.nobody.release(self.granted(self.nobody.acquire(self.key(f"-{number}"))))
        self.over(self.nobody.request("PUT", f"/locks/{self.key('-5')}"), "max-locks-per-caller", 5)
        self.over(self.nobody.acquire(self.key("-5")), "max-locks-per-caller", 5)
        self.over(self.nobody.acquire("php:0x5e7c"), "max-locks-per-caller", 5)
        self.nobody.release(self.granted(self.nobody.acquire(self.key("-0"))))
        self.assertEqual(self.nobody.delete(f"/locks/{self.key('-0')}").status, 200)
        self.assertEqual(self.nobody.request("PUT", f"/locks/{self.key('-5')}").status, 201)
        for number in range(1, 6):
            self.nobody.delete(f"/locks/{self.key(f'-{number}')}")

    def test_bytes_of_segments(self):
        def make(client, size, **more):
            return client.post("/segments", size=size, mode="0600", **{"key": "private", **more})

        first = self.granted(make(self.nobody, 60_000, key="0x5e7d"))
        self.over(make(self.nobody, 60_000), "max-segment-bytes-per-caller", 102_400)
        self.assertEqual(make(self.nobody, 60_000, key="0x5e7d").status, 200)
        second = self.granted(make(self.nobody, 40_000))
        self.over(make(self.nobody, 40_000), "max-segment-bytes-per-caller", 102_400)
        # However it goes: here, or by a native program's hand.
        self.assertEqual(self.nobody.delete(f"/segments/id:{second['id']}").status, 200)
        self.nobody.delete(f"/segments/id:{self.granted(make(self.nobody, 40_000))['id']}")
        os.system(f"ipcrm -m {first['id']}")
        third = self.granted(make(self.nobody, 100_000))
        self.nobody.delete(f"/segments/id:{third['id']}")


class Idle(unittest.TestCase):
    def start(self, *arguments, **more):
        return Server(*arguments, **more).ends_with(self).start()

    def test_who_asks_for_nothing_is_let_go_of_earlier(self):
        server = self.start("--first-request-timeout", "1s", "--idle-timeout", "60s")
        silent, slow, used = (server.socket() for _ in range(3))
        used.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(used.recv(4096).startswith(b"HTTP/1.1 200"))
        slow.sendall(b"GET /healthz HTTP/1.1\r\nX-A: ")
        began = time.monotonic()
        while time.monotonic() < began + 4:
            try:
                slow.sendall(b"a")
            except OSError:
                break
            time.sleep(0.1)
        self.assertLess(time.monotonic() - began, 4, "a head that trickles in was waited for")
        self.assertEqual(silent.recv(1), b"")
        used.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        self.assertTrue(used.recv(4096).startswith(b"HTTP/1.1 200"))
        for sock in (silent, slow, used):
            sock.close()

    def test_too_few_descriptors_are_told_at_the_start(self):
        few = self.start(prefix=("prlimit", "--nofile=1000:1000"))
        self.assertRegex(few.log_text(), r"warning file descriptors do not suffice: .*limit=1000 .*needed=5")
        enough = self.start("--max-connections", "50", "--max-processes", "10", prefix=("prlimit", "--nofile=256:1000"))
        self.assertNotIn("descriptors", enough.log_text())


if __name__ == "__main__":
    unittest.main()
