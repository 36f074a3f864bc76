# Rows: P5 P8 P12 C17
"""getncnt and getzcnt: who waits on one side is counted on the other, and is answered when the other side acts."""

import unittest

from ipc_semaphore import BothSides, Perl, eventually


class Waiters(BothSides):
    def test_perl_waits_for_more_and_http_counts_it(self):
        made, perl = self.make_for_perl(nsems=2)
        perl.send("$sem->op(1, -1, 0) || undef")
        eventually(lambda: self.get(made, 1)["ncnt"] == 1, "perl is counted")
        self.assertEqual((self.get(made, 0)["ncnt"], self.get(made, 1)["zcnt"]), (0, 0))
        perl.blocks()
        self.granted(self.op(made, (1, 1)), 200)
        self.assertEqual(perl.answer(), "ok 1")
        self.assertEqual(self.values(made), [0, 0])

    def test_http_waits_for_more_and_perl_counts_it(self):
        made, perl = self.make_for_perl(nsems=2)
        pending = self.op_later(made, (1, -2))
        self.assertEqual(perl.values("map { $sem->getncnt($_) } 0, 1"), [0, 1])
        self.assertEqual(perl.ask("$sem->op(1, 1, 0) || undef"), "ok 1")
        self.assertFalse(pending.done, "one is not enough")
        self.assertEqual(perl.ask("$sem->op(1, 1, 0) || undef"), "ok 1")
        self.assertTrue(self.granted(pending.answer(), 200)["done"])
        self.assertEqual(perl.values("$sem->getall, $sem->getncnt(1)"), [0, 0, 0])

    def test_perl_waits_for_zero_and_http_counts_it(self):
        made, perl = self.make_for_perl(values=[1])
        perl.send("$sem->op(0, 0, 0) || undef")
        eventually(lambda: self.get(made, 0)["zcnt"] == 1, "perl is counted")
        perl.blocks()
        self.granted(self.op(made, (0, -1)), 200)
        self.assertEqual(perl.answer(), "ok 1")

    def test_http_waits_for_zero_and_perl_takes_the_last_one(self):
        made, perl = self.make_for_perl(values=[1])
        pending = self.op_later(made, (0, 0))
        self.assertEqual(perl.values("$sem->getzcnt(0), $sem->getncnt(0)"), [1, 0])
        self.assertEqual(perl.ask("$sem->op(0, -1, 0) || undef"), "ok 1")
        self.assertTrue(self.granted(pending.answer(), 200)["done"])

    def test_each_waiter_counts_once_whichever_side_it_is_on(self):
        made = self.make()
        perl, other = Perl(self).use(made), Perl(self).use(made)
        pending = [self.op_later(made, (0, -1)) for _ in range(2)]
        other.send("$sem->op(0, -1, 0) || undef")
        eventually(lambda: self.get(made, 0)["ncnt"] == 3, "two of HTTP and one of perl")
        self.assertEqual(perl.value("$sem->getncnt(0)"), 3)
        self.granted(self.op(made, (0, 3)), 200)
        self.assertEqual(other.answer(), "ok 1")
        for one in pending:
            self.granted(one.answer(), 200)
        self.assertEqual(self.values(made), [0])

    def test_a_number_past_the_set_fails_on_both_sides(self):
        made, perl = self.make_for_perl()
        for method in ("getncnt", "getzcnt", "getpid"):
            self.assertEqual(perl.errno(f"$sem->{method}(1)"), "EINVAL")
        self.assertProblem(self.server.get(f"/semaphores/id:{made}/1"), 404, "no-such-semaphore", errno="EINVAL")


if __name__ == "__main__":
    unittest.main()
