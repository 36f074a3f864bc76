"""Leases that an operator breaks, and leases that change hands."""

import os
import subprocess
import unittest

from delays import DELAY_MS, soon
from harness import LiveTest, eventually
from processes import Client
from test_hold import Stream
from users import AS_NOBODY, needs_nobody


class BreakTest(LiveTest):
    def lease(self, **parameters):
        return self.granted(self.server.acquire(self.key(), **parameters))

    def log_line(self, *words):
        def find():
            lines = self.server.log_text().splitlines()
            return next((line for line in lines if all(word in line for word in words)), None)

        return eventually(find, f"a line with {words} in the log", timeout=5)


class Breaking(BreakTest):
    def test_a_break_ends_the_lease_and_its_holder_learns_why(self):
        lease = self.lease(owner="ann", ttl="1h")
        waiter = self.server.acquire_later(self.key())
        answer = self.server.over_unix.post(f"/leases/{lease['ref']}/break", reason="the host goes down")
        self.assertEqual(answer.status, 200, answer)
        self.assertEqual(
            answer.json, {"broken": True, "key": self.key(), "ref": lease["ref"], "owner": "ann",
                          "breaking_in_ms": 0, "break_reason": "the host goes down",
                          "broken_by": f"uid {os.getuid()}, pid {os.getpid()}"})
        self.granted(waiter.answer())
        for answer in (self.server.get(f"/leases/{lease['lease']}"), self.server.release(lease),
                       self.server.post(f"/leases/{lease['lease']}/renew")):
            problem = self.assertProblem(
                answer, 410, "broken", reason="broken", break_reason="the host goes down", ref=lease["ref"])
            self.assertRegex(problem["ended_at"], r"^\d{4}-")
        self.assertIn("notice", self.log_line("an operator ends a lease", lease["ref"], f"uid {os.getuid()}"))
        self.log_line("a lease ended", lease["ref"], "the host goes down")
        self.assertNotIn(lease["lease"], self.server.log_text())

    def test_a_grace(self):
        lease = self.lease(ttl="1h")
        answer = self.server.post(f"/leases/{lease['lease']}/break", after=soon(1000), reason="maintenance")
        self.assertEqual((answer.status, answer["broken"]), (200, False), answer)
        event = self.server.get("/events", key=self.key(), since="oldest", wait=0, kind="breaking").body.decode()
        self.assertRegex(event, r'"breaking_in_ms":\d+,"break_reason":"maintenance","by":"')
        self.assertTrue(0 < answer["breaking_in_ms"] <= 1000 + 10 * DELAY_MS, answer)
        shown = self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
        self.assertEqual(shown["break_reason"], "maintenance")
        self.assertTrue(0 < shown["breaking_in_ms"] <= answer["breaking_in_ms"], shown)
        self.assertIn("breaking_in_ms", self.server.lock(self.key())["holders"][0])
        self.assertProblem(
            self.server.post(f"/leases/{lease['lease']}/renew"), 410, "broken", break_reason="maintenance")
        self.assertProblem(self.server.post(f"/leases/{lease['lease']}/transfer"), 410, "broken")
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.granted(self.server.acquire(self.key(), wait="10s"))
        self.assertProblem(
            self.server.get(f"/leases/{lease['lease']}"), 410, "broken", break_reason="maintenance")

    def test_a_hold_says_so(self):
        stream = Stream(self.server, f"/locks/{self.key()}/hold")
        self.addCleanup(stream.close)
        lease = stream.json()
        self.server.post(f"/leases/{lease['ref']}/break", after="300ms", reason="maintenance")
        lines = [stream.json()]
        while "ended" not in lines[-1]:
            lines.append(stream.json())
        told = next(line for line in lines if "break_reason" in line)
        self.assertEqual(told["break_reason"], "maintenance")
        self.assertEqual([lines[-1].get(name) for name in ("ended", "break_reason")], ["broken", "maintenance"])
        self.assertIn("127.0.0.1", lines[-1]["broken_by"])

    def test_what_is_wrong_with_a_request(self):
        lease = self.lease()
        target = f"/leases/{lease['ref']}/break"
        self.assertProblem(self.server.post(target, after="25h"), 400, "out-of-range", parameter="after")
        self.assertProblem(self.server.post(target, after="soon"), 400, "invalid-parameter", parameter="after")
        self.assertProblem(self.server.post(target, reason="x" * 129), 400, "out-of-range", parameter="reason")
        self.assertIsNone(self.server.post(target, reason="", after="1s").json["break_reason"])
        self.assertProblem(self.server.post(target, reason="a\nb"), 400, "invalid-parameter", parameter="reason")
        self.assertProblem(self.server.post("/leases/0123456789/break"), 404, "no-such-lease")
        self.assertProblem(self.server.post("/leases/012345/break"), 400, "invalid-parameter", parameter="id")
        self.assertEqual(self.server.request("GET", target).status, 405)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)

    @needs_nobody
    def test_other_users_break_their_own(self):
        os.chmod(self.server.unix, 0o666)
        mine = self.granted(self.server.over_unix.acquire(self.key()))
        theirs = Client(self.server, self.key("theirs"), prefix=AS_NOBODY)
        self.addCleanup(theirs.close)
        self.assertEqual(theirs.status, 201, theirs.text)
        self.assertEqual(self.curl(AS_NOBODY, mine["ref"]), "403")
        ref = self.server.lock(self.key("theirs"))["holders"][0]["ref"]
        self.assertEqual(self.curl(AS_NOBODY, ref), "200")

    def curl(self, prefix, ref):
        return subprocess.run(
            [*prefix, "curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-X", "POST", "--unix-socket",
             self.server.unix, f"http://localhost/leases/{ref}/break"],
            capture_output=True, text=True, check=True).stdout


