"""A page of another origin in a real browser takes, releases and reads no lock; nor does one whose name was bent."""

import os
import sys
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Live"))

import pages
from harness import Server

PATIENCE = 40
OWNER = "an owner that no page may see"


@unittest.skipUnless(pages.CHROMIUM, "SKIPPED: there is no chromium here (apt-get install chromium)")
class Pages(unittest.TestCase):
    def setUp(self):
        self.server = Server().ends_with(self).start()
        self.lease = self.server.acquire("victim", owner=OWNER, ttl="10m").json["lease"]

    def visit(self, attacker, page, *flags):
        """What the page says that it saw."""
        with pages.visiting(page, *flags):
            self.assertTrue(attacker.reported.wait(PATIENCE), "the page did not report")
        return attacker.report

    def attacker(self, *arguments):
        attacker = pages.Attacker(*arguments)
        self.addCleanup(attacker.close)
        return attacker

    def page(self, origin, target):
        return f"{origin}/attack.html?target={target}&lease={self.lease}"

    def check(self, seen):
        """Nothing was taken, nothing released, nothing read."""
        self.assertGreater(len(seen), 20, seen)
        names = [lock["key"] for lock in self.server.get("/locks")["locks"]]
        self.assertEqual([name for name in names if name.startswith("evil")], [])
        lock = self.server.lock("victim").json
        self.assertEqual([holder["owner"] for holder in lock["holders"]], [OWNER])
        for name, text in seen.items():
            self.assertNotIn(OWNER, text, name)
            self.assertNotIn("leases", text, name)
        self.assertNotEqual(seen.get("read-events"), "open")

    def test_the_attacks_are_attacks(self):
        """Against a service that guards nothing they take, release and read, so the others show something."""
        naive, attacker = pages.Naive(), self.attacker()
        self.addCleanup(naive.close)
        target = f"http://127.0.0.1:{naive.port}"
        seen = self.visit(attacker, self.page(f"http://127.0.0.1:{attacker.port}", target))
        ways = ("cors", "no-cors", "form-body", "text-body", "json", "no-referrer", "xhr", "form", "beacon")
        for request in (
            *(f"POST /locks/evil-take-{way}/acquire" for way in ways), "POST /locks/evil-hold/hold",
            f"POST /locks/victim/release?lease={self.lease}", f"DELETE /leases/{self.lease}",
            "DELETE /locks/victim?force=true", "GET /locks/victim", "GET /leases", "GET /events", "GET /shm?wait=3s",
        ):
            self.assertIn(request, naive.reached)
        self.assertIn("secret", seen["read-cors"])
        self.assertIn("secret", seen["take-json"])

    def test_another_port_of_this_host(self):
        attacker = self.attacker()
        target = f"http://127.0.0.1:{self.server.port}"
        self.check(self.visit(attacker, self.page(f"http://127.0.0.1:{attacker.port}", target)))
        self.assertRegex(self.server.get("/metrics").text, r'leasehold_refusals_total\{code="foreign-origin"\} [1-9]')

    def test_another_site(self):
        attacker = self.attacker()
        target = f"http://127.0.0.1:{self.server.port}"
        page = self.page(f"http://evil.test:{attacker.port}", target)
        self.check(self.visit(attacker, page, "--host-resolver-rules=MAP evil.test 127.0.0.1"))

    def test_a_name_that_was_bent_to_this_host_from_another_page(self):
        attacker = self.attacker()
        rules = "--host-resolver-rules=MAP evil.test 127.0.0.1, MAP bent.test 127.0.0.1"
        page = self.page(f"http://evil.test:{attacker.port}", f"http://bent.test:{self.server.port}")
        self.check(self.visit(attacker, page, rules))

    def test_a_page_whose_own_name_was_bent_to_this_host(self):
        """The page and the service are one origin to the browser: Host alone tells."""
        attacker = self.attacker(self.server.port)
        origin = f"http://evil.test:{self.server.port}"
        seen = self.visit(attacker, self.page(origin, origin), f"--proxy-server=http://127.0.0.1:{attacker.port}")
        self.check(seen)
        # It may read all answers, and every one of them is a refusal.
        for name in ("take-cors", "take-json", "take-xhr", "hold", "read-cors", "read-xhr", "release-delete", "break"):
            self.assertIn("421", seen[name], name)
            self.assertIn("host-not-allowed", seen[name], name)


if __name__ == "__main__":
    unittest.main()
