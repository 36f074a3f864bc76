# Rows: H28
"""sem_remove, both ways: who waits learns of it, who holds a lease has it no more, and the new set is a clean one."""

import re
import time
import unittest

from php_support import PHPTest, eventually, set_id, values


class RemovedOverHTTP(PHPTest):
    def test_an_idle_set_is_removed_once(self):
        self.release(self.lease())
        self.granted(self.server.delete(f"/locks/{self.lock}"), 200)
        self.assertIsNone(set_id(self.sysv_key))
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 404, "no-such-set", errno="ENOENT")
        php = self.opened(3)
        self.assertValues([3, 1, 0])
        self.ends(php, leaving=[3, 0, 0])

    def test_in_use_while_php_has_a_handle_and_done_by_force(self):
        php = self.opened()
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        self.assertValues([1, 1, 0])
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)
        warning = f"sem_acquire(): Failed to acquire key 0x{self.sysv_key:x}: Invalid argument"
        self.assertEqual(php.warned("acquire a nowait"), warning)
        php.quit()

    def test_in_use_while_a_lease_is_out_or_somebody_waits(self):
        lease = self.lease()
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        php = self.opened()
        self.asks(php, sleepers=1)
        waiter = self.acquire_later(sleepers=2)
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)
        warning = f"sem_acquire(): Failed to acquire key 0x{self.sysv_key:x}: Identifier removed"
        self.assertEqual(php.answer(), {"result": False, "warning": warning})
        self.assertProblem(waiter.answer(), 410, "set-removed", errno="EIDRM")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertIsNone(set_id(self.sysv_key))
        php.quit()

    def test_in_use_while_only_php_waits_for_php(self):
        php, other = self.holding(), self.opened()
        self.asks(other, sleepers=1)
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)
        self.assertIn("Identifier removed", other.answer()["warning"])
        php.quit()
        other.quit()
        self.assertIsNone(set_id(self.sysv_key))


class RemovedByPHP(PHPTest):
    def test_http_waiters_go_on_in_the_new_set(self):
        php = self.holding()
        first = self.set
        waiters = [self.server.acquire_later(self.lock), self.server.acquire_later(self.lock)]
        self.waiters(1)
        self.assertIs(php.ask("remove a"), True)
        lease = self.granted(waiters[0].answer())
        self.assertNotEqual(lease["sysv"]["id"], first)
        self.assertEqual((lease["sysv"]["id"], lease["sysv"]["key"]), (self.set, self.sysv_key))
        # The other one waits there, counted.
        self.waiters(1)
        self.become([0, 1024 + 1, 0])
        self.assertFalse(waiters[1].done)
        self.release(lease)
        self.release(self.granted(waiters[1].answer()))
        self.become([1, 0, 0])
        php.quit()
        self.assertValues([1, 0, 0])

    def test_what_is_left_of_the_wait_goes_on(self):
        php = self.holding()
        first = self.server.acquire_later(self.lock)
        began = time.monotonic()
        second = self.acquire_later(wait="2s", sleepers=1)
        self.assertIs(php.ask("remove a"), True)
        lease = self.granted(first.answer())
        self.assertFalse(second.done)
        self.assertProblem(second.answer(), 423, "wait-timeout")
        self.assertGreater(time.monotonic() - began, 1.9)
        self.become([0, 1024, 0])  # a moment after the answer the waiter's thread counts itself out
        self.release(lease, leaving=[1, 0, 0])

    def test_a_lease_is_over_and_adds_nothing_to_the_new_set(self):
        lease = self.lease()
        php = self.removing()
        newcomer = self.opened()
        self.assertValues([1, 1, 0])
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.post(f"/leases/{lease['lease']}/renew"), 410, "set-removed")
        self.assertValues([1, 1, 0])
        self.assertIs(newcomer.ask("acquire a nowait"), True)
        self.assertIs(newcomer.ask("acquire a nowait"), False)
        self.ends(newcomer, leaving=[1, 0, 0])
        php.quit()

    def test_renew_of_a_lease_whose_set_was_removed(self):
        lease = self.lease()
        php = self.removing()
        self.assertProblem(self.server.post(f"/leases/{lease['lease']}/renew"), 410, "set-removed")

    def test_a_lease_that_nobody_asks_for_is_over_too(self):
        lease = self.lease(ttl="60s")
        php = self.removing()
        over = lambda: self.server.get(f"/leases/{lease['lease']}").status == 410  # noqa: E731
        eventually(over, "the loss is noticed")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed", reason="set-removed")
        second = self.lease()
        self.assertNotEqual(second["sysv"]["id"], lease["sysv"]["id"])
        self.release(second, leaving=[1, 0, 0])

    def test_a_lease_that_expires_after_the_removal_adds_nothing(self):
        lease = self.lease(ttl="300ms")
        php = self.removing()
        newcomer = self.opened()
        over = lambda: self.server.get(f"/leases/{lease['lease']}").status == 410  # noqa: E731
        eventually(over, "the lease is over")
        self.assertValues([1, 1, 0])
        self.ends(newcomer, leaving=[1, 0, 0])

    def test_a_new_acquire_beside_the_old_lease_is_in_the_new_set(self):
        lease = self.lease()
        old = self.set
        php = self.removing()
        second = self.lease()
        self.assertNotEqual(second["sysv"]["id"], old)
        self.assertEqual(second["sysv"]["id"], self.set)
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertValues([0, 1024, 0])
        self.release(second, leaving=[1, 0, 0])

    def test_a_connection_bound_lease_of_a_removed_set(self):
        connection = self.server.connection()
        self.granted(self.server.request("POST", f"/locks/{self.lock}/acquire?bind=connection", connection=connection))
        php = self.removing()
        newcomer = self.opened()
        connection.close()
        self.release(self.lease(), leaving=[1, 1, 0])
        self.ends(newcomer, leaving=[1, 0, 0])

    def test_an_open_hold_is_told(self):
        connection = self.server.connection()
        connection.request("POST", f"/locks/{self.lock}/hold")
        response = connection.getresponse()
        self.assertEqual(response.status, 201)
        self.assertIn(b'"lease"', response.readline())
        php = self.removing()
        lines = response.read().decode().splitlines()  # the answer ends
        self.assertIn("set-removed", lines[-1])
        connection.close()
        self.release(self.lease(), leaving=[1, 0, 0])

    def test_it_is_counted(self):
        ended = lambda: int(  # noqa: E731
            re.search(r'leases_ended_total\{reason="set_removed"\} (\d+)', self.server.get("/metrics").text)[1]
        )
        before = ended()
        self.lease()
        php = self.removing()
        eventually(lambda: ended() == before + 1, "the end is counted")


