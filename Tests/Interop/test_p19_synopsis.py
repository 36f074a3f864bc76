# Rows: P19
"""The synopsis of IPC::Semaphore, call by call, with the other side looking on."""

import unittest

from ipc_semaphore import BothSides, Perl, proc_sets


class Synopsis(BothSides):
    def test_over_http_with_perl_looking_on(self):
        answer = self.server.json_post("/semaphores", {"key": "private", "nsems": 10, "mode": "0700"})
        made = self.forget(self.granted(answer)["id"])
        perl = Perl(self).use(made)
        self.granted(self.put(f"/semaphores/id:{made}/values", values=[0] * 10), 200)
        self.assertEqual(perl.values("$sem->getall"), [0] * 10)
        shown = self.get(made)
        self.assertEqual(shown["values"], [0] * 10)
        self.assertEqual([one["ncnt"] for one in shown["semaphores"]], perl.values("map { $sem->getncnt($_) } 0..9"))
        values = list(shown["values"])
        values[2] = 5
        self.granted(self.put(f"/semaphores/id:{made}/values", values=values), 200)
        self.assertEqual(perl.values("$sem->getall"), values)
        self.assertEqual([one["zcnt"] for one in self.get(made)["semaphores"]], [0] * 10)
        self.granted(self.server.delete(f"/semaphores/id:{made}"), 200)
        self.assertNotIn(made, proc_sets())

    def test_in_perl_with_http_looking_on(self):
        perl = Perl(self)
        made = perl.value("($sem = IPC::Semaphore->new(IPC_PRIVATE, 10, S_IRWXU | IPC_CREAT))->id")
        self.forget(made)
        self.assertEqual(perl.ask("defined $sem->setall((0) x 10) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), [0] * 10)
        # The synopsis' calls without SEM never worked.
        self.assertRegex(perl.ask("$sem->getncnt"), r"\Adied .*getncnt\( SEM \)")
        self.assertRegex(perl.ask("$sem->getzcnt"), r"\Adied .*getzcnt\( SEM \)")
        self.assertEqual(perl.ask("my @s = $sem->getall; $s[2] = 5; defined $sem->setall(@s) ? 1 : undef"), "ok 1")
        self.assertEqual(self.values(made), [0, 0, 5] + [0] * 7)
        self.assertEqual(self.get(made)["ctime_seconds"], perl.value("$sem->stat->ctime"))
        self.assertEqual(perl.ask("$sem->remove ? 1 : undef"), "ok 1")
        self.assertProblem(self.server.get(f"/semaphores/id:{made}"), 404, "no-such-set")


if __name__ == "__main__":
    unittest.main()
