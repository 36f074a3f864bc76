# Rows: C10 C26
"""Waiting for a slot: seen by the other side in GETNCNT, and served in the order of arrival."""

import unittest

from perlside import Path, Pending, Server, eventually


class Waiting(Path):
    def test_perl_waits_for_a_lease(self):
        for maker in ("perl", "http"):
            with self.subTest(maker=maker):
                project = 1 if maker == "perl" else 2
                perl = self.user(project=project) if maker == "perl" else None
                lease = self.leased(project=project)
                perl = perl or self.user(project=project)
                perl.send("$c->acquire(wait => 1)")
                self.sleeping(1, project=project)
                self.assertTrue(perl.is_silent())
                self.release(lease)
                self.assertEqual(perl.answer(), [1])
                self.assertProblem(self.acquire(project=project), 423, "locked")
                perl.exit()
                self.assertEqual(self.user_values(project=project), [1])

    def test_http_waits_for_perl(self):
        for project, maker in ((1, "perl"), (2, "http")):
            with self.subTest(maker=maker):
                if maker == "http":
                    self.release(self.leased(project=project))
                perl = self.user(project=project)
                self.assertTrue(perl.do("$c->acquire(undo => 0)"))
                self.assertProblem(self.acquire(project=project, wait="200ms"), 423, "wait-timeout", errno="EAGAIN")
                self.sleeping(0, project=project)
                waiter = self.acquire_later(project=project)
                self.sleeping(1, project=project)
                self.assertEqual(perl.do("$c->getncnt"), 1)
                self.assertTrue(perl.do("$c->release"))
                lease = self.granted(waiter.answer())
                self.assertEqual((lease["sysv"]["key"], self.user_values(project=project)), (self.key_of(project), [0]))
                self.release(lease)
                self.assertEqual(self.user_values(project=project), [1])

    def test_a_lease_that_runs_out_lets_perl_in(self):
        perl = self.user()
        self.leased(ttl="200ms")
        self.assertTrue(perl.do("$c->acquire(0, 1)"))

    def test_a_waiter_that_hangs_up_leaves_getncnt(self):
        perl = self.user()
        perl.do("$c->acquire")
        connection = self.server.connection()
        self.addCleanup(connection.close)
        connection.request("POST", f"/locks/path:{self.path.replace('/', '%2F')}/acquire?wait=30s")
        self.sleeping(1)
        connection.close()
        self.sleeping(0)
        perl.exit()
        self.assertEqual(self.all, [1])

    def test_another_number_is_not_waited_for(self):
        perl = self.user(count=2)
        perl.do("$c->acquire(1)")
        waiter = self.acquire_later(sem=1)
        self.sleeping(1, 1)
        self.assertEqual([row[1] for row in self.look(self.key_of())], [0, 1])
        self.release(self.leased(sem=0))
        self.assertFalse(waiter.done)
        perl.do("$c->release(1)")  # by hand, though it took it with undo: its exit adds one more
        self.release(self.granted(waiter.answer()))
        perl.exit()
        self.assertEqual(self.all, [1, 2])

    def test_several_slots_at_once(self):
        for project in (1, 2):
            with self.subTest(project=project):
                if project == 2:
                    self.release(self.leased(project=project, limit=3))
                perl = self.user(project=project, value=3)
                for _ in range(3):
                    self.assertTrue(perl.do("$c->acquire(undo => 0)"))
                both = self.acquire_later(project=project, count=2)
                self.sleeping(1, project=project)
                behind = self.acquire_later(project=project)
                self.assertTrue(perl.do("$c->release"))
                # One is free: not enough for the head of the queue, and what is behind it does not pass.
                self.assertFalse(both.done or behind.done)
                self.assertTrue(perl.do("$c->release"))
                lease = self.granted(both.answer())
                self.assertEqual((lease["count"], self.user_values(project=project)), (2, [0]))
                self.release(lease)
                self.release(self.granted(behind.answer()))
                perl.do("$c->release")
                self.assertEqual(self.user_values(project=project), [3])

    def test_a_small_wish_behind_a_large_one(self):
        """One slot is free, the head of the queue wants two: the next sleeps quietly, and Perl may have the slot."""
        perl = self.user(value=3)
        for _ in range(3):
            self.assertTrue(perl.do("$c->acquire(undo => 0)"))
        large, small = self.acquire_later(count=2), self.acquire_later()
        self.sleeping(2)
        self.assertTrue(perl.do("$c->release"))
        before = self.kernel_waits()
        for turn in range(200):
            self.assertTrue(perl.do("$c->acquire(undo => 0)"), f"turn {turn}: the slot was free")
            self.assertTrue(perl.do("$c->release"))
        self.sleeping(2)
        self.assertLess(self.kernel_waits() - before, 200)
        self.assertTrue(perl.do("$c->release"))
        for waiter in (large, small):
            self.release(self.granted(waiter.answer()))
        self.assertTrue(perl.do("$c->release"))
        self.assertEqual(self.all, [3])

    def kernel_waits(self):
        rows = self.server.get("/metrics").text.splitlines()
        return float(next(row for row in rows if row.startswith("leasehold_kernel_waits")).split()[1])

    def test_more_locks_than_threads(self):
        """Beyond --pumps the service looks every few milliseconds instead; everybody is served all the same."""
        server = Server("--pumps", "2").ends_with(self).start()
        perl = self.user(count=5)
        for number in range(5):
            self.assertTrue(perl.do(f"$c->acquire({number})"))
        waiters = [
            Pending(lambda number=number: server.acquire(self.name, sem=number, wait="30s", timeout=60))
            for number in range(5)
        ]
        eventually(lambda: sum(row[1] for row in self.look(self.key_of())) == 2, "two threads asleep")
        eventually(lambda: sum(lock["waiting"] for lock in server.get("/locks")["locks"]) == 5, "five waiters")
        perl.exit()
        for waiter in waiters:
            self.granted(server.release(self.granted(waiter.answer())), 200)
        self.assertEqual(self.all, [1] * 5)


