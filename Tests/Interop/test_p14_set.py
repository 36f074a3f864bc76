# Rows: P14 P15
"""set and PATCH: owner, group and mode change alike, and decide alike who may do what."""

import unittest

from ipc_semaphore import BothSides, Perl, next_second

NOBODY = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
SOMEBODY = ["setpriv", "--reuid=1234", "--regid=1234", "--clear-groups", "--inh-caps=-all"]


class Set(BothSides):
    def test_what_http_sets_perl_reads(self):
        made, perl = self.make_for_perl()
        changed = self.granted(self.patch(made, {"uid": 65534, "gid": 1234, "mode": "0640"}), 200)
        self.assertEqual(perl.values("(stat_of($sem))[0..4]"), [65534, 1234, 0, 0, 0o640])
        self.assertEqual((changed["uid"], changed["gid"], changed["mode"]), (65534, 1234, "0640"))
        self.granted(self.patch(made, {"gid": 0}), 200)
        self.assertEqual(perl.values("(stat_of($sem))[0, 1, 4]"), [65534, 0, 0o640])

    def test_what_perl_sets_http_reads(self):
        made, perl = self.make_for_perl()
        self.assertEqual(perl.ask("defined $sem->set(uid => 65534, gid => 7, mode => 0604) ? 1 : undef"), "ok 1")
        shown = self.get(made)
        self.assertEqual((shown["uid"], shown["gid"], shown["cuid"], shown["mode"]), (65534, 7, 0, "0604"))

    def test_the_new_owner_may_and_the_old_one_may_not(self):
        made = self.make(mode="0600", values=[1])
        nobody, somebody = Perl(self, NOBODY), Perl(self, SOMEBODY)
        for uid, may, may_not in ((65534, nobody, somebody), (1234, somebody, nobody)):
            self.granted(self.patch(made, {"uid": uid, "gid": uid}), 200)
            # Each time anew: remove makes the module forget the id, even when it fails.
            may.use(made), may_not.use(made)
            self.assertEqual(may.ask("$sem->op(0, 1, 0, 0, -1, 0) || undef"), "ok 1")
            self.assertEqual(may_not.errno("$sem->op(0, 1, 0) || undef"), "EACCES")
            self.assertEqual(may.ask("defined $sem->set(mode => 0600) ? 1 : undef"), "ok 1")
            self.assertEqual(may_not.errno("$sem->set(mode => 0666) || undef"), "EACCES")
            self.assertEqual(may_not.errno("$sem->remove || undef"), "EPERM")

    def test_bits_beyond_the_nine_are_refused(self):
        made = self.make()
        answer = self.patch(made, {"mode": "1600"})
        self.assertProblem(answer, 400, "out-of-range", parameter="mode", maximum="0777")

    def test_the_object_of_a_get_comes_back_and_moves_ctime_only(self):
        made = self.make(nsems=3, mode="0640", values=[1, 2, 3])
        self.granted(self.op(made, (0, 1)), 200)
        before = self.get(made)
        next_second(before["ctime_seconds"])
        self.granted(self.patch(made, before), 200)
        after = self.get(made)
        self.assertGreater(after["ctime_seconds"], before["ctime_seconds"])
        for name in before:
            if name not in ("ctime", "ctime_seconds"):
                self.assertEqual(after[name], before[name], name)

    def test_a_member_that_get_does_not_have_is_refused(self):
        made = self.make()
        answer = self.patch(made, {**self.get(made), "owner": 1})
        self.assertProblem(answer, 400, "unknown-parameter", parameter="owner")


if __name__ == "__main__":
    unittest.main()
