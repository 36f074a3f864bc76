"""What browsers get from GET /, and that names stay text in it."""

import base64
import hashlib
import html.parser
import os
import re
import unittest
from urllib.parse import quote

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
    def page(self, server=None, method="GET", path="/", **headers):
        return (server or self.server).request(method, path, headers={**BROWSER, **headers})

    def names(self, query):
        """The locks of the plain table, in its order; those of this test alone."""
        return [name for name in Names(self.page(path="/?" + query).text).names if name.startswith(self.key())]

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
            "img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'")
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
        row = re.search(rf"<bdi>{re.escape(key)}</bdi></a></th>(.*)</tr>", self.page().text)[1]
        self.assertIn("<td>held, 2 of 7 slots</td>", row)
        self.assertTrue(row.endswith("<td>0</td><td>–</td>"), row)

    def test_the_plain_table_is_sorted_and_chosen_by_the_query_as_the_live_one(self):
        key = self.key()
        for name, owner in (("c", "ann@ci"), ("b", "eve"), ("a", "ann")):
            self.server.acquire(f"{key}-{name}", owner=f"{owner}-{key}")
        self.server.acquire_later(f"{key}-b", owner="joe")
        free = self.granted(self.server.acquire(f"{key}-free"), 201)
        self.server.release(free)
        self.assertEqual(self.names(f"q={key}-*"), [f"{key}-{name}" for name in ("b", "c", "a", "free")])
        self.assertEqual(self.names(f"q={key}-*&sort=name"), [f"{key}-{name}" for name in ("a", "b", "c", "free")])
        self.assertEqual(self.names(f"sort=age&owner=ANN*{key}"), [f"{key}-{name}" for name in ("c", "a")])
        self.assertEqual(self.names(f"state=waited&q={key.upper()}"), [f"{key}-b"])
        self.assertEqual(self.names(f"state=free&q={key}"), [f"{key}-free"])
        self.assertEqual(self.names(f"q={key}-b*e"), [])
        for query in ("sort=up", "state=gone", "q=" + "x" * 256):
            self.assertIn(self.page(path="/?" + query).status, (400,), query)

    def test_a_lock_and_an_owner_have_a_page_each_in_which_their_names_are_text(self):
        key = f"{self.key()} {EVIL}"
        holder = self.granted(self.server.over_unix.acquire(key, owner=EVIL), 201)
        self.server.acquire_later(key, owner=EVIL)
        for path in (f"/ui/locks/{quote(key, safe='')}", f"/ui/owners/{quote(EVIL, safe='')}"):
            page = self.page(path=path)
            self.assertEqual((page.status, page.headers["Content-Type"]), (200, "text/html; charset=utf-8"))
            self.assertEqual(page.headers["Content-Security-Policy"], self.page().headers["Content-Security-Policy"])
            seen = Names(page.text)
            self.assertEqual(seen.scripts, 1)
            self.assertIn(key, seen.names)
            self.assertIn(EVIL, seen.names)
            self.assertIn(f"leasehold break {holder['ref']}", page.text)
        page = self.page(path=f"/ui/locks/{quote(key, safe='')}")
        self.assertRegex(page.text, r"for \d+ s; one waits, for \d+ s\.</p>")
        for operation in ("lockPage", "ownerPage"):
            self.assertIn(f'operation="{operation}"', self.server.get("/metrics").text)
        self.assertIn("is not there now", self.page(path="/ui/locks/no-such-lock").text)
        self.assertIn("holds nothing now", self.page(path="/ui/owners/nobody").text)
        for path in ("/ui", "/ui/locks", "/ui/locks/", "/ui/keys/x", "/ui/locks/a/b"):
            self.assertProblem(self.page(path=path), 404, "not-found")
        self.assertProblem(self.page(path="/ui/owners/%ff"), 400, "invalid-parameter")
        self.assertProblem(self.page(path="/ui/owners/" + "a" * 129), 400, "out-of-range", parameter="owner")

    def test_the_longest_wait_and_the_programs_are_told_to_programs_too(self):
        key = self.key()
        self.server.over_unix.acquire(key)
        self.assertIsNone(self.server.lock(key)["longest_wait_ms"])
        self.server.acquire_later(key)
        lock = self.server.lock(key)
        self.assertTrue(0 <= lock["longest_wait_ms"] <= lock["waiters"][0]["age_ms"], lock)
        with open("/proc/self/comm", encoding="utf-8") as file:
            self.assertEqual(lock["programs"], {str(os.getpid()): file.read().strip()})
        listed = self.server.get("/locks", key=key)["locks"][0]
        self.assertGreaterEqual(listed["longest_wait_ms"], lock["longest_wait_ms"])

    def test_holders_tell_the_ttl(self):
        key = self.key()
        self.server.acquire(key, ttl="90s")
        self.assertEqual(self.server.lock(key)["holders"][0]["ttl_ms"], 90_000)

    def test_an_empty_service_says_so(self):
        server = Server().ends_with(self).start()
        self.assertIn("No locks are known now.", self.page(server).text)

    def test_without_a_token_the_page_comes_and_tells_nothing(self):
        server = TokenServer().ends_with(self).start()
        server.with_token("admin").acquire("secret-name", owner="ann")
        page = self.page(server)
        self.assertEqual(page.status, 200)
        self.assertNotIn("secret-name", page.text)
        self.assertNotIn("secret-name", self.page(server.with_token("part")).text)
        for path in ("/ui/locks/secret%2Dname", "/ui/owners/ann"):
            page = self.page(server, path=path)
            self.assertEqual(page.status, 200)
            self.assertNotIn("secret-name", page.text)
        self.assertProblem(server.get("/"), 401, "unauthenticated")
        self.assertProblem(server.get("/locks", headers=BROWSER), 401, "unauthenticated")
        self.assertProblem(self.page(server, Authorization="Bearer wrong"), 401, "unauthenticated")
        # Over the socket file nobody is asked for one.
        self.assertIn("secret-name", self.page(server.over_unix).text)


if __name__ == "__main__":
    unittest.main()
