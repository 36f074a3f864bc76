# Rows: P4 P7 C15 C16
"""getall and getval: both sides read the same values, whichever side wrote them."""

import unittest

from ipc_semaphore import BothSides, Perl, Server


class Values(BothSides):
    def test_both_sides_read_the_same(self):
        perl = Perl(self)
        made = self.make(nsems=5, values=[5, 4, 3, 2, 0])
        perl.use(made)
        self.assertEqual(perl.values("$sem->getall"), [5, 4, 3, 2, 0])
        self.assertEqual(perl.ask("$sem->op(0, -1, 0, 4, 9, 0) || undef"), "ok 1")
        self.assertEqual(self.values(made), [4, 4, 3, 2, 9])
        self.granted(self.op(made, (4, -9), (1, 1)), 200)
        self.assertEqual(perl.values("$sem->getall"), [4, 5, 3, 2, 0])
        for number in range(5):
            self.assertEqual(perl.value(f"$sem->getval({number})"), self.get(made, number)["value"])
        self.assertEqual(self.get(made, 4)["value"], 0)

    def test_a_number_past_the_set_fails_on_both_sides(self):
        made = self.make(nsems=2)
        self.assertEqual(Perl(self).use(made).errno("$sem->getval(2)"), "EINVAL")
        answer = self.server.get(f"/semaphores/id:{made}/2")
        self.assertProblem(answer, 404, "no-such-semaphore", errno="EINVAL", nsems=2)

    def test_what_may_not_be_read_is_refused_where_perl_gives_nothing(self):
        prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"]
        server = Server(prefix=prefix).ends_with(self).start()
        made = self.make(mode="0600")
        self.assertEqual(Perl(self, prefix).use(made).errno("$sem->getall"), "EACCES")
        self.assertProblem(server.get(f"/semaphores/id:{made}"), 403, "permission-denied", errno="EACCES")


if __name__ == "__main__":
    unittest.main()
