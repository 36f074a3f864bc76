# Rows: H35 H2
"""USAGE: 1 for each handle of PHP, 1024 for each unit out on a lease, and nothing left when all is over."""

import http.client
import time
import unittest

from php_support import GETZCNT, IPC_RMID, SETVAL, PHPTest, Server, control, eventually, make_set, sleepers, values


class Usage(PHPTest):
    def test_sem_get_beside_leases_never_resets(self):
        leases = [self.lease(limit=3), self.lease(limit=3, count=2)]
        self.assertValues([0, 3072, 0])
        programs = []
        for count in range(1, 6):
            programs.append(self.opened(9))
            self.assertValues([0, 3072 + count, 0])
        for php in programs:
            self.assertIs(php.ask("acquire a nowait"), False)
            php.quit()
        self.become([0, 3072, 0])
        for lease in leases:
            self.release(lease)
        self.assertValues([3, 0, 0])

    def test_units_and_handles_are_told_apart_at_the_edge(self):
        # As many handles as are allowed beside leases, in one program; one more and no lease is granted.
        php = self.php()
        for number in range(512):
            php.send(f"get {number} {self.sysv_key} 5")
            self.assertIs(php.answer()["result"], True)
        self.assertValues([5, 512, 0])
        lease = self.lease(limit=5)
        self.assertValues([4, 512 + 1024, 0])
        self.assertIs(php.ask(f"get more {self.sysv_key} 5"), True)
        self.assertProblem(self.acquire(limit=5), 507, "too-many-native-handles", native_count=513, value=512)
        self.assertValues([4, 513 + 1024, 0])
        self.release(lease, leaving=[5, 513, 0])
        self.ends(php, leaving=[5, 0, 0])

    def test_the_guard_of_a_php_that_was_killed_in_the_middle(self):
        # A guard that a foreign program left up: PHP waits for it, and so does HTTP; never for ever.
        self.release(self.lease())
        control(self.set, 2, SETVAL, 1)
        php = self.php()
        php.send(f"get a {self.sysv_key}")
        eventually(lambda: sleepers(self.set, 0) == 0 and control(self.set, 2, GETZCNT) == 1, "PHP waits for the guard")
        self.assertEqual(self.acquire().status, 423)
        waiter = self.server.acquire_later(self.lock)
        eventually(lambda: control(self.set, 2, GETZCNT) == 2, "so does the service")
        self.assertValues([1, 0, 1])
        control(self.set, 2, SETVAL, 0)
        self.assertIs(php.answer()["result"], True)
        lease = self.granted(waiter.answer())
        self.become([0, 1025, 0])
        self.release(lease)
        self.ends(php, leaving=[1, 0, 0])

    def test_a_php_that_was_killed_in_its_first_open(self):
        # The set is made, PHP is counted and has the guard, and dies before it sets the value: the kernel takes back
        # both. Whoever was waiting for the guard is the first now, and must set the value as PHP would.
        made = make_set(self.sysv_key, 3, 0o666)
        control(made, 1, SETVAL, 1)
        control(made, 2, SETVAL, 1)
        waiter = self.server.acquire_later(self.lock, limit=2)
        eventually(lambda: control(made, 2, GETZCNT) == 1, "the service waits for the guard")
        control(made, 1, SETVAL, 0)
        control(made, 2, SETVAL, 0)
        lease = self.granted(waiter.answer(10))
        self.assertValues([1, 1024, 0])
        self.release(lease, leaving=[2, 0, 0])

    def test_a_wait_for_the_guard_that_is_given_up(self):
        self.release(self.lease())
        control(self.set, 2, SETVAL, 1)
        self.assertProblem(self.acquire(wait="200ms"), 423, "wait-timeout")
        eventually(lambda: control(self.set, 2, GETZCNT) == 0, "nobody waits")
        self.become([1, 0, 1])
        control(self.set, 2, SETVAL, 0)
        self.release(self.lease(), leaving=[1, 0, 0])


class Books(PHPTest):
    def test_nobody_writes_what_php_counts_with(self):
        lease = self.lease(limit=2)
        key = lease["sysv"]["key"] & 0xFFFFFFFF
        for number in (1, 2):
            self.assertProblem(self.server.acquire(f"sysv:{key}.{number}"), 403, "own-set", semaphore=number)
            wants = {"ttl": "9s", "want": [{"key": "other"}, {"key": f"sysv:{key}.{number}"}]}
            self.assertProblem(self.server.json_post("/leases", wants), 403, "own-set")
            self.assertProblem(
                self.server.post(f"/semaphores/{key}/op", ops=f"{number}:1"), 403, "own-set", semaphore=number)
            self.assertProblem(self.server.request("PUT", f"/semaphores/{key}/{number}?value=0"), 403, "own-set")
        self.assertProblem(self.server.request("PUT", f"/semaphores/{key}/values?values=1,0,0"), 403, "own-set")
        self.assertValues([1, 1024, 0])
        # Slots are no books: sysv: takes part in what php: knows, and reading is free.
        second = self.granted(self.server.acquire(f"sysv:{key}.0"))
        self.assertValues([0, 2048, 0])
        self.release(second)
        self.granted(self.server.post(f"/semaphores/{key}/op", ops="2:0"), 200)
        self.granted(self.server.request("PUT", f"/semaphores/{key}/values?values=2,0,0&force=true"), 200)
        self.assertProblem(self.server.release(lease), 410, "broken")
        self.assertValues([2, 0, 0])

    def test_a_lease_on_usage_keeps_php_away(self):
        made = make_set(self.sysv_key, 3, 0o666)
        control(made, 1, SETVAL, 5)
        key = self.sysv_key & 0xFFFFFFFF
        lease = self.granted(self.server.acquire(f"sysv:{key}.1"))
        self.assertProblem(self.acquire(), 409, "kind-mismatch")
        self.granted(self.server.release(lease), 200)
        control(made, 1, SETVAL, 0)
        self.release(self.lease())


