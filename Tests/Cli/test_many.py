"""Many leases renewed with one command; what tables show of slots and of who is asked to yield."""

import json
import unittest

from support import CliTest


class Many(CliTest):
    def test_many_are_renewed_with_one_request_and_each_lost_one_is_named(self):
        leases = [self.ok("acquire", self.key(f"-{number}"), "--ttl", "10s").strip() for number in range(3)]
        self.assertEqual(self.ok("renew", *leases, "--ttl", "20s"), "".join(f"{one} ends in 20s\n" for one in leases))
        self.assertEqual(self.ok("renew", "-", stdin="\n" + "\n\n".join(leases) + "\n\n").count("ends in 20s"), 3)
        self.ok("release", leases[1])
        some = self.cli("renew", *leases, "--ttl", "30s")
        self.assertEqual((some.returncode, some.stdout.count("ends in 30s")), (70, 2))
        self.assertRegex(some.stderr, rf"\Aleasehold: {leases[1]}: .*\n\Z")
        self.assertEqual(self.cli("renew", "0" * 32, leases[0]).returncode, 66)
        self.assertEqual(self.cli("renew", "--note", "here", *leases).returncode, 64)
        self.assertEqual([one["code"] for one in json.loads(self.cli("renew", "--json", *leases).stdout)["lost"]],
                         ["released"])

    def test_slots_have_their_names_in_every_table(self):
        self.ok("acquire", self.key(), "--slots", "red,green", "--slot", "green", "--owner", "ann")
        for words in (("locks", self.key()), ("leases", "--lock", self.key()), ("top",)):
            with self.subTest(words):
                table = self.ok(*words)
                self.assertIn("SLOTS", table)
                self.assertRegex(table, r"\bgreen\b.* ann\b|ann\b.*\bgreen\b")

    def test_who_is_asked_to_yield_is_shown(self):
        self.ok("acquire", self.key(), "--newest", "web", "--owner", "old")
        self.assertIn("holds", self.ok("locks", self.key()))
        self.server.acquire_later(self.key(), newest="web")
        self.assertRegex(self.ok("locks", self.key()), r"is to yield +old\b")


if __name__ == "__main__":
    unittest.main()
