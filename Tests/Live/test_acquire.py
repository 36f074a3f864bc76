"""The kinds of locks, and every parameter of acquire."""

import time
import unittest

from harness import RW_UNITS, LiveTest

LEASE_MEMBERS = {
    "lease",
    "ref",
    "key",
    "kind",
    "mode",
    "count",
    "limit",
    "fence",
    "owner",
    "bind",
    "ttl_ms",
    "expires_in_ms",
    "expires_at",
    "deadline_monotonic_ns",
    "renew_after_ms",
    "waited_ms",
    "replayed",
    "cooldown_ms",
    "sysv",
}


class Acquire(LiveTest):
    def test_the_answer_says_everything_about_the_lease(self):
        before = time.monotonic_ns()
        answer = self.server.acquire(self.key(), ttl="30s", owner="who, me?")
        lease = self.granted(answer)
        self.assertLessEqual(LEASE_MEMBERS, set(lease))
        self.assertRegex(lease["lease"], r"\A[0-9a-f]{32}\Z")
        self.assertRegex(lease["ref"], r"\A[0-9a-f]{10}\Z")
        self.assertEqual(answer.headers["Location"], f"/leases/{lease['lease']}")
        self.assertEqual(answer.headers["Cache-Control"], "no-store")
        self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
        self.assertTrue(answer.body.endswith(b"}\n"))
        expected = {
            "key": self.key(),
            "kind": "rw",
            "mode": "exclusive",
            "count": 1,
            "limit": None,
            "owner": "who, me?",
            "bind": None,
            "ttl_ms": 30000,
            "replayed": False,
            "cooldown_ms": 0,
        }
        self.assertEqual({name: lease[name] for name in expected}, expected)
        self.assertAlmostEqual(lease["expires_in_ms"], 30000, delta=5000)
        self.assertAlmostEqual(lease["renew_after_ms"], 10000, delta=100)
        self.assertRegex(lease["expires_at"], r"\A\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z\Z")
        deadline = lease["deadline_monotonic_ns"] - before
        self.assertTrue(30e9 <= deadline <= 50e9, f"not a CLOCK_MONOTONIC reading of this host: {deadline}")
        self.assertEqual(lease["sysv"]["units"], RW_UNITS)
        self.assertGreater(lease["fence"], 1_600_000_000_000_000)
        self.assertLess(lease["fence"], 1 << 53)

    def test_a_held_lock_is_423_with_its_holders(self):
        held = self.granted(self.server.acquire(self.key(), owner="first"))
        answer = self.server.acquire(self.key())
        problem = self.assertProblem(answer, 423, "locked", waiters=0, limit=None, available=0, errno="EAGAIN")
        self.assertEqual((answer.headers["Retry-After"], problem["retry_after_ms"]), ("5", 5000))
        self.assertGreater(problem["holders"][0]["expires_in_ms"], 20_000)
        [holder] = problem["holders"]
        self.assertEqual((holder["ref"], holder["owner"], holder["fence"]), (held["ref"], "first", held["fence"]))
        self.assertNotIn(held["lease"], answer.text, "the capability of somebody else must not be shown")

    def test_durations_come_in_four_units_and_bare_seconds(self):
        for text, ms in (
            ("250ms", 250),
            ("2s", 2000),
            ("1.5m", 90000),
            ("2h", 7200000),
            ("3", 3000),
            ("0.5", 500),
            ("24h", 86400000),
            ("100ms", 100),
        ):
            with self.subTest(text):
                lease = self.granted(self.server.acquire(self.key(text), ttl=text))
                self.assertEqual(lease["ttl_ms"], ms)

    def test_a_ttl_of_zero_needs_a_binding(self):
        self.assertProblem(self.server.acquire(self.key(), ttl=0), 400, "out-of-range", parameter="ttl")
        connection = self.server.connection()
        lease = self.granted(self.server.acquire(self.key(), ttl=0, bind="connection", connection=connection))
        for name in ("expires_in_ms", "expires_at", "deadline_monotonic_ns", "renew_after_ms"):
            self.assertIsNone(lease[name], name)
        self.assertEqual((lease["bind"], lease["ttl_ms"]), ("connection", 0))
        connection.close()

    def test_prefer_wait_is_a_synonym_and_the_parameter_wins(self):
        self.granted(self.server.acquire(self.key()))
        begun = time.monotonic()
        target = f"/locks/{self.key()}/acquire"
        self.assertProblem(self.server.post(target, headers={"Prefer": "respond-async, wait=1"}), 423, "wait-timeout")
        self.assertGreaterEqual(time.monotonic() - begun, 1)
        self.assertProblem(self.server.post(target, headers={"Prefer": "wait=3600"}, wait="10ms"), 423, "wait-timeout")

    def test_a_key_may_hold_slashes_spaces_umlauts_and_percent_signs(self):
        for key in ("a/b", "a b", "Schlüssel", "100%", "%2F", "x?y=z#w", "🔒", "a+b", "a;b&c", "'\"\\"):
            with self.subTest(key):
                lease = self.granted(self.server.acquire(key))
                self.assertEqual(lease["key"], key)
                self.assertEqual(self.server.lock(key)["holders"][0]["ref"], lease["ref"])
        self.assertProblem(self.server.acquire("a/b"), 423, "locked")
        self.assertEqual(self.server.get("/locks/a/b").status, 404, "a real slash is another path")


if __name__ == "__main__":
    unittest.main()
