"""The metrics as Prometheus sees them, and what they say about requests."""

import unittest

import tools
from harness import LiveTest, Pending


class MetricsTest(LiveTest):
    def test_promtool_finds_nothing_to_say_about_the_metrics(self):
        self.granted(self.server.acquire(self.key()))
        self.server.get("/healthz", headers={"Host": "evil.example"})
        self.assertEqual(tools.promtool(self, "check", "metrics", text=self.server.get("/metrics").text), "")

    def test_the_maxima_are_those_of_the_settings(self):
        text = self.server.get("/metrics").text
        self.assertIn("\nleasehold_leases_max 1000000\n", text)
        self.assertIn("\nleasehold_waiters_max 100000\n", text)

    def test_what_operators_and_groups_do_is_counted(self):
        names = ('leasehold_acquires_total{outcome="superseded"}', 'leasehold_acquires_total{outcome="canceled"}',
                 "leasehold_yields_total", "leasehold_resizes_total", "leasehold_kept_leases")
        before = [self.server.metric(name) for name in names]
        lease = self.granted(self.server.acquire(self.key(), newest="web"))
        older = self.server.acquire_later(self.key(), newest="web")
        # It takes the place of the older one: the queue grows no longer.
        newer = Pending(lambda: self.server.acquire(self.key(), newest="web", wait="20s"))
        self.assertProblem(older.answer(), 409, "superseded")
        self.server.release(self.granted(self.server.acquire(self.key("-kept"), hold_at_least="10m", limit=2)))
        resize = f"/locks/{self.key('-kept')}?limit=3&resize=true"
        self.assertEqual(self.server.request("PUT", resize).status, 200)
        after = [self.server.metric(name) for name in names]
        self.assertEqual([now - was for now, was in zip(after, before, strict=True)], [1, 0, 1, 1, 1])
        self.server.release(lease)
        self.granted(newer.answer())


if __name__ == "__main__":
    unittest.main()
