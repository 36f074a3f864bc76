# Rows: C19
"""setall and setval: undo records of natives are gone, leases are in the way, and forced they give nothing back."""

import json
import unittest

from perlside import Path

JSON = {"Content-Type": "application/json"}


class Write(Path):
    def put(self, what, body, **query):
        target = f"/semaphores/{self.key_of() & 0xFFFFFFFF:#x}/{what}"
        return self.server.request("PUT", target, json.dumps(body), JSON, **query)

    def test_a_perl_holders_exit_adds_nothing(self):
        perl, holder = self.user(count=2, value=2), self.user()
        holder.do("$c->acquire(0); $c->acquire(1)")
        self.granted(self.put("0", {"value": 5}), 200)
        holder.exit()
        self.assertEqual(perl.list("$c->getall"), [5, 2])
        holder = self.user()
        holder.do("$c->acquire(0); $c->acquire(1)")
        self.granted(self.put("values", {"values": [7, 8]}), 200)
        holder.exit()
        self.assertEqual(perl.list("$c->getall"), [7, 8])

    def test_waiters_of_both_kinds_wake(self):
        perl = self.user()
        perl.do("$c->acquire(undo => 0)")
        waiter = self.acquire_later()
        sleeper = self.user()
        sleeper.send("$c->acquire(wait => 1)")
        self.sleeping(2)
        self.granted(self.put("0", {"value": 2}), 200)
        self.granted(waiter.answer())
        self.assertEqual(sleeper.answer(), [1])
        self.assertEqual(self.all, [0])

    def test_leases_are_in_the_way(self):
        perl = self.user(count=2)
        lease = self.leased(sem=1)
        for what, body in (("1", {"value": 4}), ("values", {"values": [4, 4]})):
            problem = self.assertProblem(self.put(what, body), 409, "in-use")
            self.assertEqual(problem["leases"], [lease["ref"]])
        self.granted(self.put("0", {"value": 4}), 200)  # another number
        self.assertEqual(perl.list("$c->getall"), [4, 0])
        self.granted(self.put("1", {"value": 3}, force="true"), 200)
        self.assertProblem(self.server.release(lease), 410, "broken")
        self.assertEqual(perl.list("$c->getall"), [4, 3])

    def test_perls_setval_under_a_lease(self):
        perl = self.user()
        lease = self.leased()
        self.assertTrue(perl.do("$c->setval(0, 1)"))
        self.assertTrue(perl.do("$c->acquire"))
        self.release(lease)
        self.assertEqual(self.all, [1])  # one too many, as the kernel does; Perl erased what stood there
        perl.exit()
        self.assertEqual(self.all, [2])
        self.assertTrue(self.user().do("$c->setall(1)"))
        self.assertEqual(self.all, [1])

    def test_both_sides_refuse_the_same(self):
        perl = self.user()
        self.assertProblem(self.put("0", {"value": 32768}), 400, "out-of-range", errno="ERANGE")
        self.assertFalse(perl.do("$c->setval(0, 32768)"))
        self.assertEqual(perl.errno, "ERANGE")
        self.assertProblem(self.put("values", {"values": [1, 1]}), 409, "nsems-mismatch")
        self.assertIn("Bad arg length", perl.do("eval { $c->setall(1, 1) }; $@"))
        self.assertEqual(self.all, [1])


if __name__ == "__main__":
    unittest.main()