class SymfonyLock(PHPTest):
    """symfony/lock's SemaphoreStore ends a lock with sem_remove; who waits begins anew."""

    def symfony(self):
        return self.php()

    def test_turns_between_symfony_and_http(self):
        holder, sets = self.symfony(), set()
        self.assertIs(holder.ask(f"symfony a {self.sysv_key}"), True)
        for _ in range(5):
            waiter = self.acquire_later(sleepers=1)
            sets.add(self.set)
            self.assertIs(holder.ask("remove a"), True)
            self.assertIs(holder.ask("free a"), True)
            lease = self.granted(waiter.answer())
            self.assertNotIn(lease["sysv"]["id"], sets)
            self.assertIs(holder.ask(f"symfony b {self.sysv_key} nowait"), False)
            holder.send(f"symfony a {self.sysv_key}")
            self.waiters(1)
            self.release(lease)
            self.assertIs(holder.answer()["result"], True)
            self.become([0, 1, 0])
            self.assertProblem(self.acquire(), 423, "locked")
        holder.quit()

    def test_waiters_of_both_kinds_when_the_set_goes(self):
        holder, other = self.symfony(), self.symfony()
        self.assertIs(holder.ask(f"symfony a {self.sysv_key}"), True)
        waiter = self.acquire_later(sleepers=1)
        other.send(f"symfony a {self.sysv_key}")
        self.waiters(2)
        self.assertIs(holder.ask("remove a"), True)
        # Who of the two is first in the new set nobody knows; never both.
        eventually(lambda: waiter.done or not other.is_silent(), "one of them has it")
        self.become([0, 1024 + 1, 0] if waiter.done else [0, 2, 0])
        self.waiters(1)
        if waiter.done:
            lease = self.granted(waiter.answer())
            self.assertTrue(other.is_silent())
            self.release(lease)
            self.assertIs(other.answer()["result"], True)
        else:
            self.assertIs(other.answer()["result"], True)
            self.assertIs(other.ask("remove a"), True)
            self.release(self.granted(waiter.answer()))
        other.quit()
        holder.quit()

    def test_http_ends_the_lock_and_symfony_takes_it_and_back(self):
        lease = self.lease()
        symfony = self.symfony()
        self.assertIs(symfony.ask(f"symfony a {self.sysv_key} nowait"), False)
        symfony.send(f"symfony a {self.sysv_key}")
        self.waiters(1)
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)  # sem_remove over HTTP
        self.assertIs(symfony.answer()["result"], True)
        self.assertProblem(self.acquire(), 423, "locked")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertEqual(values(self.set)[0], 0)
        self.assertIs(symfony.ask("remove a"), True)
        self.release(self.lease(), leaving=[1, 0, 0])
        symfony.quit()


if __name__ == "__main__":
    unittest.main()
