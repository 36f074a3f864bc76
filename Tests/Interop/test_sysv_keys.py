# Rows: P13
"""`sysv:` keys: one semaphore of any set that exists, shared with whatever program made it."""

import os
import unittest

from php_support import (
    IPC_RMID,
    SETVAL,
    Native,
    PHPTest,
    control,
    eventually,
    make_set,
    proc_sets,
    remove_set,
    sleepers,
    values,
)


class AnySet(PHPTest):
    """A set of three made by perl, with values 0, 2 and 5."""

    def setUp(self):
        super().setUp()
        self.id_ = make_set(self.sysv_key, 3, 0o600)
        for number, value in enumerate((0, 2, 5)):
            control(self.id_, number, SETVAL, value)
        self.lock = f"sysv:{hex(self.sysv_key)}.1"

    def native(self, number=1):
        program = Native({"id": self.id_, "semaphores": [number], "units": 1})
        self.addCleanup(program.kill)
        return program

    def test_a_lease_takes_one_and_gives_it_back(self):
        lease = self.lease()
        self.assertEqual(lease["sysv"], {**lease["sysv"], "key": self.sysv_key, "id": self.id_, "nsems": 3})
        self.assertEqual((lease["sysv"]["semaphores"], lease["sysv"]["units"]), ([1], 1))
        self.assertValues([0, 1, 5])
        self.release(lease, leaving=[0, 2, 5])

    def test_by_id_by_decimal_and_by_hex_it_is_one_lock(self):
        names = (f"sysv:id:{self.id_}.1", f"sysv:{self.sysv_key}.1", f"sysv:{hex(self.sysv_key)}.1")
        first, second = self.granted(self.server.acquire(names[0])), self.granted(self.server.acquire(names[1]))
        self.assertValues([0, 0, 5])
        for name in names:
            problem = self.assertProblem(self.server.acquire(name), 423, "locked", errno="EAGAIN")
            self.assertEqual(len(problem["holders"]), 2)
            self.assertEqual(len(self.server.lock(name)["holders"]), 2)
        # Released by the name of another spelling.
        answer = self.server.post(f"/locks/{names[2]}/release", lease=first["lease"])
        self.assertEqual(answer.status, 200, answer)
        self.release(second, leaving=[0, 2, 5])

    def test_the_native_program_excludes_and_is_excluded(self):
        perl = self.native()
        self.assertEqual(perl.ask(perl.take(2)), "ok")
        self.assertProblem(self.acquire(), 423, "locked")
        waiter = self.server.acquire_later(self.lock)
        eventually(lambda: sleepers(self.id_, 1) == 1, "HTTP waits in the kernel")
        self.assertEqual(perl.ask(perl.give(1)), "ok")
        lease = self.granted(waiter.answer())
        self.assertValues([0, 0, 5])
        self.assertEqual(perl.ask(perl.take(1, nowait=True)), "error EAGAIN")
        perl.send(perl.take(1))
        eventually(lambda: sleepers(self.id_, 1) == 1, "perl waits in the kernel")
        self.release(lease)
        self.assertEqual(perl.answer(), "ok")
        perl.kill()
        self.become([0, 2, 5])

    def test_a_killed_native_holder_hands_on(self):
        perl = self.native()
        self.assertEqual(perl.ask(perl.take(2)), "ok")
        waiter = self.server.acquire_later(self.lock)
        eventually(lambda: sleepers(self.id_, 1) == 1, "HTTP waits in the kernel")
        perl.kill()
        self.release(self.granted(waiter.answer()), leaving=[0, 2, 5])

    def test_count_and_numbers_are_independent(self):
        lease = self.granted(self.server.acquire(f"sysv:{self.sysv_key}.2", count=4))
        self.assertValues([0, 2, 1])
        self.assertProblem(self.server.acquire(f"sysv:{self.sysv_key}.2", count=2), 423, "locked", available=1)
        self.assertProblem(self.server.acquire(f"sysv:{self.sysv_key}.0"), 423, "locked", available=0)
        other = self.lease()
        self.release(lease)
        self.release(other, leaving=[0, 2, 5])

    def test_it_ends_by_time_and_by_connection(self):
        perl = self.native()
        self.lease(ttl="200ms", count=2)
        self.assertEqual(perl.ask(perl.take(2)), "ok")
        self.assertEqual(perl.ask(perl.give(2)), "ok")
        connection = self.server.connection()
        self.granted(
            self.server.request("POST", f"/locks/{self.lock}/acquire?bind=connection&count=2", connection=connection)
        )
        self.assertValues([0, 0, 5])
        connection.close()
        self.become([0, 2, 5])

    def test_no_set_and_no_such_number(self):
        free = self.sysv_key + 0x100000
        for key in (f"sysv:{free}.0", f"sysv:id:{self.id_ + 12345}.0"):
            opened = self.server.request("PUT", f"/locks/{key}")
            for answer in (self.server.acquire(key), self.server.lock(key), opened):
                self.assertProblem(answer, 404, "no-such-set")
        self.assertProblem(self.server.acquire(f"sysv:{free}.0"), 404, "no-such-set", errno="ENOENT")
        self.assertProblem(self.server.acquire(f"sysv:id:{self.id_ + 12345}.0"), 404, "no-such-set", errno="EINVAL")
        for number in (3, 65535):
            answer = self.server.acquire(f"sysv:{self.sysv_key}.{number}")
            self.assertProblem(answer, 400, "out-of-range", errno="EFBIG")
        key = self.sysv_key
        for name in (f"{key}", f"{key}.", f"{key}.x", f"{key}.-1", "x.0", ".0", "id:.0", "id:x.0"):
            with self.subTest(name):
                self.assertProblem(self.server.acquire(f"sysv:{name}"), 400, "bad-key")
        for name in ("0.0", "0x0.0", "4294967296.0"):
            self.assertProblem(self.server.acquire(f"sysv:{name}"), 400, "out-of-range")

    def test_where_a_key_leads(self):
        answer = self.server.get(f"/keys/{self.lock}")
        self.assertEqual((answer.status, answer["dialect"], answer["exists"]), (200, "sysv", True), answer)
        self.assertEqual(answer["sysv"], {"key": self.sysv_key, "id": self.id_, "nsems": 3, "semaphores": [1]})
        answer = self.server.get(f"/keys/sysv:{self.sysv_key + 0x100000}.1")
        self.assertEqual((answer.status, answer["exists"]), (200, False), answer)

    def test_waiters_and_leases_end_when_a_native_program_removes_the_set(self):
        lease = self.lease(count=2)
        waiters = [self.server.acquire_later(self.lock) for _ in range(2)]
        eventually(lambda: sleepers(self.id_, 1) == 1, "HTTP waits in the kernel")
        perl = self.native()
        perl.send(perl.take(1))
        eventually(lambda: sleepers(self.id_, 1) == 2, "perl waits in the kernel")
        remove_set(self.id_)
        self.assertEqual(perl.answer(), "error EIDRM")
        for waiter in waiters:
            self.assertProblem(waiter.answer(), 410, "set-removed", errno="EIDRM")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        # A new set of the same key is another one: nothing goes there.
        again = make_set(self.sysv_key, 3, 0o600)
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertEqual(values(again), [0, 0, 0])
        self.assertProblem(self.acquire(), 423, "locked")

    def test_removed_over_http(self):
        lease = self.lease(count=2)
        waiter = self.server.acquire_later(self.lock)
        eventually(lambda: sleepers(self.id_, 1) == 1, "HTTP waits in the kernel")
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        # The whole set goes, so whoever uses another number of it counts.
        self.assertProblem(self.server.delete(f"/locks/sysv:{self.sysv_key}.2"), 409, "in-use")
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)
        self.assertNotIn(self.id_, proc_sets())
        self.assertProblem(waiter.answer(), 410, "set-removed")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "set-removed")
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 404, "no-such-set")

    def test_in_use_while_a_native_program_waits(self):
        perl = self.native(0)
        perl.send("op 0 -1 undo")
        eventually(lambda: sleepers(self.id_, 0) == 1, "perl waits in the kernel")
        self.assertProblem(self.server.delete(f"/locks/{self.lock}"), 409, "in-use")
        self.granted(self.server.delete(f"/locks/{self.lock}", force="true"), 200)
        self.assertEqual(perl.answer(), "error EIDRM")

    def test_a_php_set_by_another_name_is_the_same_lock(self):
        # Ruling: a lock is (set, number), not its spelling.
        control(self.id_, 0, IPC_RMID)
        php, sysv = f"php:{self.sysv_key}", f"sysv:{self.sysv_key}.0"
        lease = self.granted(self.server.acquire(php))
        self.assertProblem(self.server.acquire(sysv), 423, "locked")
        self.assertEqual([holder["ref"] for holder in self.server.lock(sysv)["holders"]], [lease["ref"]])
        waiter = self.server.acquire_later(sysv)
        self.assertEqual(self.server.waiting(php), 1)
        self.release(lease)
        second = self.granted(waiter.answer())
        # Known as PHP's, it is counted as PHP's.
        self.assertValues([0, 1024, 0])
        program = self.php()
        self.assertIs(program.ask(f"get a {self.sysv_key} 5"), True)
        self.assertIs(program.ask("acquire a nowait"), False)
        self.release(second)
        self.ends(program, leaving=[1, 0, 0])

    def test_a_number_of_an_idle_php_set_keeps_its_value(self):
        control(self.id_, 0, IPC_RMID)
        self.release(self.granted(self.server.acquire(f"php:{self.sysv_key}", limit=5)), leaving=[5, 0, 0])
        lease = self.granted(self.server.acquire(f"sysv:{self.sysv_key}.0", count=2))
        self.assertEqual(values(self.set)[0], 3)
        self.release(lease, leaving=[5, 0, 0])

    def test_a_number_in_use_is_not_used_as_php_s_at_the_same_time(self):
        control(self.id_, 0, IPC_RMID)
        program = self.opened(2)
        lease = self.granted(self.server.acquire(f"sysv:{self.sysv_key}.0"))
        self.assertValues([1, 1, 0])
        self.assertProblem(self.server.acquire(f"php:{self.sysv_key}"), 409, "kind-mismatch")
        self.release(lease)
        self.release(self.granted(self.server.acquire(f"php:{self.sysv_key}")))
        self.ends(program, leaving=[2, 0, 0])

    def test_a_php_set_that_is_only_known_as_a_number_is_wiped_by_php(self):
        # Ruling: documentation sends callers to php:, because this is what happens. The lease's end adds one too many.
        control(self.id_, 0, IPC_RMID)
        program = self.opened()
        self.ends(program, leaving=[1, 0, 0])
        lease = self.granted(self.server.acquire(f"sysv:{self.sysv_key}.0"))
        self.assertValues([0, 0, 0])
        program = self.opened()
        self.assertValues([1, 1, 0])
        self.assertIs(program.ask("acquire a nowait"), True)
        self.release(lease, leaving=[1, 1, 0])
        program.quit()


