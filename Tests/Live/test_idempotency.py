"""A lost answer costs no slot: retries with the same Idempotency-Key."""

import unittest

from harness import LiveTest, Pending, eventually


class Idempotency(LiveTest):
    def acquire(self, name, suffix="", **parameters):
        return self.server.acquire(self.key(suffix), headers=self.header(name), **parameters)

    def header(self, name):
        """A key of this test alone, unless its very form is the test."""
        return {"Idempotency-Key": f"{self.key()[:40]}-{name}" if len(name) == 1 else name}

    def test_a_retry_gets_the_same_lease(self):
        first = self.granted(self.acquire("a", limit=2, owner="me"))
        again = self.granted(self.acquire("a", limit=2, owner="me"), 200)
        self.assertTrue(again["replayed"])
        self.assertEqual((again["lease"], again["fence"]), (first["lease"], first["fence"]))
        self.assertEqual(self.server.lock(self.key())["available"], 1)

    def test_another_key_is_another_lease(self):
        self.granted(self.acquire("a", limit=2))
        self.granted(self.acquire("b", limit=2))
        self.assertProblem(self.acquire("c", limit=2), 423, "locked")

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

    def test_other_parameters_with_the_same_key_are_422(self):
        self.granted(self.acquire("a", ttl="30s"))
        self.assertProblem(self.acquire("a", ttl="31s"), 422, "idempotency-mismatch")
        self.assertProblem(self.acquire("a", ttl="30s", owner="me"), 422, "idempotency-mismatch")

    def test_a_refused_acquire_may_be_retried_with_its_key(self):
        held = self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.acquire("a"), 423, "locked")
        self.server.release(held)
        self.granted(self.acquire("a"))

    def test_after_the_end_of_the_lease_a_retry_is_410(self):
        lease = self.granted(self.acquire("a"))
        self.server.release(lease)
        self.assertProblem(self.acquire("a"), 410, "released", ref=lease["ref"])
        short = self.granted(self.acquire("b", suffix="2", ttl="100ms"))
        eventually(lambda: self.server.get(f"/leases/{short['lease']}").status == 410, "it expires")
        self.assertProblem(self.acquire("b", suffix="2", ttl="100ms"), 410, "expired", ref=short["ref"])

    def test_a_retry_of_a_waiter_takes_over_its_place(self):
        held = self.granted(self.server.acquire(self.key()))
        headers = self.header("w")
        first = self.server.acquire_later(self.key(), owner="w", headers=headers)
        behind = self.server.acquire_later(self.key(), owner="behind")
        retry = Pending(lambda: self.server.acquire(self.key(), owner="w", wait="20s", headers=headers, timeout=60))
        self.assertProblem(first.answer(), 409, "superseded")
        self.assertEqual([waiter["owner"] for waiter in self.server.lock(self.key())["waiters"]], ["w", "behind"])
        self.server.release(held)
        lease = self.granted(retry.answer())
        self.assertEqual(lease["owner"], "w")
        self.assertFalse(behind.done)
        self.server.release(lease)
        self.granted(behind.answer())

    def test_a_key_is_1_to_255_printable_ascii_characters(self):
        self.granted(self.acquire("k" * 255))
        for name in ("k" * 256, "", "schl\u00fcssel", "tab\tinside"):
            with self.subTest(name):
                self.assertProblem(
                    self.acquire(name, suffix="2"), 400, "invalid-parameter", parameter="Idempotency-Key"
                )


if __name__ == "__main__":
    unittest.main()
