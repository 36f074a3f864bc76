# Rows: H1 H4
"""sem_get makes what it does not find, and so does a request: whichever comes first, the other opens the same set."""

import unittest

from php_support import PHPTest, eventually, make_set, proc_sets, remove_set, set_id, signed, values


class Opening(PHPTest):
    def test_php_first_then_http(self):
        php = self.opened()
        self.assertValues([1, 1, 0])
        lease = self.lease()
        self.assertEqual(lease["sysv"], {**lease["sysv"], "key": self.sysv_key, "id": self.set, "nsems": 3})
        self.assertEqual(lease["sysv"]["semaphores"], [0])
        self.assertValues([0, 1025, 0])
        self.release(lease)
        self.ends(php, leaving=[1, 0, 0])

    def test_http_first_then_php(self):
        self.assertIsNone(set_id(self.sysv_key))
        lease = self.lease()
        made = self.set
        self.assertValues([0, 1024, 0])
        php = self.opened()
        self.assertEqual(self.set, made)
        self.assertIs(php.ask("acquire a nowait"), False)
        self.release(lease)
        self.assertIs(php.ask("acquire a nowait"), True)
        self.ends(php, leaving=[1, 0, 0])

    def test_the_first_acquire_of_either_side_makes_the_set_and_it_stays(self):
        self.assertProblem(self.server.get(f"/semaphores/{self.sysv_key}"), 404, "no-such-set", errno="ENOENT")
        self.release(self.lease())
        row = proc_sets()[self.set]
        self.assertEqual((row["key"], row["nsems"], row["mode"]), (self.sysv_key, 3, 0o666))
        self.assertEqual(self.server.get(f"/semaphores/{self.sysv_key}")["values"], [1, 0, 0])

    def test_put_opens_without_acquiring(self):
        answer = self.server.request("PUT", f"/locks/{self.lock}?limit=4&perm=0640")
        self.granted(answer)
        self.assertEqual((answer["limit_applied"], answer["sysv"]["id"]), (True, self.set))
        self.assertEqual((answer["sysv"]["key"], answer["sysv"]["nsems"]), (self.sysv_key, 3))
        self.assertEqual(proc_sets()[self.set]["mode"], 0o640)
        self.assertValues([4, 0, 0])
        php = self.opened()  # alone, and so sets its own
        self.assertValues([1, 1, 0])
        answer = self.server.request("PUT", f"/locks/{self.lock}?limit=4")
        self.granted(answer, 200)
        self.assertIs(answer["limit_applied"], False)
        self.assertValues([1, 1, 0])
        php.quit()
        answer = self.server.request("PUT", f"/locks/{self.lock}")
        self.granted(answer, 200)
        self.assertIs(answer["limit_applied"], True)
        self.assertValues([1, 0, 0])

    def test_where_a_key_leads_is_told_and_changes_nothing(self):
        answer = self.server.get(f"/keys/{self.lock}")
        self.granted(answer, 200)
        self.assertEqual((answer["key"], answer["dialect"], answer["exists"]), (self.lock, "php", False))
        sysv = answer["sysv"]
        self.assertEqual((sysv["key"], sysv["nsems"], sysv["semaphores"]), (self.sysv_key, 3, [0]))
        self.assertIsNone(set_id(self.sysv_key))
        php = self.opened()
        answer = self.server.get(f"/keys/{self.lock}")
        self.assertEqual((answer["exists"], answer["sysv"]["id"]), (True, self.set))
        self.assertValues([1, 1, 0])
        php.quit()

    def test_every_spelling_of_a_key_is_the_set_php_opens(self):
        # What PHP cuts to 32 bits, and the same number as hexadecimal, unsigned and signed.
        for number, names in (
            (0xDEADBEEF, ("0xDEADBEEF", "0xdeadbeef", "3735928559", "-559038737")),
            (-2, ("-2", "0xfffffffe", "4294967294")),
            (0x7FFFFFFF, ("2147483647", "0x7fffffff")),
            (-0x80000000, ("-2147483648", "0x80000000", "2147483648")),
            (31819, ("31819", "0x7c4b", "0x0007c4b")),
        ):
            php = self.php()
            self.assertIs(php.ask(f"get a {number}"), True)
            self.assertIs(php.ask("acquire a"), True)
            made = set_id(number & 0xFFFFFFFF)
            for name in names:
                with self.subTest(name):
                    self.assertProblem(self.server.acquire(f"php:{name}"), 423, "locked")
                    answer = self.server.get(f"/keys/php:{name}")
                    self.assertEqual(answer["sysv"]["key"], signed(number & 0xFFFFFFFF))
                    self.assertEqual(answer["sysv"]["id"], made)
            php.quit()
            lease = self.granted(self.server.acquire(f"php:{names[-1]}", wait="5s"))
            self.assertEqual(lease["sysv"]["id"], made)
            for name in names:
                self.assertProblem(self.server.acquire(f"php:{name}"), 423, "locked")
            self.release(lease)
            self.assertEqual(values(made), [1, 0, 0])

    def test_php_cuts_a_wide_key_and_http_refuses_it(self):
        php = self.php()
        php.send(f"get a {(1 << 32) + self.sysv_key}")
        answer = php.answer()
        if answer["result"] == "ValueError":  # newer than 8.2
            self.assertIn("out of range", answer["warning"])
        else:
            self.assertIs(answer["result"], True)
            self.assertValues([1, 1, 0])  # it is the key without its upper half
            lease = self.lease()
            self.assertIs(php.ask("acquire a nowait"), False)
            self.release(lease)
        for name in (str((1 << 32) + self.sysv_key), "4294967296", "-2147483649", "0x100000005"):
            for answer in (self.server.acquire(f"php:{name}"), self.server.get(f"/keys/php:{name}")):
                self.assertProblem(answer, 400, "out-of-range")
        php.quit()

    def test_key_0_is_a_new_set_for_php_each_time_and_refused_over_http(self):
        before = set(proc_sets())
        php = self.php()
        self.assertIs(php.ask("get a 0"), True)
        self.assertIs(php.ask("get b 0"), True)
        self.assertEqual(len(set(proc_sets()) - before), 2)
        self.assertIs(php.ask("remove a"), True)
        self.assertIs(php.ask("remove b"), True)
        for name in ("0", "0x0", "-0"):
            problem = self.assertProblem(self.server.acquire(f"php:{name}"), 400, "out-of-range")
            self.assertIn("private", problem["detail"])
        self.assertEqual(set(proc_sets()), before)
        php.quit()

    def test_what_is_no_key(self):
        for name in ("", "abc", "12x", "0x", "+5", " 5", "5.0", "0xg", "--5", "-0x5"):
            with self.subTest(name):
                self.assertProblem(self.server.acquire(f"php:{name}"), 400, "bad-key")

    def test_sets_of_another_size(self):
        for size in (1, 2, 4):
            made = make_set(self.sysv_key, size, 0o666)
            with self.subTest(size):
                php = self.php()
                if size < 3:
                    warning = php.warned(f"get a {self.sysv_key}")
                    self.assertEqual(warning, f"sem_get(): Failed for key 0x{self.sysv_key:x}: Invalid argument")
                for answer in (self.acquire(), self.server.request("PUT", f"/locks/{self.lock}")):
                    self.assertProblem(answer, 409, "nsems-mismatch", errno="EINVAL", nsems=size)
                self.assertEqual(values(made, size), [0] * size)
                php.quit()
            remove_set(made)


