# Rows: A4
"""A reader of a session becomes its writer in one step, and a reader again; no Perl writer ever comes between."""

import unittest

from perlside import LEASE, Apache, Pending, eventually


class Upgrade(Apache):
    def convert(self, lease, mode, **parameters):
        return self.at_http(
            self.name, "convert", "POST", lease=lease["lease"], mode=mode, **(self.binding | parameters)
        )

    def convert_later(self, lease):
        pending = Pending(lambda: self.convert(lease, "write", wait="30s"))
        eventually(lambda: pending.done or self.queued(self.name, self.binding) > 0, "an upgrade that waits")
        return pending

    def test_alone_it_goes_at_once_and_back(self):
        lease = self.leased("read")
        self.assertEqual(self.rw, (LEASE, 0))
        writer = self.granted(self.convert(lease, "write"), 200)
        self.assertEqual((writer["lease"], writer["mode"]), (lease["lease"], "exclusive"))
        self.assertEqual(writer["fence"], lease["fence"])
        self.assertEqual(self.rw, (0, LEASE))
        perl = self.locker()
        perl.send("$l->acquire_read_lock($s)")
        self.reader_waits()
        self.assertEqual(self.granted(self.convert(lease, "read"), 200)["mode"], "shared")
        perl.answer()
        self.assertEqual(self.rw, (LEASE + 1, 0))
        perl.do("$l->release_read_lock($s)")
        self.release(lease, leaving=(0, 0))

    def test_beside_a_perl_reader_it_waits_and_keeps_its_half(self):
        lease = self.leased("read")
        perl = self.locker("$l->acquire_read_lock($s)")
        self.assertProblem(self.convert(lease, "write"), 423, "locked", errno="EAGAIN")
        self.assertEqual(self.rw, (LEASE + 1, 0))
        upgrade = self.convert_later(lease)
        self.writer_waits()
        self.assertEqual(self.rw, (LEASE + 1, 0))
        self.assertFalse(upgrade.done)
        perl.do("$l->release_read_lock($s)")
        self.assertEqual(self.granted(upgrade.answer(), 200)["mode"], "exclusive")
        self.assertEqual(self.rw, (0, LEASE))
        self.release(lease, leaving=(0, 0))

    def test_a_perl_reader_that_upgrades_lets_it_in_first(self):
        # The module drops its read lock before it asks for the write lock.
        lease = self.leased("read")
        perl = self.locker("$l->acquire_read_lock($s)")
        upgrade = self.convert_later(lease)
        self.writer_waits()
        perl.send("$l->acquire_write_lock($s)")
        self.granted(upgrade.answer(), 200)
        self.assertEqual(self.rw, (0, LEASE))
        self.assertTrue(perl.is_silent())
        self.release(lease)
        perl.answer()
        self.assertEqual(self.rw, (0, 1))
        self.does(perl, "$l->release_all_locks($s)", leaving=(0, 0))

    def test_no_perl_writer_comes_between(self):
        lease = self.leased("read")
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits()
        self.granted(self.convert(lease, "write"), 200)
        self.assertTrue(perl.is_silent())
        self.assertEqual(self.rw, (0, LEASE))
        self.granted(self.convert(lease, "read"), 200)
        self.assertTrue(perl.is_silent(), "the reader's half keeps the Perl writer out")
        self.release(lease)
        perl.answer()
        self.does(perl, "$l->release_write_lock($s)", leaving=(0, 0))

    def test_the_second_upgrade_is_a_deadlock(self):
        first, second = self.leased("read", owner="first"), self.leased("read", owner="second")
        upgrade = self.convert_later(first)
        self.writer_waits()
        problem = self.assertProblem(self.convert(second, "write", wait="30s"), 409, "deadlock")
        self.assertEqual([step["owner"] for step in problem["circle"]], ["second", "first"])
        self.assertEqual(self.rw, (2 * LEASE, 0))
        self.release(second)
        self.assertEqual(self.granted(upgrade.answer(), 200)["mode"], "exclusive")
        self.release(first, leaving=(0, 0))


if __name__ == "__main__":
    unittest.main()
