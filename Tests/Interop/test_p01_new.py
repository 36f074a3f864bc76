# Rows: P1 P9 A15
"""IPC::Semaphore->new and POST /semaphores make and find the same sets, and fail in the same states."""

import unittest

from ipc_semaphore import BothSides, Perl

KEY = 0x5E010


class New(BothSides):
    def test_either_side_finds_what_the_other_made(self):
        perl = Perl(self)
        made = self.make(key=KEY, nsems=3, mode="0600")
        self.assertEqual(perl.value(f"IPC::Semaphore->new({KEY}, 3, 0600)->id"), made)
        self.assertEqual(perl.value(f"IPC::Semaphore->new({KEY}, 0, 0)->id"), made)
        theirs = self.forget(perl.value(f"IPC::Semaphore->new({KEY + 1}, 3, 0600 | IPC_CREAT)->id"))
        found = self.granted(self.server.json_post("/semaphores", {"key": KEY + 1, "nsems": 2}), 200)
        self.assertEqual((found["id"], found["nsems"], found["created"]), (theirs, 3, False))
        self.assertEqual(self.granted(self.server.get(f"/semaphores/{KEY + 1}"), 200)["id"], theirs)
        self.assertEqual(self.granted(self.server.get(f"/semaphores/{KEY + 1:#x}"), 200)["id"], theirs)

    def test_a_new_set_has_its_values_and_one_that_is_there_keeps_its_own(self):
        perl = Perl(self)
        answer = self.server.json_post("/semaphores", {"key": KEY + 2, "nsems": 3, "values": [7, 0, 32767]})
        self.assertEqual(answer.headers["Location"], f"/semaphores/id:{self.granted(answer)['id']}")
        self.forget(answer["id"])
        perl.use(answer["id"])
        self.assertEqual(perl.values("$sem->getall"), [7, 0, 32767])
        again = self.granted(self.server.json_post("/semaphores", {"key": KEY + 2, "values": [1, 1]}), 200)
        self.assertEqual((again["ignored"], again["nsems"]), (["values"], 3))
        self.assertEqual(perl.values("$sem->getall"), [7, 0, 32767])
        self.forget(perl.value(f"IPC::Semaphore->new({KEY + 3}, 2, 0600 | IPC_CREAT)->id"))
        self.assertEqual(self.granted(self.server.get(f"/semaphores/{KEY + 3}"), 200)["values"], [0, 0])

    def test_exclusive_fails_on_both_sides_where_the_key_has_a_set(self):
        perl = Perl(self)
        self.make(key=KEY + 4)
        self.assertEqual(perl.errno(f"IPC::Semaphore->new({KEY + 4}, 1, 0600 | IPC_CREAT | IPC_EXCL)"), "EEXIST")
        answer = self.server.json_post("/semaphores", {"key": KEY + 4, "nsems": 1, "exclusive": True})
        self.assertProblem(answer, 409, "exists", errno="EEXIST")

    def test_without_creation_a_set_that_is_not_there_is_not_found(self):
        perl = Perl(self)
        self.assertEqual(perl.errno(f"IPC::Semaphore->new({KEY + 5}, 1, 0600)"), "ENOENT")
        self.assertProblem(self.server.get(f"/semaphores/{KEY + 5}"), 404, "no-such-set", errno="ENOENT")

    def test_more_than_the_set_has_fails_on_both_sides(self):
        perl = Perl(self)
        self.make(key=KEY + 6, nsems=2)
        self.assertEqual(perl.errno(f"IPC::Semaphore->new({KEY + 6}, 3, 0600 | IPC_CREAT)"), "EINVAL")
        answer = self.server.json_post("/semaphores", {"key": KEY + 6, "nsems": 3})
        self.assertProblem(answer, 409, "nsems-mismatch", errno="EINVAL", nsems=2, asked_nsems=3)

    def test_a_count_that_no_set_has_fails_on_both_sides(self):
        perl = Perl(self)
        with open("/proc/sys/kernel/sem", encoding="ascii") as file:
            semmsl = int(file.read().split()[0])
        for count in (0, semmsl + 1):
            with self.subTest(count=count):
                self.assertEqual(perl.errno(f"IPC::Semaphore->new({KEY + 7}, {count}, 0600 | IPC_CREAT)"), "EINVAL")
                answer = self.server.json_post("/semaphores", {"key": KEY + 7, "nsems": count})
                self.assertProblem(answer, 400, "out-of-range", errno="EINVAL", limit="SEMMSL", maximum=semmsl)

    def test_the_keys_from_two_to_the_31st_on_are_negative(self):
        perl = Perl(self)
        made = self.make(key=0xDEADBEEF)
        self.assertEqual(perl.value("IPC::Semaphore->new(-559038737, 1, 0)->id"), made)
        # Perl makes a key of a double: all from two to the 31st on are one.
        theirs = self.forget(perl.value("IPC::Semaphore->new(0xDEADBEEF, 1, 0600 | IPC_CREAT)->id"))
        self.assertEqual(self.granted(self.server.get("/semaphores/0x80000000"), 200)["id"], theirs)


if __name__ == "__main__":
    unittest.main()
