"""Requests of a group of which the newest waits alone."""

import json
import unittest

from harness import LiveTest, Pending, eventually
from test_hold import Stream


class Newest(LiveTest):
    def later(self, group="web", **more):
        return self.server.acquire_later(self.key(), newest=group, **more)

    def soon(self, **more):
        """A newer one: the queue does not grow, so the older one tells that it came."""
        return Pending(lambda: self.server.acquire(self.key(), wait="20s", newest="web", **more))

    def events(self, kind):
        answer = self.server.get("/events", key=self.key(), since="oldest", wait=0, kind=kind).text
        return [json.loads(line[6:])["reason"] for line in answer.splitlines() if line.startswith("data: {")]

    def test_an_older_waiter_is_told_and_the_newest_is_next(self):
        lease = self.granted(self.server.acquire(self.key(), newest="web"))
        self.assertEqual(lease["newest"], "web")
        self.assertNotIn("yield", lease)
        older = self.later(owner="older")
        newer = self.soon(owner="newer")
        self.assertProblem(older.answer(), 409, "superseded", key=self.key(), newest="web")
        eventually(lambda: self.server.lock(self.key())["waiters"], "the newer one waits")
        self.assertTrue(self.server.post(f"/leases/{lease['lease']}/renew").json["yield"])
        answer = self.server.json_post("/leases/renew", {"leases": [lease["lease"]]})
        self.assertTrue(answer.json["renewed"][0]["yield"])
        self.assertTrue(self.server.lock(self.key())["holders"][0]["yield"])
        self.assertIn("asked to yield", self.server.get(f"/ui/locks/{self.key()}").text)
        self.server.release(lease)
        self.assertEqual(self.granted(newer.answer())["owner"], "newer")
        eventually(lambda: self.events("yield") == ["web"], "an event asks the holder")
        eventually(lambda: self.events("left") == ["superseded"], "an event tells of the older one")

    def test_a_hold_hears_of_it(self):
        hold = Stream(self.server, f"/locks/{self.key()}/hold?newest=web", None)
        self.addCleanup(hold.close)
        self.assertEqual(hold.json()["newest"], "web")
        self.later()
        lines = [hold.json()]
        while "yield" not in lines[-1] and len(lines) < 20:
            self.assertIn("heartbeat", lines[-1])
            lines.append(hold.json())
        self.assertEqual(lines[-1], {"yield": True})

    def test_what_is_no_group(self):
        for text in ("", "x" * 129):
            self.assertProblem(
                self.server.acquire(self.key(), newest=text), 400, "out-of-range", parameter="newest", maximum=128)
        self.assertProblem(self.server.acquire(self.key(), newest="a\nb"), 400, "invalid-parameter", parameter="newest")


if __name__ == "__main__":
    unittest.main()
