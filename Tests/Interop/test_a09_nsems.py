# Rows: A9 A10 A15
"""NSems: sets of every size, and what happens when two programs do not agree on it."""

import unittest

from perlside import LEASE, Apache, Died, options, quoted


class Sizes(Apache):
    def size(self, nsems):
        self.nsems = nsems
        self.semkey += 0x10000
        self.bind()

    def test_perl_opens_what_http_made_and_the_other_way_round(self):
        for nsems in (2, 8, 16, 32, 64):
            for http_first in (True, False):
                with self.subTest(nsems=nsems, http_first=http_first):
                    self.size(nsems)
                    perl = self.locker()
                    if http_first:
                        lease = self.leased("write")
                        self.assertNotIn("warnings", lease)
                        self.assertEqual(len(self.values(self.semkey)), nsems)
                        perl.send("$l->acquire_write_lock($s)")
                        self.writer_waits(on=self.w)
                        self.release(lease)
                        perl.answer()
                    else:
                        perl.do("$l->acquire_write_lock($s)")
                        self.assertEqual(len(self.values(self.semkey)), nsems)
                    self.assertEqual(perl.do("$l->{read_sem}"), self.r)
                    self.assertProblem(self.acquire("write"), 423, "locked")
                    self.does(perl, "$l->release_write_lock($s)", leaving=(0, 0))

    def test_other_numbers_than_powers_of_two_pass_with_a_warning(self):
        for nsems in (3, 5, 6, 24, 100):
            with self.subTest(nsems=nsems):
                self.size(nsems)
                lease = self.leased("read")
                self.assertEqual(lease["warnings"], ["nsems-not-power-of-2"])
                perl = self.locker("$l->acquire_read_lock($s)")
                self.assertEqual((perl.do("$l->{read_sem}"), self.rw), (self.r, (LEASE + 1, 0)))
                self.release(lease)
                perl.do("$l->acquire_write_lock($s)")
                # Half of an odd number is cut.
                self.assertEqual((self.w - self.r, self.rw), (nsems // 2, (0, 1)))
                self.assertProblem(self.acquire("read"), 423, "locked")
                self.does(perl, "$l->release_write_lock($s)", leaving=(0, 0))

    def test_one_is_too_few(self):
        self.nsems = 1
        self.assertProblem(self.acquire("read"), 400, "out-of-range", parameter="nsems")
        with self.assertRaisesRegex(Died, "Illegal modulus zero"):
            self.locker().do("$l->acquire_read_lock($s)")


class Disagreement(Apache):
    def test_http_refuses_a_set_of_another_size(self):
        perl = self.locker("$l->acquire_write_lock($s)")
        for asked in (16, 31, 64):
            for answer in (
                self.at_http(self.name, "acquire", "POST", semaphore_key=self.semkey, nsems=asked),
                self.at_http(self.name, semaphore_key=self.semkey, nsems=asked),
            ):
                self.assertProblem(answer, 409, "nsems-mismatch", errno="EINVAL", nsems=32, asked_nsems=asked)
        self.assertEqual(self.rw, (0, 1))
        perl.do("$l->release_write_lock($s)")

    def test_perl_dies_of_a_set_that_is_smaller(self):
        self.nsems = 16
        self.bind()
        lease = self.leased("read")
        perl = self.locker(SemaphoreKey=self.semkey, NSems=32)
        with self.assertRaisesRegex(Died, "Invalid argument"):
            perl.do("$l->acquire_read_lock($s)")
        answer = self.at_http(self.name, "acquire", "POST", semaphore_key=self.semkey, nsems=32)
        self.assertProblem(answer, 409, "nsems-mismatch", errno="EINVAL", nsems=16, asked_nsems=32)
        self.assertEqual(self.rw, (LEASE, 0))
        self.release(lease, leaving=(0, 0))

    def test_perl_opens_a_larger_set_silently_and_locks_the_wrong_numbers(self):
        # This is why HTTP refuses: a reader and a writer of one session, together.
        lease = self.leased("write")
        perl = self.locker(SemaphoreKey=self.semkey, NSems=2)
        if self.r in (0, 1) or self.w in (0, 1):
            self.skipTest("this session is on the numbers of the smaller set")
        perl.do("$l->acquire_read_lock($s)")
        perl.kill()
        self.release(lease, leaving=(0, 0))

    def test_more_than_the_kernel_allows(self):
        with open("/proc/sys/kernel/sem", encoding="ascii") as file:
            semmsl = int(file.read().split()[0])
        self.nsems = semmsl + 1
        answer = self.acquire("read")
        self.assertProblem(answer, 400, "out-of-range")
        self.assertEqual((answer.json.get("errno"), answer.json.get("limit")), ("EINVAL", "SEMMSL"))
        with self.assertRaisesRegex(Died, "Invalid argument"):
            self.locker().do("$l->acquire_read_lock($s)")
        self.assertEqual(self.look(self.semkey), [])


if __name__ == "__main__":
    unittest.main()