class Endless(PHPTest):
    """undo=false: what a program without SEM_UNDO does. Ruling: for anybody who may lock."""

    def setUp(self):
        super().setUp()
        self.id_ = make_set(self.sysv_key, 1, 0o600)
        control(self.id_, 0, SETVAL, 2)
        self.lock = f"sysv:{self.sysv_key}.0"

    def test_it_has_no_deadline_and_is_released(self):
        lease = self.lease(undo="false")
        self.assertIsNone(lease["expires_at"])
        self.assertEqual(values(self.id_, 1), [1])
        self.release(lease)
        self.assertEqual(values(self.id_, 1), [2])

    def test_with_ttl_or_bind_it_is_refused(self):
        self.assertProblem(self.acquire(undo="false", ttl="30s"), 400, "invalid-parameter")
        self.assertProblem(self.acquire(undo="false", bind="connection"), 400, "invalid-parameter")
        self.assertEqual(values(self.id_, 1), [2])

    def test_it_outlives_its_connection_and_the_service(self):
        connection = self.server.connection()
        lease = self.granted(
            self.server.request("POST", f"/locks/{self.lock}/acquire?undo=false", connection=connection)
        )
        connection.close()
        self.server.terminate()
        self.assertEqual(values(self.id_, 1), [1])
        self.server.start()
        self.assertEqual(values(self.id_, 1), [1])
        read = self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
        self.assertIsNone(read["expires_at"])
        self.server.restart()
        self.assertIn(lease["ref"], [entry["ref"] for entry in self.server.get("/leases")["leases"]])
        self.release(lease)
        self.assertEqual(values(self.id_, 1), [2])


