# Rows: A3 A6
"""One writer of an Apache::Session session is alone, in Perl or over HTTP."""

import unittest

from perlside import LEASE, Apache


class Writers(Apache):
    def test_perl_waits_for_a_write_lease(self):
        for method in ("read", "write"):
            lease = self.leased("write")
            self.assertEqual((lease["mode"], self.rw), ("exclusive", (0, LEASE)))
            perl = self.locker()
            perl.send(f"$l->acquire_{method}_lock($s)")
            self.writer_waits(on=self.w)  # a reader and a writer both wait for the writers' semaphore here
            self.assertTrue(perl.is_silent())
            self.release(lease)
            perl.answer()
            self.assertEqual(self.rw, (1, 0) if method == "read" else (0, 1))
            self.does(perl, "$l->release_all_locks($s)", leaving=(0, 0))

    def test_an_http_writer_waits_for_perl_readers(self):
        first, second = self.locker(), self.locker()
        for perl in (first, second):
            perl.do("$l->acquire_read_lock($s)")
        self.assertProblem(self.acquire("write"), 423, "locked", errno="EAGAIN", native_held=2)
        waiter = self.acquire_later("exclusive")
        self.writer_waits()
        first.do("$l->release_read_lock($s)")
        self.writer_waits()
        self.assertFalse(waiter.done)
        second.do("$l->release_read_lock($s)")
        lease = self.granted(waiter.answer())
        self.assertEqual(self.rw, (0, LEASE))
        self.release(lease, leaving=(0, 0))

    def test_an_http_writer_waits_for_a_perl_writer(self):
        perl = self.locker("$l->acquire_write_lock($s)")
        for mode in ("write", "exclusive", "read", "shared"):
            self.assertProblem(self.acquire(mode), 423, "locked")
        waiter = self.acquire_later("write")
        self.writer_waits(on=self.w)
        perl.do("$l->release_write_lock($s)")
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.rw, (0, 0))

    def test_the_lock_shows_who_holds_it(self):
        perl = self.locker("$l->acquire_read_lock($s)")
        self.leased("read", owner="me")
        lock = self.at_http(self.name, **self.binding).json
        self.assertEqual((lock["dialect"], lock["native_held"], lock["available"]), ("apache", 1, 0))
        self.assertEqual([holder["owner"] for holder in lock["holders"]], ["me"])
        self.server.delete("/leases", owner="me")
        perl.do("$l->acquire_write_lock($s)")
        lock = self.at_http(self.name, **self.binding).json
        self.assertEqual((lock["native_held"], lock["available"], lock["holders"]), (1, 0, []))

    def test_writers_take_turns_and_none_is_lost(self):
        perl = self.locker()
        for _ in range(20):
            perl.do("$l->acquire_write_lock($s)")
            waiter = self.acquire_later("write")
            perl.do("$l->release_write_lock($s)")
            lease = self.granted(waiter.answer())
            perl.send("$l->acquire_write_lock($s)")
            self.writer_waits(on=self.w)
            self.release(lease)
            perl.answer()
            perl.do("$l->release_write_lock($s)")
        self.assertEqual(self.rw, (0, 0))


class Release(Apache):
    def test_a_waiting_perl_writer_and_a_waiting_perl_reader_get_in(self):
        for waiting in ("read", "write"):
            lease = self.leased("write")
            perl = self.locker()
            perl.send(f"$l->acquire_{waiting}_lock($s)")
            self.writer_waits(on=self.w)
            answer = self.at_http(self.name, "release", "POST", lease=lease["lease"], **self.binding)
            self.assertEqual((answer.status, answer["released"], answer["already"]), (200, True, False), answer)
            perl.answer()
            perl.kill()
            self.assertEqual(self.rw, (0, 0))

    def test_a_second_release_takes_nothing_from_others(self):
        lease = self.leased("write")
        self.release(lease)
        perl = self.locker("$l->acquire_write_lock($s)")
        self.assertEqual(self.release(lease)["already"], True)
        self.assertEqual(self.rw, (0, 1))
        perl.do("$l->release_write_lock($s)")
        self.does(perl, "$l->release_write_lock($s)", leaving=(0, 0))

    def test_a_lease_of_another_session_is_not_released(self):
        lease = self.leased("write")
        other = self.at_http(f"apache:{self.elsewhere()}", "release", "POST", lease=lease["lease"], **self.binding)
        self.assertProblem(other, 404, "no-such-lease")
        self.assertEqual(self.rw, (0, LEASE))
        self.release(lease, leaving=(0, 0))


if __name__ == "__main__":
    unittest.main()
