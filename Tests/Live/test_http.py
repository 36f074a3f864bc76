"""HTTP itself: framing, forms of parameters, methods, media types, and both listeners."""

import http.client
import json
import unittest

from harness import LiveTest, methods, statuses

LAST = b"GET /version HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"


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

    def test_a_request_that_comes_byte_by_byte_is_read(self):
        with self.server.socket() as sock:
            for byte in LAST:
                sock.sendall(bytes([byte]))
            self.assertIn(b"HTTP/1.1 200", sock.recv(65536))

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

    def test_release_and_renew_take_their_parameters_from_anywhere(self):
        for post in (
            lambda path, value: self.server.post(path, lease=value),
            lambda path, value: self.server.form_post(path, f"lease={value}"),
            lambda path, value: self.server.json_post(path, {"lease": value}),
        ):
            lease = self.granted(self.server.acquire(self.key()))
            self.assertEqual(post(f"/locks/{self.key()}/renew", lease["lease"]).status, 200)
            self.assertEqual(post(f"/locks/{self.key()}/release", lease["lease"]).status, 200)

    def test_delete_takes_a_body_too(self):
        self.granted(self.server.acquire(self.key(), owner=self.key()))
        answer = self.server.request(
            "DELETE", "/leases", json.dumps({"owner": self.key()}), {"Content-Type": "application/json"}
        )
        self.assertEqual(self.granted(answer, 200)["released"], 1)
        self.granted(self.server.acquire(self.key()))
        answer = self.server.request(
            "DELETE", f"/locks/{self.key()}", "force=true", {"Content-Type": "application/x-www-form-urlencoded"}
        )
        self.assertEqual(answer.status, 200, answer)

    def test_no_body_and_an_empty_body_are_the_same(self):
        self.granted(self.server.request("POST", f"/locks/{self.key()}1/acquire", "", {"Content-Type": "text/csv"}))
        self.granted(self.server.json_post(f"/locks/{self.key()}2/acquire", {}))
        self.granted(
            self.server.request(
                "POST", f"/locks/{self.key()}3/acquire", "{}", {"Content-Type": "Application/JSON; charset=UTF-8"}
            )
        )

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

    def test_accept_chooses_the_form_of_the_answer(self):
        for accept, kind in (
            ("*/*", "application/json"),
            ("application/*", "application/json"),
            ("text/plain", "text/plain"),
            ("text/plain;q=0.5, application/json", "application/json"),
            ("text/html, */*;q=0.1", "application/json"),
            ("text/*", "text/plain"),
        ):
            with self.subTest(accept):
                answer = self.server.post(f"/locks/{self.key()}/acquire", limit=99, headers={"Accept": accept})
                self.assertEqual(answer.status, 201, answer)
                self.assertEqual(answer.headers.get_content_type(), kind)

    def test_what_cannot_be_accepted_is_406_and_takes_nothing(self):
        for accept in ("image/png", "application/json;q=0, text/plain;q=0"):
            answer = self.server.post(f"/locks/{self.key()}/acquire", headers={"Accept": accept})
            self.assertProblem(answer, 406, "not-acceptable")
        self.assertEqual(self.server.lock(self.key()).status, 404)

    def test_the_callers_request_id_comes_back_if_it_is_sane(self):
        self.assertEqual(
            self.server.get("/healthz", headers={"X-Request-Id": "run-17"}).headers["X-Request-Id"], "run-17"
        )
        for text in ("x" * 129, "a b", "\u00e4"):
            own = self.server.get("/healthz", headers={"X-Request-Id": text}).headers["X-Request-Id"]
            self.assertTrue(own and own != text)

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

    def test_metrics_are_text_for_prometheus(self):
        self.granted(self.server.acquire(self.key()))
        answer = self.server.get("/metrics")
        self.assertEqual(answer.headers.get_content_type(), "text/plain")
        for name in ("leasehold_build_info", "leasehold_leases", "leasehold_acquires_total"):
            self.assertRegex(answer.text, rf"(?m)^# TYPE {name} ")
            self.assertRegex(answer.text, rf"(?m)^{name}(\{{.*\}})? \d")

    def test_an_answer_without_a_length_is_not_for_http_1_0_and_says_who_may_have_made_it_that(self):
        for line in (f"POST /locks/{self.key()}/hold", "GET /events"):
            text = self.server.raw(f"{line} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode())
            self.assertEqual(statuses(text), [400])
            self.assertIn(b"proxy_http_version 1.1", text)
        self.assertEqual(self.server.lock(self.key()).status, 404)

    def test_who_shuts_its_sending_side_is_answered_unless_it_waits(self):
        self.granted(self.server.acquire(self.key()))
        other = f"POST /locks/{self.key()}-2/acquire"
        for line in ("GET /healthz", "GET /openapi.yaml", other, f"GET /locks/{self.key()}"):
            text = self.server.raw((line + LAST[12:].decode()).encode(), shut=True)
            self.assertRegex(text, rb"\AHTTP/1\.1 20[01] .*")
            self.assertTrue(text.endswith(b"\n"), text[-50:])
        line = f"POST /locks/{self.key()}/acquire?wait=20s HTTP/1.1\r\nHost: localhost\r\n\r\n"
        self.assertEqual(self.server.raw(line.encode(), shut=True), b"")
        self.assertEqual(self.server.waiting(self.key()), 0)

    def test_a_connection_that_was_closed_is_no_trouble(self):
        connection = self.server.connection()
        connection.request("GET", "/healthz")
        connection.close()
        with self.assertRaises((http.client.HTTPException, OSError, AttributeError)):
            connection.getresponse()
        self.assertEqual(self.server.get("/healthz").status, 200)


if __name__ == "__main__":
    unittest.main()
