# Rows: C7 C8 C10 C11 C13 C23
"""What the module's synopsis, its two example programs and its own test do, one side of each over HTTP in turn."""

import unittest

from perlside import Path, quoted, segment

# The paranoid check of the examples: told apart is "busy" from every other failure.
PARANOID = "$c->acquire(%s) ? 'work' : $!{EAGAIN} || $!{EWOULDBLOCK} ? 'busy' : \"error $!\""


class Examples(Path):
    def test_work_or_pass_the_turn(self):
        """The first example: one path, acquire without waiting."""
        perl, other = self.user(), self.user()
        self.assertEqual(perl.do(PARANOID % ""), "work")
        self.assertEqual(other.do(PARANOID % ""), "busy")
        self.assertEqual(self.acquire()["code"], "locked")
        perl.exit()
        lease = self.leased()
        self.assertEqual(other.do(PARANOID % ""), "busy")
        self.release(lease)
        self.assertEqual(other.do(PARANOID % ""), "work")
        other.exit()
        self.assertEqual(self.all, [1])

    def test_two_numbers_a_queue_of_none_and_one_beside(self):
        """The second one: count => 2, value => $max; acquire(0, 1, 0) that never queues, and acquire(1) beside it."""
        for first in ("perl", "http"):
            with self.subTest(first=first):
                self.path += first
                most = 2
                given = {"count": 2, "value": most}
                if first == "perl":
                    perl = self.user(**given)
                else:
                    answer = self.server.request("PUT", f"/locks/{segment(self.name)}", nsems=2, limit=most)
                    self.assertEqual(answer.status, 201, answer)
                    perl = self.user(**given)
                self.assertEqual(perl.do(PARANOID % "0, 1, 0"), "work")
                self.assertEqual(perl.do(PARANOID % "1"), "work")
                leases = [self.leased(sem=0, wait="30s", max_waiters=0), self.leased(sem=1)]
                third = self.user(**given)
                self.assertEqual(third.do(PARANOID % "0, 1, 0"), "busy")
                self.assertEqual(third.do(PARANOID % "1"), "busy")
                self.assertEqual(self.acquire(sem=0, wait="30s", max_waiters=0)["code"], "queue-full")
                self.assertEqual(self.acquire(sem=1)["code"], "locked")
                self.release(leases[0])
                self.assertEqual(third.do(PARANOID % "0, 1, 0"), "work")
                self.release(leases[1])
                perl.exit()
                third.exit()
                self.assertEqual(self.user_values(2), [most, most])

    def test_another_value_by_another_project(self):
        """What its manual recommends: project => $max, so that another maximum is another set."""
        for most in (2, 3):
            perl = self.user(value=most, project=most)
            leases = [self.leased(project=most, limit=most) for _ in range(most)]
            self.assertFalse(perl.do("$c->acquire"))
            for lease in leases:
                self.release(lease)
            self.assertEqual(self.user_values(project=most), [most])

    def test_its_own_test(self):
        """Simple use, remove; full use (touch, project 8, 20 semaphores), remove."""
        full = {"touch": 1, "project": 8, "count": 20, "value": 1}
        for given, query in (({}, {}), (full, {"project": 8, "nsems": 20})):
            project = given.get("project", 0)
            perl = self.user(**given)
            answer = self.server.request("PUT", f"/locks/{segment(self.name)}", **query)
            self.assertEqual((answer.status, answer["sysv"]["id"]), (200, perl.do("$c->id")), answer)
            self.assertTrue(perl.do("$c->remove"))
            answer = self.server.request("PUT", f"/locks/{segment(self.name)}", **query)
            self.assertEqual(answer.status, 201, answer)
            code = f"$d = Concurrency->new(path => {quoted(self.path)}, project => {project}); $d->id"
            self.assertEqual(perl.do(code), answer["sysv"]["id"])
            self.assertEqual(self.at_http(self.name, method="DELETE", **query).status, 200)
            self.assertIsNone(perl.do("$d->id; $d->stat"))


if __name__ == "__main__":
    unittest.main()
