"""`resize`: another number of slots for a lock in use, none, and names for them."""

import json
import unittest

from support import CliTest


class Resize(CliTest):
    def test_slots_with_names(self):
        name = self.key()
        lease = self.ok("acquire", name, "--slots", "red,green", "--slot", "green").strip()
        self.assertEqual(self.ok("run", "--slots", "red,green", name, "-c", "echo $LEASEHOLD_SLOT"), "red\n")
        self.assertEqual(self.holders(name)[0]["slots"], ["green"])
        self.assertOneLine(self.cli("acquire", "-n", name, "--slots", "red,green", "--slot", "green").stderr, name)
        self.assertEqual(json.loads(self.ok("locks", name, "--json"))["free_slots"], ["red"])
        self.assertEqual(self.ok("resize", name, "red,blue", "--pinned"), f"{name} has the slots red, blue\n")
        self.ok("release", lease)

    def test_resize_tells_what_the_lock_has(self):
        name = self.key()
        self.assertEqual(self.ok("resize", name, "2", "--pinned"), f"{name} has 2 slots\n")
        for _ in range(2):
            self.granted(self.server.acquire(name, limit=5))
        self.assertIn("1 more are held", self.ok("resize", name, "1", "--pinned"))
        self.assertEqual(self.ok("resize", name, "0").split(";")[0], f"{name} is paused")
        self.assertIn("0 free, paused", self.ok("locks", name))
        lock = json.loads(self.ok("locks", name, "--json"))
        self.assertEqual((lock["pinned"], lock["paused"], lock["over_limit"]), (True, True, 2))
        self.assertOneLine(self.cli("resize", "php:77", "2").stderr, "PHP")


if __name__ == "__main__":
    unittest.main()
