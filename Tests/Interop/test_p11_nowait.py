# Rows: P11
"""op without SEM_UNDO: one step, in order, all or nothing; the first operation that cannot go decides about waiting."""

import unittest

from ipc_semaphore import BothSides, eventually


class Operations(BothSides):
    def test_a_list_is_one_step_on_both_sides(self):
        made, perl = self.make_for_perl(nsems=2, values=[0, 3])
        self.granted(self.op(made, (0, 2), (0, -2), (1, -1), (0, 0)), 200)
        self.assertEqual(perl.values("$sem->getall"), [0, 2])
        self.assertEqual(perl.ask("$sem->op(0, 2, 0, 0, -2, 0, 1, -1, 0, 0, 0, 0) || undef"), "ok 1")
        self.assertEqual(self.values(made), [0, 1])

    def test_what_the_kernel_refuses_is_the_same_on_both_sides_and_changes_nothing(self):
        made, perl = self.make_for_perl(nsems=2, values=[1, 2])
        for ops, errno, status, code in (
            ([(0, -1), (1, -3)], "EAGAIN", 423, "locked"),
            ([(0, -1), (0, -1)], "EAGAIN", 423, "locked"),
            ([(0, 1), (2, 1)], "EFBIG", 400, "out-of-range"),
            ([(0, 1), (1, 32767)], "ERANGE", 507, "kernel-limit"),
            ([(0, 1)] * 501, "E2BIG", 400, "out-of-range"),
        ):
            with self.subTest(errno):
                triples = ", ".join(f"{sem}, {op}, IPC_NOWAIT" for sem, op in ops)
                self.assertEqual(perl.errno(f"$sem->op({triples}) || undef"), errno)
                self.assertProblem(self.op(made, *ops), status, code, errno=errno)
                self.assertEqual(perl.values("$sem->getall"), [1, 2])
        self.assertRegex(perl.ask("$sem->op()"), r"\Adied .*op\( OPLIST \)")
        self.assertProblem(self.op(made), 400, "invalid-parameter", parameter="ops")

    def test_an_operation_with_nowait_that_can_go_does_not_keep_the_list_from_waiting(self):
        made, perl = self.make_for_perl(nsems=2, values=[1, 0])
        pending = self.op_later(made, (0, -1, "nowait"), (1, -1))
        self.assertEqual(perl.values("map { $sem->getncnt($_) } 0, 1"), [0, 1])
        self.assertEqual(perl.values("$sem->getall"), [1, 0], "nothing is taken before everything can be")
        self.assertEqual(perl.ask("$sem->op(1, 1, 0) || undef"), "ok 1")
        self.granted(pending.answer(), 200)
        self.assertEqual(self.values(made), [0, 0])

    def test_perl_waits_in_the_same_list(self):
        made, perl = self.make_for_perl(nsems=2, values=[1, 0])
        perl.send("$sem->op(0, -1, IPC_NOWAIT, 1, -1, 0) || undef")
        eventually(lambda: [one["ncnt"] for one in self.get(made)["semaphores"]] == [0, 1], "perl waits for number 1")
        self.assertEqual(self.values(made), [1, 0])
        self.granted(self.op(made, (1, 1)), 200)
        self.assertEqual(perl.answer(), "ok 1")

    def test_an_operation_with_nowait_that_cannot_go_refuses_the_list_under_wait_too(self):
        made, perl = self.make_for_perl(nsems=2, values=[1, 0])
        self.assertEqual(perl.errno("$sem->op(0, -1, 0, 1, -1, IPC_NOWAIT) || undef"), "EAGAIN")
        answer = self.op(made, (0, -1), (1, -1, "nowait"), wait="20s")
        self.assertProblem(answer, 423, "locked", errno="EAGAIN")
        self.assertEqual(self.values(made), [1, 0])


if __name__ == "__main__":
    unittest.main()
