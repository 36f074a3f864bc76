# Rows: C11
"""max: nobody waits where that many wait already, natives and HTTP callers counted alike, each once."""

import unittest

from perlside import Path


class Max(Path):
    ours = False

    def setUp(self):
        super().setUp()
        if self.ours:
            self.release(self.leased())
        self.holder = self.user()
        self.assertTrue(self.holder.do("$c->acquire"))

    def refused(self, most):
        """Perl with that `max` gives up at once."""
        perl = self.user()
        self.assertFalse(perl.do(f"$c->acquire(wait => 1, max => {most})"))
        self.assertEqual(perl.errno, "EAGAIN")

    def test_zero_never_waits(self):
        self.refused(0)
        self.assertProblem(self.acquire(wait="30s", max_waiters=0), 423, "queue-full", errno="EAGAIN")
        self.sleeping(0)

    def test_one_http_waiter_counts(self):
        waiter = self.acquire_later()
        self.sleeping(1)
        self.refused(1)
        self.assertProblem(self.acquire(wait="30s", max_waiters=1), 423, "queue-full")
        perl = self.user()
        perl.send("$c->acquire(wait => 1, max => 2)")
        self.sleeping(2)
        self.holder.exit()
        self.release(self.granted(waiter.answer()))
        self.assertEqual(perl.answer(), [1])

    def test_one_perl_waiter_counts(self):
        perl = self.user()
        perl.send("$c->acquire(wait => 1)")
        self.sleeping(1)
        self.assertProblem(self.acquire(wait="30s", max_waiters=1), 423, "queue-full", errno="EAGAIN")
        waiter = self.acquire_later(max_waiters=2)
        self.sleeping(2)
        self.refused(2)
        self.assertProblem(self.acquire(wait="30s", max_waiters=2), 423, "queue-full")
        self.holder.exit()
        self.assertEqual(perl.answer(), [1])
        perl.exit()
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.user_values(), [1])

    def test_each_http_waiter_counts(self):
        waiters = [self.acquire_later() for _ in range(5)]
        self.sleeping(5)
        self.refused(2)
        self.refused(5)
        self.assertProblem(self.acquire(wait="30s", max_waiters=5), 423, "queue-full")
        perl = self.user()
        perl.send("$c->acquire(wait => 1, max => 6)")
        self.sleeping(6)
        self.holder.exit()
        for waiter in waiters:
            self.release(self.granted(waiter.answer()))
        self.assertEqual(perl.answer(), [1])
        perl.exit()
        self.assertEqual(self.user_values(), [1])

    def test_it_is_looked_at_only_when_one_would_wait(self):
        self.holder.exit()
        lease = self.leased(wait="30s", max_waiters=0)
        self.release(lease)
        perl = self.user()
        self.assertTrue(perl.do("$c->acquire(wait => 1, max => 0)"))
        self.assertProblem(self.acquire(max_waiters=0), 423, "locked")
        self.assertProblem(self.acquire(wait="1s", max_waiters=-1), 400, "out-of-range", parameter="max_waiters")

    def test_beyond_64_waiters_natives_see_64(self):
        # As many threads sleep for one lock at most; callers of HTTP are counted to the last one all the same.
        waiters = [self.acquire_later() for _ in range(66)]
        self.sleeping(64)
        self.assertProblem(self.acquire(wait="30s", max_waiters=66), 423, "queue-full")
        self.refused(64)
        self.holder.exit()
        for waiter in waiters:
            self.release(self.granted(waiter.answer()))
        self.assertEqual(self.user_values(), [1])


class MaxOnOurs(Max):
    """The same on a set that Leasehold made."""

    ours = True


if __name__ == "__main__":
    unittest.main()
