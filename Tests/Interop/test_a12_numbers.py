# Rows: A12
"""The number of a session: HTTP computes what Perl computes, doubles beyond 2^64 included."""

import os
import random
import unittest

from perlside import Apache, Died, quoted, segment

SAMPLES = 400
CHARACTERS = "0123456789abcdefABCDEF-_.~ ghijklmnopqrstuvwxyz"


class Numbers(Apache):
    def ask(self, session, nsems, key=31818):
        answer = self.server.get(f"/keys/{segment(f'apache:{session}')}", nsems=nsems, semaphore_key=key)
        return self.granted(answer, 200)

    def test_many_ids_and_sizes(self):
        seed = int(os.environ.get("SEED", random.SystemRandom().getrandbits(32)))
        print(f"SEED={seed}")
        source = random.Random(seed)
        samples = []
        for index in range(SAMPLES):
            alphabet = CHARACTERS[:16] if index % 2 else CHARACTERS
            session = "".join(source.choice(alphabet) for _ in range(1 + index % 64))
            samples.append((session, source.choice((32, 16, 8)) if index % 4 == 0 else source.randint(2, 100)))
        self.eye.list(self.pairs(samples))
        # The module's own method does the arithmetic; its semop goes to a set of its own for each size.
        expected = self.eye.list(
            "map { my ($l, $s) = locker($_->[0], NSems => $_->[1], SemaphoreKey => 0x500000 + $_->[1]);"
            " $l->acquire_read_lock($s); my $set = $l->{sem};"
            " my @v = $set->getall; my ($r) = grep { $v[$_] } 0 .. $#v; $l->release_read_lock($s);"
            " $l->acquire_write_lock($s); @v = $set->getall; my ($w) = grep { $v[$_] } 0 .. $#v;"
            " $l->release_write_lock($s); [$r, $w] } @samples"
        )
        for (session, nsems), numbers in zip(samples, expected):
            answer = self.ask(session, nsems, 0x500000 + nsems)
            self.assertEqual(answer["sysv"]["semaphores"], numbers, f"{session!r} in {nsems}, SEED={seed}")
            self.assertEqual((answer["dialect"], answer["sysv"]["nsems"], answer["exists"]), ("apache", nsems, True))
            self.assertEqual(answer["sysv"]["key"], 0x500000 + nsems)

    @staticmethod
    def pairs(samples):
        rows = ", ".join(f"[{quoted(session)}, {nsems}]" for session, nsems in samples)
        return f"@samples = ({rows})"

    def test_very_long_ids(self):
        # Somewhere above 200 characters Perl's doubles become infinite, and the module dies.
        for length in (65, 100, 150, 200, 248):
            session = "f" * length
            self.eye.list(f"($l, $s) = locker({quoted(session)}, SemaphoreKey => 0x510000)")
            answer = self.ask(session, 32, 0x510000)
            try:
                self.eye.do("$l->acquire_read_lock($s)")
            except Died as error:
                self.assertIn("NaN", str(error))
                self.assertEqual(length, 248)
            else:
                self.assertEqual(answer["sysv"]["semaphores"][0], self.eye.do("$l->{read_sem}"), length)

    def test_long_ids_all_have_number_zero(self):
        for length in (13, 14, 16, 26, 32, 64):
            for _ in range(10):
                session = "".join(random.choice("0123456789abcdef") for _ in range(length))
                self.assertEqual(self.ask(session, 32)["sysv"]["semaphores"], [0, 16], session)

    def test_asking_makes_nothing_and_an_acquire_says_the_same(self):
        self.assertEqual(self.ask(self.session, 32, self.semkey)["exists"], False)
        self.assertEqual(self.look(self.semkey), [])
        lease = self.leased("read")
        self.assertEqual(lease["sysv"]["semaphores"], [self.r, self.w])
        answer = self.ask(self.session, 32, self.semkey)
        self.assertEqual((answer["exists"], answer["sysv"]["id"]), (True, lease["sysv"]["id"]))
        self.assertEqual(answer["key"], self.name)

    def test_two_sessions_of_one_number_in_one_request(self):
        want = [
            {"key": f"apache:{session}", "mode": mode, "semaphore_key": self.semkey}
            for session, mode in (("0123456789abcdef", "read"), ("fedcba9876543210", "write"))
        ]
        self.assertProblem(self.server.json_post("/leases", {"want": want, "wait": 30}), 422, "same-lock-twice")
        want[1]["mode"] = "read"
        lease = self.granted(self.server.json_post("/leases", {"want": want}))
        self.assertEqual([part["sysv"]["semaphores"] for part in lease["locks"]], [[0, 16], [0, 16]])
        self.assertEqual((lease["atomic"], self.values(self.semkey)[0]), (True, 2048))
        self.server.release(lease)
        self.assertEqual(sum(self.values(self.semkey)), 0)

    def test_two_sessions_of_one_number_exclude_each_other(self):
        first, second = "0123456789abcdef", "fedcba9876543210"  # both have number 0
        perl = self.locker(session=first)
        perl.do("$l->acquire_write_lock($s)")
        for session in (first, second):
            self.session = session
            self.assertProblem(self.acquire("read"), 423, "locked")
        perl.do("$l->release_write_lock($s)")
        lease = self.leased("write")
        other = self.locker(session=first)
        other.send("$l->acquire_read_lock($s)")
        self.bind()
        self.reader_waits()
        self.session = first
        self.assertProblem(self.acquire("write"), 423, "locked")
        self.release(lease)
        other.answer()

    def test_characters_beyond_ascii(self):
        # Perl sees the bytes of an id that came over the wire, not its characters.
        for session in ("grün", "日本", "ß" * 20):
            octets = "".join(f"\\x{{{byte:x}}}" for byte in session.encode())
            self.eye.list(f'($l, $s) = locker("{octets}", SemaphoreKey => 0x520000)')
            self.eye.do("$l->acquire_read_lock($s)")
            self.assertEqual(self.ask(session, 32)["sysv"]["semaphores"][0], self.eye.do("$l->{read_sem}"))


if __name__ == "__main__":
    unittest.main()
