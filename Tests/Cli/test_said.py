"""What holders say of themselves, and locks that are kept: by the commands."""

import os
import re
import subprocess
import unittest

from support import PROGRAM, CliTest, eventually


class Said(CliTest):
    def said(self, *words, status=0):
        result = self.cli(*words)
        self.assertEqual(result.returncode, status, (words, result.stdout, result.stderr))
        return result.stdout + result.stderr

    def test_a_note_below_run_is_in_every_table(self):
        tables = " && ".join(
            f"{PROGRAM} {table}" for table in ("note 'step 3 of 5'", f"locks {self.key()}", "leases", "top"))
        shown = self.said("run", "--note", "begins", self.key(), "--", "sh", "-c", f"{PROGRAM} leases; {tables}")
        self.assertEqual(len(re.findall(r" begins$", shown, re.M)), 1)
        self.assertEqual(len(re.findall(r" step 3 of 5$", shown, re.M)), 3)
        self.assertEqual(len(re.findall(r"^.* NOTE$", shown, re.M)), 4)
        self.assertNotIn("CPU", shown, "nothing is bound to a process")
        self.said("acquire", "--bind", f"pid:{os.getpid()}", self.key())
        self.assertRegex(self.said("locks", self.key()), r" CPU .*REF\n.* [0-9.]+s ")

    def test_a_note_needs_a_lease(self):
        self.assertIn("--lease", self.said("note", "hello", status=64))
        lease = self.said("acquire", self.key()).strip()
        self.said("note", "--lease", lease, "hello \u202e")
        refused = self.said("acquire", "-n", self.key(), status=75)
        self.assertIn('"hello \\u{202e}"', refused)
        self.said("renew", "--note", "", lease)
        self.assertNotIn("NOTE", self.said("locks", self.key()))

    def test_a_job_runs_at_most_once_in_a_time(self):
        self.assertEqual(self.said("run", "-qn", "--at-least", "1h", self.key(), "echo", "job"), "job\n")
        self.assertEqual(self.said("run", "-qn", "-E0", "--at-least", "1h", self.key(), "echo", "job"), "")
        self.assertIn("kept", self.said("run", "-n", self.key(), "true", status=75))
        ref = re.search(r"^kept .* ([0-9a-f]{10})$", self.said("locks", self.key()), re.M)[1]
        self.said("break", ref)
        self.assertEqual(self.said("run", "-n", self.key(), "echo", "again"), "again\n")

    def test_a_release_says_until_when_it_is_kept_unless_it_is_early(self):
        lease = self.said("acquire", "--at-least", "1h", self.key()).strip()
        self.assertIn("kept until 2", self.said("release", lease))
        self.assertEqual(self.said("release", "--early", lease).strip(), "")
        self.said("run", "-n", self.key(), "true")
        self.assertIn("--at-least", self.said("acquire", "--at-least", "25h", self.key(), status=64))

    def start(self, *words):
        return self.begin(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def test_of_a_group_the_newest_waits_alone(self):
        lease = self.said("acquire", self.key()).strip()
        between = self.start("run", "--newest", "web", self.key(), "true")
        eventually(lambda: "waits" in self.said("locks", self.key()), "the first one waits")
        newest = self.start("run", "--newest", "web", self.key(), "echo", "newest")
        _, said = between.communicate(timeout=30)
        self.assertEqual(between.returncode, 75, said)
        self.assertIn("newer", said)
        self.said("release", lease)
        self.assertEqual(newest.communicate(timeout=30)[0], "newest\n")

    def test_one_that_runs_may_yield_to_the_newest(self):
        words = ("run", "--ttl", "3s", "--newest", "web", "--yield", self.key(), "--")
        running = self.start(*words, "sh", "-c", "echo begun; exec sleep 60")
        self.assertEqual(running.stdout.readline(), "begun\n")
        self.assertEqual(self.start(*words, "echo", "newest").communicate(timeout=30)[0], "newest\n")
        _, said = running.communicate(timeout=30)
        self.assertEqual(running.returncode, 70, said)
        self.assertIn("a newer one of its group waits", said)
        self.assertIn("--newest", self.said("run", "--yield", self.key(), "true", status=64))

    def test_locks_are_added_to_the_lease_of_run(self):
        other = f"{self.key()}-2"
        add = f"{PROGRAM} add {other} && {PROGRAM} locks {other} && ! {PROGRAM} acquire -qn {other}"
        shown = self.said("run", "--owner", "me", self.key(), "--", "sh", "-c", add)
        self.assertEqual(shown.splitlines()[:2], [self.key(), other])
        self.assertRegex(shown, r"holds +me ")
        self.said("run", "-n", other, "true")
        self.assertIn("--lease", self.said("add", other, status=64))


if __name__ == "__main__":
    unittest.main()
