"""What a user types first, with the real curl and ipcs."""

import json
import subprocess
import time
import unittest

from harness import LiveTest, eventually
from native import ipcs


class Transcript(LiveTest):
    def curl(self, *words):
        result = subprocess.run(["curl", "-sS", "-i", *words], capture_output=True, text=True, check=True, timeout=60)
        head, _, body = result.stdout.replace("\r\n", "\n").partition("\n\n")
        return int(head.split()[1]), head, json.loads(body)

    def url(self, rest):
        return f"http://127.0.0.1:{self.server.port}{rest}"

    def test_a_lock_is_acquired_seen_in_ipcs_waited_for_and_released_with_curl(self):
        status, head, lease = self.curl("-X", "POST", self.url("/locks/deploy/acquire?ttl=30s"))
        self.assertEqual(status, 201, lease)
        self.assertIn(f"Location: /leases/{lease['lease']}", head)
        self.assertIn(lease["sysv"]["id"], [entry["id"] for entry in ipcs()], "ipcs -s does not show the semaphore")

        waiter = subprocess.Popen(
            ["curl", "-sS", "-X", "POST", self.url("/locks/deploy/acquire?wait=20s&ttl=5s")],
            stdout=subprocess.PIPE,
            text=True,
        )
        eventually(lambda: self.server.waiting("deploy") == 1, "curl waits")
        status, _, released = self.curl("-X", "DELETE", self.url(f"/leases/{lease['lease']}"))
        self.assertEqual((status, released["released"], released["already"]), (200, True, False))
        output, _ = waiter.communicate(timeout=20)
        self.assertGreater(json.loads(output)["fence"], lease["fence"])

    def test_the_second_curl_gets_the_lock_when_the_first_ones_time_is_over(self):
        status, _, first = self.curl("-d", "ttl=1s", self.url("/locks/nightly/acquire"))
        self.assertEqual(status, 201)
        begun = time.monotonic()
        status, _, second = self.curl("-d", "wait=20s", "-d", "ttl=10s", self.url("/locks/nightly/acquire"))
        self.assertEqual(status, 201)
        self.assertGreater(time.monotonic() - begun, 0.5, "the lock was given away before its time was over")
        self.assertNotEqual(first["lease"], second["lease"])
        self.assertGreater(second["waited_ms"], 500)
        status, _, gone = self.curl("-X", "POST", self.url(f"/locks/nightly/release?lease={first['lease']}"))
        self.assertEqual((status, gone["code"]), (410, "expired"))

    def test_the_bare_lease_id_fits_a_shell_variable(self):
        result = subprocess.run(
            ["curl", "-sf", "-X", "POST", self.url("/locks/shell/acquire?format=text")],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertRegex(result.stdout, r"\A[0-9a-f]{32}\n\Z")
        result = subprocess.run(
            ["curl", "-s", "-H", "Accept: text/plain", "-X", "POST", self.url("/locks/shell/acquire")],
            capture_output=True,
            text=True,
            check=True,
        )
        self.assertRegex(result.stdout, r"\Alocked: [^\n]+\n\Z")

    def test_curl_holds_a_lock_as_long_as_it_runs(self):
        curl = subprocess.Popen(
            ["curl", "-sN", "-X", "POST", self.url("/locks/backup/hold")], stdout=subprocess.PIPE, text=True
        )
        lease = json.loads(curl.stdout.readline())
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}").status, 200)
        curl.terminate()
        curl.wait()
        curl.stdout.close()
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "the lease ends with curl")


if __name__ == "__main__":
    unittest.main()
