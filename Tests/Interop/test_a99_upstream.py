# Rows: A2 A3 A5 A6 A7 A9
"""What the module's own test does (t/99semaphore.t, which it skips), with one side over HTTP in turn.

For 2, 4, 6 and 8 semaphores: read, write while one reads (which in the module gives the read lock up first), release
the write lock, write and release all, read and release all, and after each step the two values.
"""

import unittest

from perlside import LEASE, Apache


class PerlSide:
    """The steps as the module does them."""

    unit = 1

    def __init__(self, test):
        self.perl = test.locker()

    def read(self):
        self.perl.do("$l->acquire_read_lock($s)")

    def write(self):
        self.perl.do("$l->acquire_write_lock($s)")

    def release_write(self):
        self.perl.do("$l->release_write_lock($s)")

    def release_all(self):
        self.perl.do("$l->release_all_locks($s)")


class HTTPSide:
    """The same steps over HTTP."""

    unit = LEASE

    def __init__(self, test):
        self.test, self.lease = test, None

    def read(self):
        self.lease = self.test.leased("read", owner="upstream")

    def write(self):
        if self.lease:
            self.test.release(self.lease)
        self.lease = self.test.leased("write", owner="upstream")

    def release_write(self):
        self.test.release(self.lease)
        self.lease = None

    def release_all(self):
        answer = self.test.server.delete("/leases", owner="upstream", key=self.test.name)
        self.test.assertEqual(answer["released"], 1, answer)
        self.lease = None


class Upstream(Apache):
    def steps(self, side, other):
        unit = side.unit
        side.read()
        self.assertEqual(self.rw, (unit, 0))
        self.assertEqual(other.tries("read"), True)
        self.assertEqual(other.tries("write"), False)
        side.write()
        self.assertEqual(self.rw, (0, unit))
        self.assertEqual(other.tries("read"), False)
        side.release_write()
        self.assertEqual(self.rw, (0, 0))
        side.write()
        self.assertEqual(other.tries("write"), False)
        side.release_all()
        self.assertEqual(self.rw, (0, 0))
        self.assertEqual(other.tries("write"), True)
        side.read()
        self.assertEqual(other.tries("write"), False)
        side.release_all()
        self.assertEqual(self.rw, (0, 0))

    def test_all_sizes_both_ways(self):
        for nsems in (2, 4, 6, 8):
            for side, other in ((PerlSide, HTTPTries), (HTTPSide, PerlTries)):
                with self.subTest(nsems=nsems, side=side.__name__):
                    self.session, self.nsems = "foo", nsems
                    self.semkey += 1 << 20
                    self.bind()
                    self.steps(side(self), other(self))


class HTTPTries:
    """Whether HTTP gets the lock at once; it gives it back."""

    def __init__(self, test):
        self.test = test

    def tries(self, mode):
        answer = self.test.acquire(mode)
        if answer.status == 201:
            self.test.release(answer.json)
        return answer.status == 201


class PerlTries:
    """Whether Perl gets the lock at once; it gives it back. One that does not is killed in its sleep."""

    def __init__(self, test):
        self.test = test

    def tries(self, mode):
        perl, test = self.test.locker(), self.test
        perl.send(f"$l->acquire_{mode}_lock($s)")
        while perl.is_silent() and not any(row[2] for row in test.look(test.semkey)):
            pass
        got = not perl.is_silent()
        if got:
            perl.answer()
            perl.do("$l->release_all_locks($s)")
        perl.kill()
        return got


if __name__ == "__main__":
    unittest.main()
