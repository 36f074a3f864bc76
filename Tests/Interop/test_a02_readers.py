# Rows: A2 A5
"""Readers of one Apache::Session session share it, Perl's and HTTP's, and shut writers of both out."""

import unittest

from perlside import LEASE, Apache


class Readers(Apache):
    def test_perl_reads_beside_a_read_lease(self):
        lease = self.leased("read")
        self.assertEqual((lease["mode"], lease["sysv"]["semaphores"]), ("shared", [self.r, self.w]))
        self.assertEqual(self.rw, (LEASE, 0))
        perl = self.locker("$l->acquire_read_lock($s)")
        self.assertEqual(self.rw, (LEASE + 1, 0))
        self.release(lease, leaving=(1, 0))
        self.does(perl, "$l->release_read_lock($s)", leaving=(0, 0))

    def test_http_reads_beside_perl(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        leases = [self.leased(mode) for mode in ("read", "shared", "read")]
        self.assertEqual(self.rw, (3 * LEASE + 1, 0))
        perl.do("$l->release_read_lock($s)")
        for lease in leases:
            self.release(lease)
        self.assertEqual(self.rw, (0, 0))

    def test_a_perl_writer_waits_for_a_read_lease(self):
        lease = self.leased("read")
        perl = self.locker()
        perl.send("$l->acquire_write_lock($s)")
        self.writer_waits()
        self.assertTrue(perl.is_silent())
        self.release(lease)
        perl.answer()
        self.assertEqual(self.rw, (0, 1))
        self.does(perl, "$l->release_write_lock($s)", leaving=(0, 0))

    def test_http_readers_are_refused_or_wait_while_perl_writes(self):
        perl = self.locker("$l->acquire_write_lock($s)")
        self.assertEqual(self.rw, (0, 1))
        self.assertProblem(self.acquire("read"), 423, "locked", errno="EAGAIN")
        self.assertProblem(self.acquire("read", wait="200ms"), 423, "wait-timeout", errno="EAGAIN")
        waiter = self.acquire_later("read")
        self.reader_waits()
        self.assertFalse(waiter.done)
        perl.do("$l->release_write_lock($s)")
        lease = self.granted(waiter.answer())
        self.assertEqual(self.rw, (LEASE, 0))
        self.release(lease, leaving=(0, 0))

    def test_all_waiting_http_readers_get_in_together(self):
        perl = self.locker("$l->acquire_write_lock($s)")
        waiters = [self.acquire_later("read") for _ in range(4)]
        self.reader_waits()  # one of them sleeps for all
        perl.do("$l->release_write_lock($s)")
        leases = [self.granted(waiter.answer()) for waiter in waiters]
        self.assertEqual(self.rw, (4 * LEASE, 0))
        for lease in leases:
            self.release(lease)
        self.assertEqual(self.rw, (0, 0))

    def test_a_perl_reader_passes_a_waiting_http_writer_and_an_http_reader_does_not(self):
        lease = self.leased("read")
        writer = self.acquire_later("write")
        self.writer_waits()
        perl = self.locker("$l->acquire_read_lock($s)")
        self.assertProblem(self.acquire("read"), 423, "locked")
        self.release(lease)
        self.assertFalse(writer.done)
        perl.do("$l->release_read_lock($s)")
        self.release(self.granted(writer.answer()))
        self.assertEqual(self.rw, (0, 0))

    def test_readers_behind_a_writer_that_gives_up_get_in(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        connection = self.server.connection()
        self.addCleanup(connection.close)
        query = f"mode=write&wait=30s&semaphore_key={self.semkey}&nsems={self.nsems}"
        connection.request("POST", f"/locks/{self.name}/acquire?{query}")
        self.writer_waits()
        readers = [self.acquire_later("read") for _ in range(2)]
        self.assertFalse(any(reader.done for reader in readers))
        connection.close()
        for reader in readers:
            self.release(self.granted(reader.answer()))
        self.writer_waits(0)
        self.assertEqual(self.rw, (1, 0))


class Release(Apache):
    def test_a_second_release_changes_nothing(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        lease = self.leased("read")
        first = self.at_http(self.name, "release", "POST", lease=lease["lease"], **self.binding)
        self.assertEqual((first.status, first["already"]), (200, False), first)
        again = self.server.delete(f"/leases/{lease['lease']}")
        self.assertEqual((again.status, again["already"]), (200, True), again)
        self.assertEqual(self.rw, (1, 0))
        # The module says nothing either.
        perl.do("$l->release_read_lock($s)")
        perl.do("$l->release_read_lock($s)")
        self.assertEqual((self.rw, perl.warnings), ((0, 0), []))

    def test_after_expiry_it_is_too_late(self):
        lease = self.leased("read", ttl="100ms")
        perl = self.locker()
        perl.do("$l->acquire_write_lock($s)")  # waits for the end of the ttl
        self.assertProblem(self.server.release(lease), 410, "expired")
        self.assertEqual(self.rw, (0, 1))
        self.does(perl, "$l->release_all_locks($s)", leaving=(0, 0))

    def test_what_was_not_acquired_is_not_released(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        other = self.locker("$l->release_read_lock($s)")
        answer = self.server.delete("/leases/0123456789abcdef0123456789abcdef")
        self.assertProblem(answer, 404, "no-such-lease")
        self.assertProblem(self.at_http(self.name, "release", "POST", **self.binding), 400, "missing-parameter")
        self.assertEqual(self.rw, (1, 0))


if __name__ == "__main__":
    unittest.main()
