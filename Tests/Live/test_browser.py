"""A web page in somebody's browser must not take locks."""

import unittest

from harness import LiveTest


class Guard(LiveTest):
    def post(self, **headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.server.post(f"/locks/{self.key()}/acquire", limit=1000, headers=names)

    def test_loopback_hosts_are_served_with_any_port(self):
        for host in ("localhost", "LOCALHOST:1", f"127.0.0.1:{self.server.port}", "127.0.0.2", "[::1]", "[::1]:31818"):
            with self.subTest(host):
                self.assertEqual(self.post(Host=host).status, 201)

    def test_other_hosts_are_421_for_reading_too(self):
        for host in (
            "evil.example",
            "127.0.0.1.evil.example",
            "localhost.evil.example",
            "10.0.0.1",
            "",
            "[::2]",
            "0.0.0.0",
        ):
            with self.subTest(host):
                problem = self.assertProblem(self.post(Host=host), 421, "host-not-allowed")
                self.assertIn("Host", problem["detail"])
                self.assertProblem(self.server.get("/leases", headers={"Host": host}), 421, "host-not-allowed")

    def test_what_is_no_host_is_400(self):
        self.assertProblem(self.post(Host="127.0.0.1@evil.example"), 400, "malformed-request")

    def test_no_host_is_fine_with_http_1_0(self):
        answer = self.server.raw(f"POST /locks/{self.key()}/acquire HTTP/1.0\r\n\r\n".encode())
        self.assertIn(b" 201 ", answer.split(b"\r\n")[0])

    def test_any_host_is_fine_over_the_unix_socket(self):
        self.assertEqual(self.server.over_unix.get("/version", headers={"Host": "evil.example"}).status, 200)

    def test_changing_requests_of_foreign_pages_are_403(self):
        own = f"127.0.0.1:{self.server.port}"
        for headers in (
            {"Origin": "https://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec_Fetch_Site": "cross-site"},
            {"Sec_Fetch_Site": "same-site"},
            {"Origin": f"http://{own}", "Sec_Fetch_Site": "cross-site"},
        ):
            with self.subTest(headers):
                self.assertProblem(self.post(Host=own, **headers), 403, "foreign-origin")
        self.assertEqual(self.server.lock(self.key()).status, 404)

    def test_own_pages_and_programs_may_change_things(self):
        own = f"127.0.0.1:{self.server.port}"
        for headers in ({"Origin": f"http://{own}"}, {"Sec_Fetch_Site": "same-origin"}, {"Sec_Fetch_Site": "none"}, {}):
            with self.subTest(headers):
                self.assertEqual(self.post(Host=own, **headers).status, 201)

    def test_reading_is_not_a_change(self):
        headers = {"Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        self.assertEqual(self.server.get("/healthz", headers=headers).status, 200)

    def test_deleting_is_a_change(self):
        answer = self.server.request("DELETE", "/leases?owner=x", headers={"Sec-Fetch-Site": "cross-site"})
        self.assertProblem(answer, 403, "foreign-origin")


if __name__ == "__main__":
    unittest.main()
