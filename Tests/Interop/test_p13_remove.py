# Rows: P13
"""remove and DELETE: the set is gone for both sides, and its waiters are told."""

import unittest

from ipc_semaphore import BothSides, Perl, eventually, proc_sets


class Remove(BothSides):
    def test_http_removes_and_perl_finds_nothing(self):
        made, perl = self.make_for_perl(key=0x5E130)
        self.assertEqual(self.granted(self.server.delete(f"/semaphores/id:{made}"), 200)["id"], made)
        self.assertNotIn(made, proc_sets())
        self.assertEqual(perl.errno("$sem->stat"), "EINVAL")
        self.assertEqual(perl.errno("IPC::Semaphore->new(0x5E130, 1, 0)"), "ENOENT")
        self.assertProblem(self.server.delete(f"/semaphores/id:{made}"), 404, "no-such-set", errno="EINVAL")
        self.assertProblem(self.server.delete("/semaphores/0x5E130"), 404, "no-such-set", errno="ENOENT")

    def test_perl_removes_and_http_finds_nothing(self):
        made = self.make(key=0x5E131)
        self.assertEqual(Perl(self).use(made).ask("$sem->remove ? 1 : undef"), "ok 1")
        self.assertProblem(self.server.get(f"/semaphores/id:{made}"), 404, "no-such-set", errno="EINVAL")
        self.assertProblem(self.server.get("/semaphores/0x5E131"), 404, "no-such-set", errno="ENOENT")

    def test_a_perl_waiter_is_in_the_way_and_is_told_when_forced(self):
        made, perl = self.make_for_perl()
        perl.send("$sem->op(0, -1, 0) || undef")
        eventually(lambda: self.get(made, 0)["ncnt"] == 1, "perl waits")
        self.assertProblem(self.server.delete(f"/semaphores/id:{made}"), 409, "in-use", waiters=1)
        perl.blocks()
        self.granted(self.server.delete(f"/semaphores/id:{made}", force="true"), 200)
        self.assertEqual(perl.answer(), "undef EIDRM")

    def test_an_http_waiter_is_in_the_way_and_is_told_when_forced(self):
        made = self.make(nsems=2)
        pending = [self.op_later(made, (0, -1)), self.op_later(made, (1, 1), (1, 0))]
        self.assertProblem(self.server.delete(f"/semaphores/id:{made}"), 409, "in-use", waiters=2)
        self.granted(self.server.delete(f"/semaphores/id:{made}", force="true"), 200)
        for one in pending:
            self.assertProblem(one.answer(), 410, "set-removed", errno="EIDRM", reason="set-removed")

    def test_perl_removes_under_an_http_waiter(self):
        made = self.make(key=0x5E132)
        pending = self.op_later(made, (0, -1))
        self.assertEqual(Perl(self).use(made).ask("$sem->remove ? 1 : undef"), "ok 1")
        self.assertProblem(pending.answer(), 410, "set-removed", errno="EIDRM")
        self.assertProblem(self.server.get("/semaphores/0x5E132"), 404, "no-such-set")


if __name__ == "__main__":
    unittest.main()
