"""The metrics as Prometheus sees them, and the alert rules over them."""

import pathlib
import re
import shutil
import subprocess
import unittest

from harness import LiveTest

RULES = pathlib.Path(__file__).resolve().parents[2] / "docs/grafana/alerts.yaml"


class MetricsTest(LiveTest):
    def promtool(self, *arguments, text=None):
        if not shutil.which("promtool"):
            self.skipTest("NO PROMTOOL: install the Debian package prometheus")
        done = subprocess.run(["promtool", "check", *arguments], input=text, capture_output=True, text=True, timeout=60)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def test_promtool_finds_nothing_to_say_about_the_metrics(self):
        self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.promtool("metrics", text=self.server.get("/metrics").text), "")

    def test_promtool_accepts_the_alert_rules(self):
        self.assertIn("SUCCESS", self.promtool("rules", str(RULES)))

    def test_the_alert_rules_name_only_metrics_that_are_served(self):
        served = set(re.findall(r"(?m)^# TYPE (\S+) ", self.server.get("/metrics").text))
        named = set(re.findall(r"\bleasehold_\w+", RULES.read_text()))
        self.assertGreater(len(named), 9)
        self.assertEqual(named - served, set())

    def test_a_service_that_serves_is_ready(self):
        self.assertIn("\nleasehold_ready 1\n", self.server.get("/metrics").text)


if __name__ == "__main__":
    unittest.main()
