"""The metrics as Prometheus sees them, and what they say about requests."""

import re
import time
import unittest

import tools
from harness import LiveTest, Pending, eventually

COUNT = "leasehold_http_request_duration_seconds_count"
SUM = "leasehold_http_request_duration_seconds_sum"
REQUESTS = "leasehold_http_requests_total"


class MetricsTest(LiveTest):
    def number(self, name, operation, status="2xx"):
        """A number of one operation; 0 where there is none yet."""
        sample = f'{name}{{operation="{operation}",status="{status}"}}'
        found = re.search(rf"(?m)^{re.escape(sample)} (\S+)$", self.server.get("/metrics").text)
        return float(found[1]) if found else 0

    def test_promtool_finds_nothing_to_say_about_the_metrics(self):
        self.granted(self.server.acquire(self.key()))
        self.server.get("/healthz", headers={"Host": "evil.example"})
        self.assertEqual(tools.promtool(self, "check", "metrics", text=self.server.get("/metrics").text), "")

    def test_a_service_that_serves_is_ready(self):
        self.assertIn("\nleasehold_ready 1\n", self.server.get("/metrics").text)

    def test_the_maxima_are_those_of_the_settings(self):
        text = self.server.get("/metrics").text
        self.assertIn("\nleasehold_leases_max 1000000\n", text)
        self.assertIn("\nleasehold_waiters_max 100000\n", text)

    def sample(self, name):
        return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", self.server.get("/metrics").text)[1])

    def test_what_operators_and_groups_do_is_counted(self):
        names = ('leasehold_acquires_total{outcome="superseded"}', 'leasehold_acquires_total{outcome="canceled"}',
                 "leasehold_yields_total", "leasehold_resizes_total", "leasehold_kept_leases")
        before = [self.sample(name) for name in names]
        lease = self.granted(self.server.acquire(self.key(), newest="web"))
        older = self.server.acquire_later(self.key(), newest="web")
        # It takes the place of the older one: the queue grows no longer.
        newer = Pending(lambda: self.server.acquire(self.key(), newest="web", wait="20s"))
        self.assertProblem(older.answer(), 409, "superseded")
        self.server.release(self.granted(self.server.acquire(self.key("-kept"), hold_at_least="10m", limit=2)))
        resize = f"/locks/{self.key('-kept')}?limit=3&resize=true"
        self.assertEqual(self.server.request("PUT", resize).status, 200)
        self.assertEqual([self.sample(name) - was for name, was in zip(names, before, strict=True)], [1, 0, 1, 1, 1])
        self.server.release(lease)
        self.granted(newer.answer())

    def test_what_is_answered_at_once_has_a_duration(self):
        before = [self.number(name, "renewLease") for name in (COUNT, SUM, REQUESTS)]
        lease = self.granted(self.server.acquire(self.key()))
        begun = time.monotonic()
        for _ in range(5):
            self.assertEqual(self.server.post(f"/leases/{lease['lease']}/renew").status, 200)
        took = time.monotonic() - begun
        count, seconds, requests = (
            self.number(name, "renewLease") - was for name, was in zip((COUNT, SUM, REQUESTS), before, strict=True))
        self.assertEqual((count, requests), (5, 5))
        self.assertGreater(seconds, 0)
        self.assertLess(seconds, took)

    def test_a_refusal_has_a_duration_of_its_own(self):
        held = self.number(COUNT, "acquireLock", "4xx")
        self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.server.acquire(self.key()), 423, "locked")
        self.assertEqual(self.number(COUNT, "acquireLock", "4xx"), held + 1)

    def test_an_acquire_that_waited_has_none(self):
        lease = self.granted(self.server.acquire(self.key()))
        durations, requests = (self.number(name, "acquireLock") for name in (COUNT, REQUESTS))
        pending = self.server.acquire_later(self.key())
        self.server.release(lease)
        self.granted(pending.answer())
        self.assertEqual(self.number(REQUESTS, "acquireLock"), requests + 1)
        self.assertEqual(self.number(COUNT, "acquireLock"), durations)

    def test_an_open_answer_has_one_when_it_begins_and_no_other(self):
        before = self.number(COUNT, "events")
        with self.server.socket() as sock:
            sock.sendall(b"GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n")
            self.assertIn(b" 200 ", sock.recv(4096))
            self.assertEqual(self.number(COUNT, "events"), before + 1)
        eventually(lambda: "\nleasehold_event_subscribers 0\n" in self.server.get("/metrics").text, "nobody follows")
        self.assertEqual(self.number(COUNT, "events"), before + 1)


if __name__ == "__main__":
    unittest.main()
