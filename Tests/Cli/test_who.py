"""Who holds the lock that hurts: `locks --who`, and then `break`."""

import json
import re
import unittest

from support import CliTest


class Who(CliTest):
    def test_two_commands_find_who_holds_the_lock_that_hurts_and_end_it(self):
        for number in range(300):
            self.server.acquire(f"{self.key()}-{number}", owner=f"worker {number % 7}", ttl="1m")
        key = f"{self.key()}-pay"
        self.server.acquire(key, owner="ann@build", ttl="1m")
        for number in range(30):
            self.server.acquire_later(key, owner=f"waiter {number:02}", wait="1m")
        self.server.acquire_later(f"{self.key()}-7", owner="eve", wait="1m")
        shown = self.ok("locks", "--state", "waited", "--who", "--lock", self.key())
        self.assertEqual(re.findall(r"^(\S+): ", shown, re.M), [key, f"{self.key()}-7"], "the longest wait is first")
        ref = re.search(r"holds +ann@build .* ([0-9a-f]{10})$", shown, re.M)[1]
        self.assertEqual(len(re.findall(r"^waits +waiter ", shown, re.M)), 30)
        self.assertRegex(self.ok("break", ref, "--after", "1m", "--reason", "it hangs"), "^the lease on .* ends in ")
        self.assertIn("broke the lease", self.ok("break", ref, "--reason", "it hangs"))
        self.assertEqual(self.holders(key)[0]["owner"], "waiter 00")
        lines = self.ok("locks", "--state", "waited", "--who", "--lock", self.key(), "--json").splitlines()
        self.assertEqual([json.loads(line)["key"] for line in lines], [key, f"{self.key()}-7"])


if __name__ == "__main__":
    unittest.main()
