"""HTTP itself: framing, forms of parameters, methods, media types, and both listeners."""

import unittest

from harness import LiveTest, methods, statuses


class Framing(LiveTest):
    def test_head_is_answered_wherever_get_is(self):
        lease = self.granted(self.server.acquire(self.key()))
        for target in (
            "/",
            "/healthz",
            "/readyz",
            "/metrics",
            "/version",
            "/openapi.yaml",
            "/docs",
            "/locks",
            f"/locks/{self.key()}",
            "/leases",
            f"/leases/{lease['lease']}",
            "/semaphores",
            f"/semaphores/id:{lease['sysv']['id']}",
            "/problems/locked",
        ):
            with self.subTest(target):
                get, head = self.server.get(target), self.server.request("HEAD", target)
                self.assertEqual((get.status, head.status, head.body), (200, 200, b""))
                self.assertEqual(head.headers["Content-Type"], get.headers["Content-Type"])
        self.assertEqual(self.server.request("HEAD", "/nowhere").status, 404)

    def test_half_a_request_is_no_request(self):
        for cut in (10, 40, 70):
            with self.server.socket() as sock:
                sock.sendall(
                    f"POST /locks/{self.key()}/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: 10\r\n"
                    "Content-Type: application/x-www-form-urlencoded\r\n\r\nttl".encode()[: cut * 2]
                )
        self.assertEqual(self.server.lock(self.key()).status, 404)


class Garbage(LiveTest):
    """What libmicrohttpd takes for the beginning of a head is closed by the idle timeout, which is short here."""

    arguments = ("--idle-timeout", "2s")

    def test_garbage_is_refused_and_the_service_lives_on(self):
        for data in (
            b"\x00" * 100 + b"\r\n\r\n",
            b"GET\r\n\r\n",
            b"GET / HTTP/9.9\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00" * 9,
            b"POST /locks/x/acquire HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"y" * 100_000 + b"\r\n\r\n",
        ):
            with self.subTest(data[:30]):
                answer = self.server.raw(data, shut=True)
                self.assertNotRegex(answer.split(b"\r\n")[0], rb"^HTTP/1.. (2|50[0-4])")
        self.assertEqual(self.server.get("/healthz").status, 200)


class Forms(LiveTest):
    def test_query_form_and_json_are_equal(self):
        target = f"/locks/{self.key()}/acquire"
        answers = [
            self.server.post(target, limit=9, ttl="90s", owner="a b/ü"),
            self.server.form_post(target, "limit=9&ttl=1.5m&owner=a+b%2F%C3%BC"),
            self.server.json_post(target, {"limit": 9, "ttl": 90, "owner": "a b/ü"}),
            self.server.json_post(target, {"limit": "9", "ttl": "90", "owner": "a b/ü"}),
            self.server.json_post(target, {"limit": 9.0, "ttl": 90.0, "owner": "a b/ü"}),
            self.server.form_post(target + "?limit=9", "ttl=90s&owner=a%20b/%c3%bc"),
            self.server.json_post(target + "?limit=9&ttl=90s", {"owner": "a b/ü"}),
        ]
        for answer in answers:
            lease = self.granted(answer)
            self.assertEqual((lease["limit"], lease["ttl_ms"], lease["owner"]), (9, 90000, "a b/ü"))

    def test_json_that_calls_itself_a_form_is_read_as_json(self):
        for body in ('{"ttl":"5s"}', ' \r\n{"ttl":5}', '{"ttl":5.0}\n'):
            lease = self.granted(self.server.form_post(f"/locks/{self.key()}/acquire", body))
            self.assertEqual(lease["ttl_ms"], 5000)
            self.server.release(lease)
        problem = self.assertProblem(self.server.form_post(f"/locks/{self.key()}/acquire", '{"ttl":'), 400, "bad-json")
        self.assertIn("a value was expected at byte 7", problem["detail"])
        answer = self.server.request("POST", f"/locks/{self.key()}/acquire", "{}", {"Content-Type": "text/plain"})
        self.assertIn("Content-Type", self.assertProblem(answer, 415, "unsupported-media-type")["detail"])

    def test_an_empty_list_and_null_are_objects_without_members(self):
        for body in ("[]", " [ ]\n"):
            for post in (self.server.form_post, self.json_text):
                self.server.release(self.granted(post(f"/locks/{self.key()}/acquire", body)))
        for body in ("null", " null\n"):
            self.server.release(self.granted(self.json_text(f"/locks/{self.key()}/acquire", body)))
        for body, words in (
            ("[1]", "an object such as {\"ttl\":\"30s\"} was expected, not a list, at byte 0"),
            ("[", "an object such as {\"ttl\":\"30s\"} was expected, not a list, at byte 0"),
            ("[] x", "something after the object at byte 3"),
            ("null,", "something after the object at byte 4"),
            ("nul", "a value was expected at byte 3"),
            ("3", "an object such as {\"ttl\":\"30s\"} was expected at byte 0"),
            ('{"ttl" 3}', "':' behind the name was expected at byte 7"),
            ('{"ttl":3 "wait":3}', "',' or '}' was expected at byte 9"),
            ('{ttl:3}', "a text in double quotes was expected at byte 1"),
        ):
            problem = self.assertProblem(self.json_text(f"/locks/{self.key()}/acquire", body), 400, "bad-json")
            self.assertIn(words, problem["detail"])

    def json_text(self, target, text):
        return self.server.request("POST", target, text, {"Content-Type": "application/json"})

    def test_the_unix_socket_serves_the_same(self):
        lease = self.granted(self.server.over_unix.acquire(self.key(), limit=1))
        self.assertProblem(self.server.acquire(self.key(), limit=1), 423, "locked")
        waiter = self.server.acquire_later(self.key(), limit=1)
        self.granted(self.server.over_unix.release(lease), 200)
        self.granted(waiter.answer())
        for target in ("/version", "/", "/openapi.yaml"):
            self.assertEqual(self.server.over_unix.get(target).body, self.server.get(target).body)


