"""A lost answer costs no slot: retries with the same Idempotency-Key."""

import os
import unittest

from access import TokenServer
from harness import LiveTest, Pending, UserClient


class Idempotency(LiveTest):
    def acquire(self, name, suffix="", **parameters):
        return self.server.acquire(self.key(suffix), headers=self.header(name), **parameters)

    def header(self, name):
        """A key of this test alone, unless its very form is the test."""
        return {"Idempotency-Key": f"{self.key()[:40]}-{name}" if len(name) == 1 else name}

    def test_the_same_parameters_in_another_form_are_the_same_request(self):
        first = self.granted(self.acquire("a", ttl="30s", owner="me"))
        body = self.server.json_post(f"/locks/{self.key()}/acquire", {"ttl": 30, "owner": "me"})
        self.assertEqual(body.status, 423, "without the header it is a new request")
        again = self.server.request(
            "POST",
            f"/locks/{self.key()}/acquire",
            '{"owner":"me","ttl":30}',
            {"Content-Type": "application/json", **self.header("a")},
        )
        self.assertEqual(self.granted(again, 200)["lease"], first["lease"])

    def test_a_retry_of_a_waiter_takes_over_its_place(self):
        held = self.granted(self.server.acquire(self.key()))
        headers = self.header("w")
        first = self.server.acquire_later(self.key(), owner="w", headers=headers)
        behind = self.server.acquire_later(self.key(), owner="behind")
        retry = Pending(lambda: self.server.acquire(self.key(), owner="w", wait="20s", headers=headers, timeout=60))
        problem = self.assertProblem(first.answer(), 409, "superseded")
        self.assertIn("Idempotency-Key", problem["detail"])
        self.assertFalse({"newest", "ref"} & problem.keys(), "these tell of other reasons for this code")
        self.assertEqual([waiter["owner"] for waiter in self.server.lock(self.key())["waiters"]], ["w", "behind"])
        self.server.release(held)
        lease = self.granted(retry.answer())
        self.assertEqual(lease["owner"], "w")
        self.assertFalse(behind.done)
        self.server.release(lease)
        self.granted(behind.answer())

    def take_back(self, name):
        answer = self.server.request("DELETE", "/leases", headers=self.header(name))
        self.assertEqual(answer.status, 200, answer)
        return answer

    def test_what_a_key_got_and_waits_for_is_taken_back(self):
        lease = self.granted(self.acquire("a"))
        waiter = self.server.acquire_later(self.key(), headers=self.header("w"))
        behind = self.server.acquire_later(self.key())
        answer = self.take_back("w")
        self.assertEqual(answer.json, {"released": 0, "leases": [], "left": 1})
        self.assertProblem(waiter.answer(), 409, "canceled")
        answer = self.take_back("a")
        self.assertEqual(answer.json, {"released": 1, "leases": [lease["ref"]], "left": 0})
        self.granted(behind.answer())
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "released")

    def test_an_owner_counts_before_a_key(self):
        lease = self.granted(self.acquire("a", owner=self.key()))
        answer = self.server.request("DELETE", f"/leases?owner={self.key()}", headers=self.header("b"))
        self.assertEqual(answer["leases"], [lease["ref"]])
        self.granted(self.acquire("b"))
        answer = self.server.request("DELETE", f"/leases?key={self.key()}", headers=self.header("b"))
        self.assertProblem(answer, 400, "invalid-parameter", parameter="key")

    def test_a_key_is_1_to_255_printable_ascii_characters(self):
        self.granted(self.acquire("k" * 255))
        for name in ("k" * 256, "", "schl\u00fcssel", "tab\tinside"):
            with self.subTest(name):
                self.assertProblem(
                    self.acquire(name, suffix="2"), 400, "invalid-parameter", parameter="Idempotency-Key"
                )


class Doors(unittest.TestCase):
    """A key of one caller is another key for another, before a restart and after."""

    def setUp(self):
        self.server = TokenServer("--unix-mode", "0666").ends_with(self).start()
        self.doors = {
            "root": self.server.over_unix, "token lock": self.server.with_token("lock"),
            "token other": self.server.with_token("other"),
        }
        if os.geteuid() == 0:
            self.doors["nobody"] = UserClient(self.server.unix, 65534)

    def ask(self, target, **parameters):
        """The same request with the same key at every door."""
        headers = {"Idempotency-Key": "guessed", "Content-Type": "application/json"}
        return {name: door.post(target, headers=headers, **parameters) for name, door in self.doors.items()}

    def same_again(self, target, **parameters):
        first = self.ask(target, **parameters)
        self.assertEqual({name: answer.status for name, answer in first.items()}, dict.fromkeys(self.doors, 201))
        leases = {name: answer["lease"] for name, answer in first.items()}
        self.assertEqual(len(set(leases.values())), len(self.doors))
        for is_after in (False, True):
            again = self.ask(target, **parameters)
            with self.subTest(target, after_a_restart=is_after):
                self.assertEqual({name: answer.status for name, answer in again.items()},
                                 dict.fromkeys(self.doors, 200))
                self.assertEqual({name: answer["lease"] for name, answer in again.items()}, leases)
            if not is_after:
                self.server.restart()

    def test_one_lock(self):
        self.same_again("/locks/a/acquire", limit=9)

    def test_several_locks(self):
        self.same_again("/leases", body='{"want":[{"key":"a","limit":9},{"key":"b","limit":9}]}')

    def test_raw_operations(self):
        made = self.server.over_unix.post("/semaphores", key="private", nsems=1, mode="0666").json["id"]
        self.same_again(f"/semaphores/id:{made}/op", ops="0:1:undo")
        self.server.over_unix.delete(f"/semaphores/id:{made}", force="true")

    def test_a_waiter_is_not_superseded(self):
        held = self.server.over_unix.acquire("w").json
        waiting = {
            name: door.acquire_later("w", headers={"Idempotency-Key": "guessed"}) for name, door in self.doors.items()
        }
        self.assertEqual(self.server.over_unix.waiting("w"), len(self.doors))
        self.server.over_unix.release(held)
        for name in list(self.doors):
            answer = waiting[name].answer()
            self.assertEqual(answer.status, 201, answer)
            self.server.over_unix.release(answer.json)


if __name__ == "__main__":
    unittest.main()