class Restart(PHPTest):
    def test_leases_and_values_over_kill_9(self):
        made = make_set(self.sysv_key, 2, 0o600)
        control(made, 1, SETVAL, 5)
        lock = f"sysv:id:{made}.1"
        leases = [self.granted(self.server.acquire(lock, ttl="60s", count=count)) for count in (1, 2)]
        self.server.kill()
        self.assertEqual(values(made, 2), [0, 2])
        self.server.start()
        self.assertEqual(values(made, 2), [0, 2])
        self.assertEqual(len(self.server.lock(lock)["holders"]), 2)
        for lease in leases:
            self.release(lease)
        self.assertEqual(values(made, 2), [0, 5])

    def test_a_waiter_leaves_nothing(self):
        made = make_set(self.sysv_key, 1, 0o600)
        waiter = self.server.acquire_later(f"sysv:{self.sysv_key}.0")
        eventually(lambda: sleepers(made) == 1, "HTTP waits in the kernel")
        self.server.kill()
        eventually(lambda: sleepers(made) == 0, "nobody waits")
        self.server.start()
        control(made, 0, SETVAL, 1)
        self.assertEqual(values(made, 1), [1])
        with self.assertRaises(Exception):
            waiter.answer()


@unittest.skipUnless(os.getuid() == 0, "needs root to be two users")
class OwnSets(PHPTest):
    def test_the_service_s_own_sets_are_refused(self):
        lease = self.granted(self.server.acquire(self.key()))
        own = lease["sysv"]["id"]
        self.assertProblem(self.server.acquire(f"sysv:id:{own}.0"), 409, "kind-mismatch")
        self.assertProblem(self.server.acquire(f"sysv:{self.server.control_key}.0"), 409, "kind-mismatch")
        self.assertProblem(self.server.delete(f"/locks/sysv:id:{own}.0", force="true"), 409, "kind-mismatch")
        self.assertProblem(self.server.acquire(f"php:{self.server.control_key}"), 409, "kind-mismatch")
        self.release(lease)


if __name__ == "__main__":
    unittest.main()
