"""What one caller may have at once."""

import unittest

import access
from harness import LiveTest, eventually

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

    def test_expiry_and_force_give_back_too(self):
        for n in range(3):
            self.granted(self.server.acquire(self.key(f"-{n}"), ttl="100ms" if n else "60s"))
        eventually(lambda: self.server.acquire(self.key("-5")).status == 201, "room after the expiry")
        self.server.delete(f"/locks/{self.key('-0')}", force="true")
        self.assertEqual(self.server.acquire(self.key("-6")).status, 201)

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

    def test_a_waiter_s_grant_is_counted(self):
        lease = self.granted(self.server.acquire(self.key()))
        waiter = self.server.acquire_later(self.key())
        for n in range(2):
            self.granted(self.server.acquire(self.key(f"-{n}")))
        self.server.over_unix.release(lease)
        self.granted(waiter.answer())
        self.assertProblem(self.server.acquire(self.key("-9")), 429, "caller-limit")

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
        server = access.TokenServer("--max-leases-per-caller", "1")
        self.addCleanup(server.stop)
        server.start()
        lock, other = server.with_token("lock"), server.with_token("other")
        self.assertEqual(lock.acquire("a").status, 201)
        self.assertEqual(lock.acquire("b").json["caller"], "token lock")
        self.assertEqual(other.acquire("b").status, 201)
        self.assertEqual(server.terminate(), 0)
        server.start()
        self.assertEqual(lock.acquire("c").status, 201)


if __name__ == "__main__":
    unittest.main()
