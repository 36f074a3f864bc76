# Rows: A7
"""release_all_locks over HTTP: all of one owner, of one session or of all, and nothing of others."""

import unittest

from perlside import LEASE, Apache


class ReleaseAll(Apache):
    def test_one_owner_in_one_session_and_then_everywhere(self):
        other = self.elsewhere()
        perl = self.locker("$l->acquire_read_lock($s)")
        mine = [self.leased("read", owner="mine") for _ in range(2)]
        self.leased("read", owner="hers")
        elsewhere = self.granted(
            self.at_http(f"apache:{other}", "acquire", "POST", mode="read", owner="mine", **self.binding)
        )
        where = elsewhere["sysv"]["semaphores"][0]
        answer = self.granted(self.server.delete("/leases", owner="mine", key=self.name), 200)
        self.assertEqual(answer["released"], 2)
        self.assertEqual(sorted(answer["leases"]), sorted(lease["ref"] for lease in mine))
        values = self.values(self.semkey)
        expected = [0] * self.nsems
        expected[self.r] += LEASE + 1
        expected[where] += LEASE
        self.assertEqual(values, expected)
        answer = self.granted(self.server.delete("/leases", owner="mine"), 200)
        self.assertEqual((answer["released"], answer["leases"]), (1, [elsewhere["ref"]]))
        self.assertEqual(self.rw, (LEASE + 1, 0))
        answer = self.granted(self.server.delete("/leases", owner="mine"), 200)
        self.assertEqual((answer["released"], answer["leases"]), (0, []))
        self.assertEqual(self.granted(self.server.delete("/leases", owner="hers"), 200)["released"], 1)
        self.assertEqual(self.rw, (1, 0))
        self.does(perl, "$l->release_all_locks($s)", leaving=(0, 0))

    def test_a_waiting_perl_writer_gets_in(self):
        self.leased("read", owner="a")
        self.leased("read", owner="a")
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits()
        self.assertEqual(self.server.delete("/leases", owner="a", key=self.name)["released"], 2)
        perl.answer()
        self.assertEqual(self.rw, (0, 1))

    def test_perls_own_leaves_the_leases(self):
        for mode in ("read", "write"):
            perl = self.locker(f"$l->acquire_{mode}_lock($s)")
            lease = self.leased("read") if mode == "read" else None
            waiter = None if lease else self.acquire_later("read")
            perl.do("$l->release_all_locks($s)")
            perl.do("$l->release_all_locks($s)")
            lease = lease or self.granted(waiter.answer())
            self.assertEqual(self.rw, (LEASE, 0))
            self.release(lease, leaving=(0, 0))


if __name__ == "__main__":
    unittest.main()
