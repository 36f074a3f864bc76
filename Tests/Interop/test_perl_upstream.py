# Rows: P4 P5 P16 P19
"""The steps of perl's own tests of IPC::SysV (sem.t, and ipcsysv.t for semaphores), each with one side over HTTP."""

import unittest

from ipc_semaphore import BothSides, Perl

NSEM, POKE = 5, 2


class SemT(BothSides):
    """sem.t: new, stat, setall, getall, change, getncnt, op with nowait, remove."""

    def test_http_acts_and_perl_looks(self):
        made, perl = self.make_for_perl(nsems=NSEM, mode="0777")
        self.assertEqual(perl.value("$sem->stat->nsems"), NSEM)
        self.granted(self.put(f"/semaphores/id:{made}/values", values=[0] * NSEM), 200)
        self.assertEqual(perl.ask("join '', $sem->getall"), "ok 00000")
        self.granted(self.put(f"/semaphores/id:{made}/values", values=[0, 0, 1, 0, 0]), 200)
        self.assertEqual(perl.ask("join '', $sem->getall"), "ok 00100")
        self.assertEqual(perl.value("$sem->getncnt(0)"), 0)
        self.granted(self.op(made, (POKE, -1, "nowait")), 200)
        self.assertEqual(perl.value("$sem->getncnt(0)"), 0)
        self.assertEqual(perl.ask("join '', $sem->getall"), "ok 00000")
        self.granted(self.server.delete(f"/semaphores/id:{made}"), 200)
        self.assertEqual(perl.errno("$sem->stat"), "EINVAL")

    def test_perl_acts_and_http_looks(self):
        perl = Perl(self)
        made = self.forget(perl.value(
            f"($sem = IPC::Semaphore->new(IPC_PRIVATE, {NSEM}, S_IRWXU | S_IRWXG | S_IRWXO | IPC_CREAT))->id"))
        self.assertEqual((self.get(made)["nsems"], self.get(made)["mode"]), (NSEM, "0777"))
        self.assertEqual(perl.ask(f"defined $sem->setall((0) x {NSEM}) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), [0] * NSEM)
        self.assertEqual(perl.ask("my @s = $sem->getall; $s[2] = 1; defined $sem->setall(@s) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), [0, 0, 1, 0, 0])
        self.assertEqual(self.get(made, 0)["ncnt"], 0)
        self.assertEqual(perl.ask("$sem->op(2, -1, IPC_NOWAIT) || undef"), "ok 1")
        self.assertEqual((self.values(made), self.get(made, 0)["ncnt"]), ([0] * NSEM, 0))
        self.assertEqual(perl.ask("$sem->remove ? 1 : undef"), "ok 1")
        self.assertProblem(self.server.get(f"/semaphores/id:{made}"), 404, "no-such-set")


class IpcSysvT(BothSides):
    """ipcsysv.t: semget, IPC_STAT, SETALL, GETALL and the length of what comes back, with perl's built-in functions."""

    def poked(self):
        return [1 if number == POKE else 0 for number in range(NSEM)]

    def test_http_makes_and_pokes(self):
        made = self.make(nsems=NSEM, mode="0700")
        perl = Perl(self)
        self.assertGreater(perl.value(f"my $d = ''; semctl({made}, 0, IPC_STAT, $d) && length $d"), 0)
        get_all = f"my $d = ''; semctl({made}, 0, GETALL, $d) or die; length $d, unpack 's!*', $d"
        self.granted(self.put(f"/semaphores/id:{made}/values", values=[0] * NSEM), 200)
        self.assertEqual(perl.values(get_all), [2 * NSEM] + [0] * NSEM)
        self.granted(self.put(f"/semaphores/id:{made}/values", values=self.poked()), 200)
        self.assertEqual(perl.values(get_all), [2 * NSEM] + self.poked())
        self.granted(self.server.delete(f"/semaphores/id:{made}"), 200)
        self.assertEqual(perl.errno(f"my $d = ''; semctl({made}, 0, IPC_STAT, $d)"), "EINVAL")

    def test_perl_makes_and_pokes(self):
        perl = Perl(self)
        made = self.forget(perl.value(f"semget(IPC_PRIVATE, {NSEM}, S_IRWXU | IPC_CREAT) + 0"))
        self.assertEqual(perl.ask(f"semctl({made}, 0, SETALL, pack 's!*', (0) x {NSEM}) ? 1 : undef"), "ok 1")
        shown = self.get(made)
        self.assertEqual((len(shown["values"]), shown["values"]), (NSEM, [0] * NSEM))
        values = ", ".join(map(str, self.poked()))
        self.assertEqual(perl.ask(f"semctl({made}, 0, SETALL, pack 's!*', {values}) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), self.poked())
        self.assertEqual(perl.ask(f"semctl({made}, 0, IPC_RMID, 0) ? 1 : undef"), "ok 1")
        self.assertProblem(self.server.get(f"/semaphores/id:{made}"), 404, "no-such-set", errno="EINVAL")


if __name__ == "__main__":
    unittest.main()
