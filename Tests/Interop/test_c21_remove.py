# Rows: C21
"""Removing the set: by whom ever, the other side's waiters and holders learn of it; the file stays."""

import os
import subprocess
import unittest

from perlside import Path, eventually


class Remove(Path):
    def remove(self, **parameters):
        return self.at_http(self.name, method="DELETE", **parameters)

    def lost(self, lease):
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "the loss is noticed")
        self.assertProblem(self.server.release(lease), 410, "set-removed", reason="set-removed")

    def test_http_removes(self):
        perl = self.user()
        removed = self.granted(self.remove(), 200)
        self.assertTrue(removed["removed"])
        self.assertTrue(os.path.exists(self.path))
        self.assertEqual(self.look(self.key_of()), [])
        self.assertFalse(perl.do("$c->acquire"))
        self.assertEqual(perl.errno, "EINVAL")
        self.assertProblem(self.remove(), 404, "no-such-set", errno="ENOENT")
        # Both begin anew.
        self.assertTrue(self.user(value=2).do("$c->acquire"))
        self.leased()
        self.assertEqual(self.all, [0])

    def test_in_use_by_a_lease_a_waiter_or_a_native_one(self):
        perl = self.user(count=2)
        lease = self.leased(sem=1)
        self.assertProblem(self.remove(), 409, "in-use")
        self.release(lease)
        self.assertTrue(perl.do("$c->acquire"))
        waiter = self.acquire_later()
        self.assertProblem(self.remove(sem=1), 409, "in-use")  # the whole set counts
        sleeper = self.user()
        sleeper.send("$c->acquire(wait => 1)")
        self.sleeping(2)
        perl.exit()
        self.release(self.granted(waiter.answer()))
        sleeper.answer()
        again = self.user()
        again.send("$c->acquire(wait => 1)")
        self.sleeping(1)
        self.assertProblem(self.remove(), 409, "in-use")  # Perl waits, and no lease stands on it
        sleeper.exit()
        again.answer()

    def test_by_force(self):
        perl, sleeper = self.user(), self.user()
        self.assertTrue(perl.do("$c->acquire(undo => 0)"))
        waiter = self.acquire_later()
        sleeper.send("$c->acquire(wait => 1)")
        self.sleeping(2)
        self.granted(self.remove(force="true"), 200)
        self.assertProblem(waiter.answer(), 410, "set-removed", errno="EIDRM")
        self.assertFalse(sleeper.answer()[0])
        self.assertEqual(sleeper.errno, "EIDRM")
        lease = self.leased()
        self.granted(self.remove(force="true"), 200)
        self.assertProblem(self.server.release(lease), 410, "set-removed")
        self.assertEqual(self.look(self.key_of()), [])

    def test_perl_removes(self):
        for ours in (False, True):
            with self.subTest(ours=ours):
                lease = self.leased() if ours else None
                perl = self.user()
                lease = lease or self.leased()
                old = lease["sysv"]["id"]
                waiters = [self.acquire_later() for _ in range(2)]
                self.sleeping(2)
                self.assertTrue(perl.do("$c->remove"))
                first = next(one for one in self.finished(waiters))
                fresh = self.granted(first.answer())
                self.assertNotEqual(fresh["sysv"]["id"], old)
                self.lost(lease)
                self.assertEqual(self.user_values(), [0])
                self.release(fresh)
                self.release(self.granted(next(one for one in waiters if one is not first).answer()))
                self.assertEqual(self.user_values(), [1])
                self.granted(self.remove(), 200)

    @staticmethod
    def finished(waiters):
        eventually(lambda: any(waiter.done for waiter in waiters), "one waiter is granted in the new set")
        return [waiter for waiter in waiters if waiter.done]

    def test_ipcrm_removes(self):
        lease = self.leased(undo="false")
        subprocess.run(["ipcrm", "-s", str(lease["sysv"]["id"])], check=True)
        self.lost(lease)
        perl = self.user()
        self.assertTrue(perl.do("$c->acquire"))
        perl.exit()
        self.assertEqual(self.all, [1])

    def test_the_end_of_a_lost_lease_adds_nothing_to_the_new_set(self):
        lease = self.leased(ttl="300ms")
        self.user().do("$c->remove")
        perl = self.user(value=3)
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "its end")
        self.assertEqual(perl.list("$c->getall"), [3])


if __name__ == "__main__":
    unittest.main()
