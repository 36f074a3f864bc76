# Rows: H2
"""max_acquire and `limit`: put into force by the first that is counted, and by none while one is."""

import unittest

from php_support import PHPTest


class Limit(PHPTest):
    def test_an_open_php_handle_keeps_its_maximum(self):
        php = self.opened(1)
        lease = self.lease(limit=3)
        self.assertIs(lease["limit_applied"], False)
        self.assertValues([0, 1025, 0])
        self.release(lease, leaving=[1, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_with_nobody_counted_the_request_sets_it(self):
        php = self.opened(1)
        self.ends(php, leaving=[1, 0, 0])
        lease = self.lease(limit=3)
        self.assertIs(lease["limit_applied"], True)
        self.assertEqual(lease["limit"], 3)
        self.assertValues([2, 1024, 0])
        self.release(lease, leaving=[3, 0, 0])

    def test_a_new_set_takes_the_limit_of_the_first_request(self):
        lease = self.lease(limit=7)
        self.assertIs(lease["limit_applied"], True)
        self.assertValues([6, 1024, 0])
        second = self.lease(limit=9)
        self.assertIs(second["limit_applied"], False)
        self.assertValues([5, 2048, 0])
        self.release(lease)
        self.release(second, leaving=[7, 0, 0])

    def test_php_does_not_reset_under_a_lease_and_does_after_it(self):
        lease = self.lease(limit=2)
        php = self.opened(5)
        self.assertValues([1, 1025, 0])
        self.ends(php, leaving=[1, 1024, 0])
        self.release(lease, leaving=[2, 0, 0])
        php = self.opened(5)
        self.assertValues([5, 1, 0])
        self.ends(php, leaving=[5, 0, 0])

    def test_without_limit_it_is_one_as_in_php(self):
        php = self.opened(5)
        self.ends(php, leaving=[5, 0, 0])
        lease = self.lease()
        self.assertIs(lease["limit_applied"], True)
        self.assertValues([0, 1024, 0])
        self.assertProblem(self.acquire(), 423, "locked")
        self.release(lease, leaving=[1, 0, 0])

    def test_a_lower_limit_with_nobody_counted(self):
        self.release(self.lease(limit=5), leaving=[5, 0, 0])
        lease = self.lease(limit=2)
        self.assertIs(lease["limit_applied"], True)
        self.assertValues([1, 1024, 0])
        self.release(lease)

    def test_a_granted_waiter_did_not_apply_its_limit(self):
        php = self.holding()
        waiter = self.acquire_later(limit=4, sleepers=1)
        self.assertIs(php.ask("release a"), True)
        lease = self.granted(waiter.answer())
        self.assertIs(lease["limit_applied"], False)
        self.release(lease)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_waiter_that_is_counted_keeps_the_maximum_of_the_holder(self):
        php = self.holding()
        waiter = self.acquire_later(limit=4, sleepers=1)
        php.quit()  # the waiter stays counted, so a newcomer does not set its own
        lease = self.granted(waiter.answer())
        other = self.opened(9)
        self.assertValues([0, 1025, 0])
        self.release(lease)
        self.ends(other, leaving=[1, 0, 0])

    def test_never_a_limit_mismatch(self):
        leases = [self.lease(limit=3), self.lease(limit=5), self.lease(limit=1)]
        self.assertEqual([lease["limit_applied"] for lease in leases], [True, False, False])
        self.assertProblem(self.acquire(limit=30), 423, "locked")
        for lease in leases:
            self.release(lease)
        self.assertValues([3, 0, 0])

    def test_the_greatest_and_what_is_outside_the_range(self):
        lease = self.lease(limit=32767)
        self.assertIs(lease["limit_applied"], True)
        self.assertValues([32766, 1024, 0])
        self.release(lease, leaving=[32767, 0, 0])
        for limit in (0, -1, 32768, 99999999999999999999):
            self.assertEqual(self.acquire(limit=limit).status, 400)
        self.assertProblem(self.acquire(limit=0), 400, "out-of-range")
        self.assertProblem(self.acquire(limit=32768), 400, "out-of-range")
        php = self.opened(32767)
        self.assertValues([32767, 1, 0])
        # PHP warns and goes on with a handle; the value stays as it was.
        php.send(f"get b {self.sysv_key} 32768")
        self.assertIs(php.answer()["result"], True)
        self.assertValues([32767, 2, 0])
        php.quit()

    def test_query_form_and_json_say_the_same(self):
        target = f"/locks/{self.lock}/acquire"
        for ask in (
            lambda: self.server.post(target, limit=2, perm="0640"),
            lambda: self.server.form_post(target, "limit=2&perm=0640"),
            lambda: self.server.json_post(target, {"limit": 2, "perm": "0640"}),
            lambda: self.server.json_post(target, {"limit": "2", "perm": "640"}),
        ):
            lease = self.granted(ask())
            self.assertIs(lease["limit_applied"], True)
            self.assertValues([1, 1024, 0])
            self.release(lease)

    def test_limit_and_native_held_are_null_unless_known(self):
        php = self.opened(3)
        lock = self.granted(self.server.lock(self.lock), 200)
        self.assertEqual((lock["limit"], lock["native_held"], lock["available"]), (None, None, 3))
        self.assertIs(php.ask("acquire a"), True)
        lease = self.lease(limit=3)
        self.assertIs(lease["limit_applied"], False)
        lock = self.granted(self.server.lock(self.lock), 200)
        self.assertEqual((lock["limit"], lock["native_held"], lock["available"]), (None, None, 1))
        self.release(lease)
        self.ends(php, leaving=[3, 0, 0])
        lease = self.lease(limit=3)
        php = self.opened()
        self.assertIs(php.ask("acquire a"), True)
        lock = self.granted(self.server.lock(self.lock), 200)
        self.assertEqual((lock["limit"], lock["native_held"], lock["available"]), (3, 1, 1))
        self.release(lease)
        self.ends(php, leaving=[3, 0, 0])


if __name__ == "__main__":
    unittest.main()