class Transferring(BreakTest):
    def test_a_lease_goes_on_under_another_id(self):
        lease = self.lease(owner="ann", ttl="1h")
        answer = self.server.post(f"/leases/{lease['lease']}/transfer", owner="eve")
        new = self.granted(answer)
        self.assertEqual(answer.headers["Location"], f"/leases/{new['lease']}")
        self.assertNotEqual(new["lease"], lease["lease"])
        self.assertGreater(new["fence"], lease["fence"])
        self.assertEqual((new["owner"], new["ttl_ms"], new["bind"]), ("eve", 3_600_000, None))
        for answer in (self.server.get(f"/leases/{lease['lease']}"), self.server.release(lease),
                       self.server.post(f"/leases/{lease['lease']}/renew")):
            self.assertProblem(answer, 410, "released", reason="transferred")
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.server.restart()
        self.assertEqual(self.server.get(f"/leases/{new['lease']}").status, 200)
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "released", reason="transferred")
        self.granted(self.server.release(new), 200)
        self.granted(self.server.acquire(self.key()))

    def test_a_binding_is_dropped_or_another_takes_its_place(self):
        connection = self.server.over_unix.connection()
        lease = self.granted(
            self.server.over_unix.acquire(self.key(), bind="connection", ttl=0, connection=connection))
        target = f"/leases/{lease['lease']}/transfer"
        self.assertProblem(self.server.post(target), 400, "out-of-range", parameter="ttl")
        new = self.granted(self.server.over_unix.post(target, bind=f"pid:{os.getpid()}"))
        self.assertEqual((new["bind"], new["expires_at"]), (f"pid:{os.getpid()}", None))
        connection.close()
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        last = self.granted(self.server.post(f"/leases/{new['lease']}/transfer", ttl="200ms"))
        self.assertEqual((last["bind"], last["ttl_ms"]), (None, 200))
        self.granted(self.server.acquire(self.key(), wait="10s"))


if __name__ == "__main__":
    unittest.main()
