"""Another limit for a lock in use: waiters are served, nobody is put out, zero pauses."""

import json
import unittest

from harness import LiveTest


class Resize(LiveTest):
    def resize(self, limit, status=200, **more):
        answer = self.server.request("PUT", f"/locks/{self.key()}", limit=limit, resize="true", **more)
        return self.granted(answer, status)

    def test_up_serves_who_waits_and_down_puts_nobody_out(self):
        held = [self.granted(self.server.acquire(self.key(), limit=2)) for _ in range(2)]
        waiter = self.server.acquire_later(self.key(), limit=2)
        answer = self.resize(3)
        told = [answer[name] for name in ("limit", "pinned", "paused", "over_limit")]
        self.assertEqual(told, [3, False, False, 0])
        held.append(self.granted(waiter.answer()))
        self.assertProblem(self.server.acquire(self.key(), limit=2), 409, "limit-mismatch", limit=3)
        answer = self.resize(1, pinned="true")
        self.assertEqual((answer["held"], answer["available"], answer["over_limit"]), (3, 0, 2))
        waiter = self.server.acquire_later(self.key(), limit=2)
        for lease in held[:2]:
            self.granted(self.server.release(lease), 200)
            self.assertEqual(self.server.waiting(self.key()), 1)
        self.assertEqual(self.server.lock(self.key())["over_limit"], 0)
        self.granted(self.server.release(held[2]), 200)
        lease = self.granted(waiter.answer())
        self.assertEqual((lease["limit"], lease["limit_applied"]), (1, False))
        self.assertTrue(self.granted(self.server.get(f"/leases/{lease['lease']}"), 200))

    def test_zero_pauses_and_the_queue_stays(self):
        self.resize(0, 201)
        answer = self.server.acquire(self.key(), limit=4)
        self.assertProblem(answer, 423, "locked", limit=0, available=0)
        self.assertIn("is paused (limit=0)", answer["detail"])
        waiter = self.server.acquire_later(self.key(), limit=4)
        lock = self.server.lock(self.key())
        self.assertEqual((lock["paused"], lock["pinned"], lock["waiting"]), (True, True, 1))
        self.assertIn("</b> is paused: nothing is granted until", self.server.get(f"/ui/locks/{self.key()}").text)
        problem = self.assertProblem(self.server.acquire(self.key(), wait="20s"), 409, "kind-mismatch", limit=0)
        self.assertIn("is paused (limit=0), which is for callers that give a 'limit'", problem["detail"])
        self.resize(4)
        self.granted(waiter.answer())

    def test_what_does_not_go_says_what_does(self):
        put = lambda key, **words: self.server.request("PUT", f"/locks/{key}", **words)  # noqa: E731
        self.granted(self.server.acquire(self.key()))
        self.assertProblem(put(self.key(), limit=2, resize="true"), 409, "kind-mismatch")
        self.assertProblem(put("other", resize="true"), 400, "missing-parameter", parameter="limit")
        self.assertProblem(put("other", limit=32768, resize="true"), 400, "out-of-range", minimum=0)
        self.assertProblem(put("other", limit=0), 400, "out-of-range", minimum=1)
        self.assertProblem(put("other", limit=2, pinned="true"), 400, "invalid-parameter", parameter="pinned")
        self.assertProblem(put("other", limit=2, resize="yes"), 400, "invalid-parameter", parameter="resize")
        body = {"Content-Type": "application/json"}
        answer = self.server.request("PUT", "/locks/other", '{"limit": 2, "resize": 1}', body)
        problem = self.assertProblem(answer, 400, "invalid-parameter", parameter="resize")
        self.assertIn("must be true or false, not a number", problem["detail"])
        for key in ("apache:a", "sharelite:77", "sysv:0x77.0"):
            self.assertProblem(put(key, limit=2, resize="true"), 400, "invalid-parameter", parameter="limit")
        for key in ("php:77", "path:%2Ftmp%2Fnothing"):
            answer = put(key, limit=2, resize="true")
            self.assertProblem(answer, 400, "invalid-parameter", parameter="resize")
            self.assertIn("shared with native programs", answer["detail"])

    def test_it_is_an_event(self):
        body = {"Content-Type": "application/json"}
        path = f"/locks/{self.key()}"
        self.granted(self.server.request("PUT", path, '{"limit": 2, "resize": true, "pinned": true}', body), 201)
        events = self.server.get("/events", key=self.key(), kind="resized", since="oldest", wait="0").body
        data = json.loads(events.split(b"data: ")[1].split(b"\n")[0])
        told = [data[name] for name in ("kind", "limit", "reason", "key")]
        self.assertEqual(told, ["resized", 2, "pinned", self.key()])
        self.assertTrue(data["by"])


if __name__ == "__main__":
    unittest.main()