class Staying(PHPTest):
    """A native set is never collected, however long nobody used it over HTTP."""

    arguments = ("--idle-locks", "1s")

    def test_the_service_forgets_and_the_set_stays(self):
        self.release(self.lease(limit=2))
        made = self.set
        known = lambda: self.lock in [lock["key"] for lock in self.server.get("/locks")["locks"]]  # noqa: E731
        self.assertTrue(known())
        eventually(lambda: not known(), "the service forgets the lock")
        self.assertEqual((self.set, values(made)), (made, [2, 0, 0]))
        php = self.opened(3)
        self.assertEqual((self.set, values(made)), (made, [3, 1, 0]))
        lease = self.lease()
        self.assertEqual(lease["sysv"]["id"], made)
        self.assertTrue(known())
        self.assertEqual(self.server.terminate(), 0)
        self.assertValues([2, 1025, 0])
        self.server.start()
        self.release(lease)
        self.ends(php, leaving=[3, 0, 0])


class Limits(PHPTest):
    """In a namespace whose SEMMNI is reached; of this class alone."""

    def test_no_room_for_another_set(self):
        with open("/proc/sys/kernel/sem", encoding="ascii") as file:
            before = file.read()
        try:
            with open("/proc/sys/kernel/sem", "w", encoding="ascii") as file:
                file.write(f"{' '.join(before.split()[:3])} {len(proc_sets())}")
        except OSError as error:
            self.skipTest(f"kernel.sem cannot be written here: {error}")
        try:
            php = self.php()
            warning = php.warned(f"get a {self.sysv_key}")
            self.assertEqual(warning, f"sem_get(): Failed for key 0x{self.sysv_key:x}: No space left on device")
            for answer in (self.acquire(), self.server.request("PUT", f"/locks/{self.lock}")):
                self.assertProblem(answer, 507, "kernel-limit", errno="ENOSPC", limit="SEMMNI", value=len(proc_sets()))
            self.assertIsNone(set_id(self.sysv_key))
        finally:
            with open("/proc/sys/kernel/sem", "w", encoding="ascii") as file:
                file.write(before)
        self.assertIs(php.ask(f"get a {self.sysv_key}"), True)
        lease = self.lease()
        self.release(lease)
        self.ends(php, leaving=[1, 0, 0])


if __name__ == "__main__":
    unittest.main()
