# Rows: A8
"""Acquiring what one has already: nothing in Perl, the same lease over HTTP when the same request is repeated."""

import unittest

from perlside import LEASE, Apache


class Again(Apache):
    def state(self):
        """Everything a semop would change."""
        rows = self.look(self.semkey)
        stat = self.eye.list(f"stat_of(set_of({self.semkey}))")
        return rows, dict(zip(stat[::2], stat[1::2]))["otime"]

    def test_a_replay_makes_no_semop(self):
        perl = self.locker()
        lease = self.granted(self.keyed("read", "one"))
        # Perl's is the last semop: a semop of the service would put its own process id there.
        perl.do("$l->acquire_read_lock($s)")
        before = self.state()
        self.assertEqual(before[0][self.r][3], perl.pid)
        again = self.granted(self.keyed("read", "one"), 200)
        self.assertEqual((again["replayed"], again["lease"]), (True, lease["lease"]))
        self.assertEqual(self.state(), before)
        self.assertEqual(self.rw, (LEASE + 1, 0))
        self.release(lease)
        self.does(perl, "$l->release_read_lock($s)", leaving=(0, 0))

    def keyed(self, mode, key):
        target = f"/locks/apache:{self.session}/acquire"
        return self.server.request("POST", target, headers={"Idempotency-Key": key}, mode=mode, **self.binding)

    def test_perl_acquires_again_and_nothing_happens(self):
        lease = self.leased("read")
        perl = self.locker("$l->acquire_read_lock($s)")
        before = self.state()
        perl.do("$l->acquire_read_lock($s)")
        self.assertEqual(self.state(), before)
        self.release(lease)
        perl.do("$l->acquire_write_lock($s)")
        perl.do("$l->acquire_read_lock($s)")  # nothing: the write lock covers it
        self.does(perl, "$l->acquire_write_lock($s)", leaving=(0, 1))
        self.does(perl, "$l->release_all_locks($s)", leaving=(0, 0))

    def test_a_new_acquire_is_another_holder(self):
        lease = self.leased("write", owner="me")
        for mode in ("read", "write"):
            self.assertProblem(self.acquire(mode, owner="me"), 423, "locked")
        self.assertEqual(self.rw, (0, LEASE))
        self.release(lease, leaving=(0, 0))


if __name__ == "__main__":
    unittest.main()
