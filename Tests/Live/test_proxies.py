"""Behind haproxy and nginx, with the settings of docs/deployment.md, and the check that the page has for any proxy."""

import os
import re
import socket
import subprocess
import unittest

import tools
from harness import ROOT, LiveTest, eventually, free_port

with open(os.path.join(ROOT, "docs", "deployment.md"), encoding="utf-8") as page:
    SECTION = page.read().partition("## Behind a reverse proxy")[2].partition("\n## ")[0]


def block(language, word):
    """The code of the section that has this word, without the indentation of its list."""
    [code] = [code for code in re.findall(rf"```{language}\n(.*?)```", SECTION, re.S) if word in code]
    return re.sub(r"(?m)^  ", "", code) if language == "sh" else code


class Proxy:
    """What is the same behind each."""

    # The program, its settings, the change of them with which it hides that a client is gone.
    name, word, hiding = None, None, None

    def setUp(self):
        super().setUp()
        if not tools.find(self.name):
            self.skipTest(f"SKIPPED: there is no {self.name} here (Tools/need {tools.NEED[self.name]})")
        self.port = self.begin(self.settings())

    def settings(self, old="", new=""):
        text = block(self.name, self.word)
        self.assertIn(old, text)
        return text.replace(old, new) if old else text

    def begin(self, text):
        port = free_port()
        text = text.replace("/run/leasehold/leasehold.sock", self.server.unix)
        path = os.path.join(self.server.directory, f"{self.name}-{port}.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(self.file(text, port))
        with open(path + ".log", "w", encoding="utf-8") as log:
            proxy = subprocess.Popen([tools.find(self.name), *self.command(path)], stdout=log, stderr=log)
        self.addCleanup(proxy.wait, 20)
        self.addCleanup(proxy.terminate)
        eventually(lambda: proxy.poll() is not None or self.answers(port), f"{self.name} answers")
        with open(path + ".log", encoding="utf-8") as log:
            self.assertIsNone(proxy.poll(), log.read())
        return port

    def answers(self, port):
        status = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/healthz"]
        return subprocess.run(status, text=True, capture_output=True, check=False).stdout == "200"

    def shell(self, code, port):
        code = code.replace("PROXY", f"127.0.0.1:{port}").replace("localhost:31818", f"127.0.0.1:{self.server.port}")
        return subprocess.run(["sh", "-c", code], text=True, capture_output=True, check=False, timeout=60)

    def test_the_check_of_the_page_finds_nobody_in_the_queue(self):
        code = block("sh", "proxy-check").replace("proxy-check", self.key())
        self.assertRegex(self.shell(code, self.port).stdout, r'"waiting": ?0\b')

    def test_the_check_of_the_page_finds_out_a_proxy_that_hides_who_is_gone(self):
        port = self.begin(self.settings(*self.hiding))
        code = block("sh", "proxy-check").replace("proxy-check", self.key())
        self.assertRegex(self.shell(code, port).stdout, r'"waiting": ?1\b')

    def test_who_hung_up_does_not_get_the_lock(self):
        held = self.granted(self.server.acquire(self.key()))
        command = ["curl", "-s", "-X", "POST", f"http://127.0.0.1:{self.port}/locks/{self.key()}/acquire?wait=30s"]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as waiter:
            eventually(lambda: self.server.waiting(self.key()) == 1, "a waiter")
            waiter.kill()
        eventually(lambda: self.server.waiting(self.key()) == 0, "its place is free")
        self.server.release(held)
        self.granted(self.server.acquire(self.key()))

    def test_take_briefly_and_renew_to_the_full_time(self):
        code = block("sh", "nightly.sh").replace("./nightly.sh", "echo done").replace("nightly", self.key())
        self.assertEqual(self.shell(code, self.port).stdout, "done\n")
        [holder] = self.server.lock(self.key())["holders"]
        self.assertEqual(holder["ttl_ms"], 600_000)

    def test_who_is_gone_before_the_renewal_has_it_for_three_seconds(self):
        code = block("sh", "nightly.sh").partition("&&")[0]
        self.shell(code.replace("nightly", self.key()), self.port)
        [holder] = self.server.lock(self.key())["holders"]
        self.assertEqual(holder["ttl_ms"], 3000)

    def test_hold_begins_at_once_and_ends_with_the_client(self):
        with socket.create_connection(("127.0.0.1", self.port), timeout=20) as client:
            head, line = self.hold(client)
            self.assertIn(b" 201 ", head)
            self.assertIn(b'"lease"', line)
            self.assertEqual(self.server.lock(self.key())["held"], 1)
        eventually(lambda: self.server.lock(self.key())["held"] == 0, "the lease ends with its client")

    def hold(self, client):
        """The head of the answer to `hold`, and what comes right after it, which is before its end."""
        client.sendall(f"POST /locks/{self.key()}/hold?ttl=60s HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        got = b""
        while b"}" not in got:
            chunk = client.recv(65536)
            self.assertTrue(chunk, got)
            got += chunk
        head, _, rest = got.partition(b"\r\n\r\n")
        return head, rest

    def test_a_place_that_is_bound_to_its_connection_is_refused_where_the_proxy_says_that_it_is_one(self):
        answer = ["curl", "-s", "-X", "POST", "-H", "Via: 1.1 proxy",
                  f"http://127.0.0.1:{self.port}/locks/{self.key()}/acquire?bind=connection"]
        self.assertIn('"status":400', subprocess.run(answer, text=True, capture_output=True, check=True).stdout)


class BehindHaproxy(Proxy, LiveTest):
    name, word, hiding = "haproxy", "abortonclose", ("option abortonclose", "")

    @staticmethod
    def file(text, port):
        return text.replace(":8080", f"127.0.0.1:{port}")

    @staticmethod
    def command(path):
        return ["-db", "-f", path]

    def test_a_health_check_needs_no_token(self):
        self.assertEqual(self.server.request("OPTIONS", "/").status, 204)
        self.assertTrue(self.answers(self.port))


class BehindNginx(Proxy, LiveTest):
    name, word = "nginx", "proxy_pass"
    hiding = ("proxy_buffering off;", "proxy_buffering off; proxy_ignore_client_abort on;")

    def file(self, text, port):
        """The settings as they lie in sites-enabled, in a whole file that needs no root and no folder of the host."""
        folder = self.server.directory
        kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        paths = "".join(f"{kind}_temp_path {folder}/{kind};\n" for kind in kinds)
        user = "user root;\n" if os.geteuid() == 0 else ""
        text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{port};")
        return f"{user}daemon off;\npid {folder}/{port}.pid;\nevents {{}}\nhttp {{\naccess_log off;\n{paths}{text}}}\n"

    @staticmethod
    def command(path):
        return ["-e", "stderr", "-c", path]

    def test_without_http_1_1_hold_is_refused_and_says_why(self):
        port = self.begin(self.settings("proxy_http_version 1.1;", ""))
        with socket.create_connection(("127.0.0.1", port), timeout=20) as client:
            head, problem = self.hold(client)
        self.assertIn(b" 400 ", head)
        self.assertIn(b"proxy_http_version 1.1", problem)


if __name__ == "__main__":
    unittest.main()
