# Rows: A2 A3 A5 A6 C7 C9 C12 C13 C14
"""Random steps of Perl programs, HTTP clients and a daemon that dies, each beside a model of what must come of it."""

import os
import random
import unittest

from perlside import LEASE, Apache, Path, options

SEED = int(os.environ.get("SEED", random.SystemRandom().getrandbits(32)))
STEPS = 150


class Slots(Path):
    """The model: the value of each number, which HTTP leases there are, and what each Perl program gets undone."""

    def begin(self, ours):
        self.random = random.Random(SEED)
        self.count = self.random.randint(1, 4)
        self.model = [self.random.randint(1, 4) for _ in range(self.count)]
        self.first, self.ours = list(self.model), ours
        limit = ",".join(map(str, self.model))
        if ours:
            self.granted(self.at_http(self.name, method="PUT", nsems=self.count, limit=limit), 201)
        self.perls = []
        for _ in range(2):
            self.perls.append([self.user(count=self.count, value=0), [0] * self.count])
        if not ours:
            for number, value in enumerate(self.model):
                self.perls[0][0].do(f"$c->{{set}}->op({number}, {value}, 0)")
        self.leases = []

    def http_acquires(self):
        number, count = self.random.randrange(self.count), self.random.choice((1, 1, 2))
        # More than a lock will ever have is another answer; here every number is asked for what it may have.
        count = min(count, self.first[number])
        end = self.random.choice(({"ttl": "1h"}, {"undo": "false"}))
        answer = self.acquire(sem=number, count=count, **end)
        # Slots that Perl added are Perl's: leases with a deadline never exceed the limit that this service applied, as
        # long as it knows it; a set does not tell a new daemon.
        bounded = sum(units for lease, place, units in self.leases if place == number and lease["ttl_ms"])
        knows = self.ours and answer.json["limit"] is not None
        fits = not knows or bounded + count <= self.first[number]
        self.assertEqual(answer.status, 201 if fits and self.model[number] >= count else 423, answer)
        if answer.status == 201:
            self.model[number] -= count
            self.leases.append((answer.json, number, count))

    def http_releases(self):
        if self.leases:
            lease, number, count = self.leases.pop(self.random.randrange(len(self.leases)))
            self.release(lease)
            self.model[number] += count
            self.assertEqual(self.release(lease)["already"], True)

    def perl_acquires(self):
        perl, undone = self.random.choice(self.perls)
        number, undo = self.random.randrange(self.count), self.random.randrange(2)
        got = bool(perl.do(f"$c->acquire({number}, 0, -1, {undo})"))
        self.assertEqual(got, self.model[number] > 0)
        if got:
            self.model[number] -= 1
            undone[number] += undo

    def perl_releases(self):
        perl, _ = self.random.choice(self.perls)
        number = self.random.randrange(self.count)
        if self.model[number] < 6:
            self.assertTrue(perl.do(f"$c->release({number})"))
            self.model[number] += 1

    def perl_ends(self):
        place = self.random.randrange(len(self.perls))
        perl, undone = self.perls[place]
        perl.kill() if self.random.random() < 0.5 else perl.exit()
        self.model = [value + back for value, back in zip(self.model, undone)]
        self.perls[place] = [self.user(), [0] * self.count]

    def daemon_dies(self):
        self.server.kill() if self.random.random() < 0.5 else self.server.terminate()
        self.server.start()

    def go(self, ours):
        print(f"SEED={SEED}")
        self.begin(ours)
        steps = [self.http_acquires, self.http_releases, self.perl_acquires, self.perl_releases] * 6
        steps += [self.perl_ends] * 2 + [self.daemon_dies]
        for number in range(STEPS):
            step = self.random.choice(steps)
            step()
            self.assertEqual(self.user_values(self.count), self.model, f"step {number}, {step.__name__}, SEED={SEED}")
        for lease, number, count in self.leases:
            self.release(lease)
            self.model[number] += count
        self.assertEqual(self.user_values(self.count), self.model)
        if ours:
            self.assertEqual(self.all[self.count : 2 * self.count], [0] * self.count)
        self.assertEqual(self.at_http(self.name)["suspects"], 0)

    def test_on_a_set_that_perl_made(self):
        self.go(ours=False)

    def test_on_a_set_that_leasehold_made(self):
        self.go(ours=True)


class Sessions(Apache):
    """The model: readers and writers of each number, as the two sides count them."""

    nsems = 6

    def test_sessions(self):
        print(f"SEED={SEED}")
        source = random.Random(SEED)
        model = [0] * self.nsems
        perls = [[self.perl(), None] for _ in range(4)]
        leases = []
        for number in range(STEPS):
            what = source.choice(("http", "perl") * 6 + ("release",) * 8 + ("dies",))
            session, writes = str(source.randrange(12)), source.random() < 0.4
            self.session = session
            if what == "http":
                answer = self.acquire("write" if writes else "read", ttl="1h")
                r, w = self.numbers(session)
                free = model[w] == 0 and (not writes or model[r] == 0)
                self.assertEqual(answer.status, 201 if free else 423, answer)
                if free:
                    model[w if writes else r] += LEASE
                    leases.append((answer.json, w if writes else r))
            elif what == "perl":
                idle = [one for one in perls if one[1] is None]
                r, w = self.numbers(session)
                if idle and model[w] == 0 and (not writes or model[r] == 0):
                    perl = idle[0]
                    given = options(SemaphoreKey=self.semkey, NSems=self.nsems)
                    perl[0].list(f"($l, $s) = locker('{session}', {given})")
                    perl[0].do(f"$l->acquire_{'write' if writes else 'read'}_lock($s)")
                    perl[1] = w if writes else r
                    model[perl[1]] += 1
            elif what == "release":
                busy = [one for one in perls if one[1] is not None]
                if leases and (not busy or source.random() < 0.5):
                    lease, place = leases.pop(source.randrange(len(leases)))
                    self.release(lease)
                    model[place] -= LEASE
                elif busy:
                    perl = source.choice(busy)
                    model[perl[1]] -= 1
                    perl[1] = None
                    if source.random() < 0.3:
                        perl[0].kill()
                        perl[0] = self.perl()
                    else:
                        perl[0].do("$l->release_all_locks($s)")
            else:
                self.server.restart()
            values = self.values(self.semkey) or [0] * self.nsems
            self.assertEqual(values, model, f"step {number}, {what}, SEED={SEED}")

    def numbers(self, session):
        """The module's own arithmetic, for ids this short."""
        value = 0
        for character in session:
            value = 31 * value + ord(character)
        return value % (self.nsems // 2), value % (self.nsems // 2) + self.nsems // 2


if __name__ == "__main__":
    unittest.main()
