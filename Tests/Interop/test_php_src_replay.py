# Rows: H1 H6 H9 H28 H29
"""The cases of php-src's ext/sysvsem/tests (sysv, nowait, gh9945), with one of their two sides over HTTP.

The steps and their order are those of the tests, of the 8.2 branch and of the development branch, which differ in the
text of messages only; gh9945 is of the development branch. Where the original has a parent and a child, each of them is
once PHP and once HTTP. Where it waits a while for the other side, this waits until the kernel shows that it is there.
"""

import unittest

from php_support import PHPTest, next_key, set_id, sleepers, values


class HTTP:
    """sem_get, sem_acquire, sem_release and sem_remove over HTTP, with the answers of the functions."""

    def __init__(self, test, key):
        self.test, self.key, self.lock, self.lease = test, key, f"php:{key}", None

    def get(self):
        return self.test.server.request("PUT", f"/locks/{self.lock}").status in (200, 201)

    def acquire(self, nowait=False):
        answer = self.test.server.acquire(self.lock, wait="0" if nowait else "20s")
        if answer.status != 201:
            self.test.assertProblem(answer, 423, "locked", errno="EAGAIN")
            return False
        self.lease = answer.json
        return True

    def acquire_later(self):
        pending = self.test.server.acquire_later(self.lock)

        def finish():
            self.lease = self.test.granted(pending.answer())
            return True

        return finish

    def release(self):
        answer = self.test.server.release(self.lease)
        return answer.status == 200 and not answer["already"]

    def remove(self):
        return self.test.server.delete(f"/locks/{self.lock}", force="true").status == 200


class Native:
    """The same functions in a real PHP program."""

    def __init__(self, test, key, program=None):
        self.key, self.program, self.name = key, program or test.php(), f"s{key}"

    def get(self):
        return self.program.ask(f"get {self.name} {self.key} 1")

    def acquire(self, nowait=False):
        return self.program.ask(f"acquire {self.name}{' nowait' if nowait else ''}")

    def acquire_later(self):
        self.program.send(f"acquire {self.name}")
        return lambda: self.program.answer()["result"]

    def release(self):
        return self.program.ask(f"release {self.name}")

    def remove(self):
        return self.program.ask(f"remove {self.name}")


class Replay(PHPTest):
    def both(self):
        """Which side is PHP and which HTTP, both ways, with keys of their own."""
        for php_is_first in (True, False):
            yield php_is_first, next_key(), next_key()

    def test_sysv(self):
        # get, acquire, work on what it guards, release, remove; the other side tries at each step.
        for php_is_first, key, _ in self.both():
            sides = (Native(self, key), HTTP(self, key))
            mine, other = sides if php_is_first else sides[::-1]
            self.assertTrue(mine.get(), "Got semaphore")
            self.assertTrue(mine.acquire(), "Success acquire semaphore")
            self.assertTrue(other.get())
            self.assertFalse(other.acquire(nowait=True))
            self.assertTrue(mine.release(), "Semaphore released")
            self.assertTrue(other.acquire(nowait=True))
            self.assertTrue(other.release())
            self.assertEqual(values(set_id(key))[0], 1)
            self.assertTrue(mine.remove(), "semaphore removed successfully")
            self.assertIsNone(set_id(key))

    def test_nowait(self):
        # The parent holds P and C. The child, which shares C, fails to get P without waiting, releases C, and waits
        # for P; the parent waits for C, gives it back, and then P.
        for php_is_parent, p_key, c_key in self.both():
            parent_p, child_p = (
                (Native(self, p_key), HTTP(self, p_key)) if php_is_parent else (HTTP(self, p_key), Native(self, p_key))
            )
            # The child inherits the parent's C by fork, and releases it. A holding does not pass from PHP to HTTP, so
            # here the child acquires C itself, before the parent asks for it.
            parent_c, child_c = (
                (Native(self, c_key, parent_p.program), HTTP(self, c_key))
                if php_is_parent
                else (HTTP(self, c_key), Native(self, c_key, child_p.program))
            )
            for side in (parent_p, parent_c, child_p, child_c):
                self.assertTrue(side.get())
            self.assertTrue(parent_p.acquire(), "P: acquired semaphore P")
            self.assertTrue(child_c.acquire(), "P: acquired semaphore C")

            self.assertFalse(child_p.acquire(nowait=True), "C: failed to acquire semaphore P")
            waits_for_c = parent_c.acquire_later()
            self.until_sleeping(c_key)
            self.assertTrue(child_c.release(), "C: releasing semaphore C")
            self.assertTrue(waits_for_c())
            waits_for_p = child_p.acquire_later()
            self.until_sleeping(p_key)
            self.assertTrue(parent_c.release())
            self.assertTrue(parent_p.release(), "P: releasing semaphore P")
            self.assertTrue(waits_for_p(), "C: success acquired semaphore P")
            self.assertTrue(child_p.release(), "C: releasing semaphore P")
            self.assertTrue(child_c.remove(), "C: removing semaphore C")
            self.assertTrue(parent_p.remove(), "P: removing semaphore P")
            self.assertIsNone(set_id(p_key))
            self.assertIsNone(set_id(c_key))

    def until_sleeping(self, key):
        self.sysv_key = key
        self.waiters(1)
        self.assertEqual(sleepers(set_id(key)), 1)

    def test_nowait_with_one_semaphore(self):
        # The older form: both get one semaphore; the child waits for the parent's release, the parent acquires again,
        # and the child's second try, which does not wait, fails.
        for php_is_parent, key, _ in self.both():
            parent, child = (
                (Native(self, key), HTTP(self, key)) if php_is_parent else (HTTP(self, key), Native(self, key))
            )
            self.assertTrue(parent.get(), "P: got semaphore")
            self.assertTrue(parent.acquire(), "P: success acquire semaphore")
            self.assertTrue(child.get(), "C: got semaphore")
            waits = child.acquire_later()
            self.until_sleeping(key)
            self.assertTrue(parent.release(), "P: releases")
            self.assertTrue(waits(), "C: success acquire semaphore")
            self.assertTrue(child.release(), "C: releases")
            self.assertTrue(parent.acquire(), "P: success acquire semaphore")
            self.assertFalse(child.acquire(nowait=True), "C: fail to acquire semaphore")
            self.assertTrue(parent.remove(), "P: cleanup")
            self.assertIsNone(set_id(key))

    def test_gh9945(self):
        # A key outside the range of key_t is a ValueError in the development branch, cut to 0 (a private set) in 8.2.
        php = self.php()
        php.send("get a 4294967296")
        answer = php.answer()
        if answer["result"] == "ValueError":
            self.assertEqual(answer["warning"], "sem_get(): Argument #1 ($key) is out of range")
        else:
            self.assertIs(answer["result"], True)
            self.assertIs(php.ask("remove a"), True)
        problem = self.assertProblem(self.server.acquire("php:0x100000000"), 400, "out-of-range")
        self.assertIn("0xffffffff", problem["detail"])
        self.assertProblem(self.server.request("PUT", "/locks/php:4294967296"), 400, "out-of-range")


if __name__ == "__main__":
    unittest.main()
