"""Who is next."""

import unittest

from harness import LiveTest, Server


class Queue(LiveTest):
    def test_waiters_are_served_in_the_order_in_which_they_came(self):
        held = self.granted(self.server.acquire(self.key()))
        waiters = [self.server.acquire_later(self.key(), owner=f"w{number}") for number in range(6)]
        listed = self.server.lock(self.key())["waiters"]
        self.assertEqual([waiter["owner"] for waiter in listed], [f"w{number}" for number in range(6)])
        ages = [waiter["age_ms"] for waiter in listed]
        self.assertEqual(ages, sorted(ages, reverse=True))
        self.assertTrue(all(0 < waiter["wait_left_ms"] <= 20000 for waiter in listed))
        for number, waiter in enumerate(waiters):
            self.granted(self.server.release(held), 200)
            held = self.granted(waiter.answer())
            self.assertEqual(held["owner"], f"w{number}")
            self.assertEqual(self.server.waiting(self.key()), 5 - number)

    def test_removing_a_lock_tells_its_holders_and_waiters(self):
        lease = self.granted(self.server.acquire(self.key()))
        waiter = self.server.acquire_later(self.key())
        self.assertProblem(self.server.delete(f"/locks/{self.key()}"), 409, "in-use")
        answer = self.server.delete(f"/locks/{self.key()}", force="true")
        self.assertEqual((answer.status, answer["removed"], answer["key"]), (200, True, self.key()))
        self.assertProblem(waiter.answer(), 410, "lock-removed", key=self.key(), reason="lock-removed")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "lock-removed", ref=lease["ref"])
        self.granted(self.server.acquire(self.key()))


class ManyWaiters(unittest.TestCase):
    def test_the_services_own_limit_of_waiters_is_429(self):
        server = Server("--max-waiters", "3")
        self.addCleanup(server.stop)
        server.start()
        self.assertEqual(server.acquire("k").status, 201)
        for _ in range(3):
            server.acquire_later("k", wait="5s")
        answer = server.acquire("k", wait="5s")
        self.assertEqual((answer.status, answer["code"]), (429, "too-many-waiters"), answer)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(server.acquire("other").status, 201, "who need not wait is served")


if __name__ == "__main__":
    unittest.main()
