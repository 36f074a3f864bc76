"""Nonsense gets an error that helps: the code, the parameter, and a sentence that says what to do."""

import json
import unittest

from harness import LiveTest

ACQUIRE = "/locks/nonsense/acquire"
RELEASE = "/locks/nonsense/release"
ID = "0123456789abcdef0123456789abcdef"
NUL_KEY, BAD_UTF8, DOTS = "/locks/a%00b", "/locks/%ff%fe", "/locks/%2e%2e/acquire"

# method, target, status, code, members of the problem, words that the detail must have
TARGETS = [
    # durations
    ("POST", ACQUIRE + "?ttl=soon", 400, "invalid-parameter", {"parameter": "ttl", "value": "soon"}, ["30s"]),
    ("POST", ACQUIRE + "?ttl=-1s", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=1d", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=1%20s", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=.5s", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=1e3", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=NaN", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=99ms", 400, "out-of-range", {"parameter": "ttl", "value": "99ms"}, ["100ms", "24h"]),
    ("POST", ACQUIRE + "?ttl=25h", 400, "out-of-range", {"parameter": "ttl"}, ["24h"]),
    ("POST", ACQUIRE + "?ttl=" + "9" * 30, 400, "out-of-range", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=0", 400, "out-of-range", {"parameter": "ttl"}, ["bind"]),
    ("POST", ACQUIRE + "?wait=2h", 400, "out-of-range", {"parameter": "wait"}, ["1h"]),
    ("POST", ACQUIRE + "?wait=never", 400, "invalid-parameter", {"parameter": "wait"}, []),
    ("POST", ACQUIRE + "?cooldown=25h", 400, "out-of-range", {"parameter": "cooldown"}, ["24h"]),
    ("POST", f"/leases/{ID}/renew?ttl=soon", 400, "invalid-parameter", {"parameter": "ttl"}, []),
    # numbers
    (
        "POST",
        ACQUIRE + "?limit=0",
        400,
        "out-of-range",
        {"parameter": "limit", "minimum": 1, "maximum": 32767},
        ["32767"],
    ),
    ("POST", ACQUIRE + "?limit=32768", 400, "out-of-range", {"parameter": "limit", "value": "32768"}, ["32767"]),
    ("POST", ACQUIRE + "?limit=-1", 400, "out-of-range", {"parameter": "limit"}, []),
    ("POST", ACQUIRE + "?limit=many", 400, "invalid-parameter", {"parameter": "limit", "value": "many"}, []),
    ("POST", ACQUIRE + "?limit=2.5", 400, "invalid-parameter", {"parameter": "limit"}, []),
    ("POST", ACQUIRE + "?limit=99999999999999999999", 400, "out-of-range", {"parameter": "limit"}, []),
    ("POST", ACQUIRE + "?count=0", 400, "out-of-range", {"parameter": "count"}, []),
    ("POST", ACQUIRE + "?max_waiters=100001", 400, "out-of-range", {"parameter": "max_waiters", "maximum": 100000}, []),
    ("GET", "/locks?limit=0", 400, "out-of-range", {"parameter": "limit", "maximum": 1000}, []),
    ("GET", "/leases?limit=1001", 400, "out-of-range", {"parameter": "limit"}, []),
    ("GET", "/semaphores?limit=x", 400, "invalid-parameter", {"parameter": "limit"}, []),
    # words
    ("POST", ACQUIRE + "?mode=both", 400, "invalid-parameter", {"parameter": "mode", "value": "both"}, ["shared"]),
    ("POST", ACQUIRE + "?mode=shared&limit=2", 400, "invalid-parameter", {"parameter": "mode"}, ["limit"]),
    (
        "POST",
        ACQUIRE + "?format=xml",
        400,
        "invalid-parameter",
        {"parameter": "format", "allowed": ["json", "text"]},
        [],
    ),
    ("POST", ACQUIRE + "?owner=a%00b", 400, "invalid-parameter", {"parameter": "owner"}, []),
    ("POST", ACQUIRE + "?owner=%ff", 400, "invalid-parameter", {"parameter": "owner"}, ["UTF-8"]),
    ("POST", ACQUIRE + "?owner=", 400, "out-of-range", {"parameter": "owner"}, []),
    ("POST", ACQUIRE + "?owner=" + "x" * 129, 400, "out-of-range", {"parameter": "owner"}, ["128"]),
    ("GET", "/locks?state=lost", 400, "invalid-parameter", {"parameter": "state"}, ["held"]),
    ("GET", "/locks?cursor=%21%21", 400, "invalid-parameter", {"parameter": "cursor"}, []),
    ("DELETE", "/locks/nonsense?force=maybe", 400, "invalid-parameter", {"parameter": "force"}, ["true"]),
    # names
    ("POST", ACQUIRE + "?tll=30s", 400, "unknown-parameter", {"parameter": "tll"}, ["ttl"]),
    ("POST", ACQUIRE + "?TTL=30s", 400, "unknown-parameter", {"parameter": "TTL"}, ["ttl"]),
    ("POST", ACQUIRE + "?=x", 400, "unknown-parameter", {}, []),
    ("POST", ACQUIRE + "?" + "x" * 300 + "=1", 400, "unknown-parameter", {}, []),
    ("GET", "/healthz?x=1", 400, "unknown-parameter", {"parameter": "x"}, []),
    ("GET", "/metrics?x=1", 400, "unknown-parameter", {"parameter": "x"}, []),
    ("GET", "/locks/nonsense?ttl=1s", 400, "unknown-parameter", {"parameter": "ttl"}, []),
    ("POST", ACQUIRE + "?ttl=30s&ttl=31s", 400, "duplicate-parameter", {"parameter": "ttl"}, []),
    ("POST", RELEASE, 400, "missing-parameter", {"parameter": "lease"}, []),
    ("POST", "/locks/nonsense/renew", 400, "missing-parameter", {"parameter": "lease"}, []),
    ("DELETE", "/leases", 400, "missing-parameter", {"parameter": "owner"}, []),
    # keys
    ("GET", NUL_KEY, 400, "bad-key", {"parameter": "key"}, []),
    ("POST", NUL_KEY + "/acquire", 400, "bad-key", {"parameter": "key"}, []),
    ("POST", "/locks/a%0Ab/acquire", 400, "bad-key", {"parameter": "key"}, ["control"]),
    ("POST", "/locks/%7f/acquire", 400, "bad-key", {"parameter": "key"}, ["control"]),
    ("POST", BAD_UTF8 + "/acquire", 400, "bad-key", {"parameter": "key"}, ["UTF-8"]),
    ("POST", "/locks/%C0%AF/acquire", 400, "bad-key", {"parameter": "key"}, ["UTF-8"]),
    ("POST", "/locks/%ED%A0%80/acquire", 400, "bad-key", {"parameter": "key"}, ["UTF-8"]),
    ("POST", "/locks/" + "k" * 256 + "/acquire", 400, "bad-key", {"parameter": "key"}, ["255"]),
    ("POST", "/locks/" + "k" * 300 + "/acquire", 400, "bad-key", {"parameter": "key"}, ["255"]),
    ("POST", "/locks/" + "%C3%BC" * 128 + "/acquire", 400, "bad-key", {"parameter": "key"}, ["255"]),
    ("POST", "/locks//acquire", 400, "bad-key", {"parameter": "key"}, []),
    ("POST", DOTS, 400, "bad-key", {"parameter": "key"}, []),
    ("POST", "/locks/php:/acquire", 400, "bad-key", {"parameter": "key"}, ["php:1234"]),
    ("POST", "/locks/apache:/acquire", 400, "bad-key", {"parameter": "key"}, ["apache:SESSION_ID"]),
    ("POST", "/locks/path:tmp/acquire", 400, "bad-key", {"parameter": "key"}, ["absolute"]),
    ("GET", "/locks/sysv:0x1234", 400, "bad-key", {"parameter": "key"}, ["sysv:0x1234.2"]),
    ("POST", "/locks/a%2/acquire", 400, "malformed-request", {}, []),
    ("POST", "/locks/a%zz/acquire", 400, "malformed-request", {}, []),
    ("GET", "/locks?key=%f", 400, "malformed-request", {}, []),
    # leases and refs
    ("GET", "/leases/xyz", 400, "invalid-parameter", {"parameter": "id"}, ["32"]),
    ("DELETE", "/leases/" + ID.upper(), 400, "invalid-parameter", {"parameter": "id"}, []),
    ("POST", RELEASE + "?lease=" + ID[:31], 400, "invalid-parameter", {"parameter": "lease"}, []),
    ("POST", RELEASE + "?lease=" + ID[:10], 400, "invalid-parameter", {"parameter": "lease"}, ["ref"]),
    ("POST", RELEASE + "?lease=" + ID, 404, "no-such-lease", {}, []),
    ("GET", "/leases/" + ID, 404, "no-such-lease", {}, []),
    ("GET", "/locks/nobody-made-it", 404, "no-such-lock", {}, ["nobody-made-it"]),
    # sets
    ("GET", "/semaphores/0x7fffff01", 404, "no-such-set", {}, []),
    ("GET", "/semaphores/id:2147483647", 404, "no-such-set", {}, []),
    # sets and segments: named alike, refused alike
    *[(method, f"/{kind}{rest}", 400, code, {"parameter": parameter or one, **facts}, words)
      for kind, one in (("semaphores", "set"), ("segments", "segment"))
      for method, rest, code, parameter, facts, words in (
          ("GET", "/moon", "bad-key", None, {}, ["0x"]),
          ("GET", "/0", "out-of-range", None, {}, ["IPC_PRIVATE", one]),
          ("GET", "/0x1ffffffff", "out-of-range", None, {"minimum": -1 << 31, "maximum": (1 << 32) - 1}, ["32 bits"]),
          ("GET", "/id:99999999999", "bad-key", None, {}, []),
          ("POST", "?key=moon", "bad-key", "key", {}, ["private"]),
          ("POST", "?key=0", "out-of-range", "key", {"allowed_instead": "private"}, ["IPC_PRIVATE"]),
          ("POST", "?key=4294967296", "out-of-range", "key", {"maximum": (1 << 32) - 1}, ["32 bits"]),
          ("PATCH", "/77?mode=0888", "invalid-parameter", "mode", {}, ["octal"]),
          ("PATCH", "/77?mode=1777", "out-of-range", "mode", {"minimum": "0000", "maximum": "0777"}, []))],
    ("GET", "/shm/1?segment=0x1ffffffff", 400, "out-of-range", {"parameter": "segment"}, ["32 bits"]),
    # paths
    ("GET", "/nothing/here", 404, "not-found", {}, ["/nothing/here"]),
    ("GET", "/problems/nonsense", 404, "not-found", {}, []),
    ("POST", "/locks/nonsense/convert", 400, "missing-parameter", {"parameter": "lease"}, ["lease"]),
    ("POST", "/locks/nonsense/promote", 404, "not-found", {}, []),
    ("POST", f"/leases/{ID}/mend", 404, "not-found", {}, []),
    ("GET", "/locks/", 404, "not-found", {}, []),
    ("GET", "/" + "x" * 9000, 414, "uri-too-long", {}, ["8"]),
]

JSON = "application/json"
FORM = "application/x-www-form-urlencoded"
# content type, body, status, code, members; each flaw of JSON and of a form has a row in JSONMemberReaderTests or
# ArgumentsTests
BODIES = [
    (JSON, "{", 400, "bad-json", {}),
    (JSON, '{"ttl":"30s","ttl":"31s"}', 400, "duplicate-parameter", {"parameter": "ttl"}),
    (JSON, b'{"owner":"\xff"}', 400, "bad-json", {}),
    (JSON, "[" * 60000, 400, "bad-json", {}),
    (JSON, '{"a":' * 10000, 400, "unknown-parameter", {"parameter": "a"}),
    (JSON, '{"owner":' * 7000, 400, "invalid-parameter", {"parameter": "owner"}),
    (JSON, '{"ttl":null}', 400, "invalid-parameter", {"parameter": "ttl"}),
    (JSON, '{"ttl":-1}', 400, "invalid-parameter", {"parameter": "ttl"}),
    (JSON, '{"ttl":1e300}', 400, "out-of-range", {"parameter": "ttl"}),
    (JSON, '{"limit":2.5}', 400, "invalid-parameter", {"parameter": "limit"}),
    (JSON, '{"lifetime":30}', 400, "unknown-parameter", {"parameter": "lifetime"}),
    (JSON, '{"":1}', 400, "unknown-parameter", {}),
    (FORM, "owner=%2", 400, "malformed-request", {}),
    ("text/plain", "ttl=30s", 415, "unsupported-media-type", {}),
    ("multipart/form-data; boundary=x", "--x--", 415, "unsupported-media-type", {}),
    ("application/xml", "<ttl/>", 415, "unsupported-media-type", {}),
    (JSON, json.dumps({"owner": "x" * 70000}), 413, "body-too-large", {}),
]


class Nonsense(LiveTest):
    def test_every_wrong_target_gets_an_error_that_helps(self):
        for method, target, status, code, members, words in TARGETS:
            with self.subTest(f"{method} {target[:80]}"):
                problem = self.assertProblem(self.server.request(method, target), status, code, **members)
                for word in words:
                    self.assertIn(word, problem["detail"])
                self.assertLessEqual(len(problem.get("value", "").encode()), 64)

    def test_every_wrong_body_gets_an_error_that_helps(self):
        for kind, body, status, code, members in BODIES:
            with self.subTest(f"{kind} {body[:60]}"):
                answer = self.server.request("POST", ACQUIRE, body, {"Content-Type": kind})
                self.assertProblem(answer, status, code, **members)

    def test_an_unknown_name_is_answered_with_the_known_ones(self):
        problem = self.server.post(ACQUIRE, tll="30s").json
        self.assertEqual(
            set(problem["known"]),
            {"mode", "limit", "count", "ttl", "wait", "max_waiters", "owner", "bind", "cooldown", "format"}
            | {"holding", "note", "newest", "hold_at_least", "stop", "grace", "slots", "slot"}
            | {"perm", "semaphore_key", "nsems", "project", "sem", "touch", "undo", "create", "value"},
        )
        self.assertEqual(set(self.server.get("/locks", x=1)["known"]), {"limit", "cursor", "key", "state"})

    def test_nothing_of_it_took_a_lock(self):
        for method, target, *_ in TARGETS:
            self.server.request(method, target)
        self.assertEqual(self.server.get("/leases", key="nonsense")["leases"], [])

    def test_a_query_and_a_body_that_disagree_are_a_duplicate(self):
        problem = self.assertProblem(
            self.server.form_post(ACQUIRE + "?ttl=30s", "ttl=31s"), 400, "duplicate-parameter", parameter="ttl"
        )
        self.assertIn("ttl", problem["detail"])
        for value in ("ttl=30s", "ttl=30s&ttl=30s"):
            answer = self.granted(self.server.form_post("/locks/agree/acquire?ttl=30s&limit=9", value))
            self.assertEqual(answer["ttl_ms"], 30000)

    def test_the_error_can_be_plain_text(self):
        for answer in (
            self.server.post(ACQUIRE, ttl="soon", format="text"),
            self.server.post(ACQUIRE + "?ttl=soon", headers={"Accept": "text/plain"}),
            self.server.get("/leases/xyz", headers={"Accept": "text/plain"}),
        ):
            self.assertEqual(answer.headers.get_content_type(), "text/plain")
            self.assertRegex(answer.text, r"\Ainvalid-parameter: [^\n]+\n\Z")

    def test_every_code_is_explained_by_the_service(self):
        explained = self.granted(self.server.get("/problems/locked"), 200)
        self.assertEqual(
            (explained["code"], explained["status"], explained["type"]), ("locked", 423, "/problems/locked")
        )
        self.assertTrue(explained["title"] and explained["help"])


if __name__ == "__main__":
    unittest.main()
