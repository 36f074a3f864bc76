# Rows: H6
"""Who asks for a taken lock waits in the kernel and is served when it is given back, PHP and HTTP alike."""

import unittest

from php_support import PHPTest, eventually, values


class Waiting(PHPTest):
    def test_an_http_caller_waits_for_php_and_gets_in_at_its_release(self):
        php = self.holding()
        waiter = self.acquire_later(sleepers=1)
        # The waiter is counted in USAGE as a handle of PHP would be.
        self.become([0, 2, 0])
        self.assertFalse(waiter.done)
        self.assertIs(php.ask("release a"), True)
        lease = self.granted(waiter.answer())
        self.become([0, 1 + 1024, 0])
        self.assertGreaterEqual(lease["waited_ms"], 0)
        self.release(lease, leaving=[1, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_php_waits_for_a_lease_and_gets_in_at_its_release(self):
        lease = self.lease()
        php = self.opened()
        self.asks(php, sleepers=1)
        self.assertTrue(php.is_silent())
        self.assertValues([0, 1024 + 1, 0])
        self.release(lease)
        self.assertIs(php.answer()["result"], True)
        self.become([0, 1, 0])
        self.assertIs(php.ask("release a"), True)
        self.ends(php, leaving=[1, 0, 0])

    def test_php_gets_in_when_the_lease_expires(self):
        lease = self.lease(ttl="300ms")
        php = self.opened()
        self.assertIs(php.ask("acquire a"), True)
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired")
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_a_wait_that_ends_without_the_lock_leaves_nothing_behind(self):
        php = self.holding()
        answer = self.acquire(wait="200ms")
        self.assertProblem(answer, 423, "wait-timeout", errno="EAGAIN")
        self.become([0, 1, 0])
        self.waiters(0)
        self.assertIs(php.ask("release a"), True)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_waiter_that_hangs_up_leaves_nothing_behind(self):
        php = self.holding()
        connection = self.server.connection()
        connection.request("POST", f"/locks/{self.lock}/acquire?wait=20s")
        self.waiters(1)
        connection.close()
        self.become([0, 1, 0])
        self.waiters(0)
        self.assertIs(php.ask("release a"), True)
        self.assertIs(php.ask("acquire a nowait"), True)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_killed_php_holder_hands_on_to_the_http_waiter(self):
        php = self.holding()
        waiter = self.acquire_later(sleepers=1)
        php.kill()
        lease = self.granted(waiter.answer())
        self.become([0, 1024, 0])
        self.release(lease, leaving=[1, 0, 0])

    def test_turns_between_both_kinds_of_waiters(self):
        php, other = self.holding(), self.opened()
        for _ in range(10):
            waiter = self.acquire_later(sleepers=1)
            self.asks(other, sleepers=2)
            # First come, first served: HTTP asked first.
            self.assertIs(php.ask("release a"), True)
            lease = self.granted(waiter.answer())
            self.assertTrue(other.is_silent())
            self.release(lease)
            self.assertIs(other.answer()["result"], True)
            php, other = other, php
        self.ends(php, other, leaving=[1, 0, 0])

    def test_http_waiters_keep_their_order_and_a_php_waiter_gets_its_turn(self):
        php, other = self.holding(), self.opened()
        waiters = [self.server.acquire_later(self.lock) for _ in range(3)]
        # One thread sleeps for the whole queue: PHP sees one waiter, and stands behind that one.
        self.waiters(1)
        self.asks(other, sleepers=2)
        self.assertIs(php.ask("release a"), True)
        self.release(self.granted(waiters[0].answer()))
        self.assertIs(other.answer()["result"], True)
        self.assertFalse(waiters[1].done or waiters[2].done)
        self.assertIs(other.ask("release a"), True)
        lease = self.granted(waiters[1].answer())
        self.assertFalse(waiters[2].done)
        self.release(lease)
        self.release(self.granted(waiters[2].answer()))
        self.ends(php, other, leaving=[1, 0, 0])

    def test_php_processes_that_come_and_go_beside_leases(self):
        for _ in range(5):
            lease = self.lease()
            php = self.opened(5)
            self.assertIs(php.ask("acquire a nowait"), False)
            php.quit()
            eventually(lambda: self.server.get(f"/semaphores/{self.sysv_key}")["values"] == [0, 1024, 0], "PHP is gone")
            self.release(lease)
            php = self.holding()
            self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN")
            self.ends(php, leaving=[1, 0, 0])

    def test_max_waiters_counts_php_too(self):
        php, other = self.holding(), self.opened()
        self.asks(other, sleepers=1)
        self.assertProblem(self.acquire(wait="20s", max_waiters=1), 423, "queue-full", errno="EAGAIN")
        waiter = self.acquire_later(max_waiters=2, sleepers=2)
        self.assertIs(php.ask("release a"), True)
        self.assertIs(other.answer()["result"], True)
        self.assertIs(other.ask("release a"), True)
        self.release(self.granted(waiter.answer()))
        self.ends(php, other, leaving=[1, 0, 0])

    def test_a_hold_waits_too(self):
        php = self.holding()
        connection = self.server.connection()
        connection.request("POST", f"/locks/{self.lock}/hold?wait=20s")
        self.waiters(1)
        self.assertIs(php.ask("release a"), True)
        response = connection.getresponse()
        self.assertEqual(response.status, 201)
        response.readline()
        self.assertIs(php.ask("acquire a nowait"), False)
        response.close()
        connection.close()
        self.assertIs(php.ask("acquire a"), True)
        self.ends(php, leaving=[1, 0, 0])

    def test_who_would_be_the_32nd_on_a_lease_waits_for_one_that_goes(self):
        lease = self.lease(limit=33, count=31)
        php = self.opened()
        self.assertIs(php.ask("acquire a"), True)
        self.assertProblem(self.acquire(), 507, "native-count-full")
        self.assertProblem(self.acquire(wait="200ms"), 423, "wait-timeout")
        waiter = self.server.acquire_later(self.lock)
        self.assertValues([1, 31 * 1024 + 1, 0])
        self.release(lease)
        self.release(self.granted(waiter.answer()))
        self.ends(php, leaving=[33, 0, 0])

    def test_a_waiter_that_becomes_the_32nd(self):
        # There is room for one of the two that wait; the other goes on waiting for a lease to end.
        lease = self.lease(limit=32, count=30)
        php, other = self.opened(), self.opened()
        self.assertIs(php.ask("acquire a"), True)
        self.assertIs(other.ask("acquire a"), True)
        first, second = self.server.acquire_later(self.lock), self.server.acquire_later(self.lock)
        self.waiters(1)
        self.assertIs(php.ask("release a"), True)
        got = self.granted(first.answer())
        self.become([0, 31 * 1024 + 2, 0])
        self.assertIs(other.ask("release a"), True)
        self.assertFalse(second.done)
        self.release(lease)
        self.release(self.granted(second.answer()))
        self.release(got)
        self.ends(php, other, leaving=[32, 0, 0])


class FewThreads(PHPTest):
    """With a single thread for waits, the other queues are looked at every few milliseconds."""

    arguments = ("--pumps", "1")

    def test_two_locks_with_waiters(self):
        locks = []
        for _ in range(3):
            self.setUp()
            php = self.holding()
            locks.append((php, self.set, self.server.acquire_later(self.lock)))
        for php, made, waiter in reversed(locks):
            self.assertFalse(waiter.done)
            self.assertIs(php.ask("release a"), True)
            lease = self.granted(waiter.answer())
            self.assertEqual(values(made), [0, 1025, 0])
            self.release(lease)
            php.quit()
            eventually(lambda: values(made) == [1, 0, 0], "at rest")  # pylint: disable=cell-var-from-loop


class Stopping(PHPTest):
    def test_sigterm_takes_waiters_out_and_leaves_leases(self):
        php = self.holding(2)
        lease = self.lease(ttl="60s")
        waiter = self.acquire_later(sleepers=1)
        self.assertEqual(self.server.terminate(), 0)
        self.assertProblem(waiter.answer(), 503, "draining")
        self.assertValues([0, 1025, 0])
        self.waiters(0)
        self.server.start()
        self.assertValues([0, 1025, 0])
        self.release(lease)
        self.ends(php, leaving=[2, 0, 0])


if __name__ == "__main__":
    unittest.main()