class Answers(LiveTest):
    def test_a_wrong_method_is_405_with_allow(self):
        for method, target, allow in (
            ("GET", "/locks/x/acquire", {"POST"}),
            ("PATCH", "/locks/x", {"GET", "HEAD", "PUT", "DELETE"}),
            ("POST", "/locks", {"GET", "HEAD"}),
            ("PATCH", "/leases", {"GET", "HEAD", "POST", "DELETE"}),
            ("DELETE", "/healthz", {"GET", "HEAD"}),
            ("TRACE", "/locks/x/hold", {"POST"}),
            ("GET", "/leases/0123456789abcdef0123456789abcdef/renew", {"POST"}),
            ("BREW", "/", {"GET", "HEAD"}),
        ):
            with self.subTest(f"{method} {target}"):
                answer = self.server.request(method, target)
                self.assertProblem(answer, 405, "method-not-allowed")
                self.assertEqual(methods(answer), allow | {"OPTIONS"})

    def test_every_answer_is_not_stored_and_not_sniffed(self):
        for answer in (
            self.server.get("/"),
            self.server.get("/nowhere"),
            self.server.get("/metrics"),
            self.server.get("/openapi.yaml"),
            self.server.request("BREW", "/"),
            self.server.acquire(self.key()),
            self.server.acquire(self.key()),
            self.server.request("OPTIONS", "/"),
            self.server.request("HEAD", "/version"),
            self.server.get("/healthz", headers={"X": "y" * 30_000}),
        ):
            self.assertEqual(answer.headers["Cache-Control"], "no-store")
            self.assertEqual(answer.headers["X-Content-Type-Options"], "nosniff")
            self.assertEqual(answer.headers["Cross-Origin-Resource-Policy"], "same-origin")
            self.assertTrue(answer.headers["X-Request-Id"])
            self.assertIsNone(answer.headers["Access-Control-Allow-Origin"])

    def test_the_service_describes_itself(self):
        self.assertEqual(self.server.get("/healthz").json, {"status": "ok"})
        version = self.server.get("/version").json
        self.assertEqual((version["name"], version["api"]), ("leasehold", "1"))
        members = {"name", "version", "commit", "built", "swift", "libmicrohttpd", "api", "engine"}
        self.assertEqual(set(version), members)
        index = self.server.get("/").json
        self.assertEqual((index["name"], index["version"]), ("leasehold", version["version"]))
        self.assertTrue(index["links"])
        document = self.server.get("/openapi.yaml")
        self.assertEqual(document.headers.get_content_type(), "application/yaml")
        self.assertIn(f"\n  version: {version['version']}\n", document.text)
        self.assertEqual(document.headers["Link"], '</docs>; rel="service-doc"')
        page = self.server.get(index["links"]["docs"])
        self.assertEqual(page.headers.get_content_type(), "text/html")
        self.assertIn("default-src 'none'", page.headers["Content-Security-Policy"])
        self.assertNotRegex(page.text, r"<script|<link|<img|https?://(?!127)")

    def test_an_answer_without_a_length_is_not_for_http_1_0_and_says_who_may_have_made_it_that(self):
        for line in (f"POST /locks/{self.key()}/hold", "GET /events"):
            text = self.server.raw(f"{line} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            self.assertEqual(statuses(text), [400])
            self.assertIn(b"proxy_http_version 1.1", text)
        self.assertEqual(self.server.lock(self.key()).status, 404)


if __name__ == "__main__":
    unittest.main()
