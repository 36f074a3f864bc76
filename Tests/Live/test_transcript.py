"""What a user types first, with the real curl and ipcs."""

import json
import subprocess
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
