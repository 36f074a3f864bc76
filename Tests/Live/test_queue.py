"""Who is next."""

import unittest

from harness import LiveTest


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


if __name__ == "__main__":
    unittest.main()