class Order(Path):
    """Who came first is served first."""

    def test_http_before_perl(self):
        for project in (1, 2):
            with self.subTest(project=project):
                holder = self.holder(project)
                waiter = self.acquire_later(project=project)
                self.sleeping(1, project=project)
                perl = self.user(project=project)
                perl.send("$c->acquire(wait => 1)")
                self.sleeping(2, project=project)
                holder()
                lease = self.granted(waiter.answer())
                self.assertTrue(perl.is_silent())
                self.sleeping(1, project=project)
                self.release(lease)
                self.assertEqual(perl.answer(), [1])

    def test_perl_before_http(self):
        for project in (1, 2):
            with self.subTest(project=project):
                holder = self.holder(project)
                perl = self.user(project=project)
                perl.send("$c->acquire(wait => 1)")
                self.sleeping(1, project=project)
                waiter = self.acquire_later(project=project)
                self.sleeping(2, project=project)
                holder()
                self.assertEqual(perl.answer(), [1])
                self.assertFalse(waiter.done)
                self.sleeping(1, project=project)
                perl.exit()
                self.release(self.granted(waiter.answer()))
                self.assertEqual(self.user_values(project=project), [1])

    def holder(self, project):
        """Takes the slot: Perl on a set of its own for project 1, a lease on a set of Leasehold's for 2."""
        if project == 1:
            perl = self.user(project=project)
            self.assertTrue(perl.do("$c->acquire"))
            return perl.exit
        lease = self.leased(project=project)
        return lambda: self.release(lease)

    def test_many_of_both_kinds_in_turn(self):
        perl = self.user()
        self.assertTrue(perl.do("$c->acquire"))
        waiters = []
        for number in range(6):
            if number % 2:
                program = self.user()
                program.send("$c->acquire(wait => 1)")
                waiters.append(program)
            else:
                waiters.append(self.acquire_later(owner=str(number)))
            self.sleeping(number + 1)
        perl.exit()
        for number, waiter in enumerate(waiters):
            if number % 2:
                self.assertEqual(waiter.answer(), [1])
                end = waiter.exit
            else:
                lease = self.granted(waiter.answer())
                end = lambda lease=lease: self.release(lease)  # noqa: E731
            self.assertEqual(self.all, [0])
            self.sleeping(5 - number)
            end()
        self.assertEqual(self.all, [1])


if __name__ == "__main__":
    unittest.main()
