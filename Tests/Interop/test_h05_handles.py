# Rows: H5 H7 H10
"""Several handles, several leases: each is a slot of its own, and none goes above the maximum."""

import unittest

from php_support import PHPTest


class Slots(PHPTest):
    def test_two_leases_of_one_set_and_php_waits(self):
        first, second = self.lease(limit=2), self.lease(limit=2)
        self.assertNotEqual(first["lease"], second["lease"])
        self.assertEqual(first["sysv"]["id"], second["sysv"]["id"])
        self.assertValues([0, 2048, 0])
        php = self.opened(2)
        self.asks(php, sleepers=1)
        self.assertTrue(php.is_silent())
        self.release(first)
        self.assertIs(php.answer()["result"], True)
        self.assertValues([0, 1025, 0])
        self.release(second)
        self.ends(php, leaving=[2, 0, 0])

    def test_two_php_handles_of_one_process_and_http_waits(self):
        php = self.opened(2, "a")
        self.assertIs(php.ask(f"get b {self.sysv_key} 2"), True)
        self.assertValues([2, 2, 0])
        self.assertIs(php.ask("acquire a"), True)
        self.assertIs(php.ask("acquire b"), True)
        self.assertProblem(self.acquire(limit=2), 423, "locked", available=0)
        waiter = self.acquire_later(limit=2, sleepers=1)
        self.assertIs(php.ask("free b"), True)
        lease = self.granted(waiter.answer())
        self.become([0, 1025, 0])
        self.release(lease)
        self.ends(php, leaving=[2, 0, 0])

    def test_php_that_acquires_again_blocks_at_the_maximum(self):
        php = self.holding(2)
        lease = self.lease(limit=2)
        self.asks(php, sleepers=1)
        self.assertTrue(php.is_silent())
        self.release(lease)
        self.assertIs(php.answer()["result"], True)
        self.assertValues([0, 1, 0])
        self.assertIs(php.ask("acquire a nowait"), False)
        self.ends(php, leaving=[2, 0, 0])

    def test_another_acquire_of_the_same_owner_is_another_slot(self):
        lease = self.lease(owner="me")
        self.assertProblem(self.acquire(owner="me"), 423, "locked", errno="EAGAIN")
        waiter = self.server.acquire_later(self.lock, owner="me", wait="1s")
        self.become([0, 1024 + 1, 0])  # the waiter is counted
        self.assertProblem(waiter.answer(), 423, "wait-timeout")
        self.become([0, 1024, 0])
        self.release(lease, leaving=[1, 0, 0])

    def test_count_takes_several_slots_or_none(self):
        php = self.holding(4)
        self.assertProblem(self.acquire(count=4, limit=4), 423, "locked", available=3)
        self.assertValues([3, 1, 0])
        lease = self.lease(count=3, limit=4)
        self.assertEqual(lease["count"], 3)
        self.assertValues([0, 3 * 1024 + 1, 0])
        other = self.opened(4)
        self.assertIs(other.ask("acquire a nowait"), False)
        self.release(lease, leaving=[3, 2, 0])
        self.ends(php, other, leaving=[4, 0, 0])

    def test_a_count_waits_until_php_gave_back_enough(self):
        php = self.holding(3)
        self.assertIs(php.ask("acquire a"), True)
        waiter = self.acquire_later(count=3, limit=3, sleepers=1)
        self.assertIs(php.ask("release a"), True)
        self.waiters(1)
        self.assertFalse(waiter.done)
        self.assertIs(php.ask("release a"), True)
        lease = self.granted(waiter.answer())
        self.become([0, 3 * 1024 + 1, 0])
        self.release(lease)
        self.ends(php, leaving=[3, 0, 0])

    def test_a_count_above_a_known_limit(self):
        problem = self.acquire(count=3, limit=2)
        self.assertProblem(problem, 422, "count-exceeds-limit")
        self.assertProblem(self.acquire(count=2), 422, "count-exceeds-limit")  # 1 is what it would set
        lease = self.lease(limit=2)
        self.assertProblem(self.acquire(count=3), 422, "count-exceeds-limit")
        self.release(lease, leaving=[2, 0, 0])

    def test_acquire_again_after_release(self):
        php = self.opened()
        fence = 0
        for _ in range(5):
            lease = self.lease()
            self.assertGreater(lease["fence"], fence)
            fence = lease["fence"]
            self.assertIs(php.ask("acquire a nowait"), False)
            self.release(lease)
            self.assertIs(php.ask("acquire a"), True)
            self.assertProblem(self.acquire(), 423, "locked")
            self.assertIs(php.ask("release a"), True)
        self.assertValues([1, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_31_units_are_out_at_most(self):
        leases = [self.lease(limit=40, count=30), self.lease(limit=40)]
        self.assertValues([9, 31 * 1024, 0])
        self.assertProblem(self.acquire(limit=40), 507, "native-count-full", units_out=31, native_count=0)
        self.assertValues([9, 31 * 1024, 0])
        php = self.opened()
        self.assertIs(php.ask("acquire a"), True)  # PHP may
        self.release(leases[1])
        self.release(self.lease(limit=40))
        self.release(leases[0])
        self.ends(php, leaving=[40, 0, 0])


if __name__ == "__main__":
    unittest.main()