class Restart(PHPTest):
    """The daemon is killed with -9 while leases are out, and started again."""

    def setUp(self):
        super().setUp()
        self.server = Server("--recovery-grace", "300ms").ends_with(self).start()

    def test_leases_are_there_again(self):
        php = self.opened(4)
        leases = [self.lease(ttl="60s"), self.lease(ttl="60s", count=2)]
        self.assertValues([1, 3072 + 1, 0])
        self.server.restart()
        self.assertValues([1, 3072 + 1, 0])
        for lease in leases:
            read = self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
            self.assertEqual((read["fence"], read["count"]), (lease["fence"], lease["count"]))
            self.release(lease)
        self.assertValues([4, 1, 0])
        self.ends(php, leaving=[4, 0, 0])

    def test_php_that_comes_while_the_service_is_away_is_kept_out(self):
        lease = self.lease(ttl="60s")
        self.server.kill()
        self.assertValues([0, 1024, 0])
        php = self.opened(3)
        self.assertValues([0, 1025, 0])
        self.assertIs(php.ask("acquire a nowait"), False)
        self.asks(php, sleepers=1)
        self.server.start()
        self.assertTrue(php.is_silent())
        self.release(lease)
        self.assertIs(php.answer()["result"], True)
        self.ends(php, leaving=[1, 0, 0])

    def test_what_expired_meanwhile_is_over_and_php_gets_in(self):
        lease = self.lease(ttl="1s")
        self.server.kill()
        php = self.opened()
        self.asks(php, sleepers=1)
        time.sleep(1.05)  # the lease's time runs out while nobody is there to see it
        self.assertTrue(php.is_silent())
        self.server.start()
        self.assertIs(php.answer()["result"], True)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 410)
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_a_lease_of_a_connection_that_went_with_the_service(self):
        connection = self.server.connection()
        self.granted(self.server.request("POST", f"/locks/{self.lock}/acquire?bind=connection", connection=connection))
        php = self.opened()
        self.asks(php, sleepers=1)
        self.server.restart()
        self.assertIs(php.answer()["result"], True)
        connection.close()
        self.ends(php, leaving=[1, 0, 0])

    def test_waiters_leave_nothing_behind(self):
        php = self.holding()
        waiters = [self.server.acquire_later(self.lock) for _ in range(3)]
        self.waiters(1)
        self.assertValues([0, 2, 0])
        self.server.kill()
        self.become([0, 1, 0])
        for waiter in waiters:
            with self.assertRaises((OSError, http.client.HTTPException)):
                waiter.answer()
        self.server.start()
        self.assertValues([0, 1, 0])
        self.assertIs(php.ask("release a"), True)
        self.release(self.lease())
        self.ends(php, leaving=[1, 0, 0])

    def test_php_sees_the_values_of_its_own_when_php_dies_too(self):
        php = self.holding(2)
        lease = self.lease(ttl="60s")
        self.server.kill()
        php.kill()
        self.become([1, 1024, 0])
        self.server.start()
        self.assertValues([1, 1024, 0])
        self.release(lease, leaving=[2, 0, 0])

    def test_a_set_that_was_removed_meanwhile(self):
        lease = self.lease(ttl="60s")
        self.server.kill()
        control(self.set, 0, IPC_RMID)
        php = self.opened(2)
        self.server.start()
        self.assertValues([2, 1, 0])
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")
        second = self.lease()
        self.assertValues([1, 1025, 0])
        self.release(second)
        self.ends(php, leaving=[2, 0, 0])

    def test_a_set_that_was_removed_and_made_anew_with_a_lease_out_in_each(self):
        first = self.lease(ttl="60s")
        old = self.set
        control(old, 0, IPC_RMID)
        second = self.lease(ttl="60s")
        self.assertNotEqual(second["sysv"]["id"], old)
        self.server.restart()
        self.assertEqual(values(second["sysv"]["id"]), [0, 1024, 0])
        self.assertProblem(self.server.get(f"/leases/{first['lease']}"), 410, "set-removed")
        self.release(second, leaving=[1, 0, 0])

    def test_many_times(self):
        php = self.opened(3)
        lease = self.lease(ttl="60s")
        for _ in range(5):
            self.server.restart()
            self.assertValues([2, 1025, 0])
        self.release(lease)
        self.ends(php, leaving=[3, 0, 0])


if __name__ == "__main__":
    unittest.main()
