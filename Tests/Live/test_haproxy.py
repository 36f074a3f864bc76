"""Behind haproxy, with the configuration of docs/deployment.md, and the check that the page has for any proxy."""

import os
import re
import shutil
import subprocess
import unittest

from harness import ROOT, LiveTest, eventually, free_port

with open(os.path.join(ROOT, "docs", "deployment.md"), encoding="utf-8") as page:
    SECTION = page.read().partition("## Behind a reverse proxy")[2].partition("\n## ")[0]


def block(language, word):
    """The code of the section that has this word, without the indentation of its list."""
    [code] = [code for code in re.findall(rf"```{language}\n(.*?)```", SECTION, re.S) if word in code]
    return re.sub(r"(?m)^  ", "", code) if language == "sh" else code


@unittest.skipUnless(shutil.which("haproxy"), "needs haproxy")
class BehindHaproxy(LiveTest):
    def setUp(self):
        super().setUp()
        self.port = self.begin(block("haproxy", "abortonclose"))

    def begin(self, text):
        port = free_port()
        text = text.replace(":8080", f"127.0.0.1:{port}").replace("/run/leasehold/leasehold.sock", self.server.unix)
        path = os.path.join(self.server.directory, f"haproxy-{port}.cfg")
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)
        with open(path + ".log", "w", encoding="utf-8") as log:
            proxy = subprocess.Popen(["haproxy", "-db", "-f", path], stdout=log, stderr=log)
        self.addCleanup(proxy.wait, 20)
        self.addCleanup(proxy.kill)
        eventually(lambda: proxy.poll() is not None or self.answers(port), "haproxy and its check")
        self.assertIsNone(proxy.poll(), "haproxy ended")
        return port

    def answers(self, port):
        status = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", f"http://127.0.0.1:{port}/healthz"]
        return subprocess.run(status, text=True, capture_output=True, check=False).stdout == "200"

    def shell(self, code, port):
        code = code.replace("PROXY", f"127.0.0.1:{port}").replace("localhost:31818", f"127.0.0.1:{self.server.port}")
        return subprocess.run(["sh", "-c", code], text=True, capture_output=True, check=False, timeout=60)

    def test_the_check_of_the_page_finds_nobody_in_the_queue(self):
        done = self.shell(block("sh", "proxy-check"), self.port)
        self.assertRegex(done.stdout, r'"waiting": ?0\b')

    def test_the_check_of_the_page_finds_out_a_proxy_that_hides_who_is_gone(self):
        port = self.begin(block("haproxy", "abortonclose").replace("option abortonclose", ""))
        done = self.shell(block("sh", "proxy-check").replace("proxy-check", "another"), port)
        self.assertRegex(done.stdout, r'"waiting": ?1\b')

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
        code = block("sh", "nightly.sh").replace("./nightly.sh", "echo done")
        self.assertEqual(self.shell(code, self.port).stdout, "done\n")
        [holder] = self.server.lock("nightly")["holders"]
        self.assertEqual(holder["ttl_ms"], 600_000)

    def test_a_health_check_needs_no_token(self):
        self.assertEqual(self.server.request("OPTIONS", "/").status, 204)
        self.assertTrue(self.answers(self.port))


if __name__ == "__main__":
    unittest.main()
