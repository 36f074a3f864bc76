# Rows: P16 P17
"""setall and PUT values: the same values, the same refusals, and the undo of native programs is forgotten alike."""

import unittest

from ipc_semaphore import BothSides, Perl, eventually


class SetAll(BothSides):
    def test_either_side_reads_what_the_other_wrote(self):
        made, perl = self.make_for_perl(nsems=3)
        written = self.granted(self.put(f"/semaphores/id:{made}/values", values=[7, 0, 32767]), 200)
        self.assertEqual(written["broken"], [])
        self.assertEqual(perl.values("$sem->getall"), [7, 0, 32767])
        self.assertEqual(perl.ask("defined $sem->setall(1, 2, 3) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), [1, 2, 3])
        self.granted(self.put(f"/semaphores/id:{made}/1", value=9), 200)
        self.assertEqual(perl.ask("defined $sem->setval(2, 8) ? 1 : undef"), "ok 1")
        self.assertEqual((self.values(made), perl.values("$sem->getall")), ([1, 9, 8], [1, 9, 8]))

    def test_a_wrong_number_of_values_is_refused_on_both_sides(self):
        made = self.make(nsems=3)
        self.assertRegex(Perl(self).use(made).ask("$sem->setall(1, 2)"), r"\Adied Bad arg length for semctl")
        answer = self.put(f"/semaphores/id:{made}/values", values=[1, 2])
        self.assertProblem(answer, 409, "nsems-mismatch", nsems=3, asked_nsems=2)
        self.assertEqual(self.values(made), [0, 0, 0])

    def test_a_value_out_of_range_is_refused_on_both_sides(self):
        made, perl = self.make_for_perl(nsems=2)
        self.assertEqual(perl.errno("$sem->setall(1, 32768) || undef"), "ERANGE")
        self.assertEqual(perl.errno("$sem->setval(0, 32768) || undef"), "ERANGE")
        self.assertEqual(perl.errno("$sem->setval(0, -1) || undef"), "ERANGE")
        answer = self.put(f"/semaphores/id:{made}/values", values=[1, 32768])
        self.assertProblem(answer, 400, "out-of-range", errno="ERANGE", parameter="values[1]", maximum=32767)
        for value in (32768, -1):
            answer = self.put(f"/semaphores/id:{made}/0", value=value)
            self.assertProblem(answer, 400, "out-of-range", errno="ERANGE", parameter="value")
        self.assertEqual(self.values(made), [0, 0])

    def test_the_undo_of_a_native_holder_is_forgotten(self):
        made = self.make(nsems=2)
        # What is written is forgotten; what is not comes back when the holder ends.
        for target, members, after in (("values", {"values": [4, 4]}, [4, 4]), ("0", {"value": 4}, [4, 5])):
            with self.subTest(target):
                self.granted(self.put(f"/semaphores/id:{made}/values", values=[5, 5]), 200)
                holder = Perl(self).use(made)
                self.assertEqual(holder.ask("$sem->op(0, -3, SEM_UNDO, 1, -3, SEM_UNDO) || undef"), "ok 1")
                self.granted(self.put(f"/semaphores/id:{made}/{target}", **members), 200)
                holder.kill()
                self.assertEqual(self.values(made), after)

    def test_writing_wakes_waiters_of_both_kinds(self):
        made, perl = self.make_for_perl(nsems=2, values=[0, 1])
        perl.send("$sem->op(0, -1, 0) || undef")
        pending = self.op_later(made, (1, 0))
        eventually(lambda: self.asleep(made) == 2, "both wait")
        self.granted(self.put(f"/semaphores/id:{made}/values", values=[1, 0]), 200)
        self.assertEqual(perl.answer(), "ok 1")
        self.granted(pending.answer(), 200)
        pending = self.op_later(made, (0, -2))
        self.assertEqual(Perl(self).use(made).ask("defined $sem->setval(0, 2) ? 1 : undef"), "ok 1")
        self.granted(pending.answer(), 200)
        self.assertEqual(self.values(made), [0, 0])


if __name__ == "__main__":
    unittest.main()
