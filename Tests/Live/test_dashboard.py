"""What browsers get from GET /, and that names stay text in it."""

import base64
import hashlib
import html.parser
import re
import unittest

from access import TokenServer
from harness import LiveTest, Server
from native import remove_set

BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8"}
EVIL = "</table></noscript><script>alert(1)</script>\"'&amp;"


class Names(html.parser.HTMLParser):
    """The text of the page's row headers, and how often a script begins."""

    def __init__(self, text):
        super().__init__()
        self.names, self.scripts, self.rows, self.in_name = [], 0, [], False
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.scripts += tag == "script"
        if tag == "bdi" and not dict(attributes).get("id"):
            self.in_name = True
            self.names.append("")

    def handle_endtag(self, tag):
        if tag == "bdi":
            self.in_name = False

    def handle_data(self, data):
        if self.in_name:
            self.names[-1] += data


class Dashboard(LiveTest):
    def page(self, server=None, method="GET", **headers):
        return (server or self.server).request(method, "/", headers={**BROWSER, **headers})

    def test_browsers_get_a_page_and_programs_get_json(self):
        page = self.page()
        self.assertEqual((page.status, page.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
        self.assertTrue(page.text.startswith("<!DOCTYPE html>"))
        self.assertEqual(page.headers["Vary"], "Accept")
        for accept in ({}, {"Accept": "*/*"}, {"Accept": "application/json"}, {"Accept": "application/json, text/html"},
                       {"Accept": "text/html;q=0.5, application/json"}):
            with self.subTest(accept):
                answer = self.server.get("/", headers=accept)
                self.assertEqual(answer.headers["Content-Type"], "application/json")
                self.assertEqual(answer["name"], "leasehold")
        self.assertEqual(self.server.get("/", headers={"Accept": "text/html"}).status, 200)
        self.assertProblem(self.server.get("/locks", headers={"Accept": "text/html"}), 406, "not-acceptable")
        self.assertProblem(self.server.get("/", headers={"Accept": "image/png"}), 406, "not-acceptable")

    def test_head_has_the_headers_alone(self):
        page, head = self.page(), self.page(method="HEAD")
        self.assertEqual((head.status, head.body), (200, b""))
        for name in ("Content-Type", "Content-Security-Policy", "X-Content-Type-Options"):
            self.assertEqual(head.headers[name], page.headers[name], name)

    def test_the_policy_allows_the_page_s_own_script_and_style_and_nothing_else(self):
        page = self.page()

        def digest(element):
            text = re.search(rf"<{element}[^>]*>(.*?)</{element}>", page.text, re.S)[1]
            return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()

        self.assertEqual(
            page.headers["Content-Security-Policy"],
            f"default-src 'none'; script-src 'sha256-{digest('script')}'; style-src 'sha256-{digest('style')}'; "
            "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
        self.assertEqual(page.headers["X-Content-Type-Options"], "nosniff")
        text = page.text.replace("http://www.w3.org/2000/svg", "")
        self.assertEqual(re.findall(r"(?i)\son\w+=|\sstyle=|\ssrc=|https?:", text), [])
        self.assertEqual(re.findall(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", text), [])

    def test_names_and_owners_stay_text(self):
        for number, name in enumerate((EVIL, "<script>alert(1)</script>", "b\u0301<b>", "a&lt;b", "Grüße 世界")):
            self.assertEqual(self.server.acquire(f"{number} {name}", owner=EVIL).status, 201)
        seen = Names(self.page().text)
        self.assertEqual(seen.scripts, 1)
        for number, name in enumerate((EVIL, "<script>alert(1)</script>", "b\u0301<b>", "a&lt;b", "Grüße 世界")):
            self.assertIn(f"{number} {name}", seen.names)

    def test_what_does_not_show_in_a_native_name_is_shown_by_its_number(self):
        name = "apache:a\u202e<b>\u200b\u2066\u2028\u00a0\U000e0041"
        lease = self.granted(self.server.acquire(name, semaphore_key="0x5afe41"), 201)
        self.addCleanup(remove_set, lease["sysv"]["id"])
        page = self.page().text
        self.assertIn("apache:a\\u{202e}<b>\\u{200b}\\u{2066}\\u{2028}\\u{a0}\\u{e0041}", Names(page).names)
        self.assertNotIn("\u202e", page)

    def test_the_plain_table_counts(self):
        key = self.key()
        self.server.acquire(key, limit=7, count=2)
        self.assertRegex(self.page().text, rf"<bdi>{re.escape(key)}</bdi></th><td>7</td><td>5</td><td>1</td><td>0</td>")

    def test_holders_tell_the_ttl(self):
        key = self.key()
        self.server.acquire(key, ttl="90s")
        self.assertEqual(self.server.lock(key)["holders"][0]["ttl_ms"], 90_000)

    def test_an_empty_service_says_so(self):
        server = Server().start()
        self.addCleanup(server.stop)
        self.assertIn("No locks are known now.", self.page(server).text)

    def test_without_a_token_the_page_comes_and_tells_nothing(self):
        server = TokenServer().start()
        self.addCleanup(server.stop)
        server.with_token("admin").acquire("secret-name", owner="ann")
        page = self.page(server)
        self.assertEqual(page.status, 200)
        self.assertNotIn("secret-name", page.text)
        self.assertNotIn("secret-name", self.page(server.with_token("part")).text)
        self.assertProblem(server.get("/"), 401, "unauthenticated")
        self.assertProblem(server.get("/locks", headers=BROWSER), 401, "unauthenticated")
        self.assertProblem(self.page(server, Authorization="Bearer wrong"), 401, "unauthenticated")
        # Over the socket file nobody is asked for one.
        self.assertIn("secret-name", self.page(server.over_unix).text)


if __name__ == "__main__":
    unittest.main()
