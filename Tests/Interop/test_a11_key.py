# Rows: A11
"""SemaphoreKey: its default, and keys that Perl cannot tell apart."""

import unittest

from perlside import LEASE, Apache, eventually, ipcs, options, quoted


class Keys(Apache):
    def test_the_default_is_31818_whoever_comes_first(self):
        for http_first in (True, False):
            perl = self.perl()
            perl.list(f"($l, $s) = locker({quoted(self.session)})")
            if not http_first:
                perl.do("$l->acquire_read_lock($s)")
            lease = self.granted(self.at_http(self.name, "acquire", "POST", mode="read"))
            if http_first:
                perl.do("$l->acquire_read_lock($s)")
            self.assertEqual((lease["sysv"]["key"], lease["sysv"]["nsems"]), (31818, 32))
            found = [row for row in ipcs() if row["key"] == 0x7C4A]
            shown = [(row["id"], row["nsems"], row["mode"]) for row in found]
            self.assertEqual(shown, [(lease["sysv"]["id"], 32, 0o700)])
            r, w = lease["sysv"]["semaphores"]
            values = self.values(31818)
            self.assertEqual((values[r], values[w]), (LEASE + 1, 0))
            perl.do("$l->release_read_lock($s)")
            self.server.release(lease)
            self.assertEqual(self.values(31818), [0] * 32)
            perl.do("$l->remove")

    def test_perls_nothing_means_the_default(self):
        lease = self.granted(self.at_http(self.name, "acquire", "POST", mode="write"))
        for given in ("0", "''", "undef"):
            perl = self.perl()
            perl.list(f"($l, $s) = locker({quoted(self.session)}, SemaphoreKey => {given})")
            perl.send("$l->acquire_read_lock($s)")
        number = lease["sysv"]["semaphores"][1]
        eventually(lambda: self.zcnt(31818, number) == 3, "three readers asleep")
        self.server.release(lease)
        eventually(lambda: self.values(31818)[number - 16] == 3, "three readers in")

    def test_zero_is_no_key_over_http(self):
        for zero in ("0", "0x0", "-0"):
            answer = self.at_http(self.name, "acquire", "POST", semaphore_key=zero)
            self.assertProblem(answer, 400, "out-of-range", parameter="semaphore_key")
        for bad in ("", "abc", "0xg", "1.5"):
            answer = self.at_http(self.name, "acquire", "POST", semaphore_key=bad)
            self.assertProblem(answer, 400, "invalid-parameter", parameter="semaphore_key")
        self.assertProblem(self.at_http(self.name, "acquire", "POST", semaphore_key=1 << 32), 400, "out-of-range")

    def test_keys_from_two_to_the_31st_are_one_in_perl(self):
        for number in (0x80000000, 0xDEADBEEF, (1 << 32) + 5):
            perl = self.locker("$l->acquire_read_lock($s)", SemaphoreKey=number)
            self.assertEqual(perl.do("set_of(-2147483648)->id"), perl.do("$l->{sem}->id"))
            perl.kill()
        # HTTP names each of them, and this one is Perl's.
        perl = self.locker("$l->acquire_write_lock($s)", SemaphoreKey=0xDEADBEEF)
        self.semkey = "0x80000000"
        self.assertProblem(self.acquire("read"), 423, "locked")
        self.semkey = "0xdeadbeef"
        lease = self.leased("read")
        self.assertEqual(lease["sysv"]["key"], -559038737)
        self.release(lease)
        # Perl reaches that one by its negative number.
        perl.list(f"($n, $t) = locker({quoted(self.session)}, SemaphoreKey => -559038737)")
        perl.do("$n->acquire_write_lock($t)")
        self.assertProblem(self.acquire("read"), 423, "locked")


if __name__ == "__main__":
    unittest.main()
