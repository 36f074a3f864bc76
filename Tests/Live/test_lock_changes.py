"""GET /locks/{key} with If-None-Match: answers when the lock changes, and costs nobody a thread meanwhile."""

import time
import unittest

from harness import LiveTest, Pending, eventually
from native import Native


class Changes(LiveTest):
    arguments = ("--max-waiters", "40")

    def tag(self, key=None):
        answer = self.server.lock(key or self.key())
        self.assertEqual(answer.status, 200, answer)
        self.assertRegex(answer.headers["ETag"], r'^W/"[0-9a-fx-]+"$')
        return answer.headers["ETag"]

    def look(self, tag, key=None, **query):
        return self.server.request("GET", f"/locks/{key or self.key()}", headers={"If-None-Match": tag}, timeout=30,
                                   **query)

    def look_later(self, tag, key=None, wait="20s"):
        pending = Pending(lambda: self.look(tag, key, wait=wait))
        eventually(lambda: pending.done or self.server.metric("leasehold_lock_watchers") == 1, "it waits")
        return pending

    def assertState(self, answer, tag):
        self.assertEqual(answer.status, 200, answer)
        self.assertNotEqual(answer.headers["ETag"], tag)
        self.assertEqual(self.server.lock(self.key()).headers["ETag"], answer.headers["ETag"])
        return answer.json

    def test_a_known_state_is_304_and_another_200(self):
        lease = self.granted(self.server.acquire(self.key()))
        tag = self.tag()
        for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            answer = self.look(known)
            self.assertEqual((answer.status, answer.body, answer.headers["ETag"]), (304, b"", tag))
        self.server.release(lease)
        self.assertState(self.look(tag), tag)
        self.assertState(self.look(tag, wait="20s"), tag)
        self.assertProblem(self.look("nonsense"), 400, "invalid-parameter", parameter="If-None-Match")
        self.assertProblem(self.look(tag, key="nobody"), 404, "no-such-lock")
        self.assertProblem(self.look(tag, key="nobody", wait="20s"), 404, "no-such-lock")

    def test_a_release_wakes_who_waits_for_a_change(self):
        lease = self.granted(self.server.acquire(self.key()))
        for asked in ("tag", "star"):
            with self.subTest(asked):
                tag = self.tag()
                pending = self.look_later(tag if asked == "tag" else "*")
                self.assertFalse(pending.done)
                self.server.release(lease)
                self.assertEqual(self.assertState(pending.answer(), tag)["held"], 0)
                lease = self.granted(self.server.acquire(self.key()))

    def test_the_wait_ends_with_304(self):
        self.granted(self.server.acquire(self.key()))
        begun = time.monotonic()
        answer = self.look(self.tag(), wait="300ms")
        self.assertEqual(answer.status, 304)
        self.assertGreaterEqual(time.monotonic() - begun, 0.3)

    def test_a_native_program_is_noticed_within_a_second_or_so(self):
        lease = self.granted(self.server.acquire(self.key(), limit=3))
        tag = self.tag()
        pending = self.look_later(tag)
        with Native(lease["sysv"]) as perl:
            self.assertEqual(perl.ask(f"op {lease['sysv']['semaphores'][0]} -1"), "ok")
            self.assertEqual(self.assertState(pending.answer(), tag)["native_held"], 1)

    def test_who_hangs_up_frees_the_place_and_there_is_a_maximum(self):
        self.granted(self.server.acquire(self.key()))
        tag = self.tag()
        request = f"GET /locks/{self.key()}?wait=60s HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: {tag}\r\n\r\n"
        sockets = [self.server.socket() for _ in range(40)]
        watchers = lambda: self.server.metric("leasehold_lock_watchers")  # noqa: E731
        for each in sockets:
            each.sendall(request.encode())
        eventually(lambda: watchers() == 40, "all wait")
        self.assertProblem(self.look(tag, wait="20s"), 429, "too-many-waiters", limit="max-waiters")
        for each in sockets:
            each.close()
        eventually(lambda: watchers() == 0, "all are gone")
        self.assertEqual(self.look(tag, wait="100ms").status, 304)


if __name__ == "__main__":
    unittest.main()
