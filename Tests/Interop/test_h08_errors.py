# Rows: H8 H29
"""What fails for PHP with a warning, or without one, fails over HTTP with a code and an errno, in the same state."""

import unittest

from php_support import PHPTest


class Errors(PHPTest):
    def test_not_now_is_no_error_for_php_and_423_over_http(self):
        php = self.holding()
        other = self.opened()
        before = [0, 2, 0]
        self.assertValues(before)
        # sem_acquire(.., true): false, and no warning.
        self.assertIs(other.ask("acquire a nowait"), False)
        self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN")
        self.assertProblem(self.acquire(wait="0"), 423, "locked", errno="EAGAIN")
        self.assertValues(before)
        self.assertIs(php.ask("release a"), True)
        self.assertIs(other.ask("acquire a nowait"), True)
        self.ends(php, other, leaving=[1, 0, 0])

    def test_not_now_under_a_lease(self):
        lease = self.lease()
        php = self.opened()
        self.assertIs(php.ask("acquire a nowait"), False)
        problem = self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN", available=0)
        self.assertEqual([holder["ref"] for holder in problem["holders"]], [lease["ref"]])
        self.assertValues([0, 1025, 0])
        self.release(lease)
        self.assertIs(php.ask("acquire a nowait"), True)
        self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN", holders=[])
        self.ends(php, leaving=[1, 0, 0])

    def test_true_and_false_are_201_200_and_a_problem(self):
        php = self.opened()
        self.assertIs(php.ask("acquire a"), True)
        self.assertIs(php.ask("release a"), True)
        lease = self.lease()
        self.release(lease)
        warning = php.warned("release a")
        self.assertEqual(
            warning, f"sem_release(): SysV semaphore for key 0x{self.sysv_key:x} is not currently acquired"
        )
        self.assertIs(self.release(lease)["already"], True)
        self.assertValues([1, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_a_set_that_was_removed_before(self):
        php = self.opened()
        lease = self.lease()
        other = self.removing()
        self.assertEqual(
            php.warned("acquire a nowait"),
            f"sem_acquire(): Failed to acquire key 0x{self.sysv_key:x}: Invalid argument",
        )
        self.assertEqual(
            php.warned("remove a"),
            f"sem_remove(): SysV semaphore for key 0x{self.sysv_key:x} does not (any longer) exist",
        )
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 404, "no-such-set", errno="ENOENT")
        self.assertProblem(self.server.lock(self.lock), 404, "no-such-set", errno="ENOENT")

    def test_a_php_lock_is_neither_shared_nor_endless(self):
        self.assertProblem(self.acquire(mode="shared"), 400, "invalid-parameter")
        for strange in ({"nsems": 3}, {"semaphore_key": 5}, {"project": 1}, {"sem": 0}, {"touch": "true"}):
            with self.subTest(strange):
                self.assertProblem(self.acquire(**strange), 400, "invalid-parameter")


if __name__ == "__main__":
    unittest.main()
