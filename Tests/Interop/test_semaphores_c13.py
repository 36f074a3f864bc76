# Rows: C13 C14 C16 C17
"""The raw half of Concurrency over HTTP: release([n]) is an op of +1, getval([n]) and getncnt([n]) are GET .../n."""

import unittest

from perlside import Path


class Raw(Path):
    @property
    def set(self):
        return f"/semaphores/{self.key_of() & 0xFFFFFFFF:#x}"

    def op(self, number=0, delta=1):
        answer = self.server.json_post(f"{self.set}/op", {"ops": [{"sem": number, "op": delta}]})
        return self.granted(answer, 200)

    def one(self, number=0):
        return self.granted(self.server.get(f"{self.set}/{number}"), 200)

    def test_on_a_full_set_it_goes_above(self):
        perl = self.user(count=2)
        self.op()
        self.assertEqual(perl.list("$c->getall"), [2, 1])
        perl.do("$c->release(1)")
        self.assertEqual((self.one(0)["value"], self.one(1)["value"]), (2, 2))

    def test_it_frees_a_slot_that_perl_took_without_undo(self):
        perl = self.user()
        self.assertTrue(perl.do("$c->acquire(undo => 0)"))
        perl.exit()
        waiter = self.acquire_later()
        self.sleeping(1)
        self.op()
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.all, [1])

    def test_perl_waits_for_it(self):
        perl, other = self.user(), self.user()
        self.assertTrue(perl.do("$c->acquire(undo => 0)"))
        other.send("$c->acquire(wait => 1, undo => 0)")
        self.sleeping(1)
        self.op()
        self.assertEqual(other.answer(), [1])
        self.assertEqual(self.all, [0])
        self.op()
        self.assertEqual(self.all, [1])

    def test_a_lease_without_undo_and_a_raw_release_make_two(self):
        perl = self.user()
        lease = self.leased(undo="false")
        self.op()
        self.assertEqual(perl.list("$c->getall"), [1])
        self.release(lease)
        self.assertEqual(perl.list("$c->getall"), [2])

    def test_getval_and_getncnt(self):
        perl = self.user(count=2, value=3)
        for number in (0, 1):
            self.assertEqual(self.one(number)["value"], perl.do(f"$c->getval({number})"))
        self.assertEqual(self.one()["value"], perl.do("$c->getval"))
        for _ in range(3):
            self.assertTrue(perl.do("$c->acquire(1)"))
        waiter = self.acquire_later(sem=1)
        sleeper = self.user()
        sleeper.send("$c->acquire(1, 1)")
        self.sleeping(2, 1)
        self.assertEqual((self.one(1)["ncnt"], perl.do("$c->getncnt(1)")), (2, 2))
        self.assertEqual((self.one(0)["ncnt"], perl.do("$c->getncnt")), (0, 0))
        self.assertEqual((self.one(1)["value"], perl.do("$c->getval(1)")), (0, 0))
        perl.kill()
        self.release(self.granted(waiter.answer()))
        sleeper.answer()
        self.assertProblem(self.server.get(f"{self.set}/2"), 404, "no-such-semaphore", errno="EINVAL", nsems=2)


if __name__ == "__main__":
    unittest.main()
