# Rows: C4 C5
"""count and value are the first comer's: a later one sees what there is, on both sides."""

import unittest

from perlside import Path, Pending, options, quoted, segment


class Values(Path):
    def put(self, **parameters):
        return self.server.request("PUT", f"/locks/{segment(self.name)}", **parameters)

    def test_http_first(self):
        lease = self.leased(nsems=2, limit=3)
        # The second number says how many semaphores the set really has, Leasehold's own among them.
        self.assertEqual((lease["limit_applied"], lease["sysv"]["nsems"]), (True, 2 * 2 + 3))
        self.assertEqual(self.user_values(2), [2, 3])
        perl = self.user(count=5, value=7)
        self.assertEqual(perl.list("$c->getall")[:4], [2, 3, 1, 0])
        self.release(lease)
        self.assertEqual(perl.list("$c->getall")[:4], [3, 3, 0, 0])

    def test_perl_first(self):
        perl = self.user(count=3, value=4)
        lease = self.leased(nsems=1, limit=1)
        self.assertEqual((lease["limit_applied"], lease["sysv"]["nsems"], lease["limit"]), (False, 3, None))
        self.assertEqual(self.all, [3, 4, 4])
        self.assertEqual(self.leased(sem=2, limit=9)["limit_applied"], False)
        self.assertEqual(perl.list("$c->getall"), [3, 4, 3])

    def test_a_set_that_is_there_keeps_its_values_whoever_asks(self):
        self.put(limit=2)
        for limit in (1, 5, 2):
            answer = self.put(limit=limit)
            self.assertEqual((answer.status, answer["limit_applied"]), (200, False), answer)
            answer = self.acquire(limit=limit)
            self.assertEqual((answer.status, answer["limit_applied"]), (201, False), answer)
            self.release(answer.json)
        self.user(value=9)
        self.assertEqual(self.user_values(), [2])

    def test_one_value_each(self):
        self.put(nsems=2, limit="3,2")
        self.assertEqual(self.user().list("$c->getall")[:2], [3, 2])
        self.leased(sem=1)
        self.leased(sem=1)
        self.assertProblem(self.acquire(sem=1), 423, "locked")
        self.assertEqual(self.user_values(2), [3, 0])
        self.assertFalse(self.user().do("$c->acquire(1)"))

    def test_one_value_each_in_json(self):
        target = f"/locks/{segment(self.name)}/acquire"
        lease = self.granted(self.server.json_post(target, {"nsems": 3, "limit": [3, 2, 5], "sem": 2}))
        self.assertEqual((lease["limit_applied"], self.user().list("$c->getall")[:3]), (True, [3, 2, 4]))
        answer = self.server.json_post(target, {"nsems": 3, "limit": [3, 2], "project": 1})
        self.assertProblem(answer, 400, "invalid-parameter", parameter="limit")
        self.release(lease)
        self.assertEqual(self.user_values(3), [3, 2, 5])

    def test_a_list_of_the_wrong_length_or_of_nonsense(self):
        for limit in ("3,2,1", "3,", ",", "a,b"):
            answer = self.put(nsems=2, limit=limit)
            self.assertProblem(answer, 400, "invalid-parameter", parameter="limit")
        for limit in ("0", "32768", "1,0"):
            self.assertProblem(self.put(nsems=2, limit=limit), 400, "out-of-range", parameter="limit")
        self.assertProblem(self.put(nsems=0), 400, "out-of-range", parameter="nsems")
        self.assertEqual(self.look(self.key_of()) if self.key_of() else [], [])

    def test_a_set_in_the_making_is_busy(self):
        """Between semget and the first +1 the module's set has no slot: HTTP waits for it, and takes no offence."""
        perl = self.perl()
        perl.do(f"open my $f, '>', {quoted(self.path)}")
        perl.do(f"$p = IPC::Semaphore->new(ftok({quoted(self.path)}, 0), 1, IPC_CREAT | 0666)")
        self.assertProblem(self.acquire(), 423, "locked")
        waiter = self.acquire_later(limit=5)
        self.sleeping(1)
        self.assertTrue(perl.do("$p->op(0, 1, 0)"))
        lease = self.granted(waiter.answer())
        self.assertEqual((lease["limit_applied"], self.all), (False, [0]))
        self.release(lease)
        self.assertEqual(self.all, [1])

    def test_both_at_once(self):
        """Whoever is first makes it, and it has its slots once."""
        perl, makers = self.perl(), set()
        for number in range(40):
            path = f"{self.path}{number}"
            pending = Pending(lambda path=path: self.server.acquire(f"path:{path}", limit=2, wait="20s", timeout=60))
            perl.send(f"$c = Concurrency->new({options(path=path, value=2)}); $c->id")
            lease = self.granted(pending.answer())
            self.assertEqual(perl.answer(), [lease["sysv"]["id"]])
            makers.add(lease["limit_applied"])
            self.assertEqual(perl.do("$c->getval"), 1)
            self.release(lease)
            self.assertEqual(perl.do("$c->getval"), 2)
        self.assertTrue(makers)

    def test_defaults(self):
        self.put()
        self.assertEqual(self.user_values(1), [1])
        self.assertEqual(len(self.all), 5)
        perl = self.user(project=1)
        self.assertEqual(perl.list("$c->getall"), [1])

    def test_the_largest_value(self):
        self.put(limit=32767)
        self.assertEqual(self.user_values(), [32767])
        lease = self.leased()
        self.assertEqual(self.user_values(), [32766])
        self.release(lease)
        perl = self.user()
        self.assertTrue(perl.do("$c->acquire"))
        perl.kill()
        self.assertEqual(self.user_values(), [32767])


if __name__ == "__main__":
    unittest.main()
