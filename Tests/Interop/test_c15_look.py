# Rows: C15 C18 C20
"""getall, id, key and stat: GET /semaphores shows what Perl shows."""

import unittest

from perlside import Path

NAMES = ("uid", "gid", "cuid", "cgid", "nsems")


class Look(Path):
    def shown(self):
        answer = self.server.get(f"/semaphores/{self.key_of() & 0xFFFFFFFF:#x}")
        return self.granted(answer, 200)

    def stat(self, perl):
        flat = perl.list("stat_of($c->{set})")
        return dict(zip(flat[::2], flat[1::2]))

    def same(self, perl):
        shown, stat = self.shown(), self.stat(perl)
        self.assertEqual(shown["values"], perl.list("$c->getall"))
        self.assertEqual((shown["id"], shown["key"]), (perl.do("$c->id"), perl.do("$c->key")))
        for name in NAMES:
            self.assertEqual(shown[name], stat[name], name)
        self.assertEqual(int(shown["mode"], 8), stat["mode"] & 0o777)
        self.assertEqual((shown["otime_seconds"], shown["ctime_seconds"]), (stat["otime"], stat["ctime"]))
        self.assertEqual(shown["otime"] is None, stat["otime"] == 0)
        rows = [[row["value"], row["ncnt"], row["zcnt"], row["pid"]] for row in shown["semaphores"]]
        self.assertEqual(rows, self.look(self.key_of()))
        return shown

    def test_perl_first(self):
        perl = self.user(count=3, value=2)
        self.same(perl)
        lease = self.leased(sem=1)
        perl.do("$c->acquire(2)")
        shown = self.same(perl)
        self.assertEqual(shown["values"], [2, 1, 1])
        leases = [row["leases"] for row in shown["semaphores"]]
        self.assertEqual([one if isinstance(one, int) else len(one) for one in leases], [0, 1, 0])
        self.assertEqual(shown["semaphores"][2]["pid"], perl.pid)
        self.assertEqual(shown["semaphores"][1]["pid"], self.server.pid)
        by_id = self.granted(self.server.get(f"/semaphores/id:{shown['id']}"), 200)
        self.assertEqual(by_id["values"], shown["values"])
        self.release(lease)
        perl.exit()
        self.assertEqual(self.all, [2, 2, 2])

    def test_http_first(self):
        lease = self.leased(nsems=2, limit=4, perm="0640")
        perl = self.user()
        self.same(perl)
        self.assertEqual(self.shown()["values"][:4], [3, 4, 1, 0])
        self.assertEqual(self.at_http(self.name)["sysv"]["id"], perl.do("$c->id"))
        perl.do("$c->acquire(1)")
        self.assertEqual(self.same(perl)["values"][:4], [3, 3, 1, 0])
        self.release(lease)
        perl.exit()
        self.assertEqual(self.shown()["values"][:4], [4, 4, 0, 0])

    def test_waiters_of_both_kinds(self):
        perl = self.user()
        perl.do("$c->acquire")
        waiters = [self.acquire_later() for _ in range(2)]
        other = self.user()
        other.send("$c->acquire(wait => 1)")
        self.sleeping(3)
        self.assertEqual(self.same(perl)["semaphores"][0]["ncnt"], 3)
        self.assertEqual((perl.do("$c->getncnt"), self.at_http(self.name)["sysv"]["ncnt"]), (3, 3))
        perl.exit()
        for waiter in waiters:
            self.release(self.granted(waiter.answer()))
        other.answer()

    def test_the_lock_itself_says_the_value(self):
        perl = self.user(value=5)
        perl.do("$c->acquire")
        lock = self.granted(self.at_http(self.name), 200)
        self.assertEqual((lock["sysv"]["value"], lock["available"], lock["dialect"]), (4, 4, "path"))
        # A program made the set: what its first value was, the kernel does not tell.
        self.assertEqual((lock["limit"], lock["native_held"]), (None, None))
        lease = self.leased()
        lock = self.granted(self.at_http(self.name), 200)
        self.assertEqual((lock["limit"], lock["native_held"], lock["available"]), (None, None, 3))
        self.assertEqual(lock["suspects"], 0)
        self.release(lease)

    def test_a_limit_that_is_known(self):
        lease = self.leased(limit=3)
        perl = self.user()
        perl.do("$c->acquire")
        lock = self.granted(self.at_http(self.name), 200)
        self.assertEqual((lock["limit"], lock["native_held"], lock["available"]), (3, 1, 1))
        self.release(lease)


if __name__ == "__main__":
    unittest.main()
