"""Locks that stay taken for a time even when they are given back earlier."""

import time
import unittest

from delays import soon
from harness import LiveTest


class AtLeast(LiveTest):
    def taken(self, span="1h", **more):
        return self.granted(self.server.acquire(self.key(), hold_at_least=span, owner="nightly", **more))

    def test_a_release_says_until_when_it_is_kept(self):
        lease = self.taken(soon(1000))
        waiter = self.server.acquire_later(self.key())
        begun = time.monotonic()
        answer = self.server.release(lease)
        self.assertEqual((answer["released"], answer["already"]), (True, False))
        self.assertEqual(answer["kept_until"], lease["kept_until"])
        self.granted(waiter.answer())
        self.assertGreater(time.monotonic() - begun, 0.5)

    def test_lists_and_refusals_say_kept(self):
        lease = self.taken(note="done")
        self.assertEqual(self.server.lock(self.key())["holders"][0]["kept_until"], lease["kept_until"])
        self.server.release(lease)
        lock = self.server.lock(self.key())
        self.assertEqual((lock["held"], lock["cooling"], lock["holders"][0]["state"]), (0, 1, "kept"))
        self.assertEqual(lock["holders"][0]["expires_at"], lease["kept_until"])
        problem = self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.assertIn("kept", problem["detail"])
        self.assertEqual((problem["holders"][0]["state"], problem["holders"][0]["owner"]), ("kept", "nightly"))
        self.assertIn("is kept for", self.server.get(f"/ui/locks/{self.key()}").text)
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "released")

    def test_an_early_release_ends_it(self):
        for end in (
            lambda lease: self.server.delete(f"/leases/{lease['lease']}", early="true"),
            lambda lease: self.server.post(f"/locks/{self.key()}/release", lease=lease["lease"], early="true"),
        ):
            lease = self.taken()
            self.assertIn("kept_until", self.server.release(lease).json)
            answer = end(lease)
            self.assertEqual(answer.status, 200, answer)
            self.assertNotIn("kept_until", answer.json)

    def test_a_kill_of_the_service_keeps_it(self):
        released = self.taken()
        self.server.release(released)
        held = self.granted(self.server.acquire(self.key("-2"), hold_at_least="1h", ttl="1h"))
        self.server.restart()
        self.assertEqual(self.server.lock(self.key())["holders"][0]["state"], "kept")
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.assertEqual(self.server.release(held)["kept_until"][:19], held["kept_until"][:19])
        self.assertEqual(self.server.release(released)["already"], True)

    def test_what_is_out_of_range(self):
        problem = self.assertProblem(
            self.server.acquire(self.key(), hold_at_least="25h"), 400, "out-of-range", parameter="hold_at_least")
        self.assertEqual(problem["maximum"], "24h")
        lease = self.granted(self.server.json_post(f"/locks/{self.key()}/acquire", {"hold_at_least": 0}))
        self.assertNotIn("kept_until", lease)
        self.assertProblem(
            self.server.delete(f"/leases/{lease['lease']}", early="soon"), 400, "invalid-parameter", parameter="early")


if __name__ == "__main__":
    unittest.main()
