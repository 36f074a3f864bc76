"""`POST /leases/renew`: many leases in one request, and each that is over named with its reason."""

import unittest

from delays import DELAY_MS, at_once
from harness import LiveTest


class Renewals(LiveTest):
    def renew(self, leases, **more):
        return self.server.json_post("/leases/renew", {"leases": leases} | more)

    def test_each_is_renewed_or_named(self):
        kept = [self.granted(self.server.acquire(self.key(f"-{number}"), ttl="30s")) for number in range(3)]
        released, broken, breaking = (self.granted(self.server.acquire(self.key(f"-{name}"))) for name in "abc")
        self.server.release(released)
        self.server.post(f"/leases/{broken['ref']}/break", reason="test")
        self.server.post(f"/leases/{breaking['ref']}/break", after="10s", reason="soon")
        unknown = "0" * 32
        asked = [kept[0]["lease"], released["lease"], kept[1]["lease"], broken["lease"], unknown, breaking["lease"],
                 kept[2]["lease"]]
        answer = self.renew(asked, ttl="1m")
        self.assertEqual(answer.status, 200)
        self.assertEqual([one["lease"] for one in answer["renewed"]], [lease["lease"] for lease in kept])
        for one, lease in zip(answer["renewed"], kept, strict=True):
            seen = self.server.get(f"/leases/{lease['lease']}").json
            self.assertEqual(set(one), {"lease", "key", "ttl_ms", "expires_in_ms", "expires_at", "renew_after_ms",
                                        "deadline_monotonic_ns"})
            for name in ("key", "ttl_ms", "expires_at", "renew_after_ms", "deadline_monotonic_ns"):
                self.assertEqual(one[name], seen[name], name)
            self.assertEqual(one["ttl_ms"], 60_000)
            # It counts from the answer, before which the others are asked for.
            self.assertLessEqual(one["expires_in_ms"], 60_000)
            self.assertGreaterEqual(one["expires_in_ms"], 59_000 - 10 * DELAY_MS)
        lost = answer["lost"]
        self.assertEqual([(one["lease"], one["code"], one["reason"]) for one in lost], [
            (released["lease"], "released", "released"), (broken["lease"], "broken", "broken"),
            (unknown, "no-such-lease", "no-such-lease"), (breaking["lease"], "broken", "broken")])
        self.assertEqual((lost[1]["break_reason"], lost[1]["key"]), ("test", broken["key"]))
        self.assertLessEqual(lost[3]["breaking_in_ms"], 10_000)
        for one in lost:
            problem = self.server.post(f"/leases/{one['lease']}/renew").json
            for name in set(problem) & {"code", "key", "ref", "reason", "ended_at", "break_reason", "broken_by"}:
                self.assertEqual(one[name], problem[name] if name != "reason" else one["reason"], name)
        self.assertEqual(self.renew([kept[0]["lease"]])["renewed"][0]["ttl_ms"], 60_000, "its own ttl")

    @at_once("a thousand take a thousand times as long")
    def test_a_thousand_and_no_more(self):
        leases = [self.granted(self.server.acquire(self.key(), limit=1000))["lease"] for _ in range(1000)]
        answer = self.renew(leases)
        self.assertEqual((answer.status, len(answer["renewed"]), answer["lost"]), (200, 1000, []))
        self.assertProblem(self.renew([*leases, leases[0]]), 400, "out-of-range", parameter="leases", maximum=1000)
        self.assertProblem(self.renew([]), 400, "out-of-range", parameter="leases")
        form = self.server.form_post("/leases/renew", "leases=" + ",".join(leases[:2]))
        self.assertEqual(len(form["renewed"]), 2)
        self.assertEqual(self.server.post("/leases/renew", leases=leases[0])["renewed"][0]["lease"], leases[0])

    def test_what_is_asked_wrongly_renews_nothing(self):
        lease = self.granted(self.server.acquire(self.key(), ttl="10s"))
        good = lease["lease"]
        self.assertProblem(self.server.post("/leases/renew"), 400, "missing-parameter", parameter="leases")
        self.assertProblem(self.renew([good, lease["ref"]]), 400, "invalid-parameter", parameter="leases")
        self.assertProblem(self.renew([good], ttl="25h"), 400, "out-of-range", parameter="ttl")
        self.assertProblem(self.renew([good], ttl="0s"), 400, "out-of-range", parameter="ttl", ref=lease["ref"])
        self.assertProblem(self.renew([good], owner="x"), 400, "unknown-parameter")
        self.assertProblem(self.server.get("/leases/renew"), 405, "method-not-allowed")
        self.assertLessEqual(self.server.get(f"/leases/{good}")["ttl_ms"], 10_000)


if __name__ == "__main__":
    unittest.main()
