# Rows: C7 C8 C9 C22 C23
"""Acquiring without waiting: the slots are the same for both, and so is what is said when there is none."""

import os
import unittest

from perlside import AS_NOBODY, NOBODY, Path, Server, can_be


class Acquire(Path):
    made_by_perl = True

    def make(self, **given):
        """The set, made by one of the two sides; a Perl program that has it open."""
        if self.made_by_perl:
            return self.user(**given)
        parameters = {{"count": "nsems", "value": "limit"}.get(name, name): value for name, value in given.items()}
        self.assertEqual(self.at_http(self.name, method="PUT", **parameters).status, 201)
        return self.user()

    def test_a_lease_takes_perls_slot(self):
        perl = self.make()
        lease = self.leased()
        self.assertEqual(perl.do("$c->getval"), 0)
        self.assertFalse(perl.do("$c->acquire"))
        self.assertEqual(perl.errno, "EAGAIN")
        self.release(lease)
        self.assertEqual(perl.do("$c->getval"), 1)
        self.assertTrue(perl.do("$c->acquire"))
        perl.exit()
        self.assertEqual(self.user_values(), [1])

    def test_perl_takes_the_leases_slot(self):
        perl = self.make()
        self.assertTrue(perl.do("$c->acquire"))
        self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN")
        self.assertTrue(perl.do("$!{EAGAIN} || 1"))
        perl.kill()
        lease = self.leased()
        self.assertEqual(self.user_values(), [0])
        self.release(lease)
        self.assertEqual(self.user_values(), [1])

    def test_all_slots_are_shared(self):
        perl = self.make(value=4)
        leases = [self.leased(), self.leased(count=2)]
        self.assertTrue(perl.do("$c->acquire"))
        self.assertFalse(self.user().do("$c->acquire"))
        self.assertProblem(self.acquire(), 423, "locked")
        perl.kill()
        self.assertProblem(self.acquire(count=2), 423, "locked")
        self.release(leases[1])
        self.assertEqual(self.user_values(), [3])
        self.release(leases[0])
        self.assertEqual(self.user_values(), [4])

    def test_numbers_are_independent(self):
        perl = self.make(count=3)
        first, second = self.leased(sem=0), self.leased(sem=2)
        self.assertEqual(perl.list("$c->getall")[:3], [0, 1, 0])
        self.assertFalse(perl.do("$c->acquire(0)"))
        self.assertTrue(perl.do("$c->acquire(1)"))
        self.assertFalse(perl.do("$c->acquire(sem => 2)"))
        self.assertProblem(self.acquire(sem=1), 423, "locked")
        self.release(second)
        self.assertTrue(perl.do("$c->acquire(sem => 2)"))
        self.assertProblem(self.acquire(sem=2), 423, "locked")
        self.release(first)
        perl.exit()
        self.assertEqual(self.user_values(3), [1, 1, 1])

    def test_a_number_past_the_set(self):
        perl = self.make(count=2)
        for number in (2, 3, 6, 100):
            answer = self.acquire(sem=number)
            self.assertProblem(answer, 400, "out-of-range", parameter="sem", errno="EFBIG", minimum=0, maximum=1)
            self.assertFalse(perl.do(f"$c->acquire({number if self.made_by_perl else number + 100})"))
            self.assertEqual(perl.errno, "EFBIG")
        self.assertProblem(self.acquire(sem=-1), 400, "out-of-range", parameter="sem")

    def test_positional_and_named(self):
        """acquire($sem, $wait, $max, $undo), each in a state where it matters, beside its HTTP form."""
        perl = self.make(count=2)
        other = self.user()
        for code, query, got in (
            ("$c->acquire(1)", {"sem": 1}, True),
            ("$c->acquire(0, 1, 0)", {"sem": 0, "wait": "30s", "max_waiters": 0}, True),
            ("$c->acquire(sem => 1, wait => 0)", {"sem": 1, "wait": 0}, True),
            ("$c->acquire(0, 0, 0, 1)", {"sem": 0, "undo": "true"}, True),
        ):
            with self.subTest(code=code):
                lease = self.leased(**query)
                self.assertFalse(perl.do(code))
                self.release(lease)
                self.assertEqual(bool(other.do(code)), got)
                # Taken now: the same call says no, on both sides.
                self.assertFalse(perl.do(code))
                self.assertEqual(perl.errno, "EAGAIN")
                code_of_http = "queue-full" if "max_waiters" in query else "locked"
                self.assertProblem(self.acquire(**query), 423, code_of_http, errno="EAGAIN")
                other.kill()
                other = self.user()
                self.assertEqual(self.user_values(2), [1, 1])

    def test_one_number_has_two_names_in_perl(self):
        perl = self.make()
        self.leased()
        self.assertEqual(perl.list("my $r = $c->acquire; ($!{EAGAIN} ? 1 : 0, $!{EWOULDBLOCK} ? 1 : 0)"), [1, 1])
        self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN")


class AcquireOnOurs(Acquire):
    """The same on sets that Leasehold made."""

    made_by_perl = False


class Errors(Path):
    """The same name in `errno` as in Perl's $!."""

    def test_no_right(self):
        # As root everything passes, so both run as somebody else, on a set of root's.
        if not can_be(NOBODY):
            self.skipTest("needs root, to be somebody else")
        perl = self.user()
        perl.do("$c->{set}->set(mode => 0600)")
        os.chmod(self.folder, 0o777)
        os.chmod(self.path, 0o666)
        stranger = self.perl(*AS_NOBODY)
        self.assertTrue(stranger.do(f"$c = Concurrency->new('{self.path}'); $c ? 1 : 0"))
        self.assertFalse(stranger.do("$c->acquire"))
        self.assertEqual(stranger.errno, "EACCES")
        server = Server(prefix=AS_NOBODY).ends_with(self).start()
        self.assertProblem(server.acquire(self.name), 403, "permission-denied", errno="EACCES")
        self.assertEqual(perl.list("$c->getall"), [1])

    def test_removed(self):
        perl = self.user()
        perl.do("$c->acquire")
        sleeper = self.user()
        sleeper.send("$c->acquire(wait => 1)")
        self.sleeping(1)
        self.assertEqual(self.at_http(self.name, method="DELETE", force="true").status, 200)
        self.assertFalse(sleeper.answer()[0])
        self.assertEqual(sleeper.errno, "EIDRM")


if __name__ == "__main__":
    unittest.main()
