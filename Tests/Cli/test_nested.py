"""Locks below `leasehold run`: what would wait for itself is refused at once, and all else is as it is elsewhere."""

import os
import subprocess
import time
import unittest

from support import PROGRAM, CliTest, Server


class Nested(CliTest):
    def below(self, outer, *inner, environment=None, timeout=20):
        """A command below `run` with those words."""
        begun = time.monotonic()
        result = subprocess.run([PROGRAM, "run", *outer, "--", PROGRAM, *inner], capture_output=True, text=True,
                                env={**self.environment(), **(environment or {})}, check=False, timeout=timeout)
        self.taken = time.monotonic() - begun
        return result

    def refused(self, outer, *inner, key=None):
        with self.subTest(outer=outer, inner=inner):
            result = self.below(outer, *inner)
            self.assertEqual(result.returncode, 64, result)
            self.assertOneLine(result.stderr, "wait for itself", f"'{key or self.key()}'", "leasehold run")
            self.assertLess(self.taken, 5)
            self.assertEqual(result.stdout, "")

    def granted_below(self, outer, *inner, **more):
        with self.subTest(outer=outer, inner=inner):
            result = self.below(outer, *inner, **more)
            self.assertEqual(result.returncode, 0, result)

    def test_the_same_lock_again_is_refused_by_every_command(self):
        key = self.key()
        self.refused((key,), "run", key, "--", "true")
        self.refused((key,), "run", "-w", "60s", key, "--", "true")
        self.refused((key,), "run", "-E", "0", "-q", "--no-wait", key, "--", "true")
        self.refused((key,), "run", "--exec", key, "--", "true")
        self.refused((key,), "acquire", key)
        self.refused((key,), "acquire", "--no-wait", key)
        self.refused((key,), "hold", key)
        self.refused(("--exec", key), "run", key, "--", "true")

    def test_of_several_locks_one_is_enough(self):
        key, other = self.key(), self.key("-other")
        self.refused((key, other), "run", key, "--", "true")
        self.refused((other, key), "run", key, self.key("-third"), "--", "true")
        self.refused((key,), "run", self.key("-third"), key, "--", "true")

    def test_the_run_above_may_be_any_number_of_levels_above(self):
        middle = (PROGRAM, "run", self.key("-between"), "--", PROGRAM)
        result = subprocess.run([PROGRAM, "run", self.key(), "--", *middle, "run", self.key(), "--", "true"],
                                capture_output=True, text=True, env=self.environment(), check=False, timeout=20)
        self.assertEqual(result.returncode, 64, result)

    def test_readers_below_readers_go_on_and_who_wants_it_alone_does_not(self):
        key = self.key()
        self.granted_below(("-s", key), "run", "-s", key, "--", "true")
        self.refused(("-s", key), "run", key, "--", "true")
        self.refused((key,), "run", "-s", key, "--", "true")

    def test_slots_are_taken_as_long_as_there_are_some(self):
        key = self.key()
        self.granted_below(("-j", "2", key), "run", "-j", "2", key, "--", "true")
        self.refused(("-j", "1", key), "run", "-j", "1", key, "--", "true")
        self.refused(("-j", "2", key), "run", "-j", "2", key, "--", PROGRAM, "run", "-j", "2", key, "--", "true")

    def test_other_spellings_of_a_native_lock_are_the_same_lock(self):
        for outer, inner in (("php:10", "php:10"), ("php:10", "php:0xa"), ("php:0x0a", "php:10")):
            self.refused((outer,), "run", inner, "--", "true", key=outer)
            self.refused((outer,), "acquire", "--no-wait", inner, key=outer)

    def test_of_a_lock_that_counts_natively_nobody_knows_and_that_is_said(self):
        number = self.cli("sem", "create", "0x7793").stdout.strip()
        self.addCleanup(self.cli, "sem", "rm", "--force", number)
        self.cli("sem", "set", number, "0", "1")
        for inner in ("sysv:0x7793.0", f"sysv:{number}.0"):
            result = self.below(("sysv:0x7793.0",), "run", "-w", "300ms", inner, "--", "true")
            self.assertEqual(result.returncode, 75, result)
            self.assertIn(f"waiting for '{inner}', of which a `leasehold run` above this holds a unit", result.stderr)
        self.cli("sem", "set", number, "0", "2")
        result = self.below(("sysv:0x7793.0",), "run", "-w", "300ms", "sysv:0x7793.0", "--", "true")
        self.assertEqual((result.returncode, result.stderr), (0, ""))

    def test_other_locks_and_other_services_are_no_conflict(self):
        self.granted_below((self.key(),), "run", self.key("-other"), "--", "true")
        other = Server().ends_with(self).start()
        self.granted_below((self.key(),), "run", "--url", f"unix:{other.unix}", self.key(), "--", "true")
        # Another door of the same one is.
        self.refused((self.key(),), "run", "--url", f"http://127.0.0.1:{self.server.port}", self.key(), "--", "true")

    def test_what_is_over_does_not_count(self):
        """A process that outlives its `run` has an old environment."""
        over = self.granted(self.server.acquire(self.key("-over")))
        self.server.release(over)
        for value in (over["lease"], "0" * 32, "nonsense", f"{'1' * 32},{over['lease']}"):
            result = subprocess.run([PROGRAM, "run", self.key(), "--", "sh", "-c", "echo $LEASEHOLD_HOLDING"],
                                    env={**self.environment(), "LEASEHOLD_HOLDING": value}, capture_output=True,
                                    text=True, check=False, timeout=20)
            self.assertEqual((result.returncode, result.stderr), (0, ""), value)

    def test_a_held_lock_of_somebody_else_is_waited_for(self):
        self.granted(self.server.acquire(self.key("-other"), owner="somebody", ttl="1s"))
        self.granted_below((self.key(),), "run", self.key("-other"), "--", "true")
        self.granted(self.server.acquire(self.key("-third"), owner="somebody", ttl="20s"))
        busy = self.below((self.key(),), "run", "--no-wait", self.key("-third"), "--", "true")
        self.assertEqual(busy.returncode, 75, busy)
        self.assertOneLine(busy.stderr, "somebody")

    def test_two_that_wait_for_each_other_are_told(self):
        a, b = self.key("-a"), self.key("-b")
        script = "touch {0}; until test -e {1}; do sleep 0.05; done; exec {2} run -w 15s {3} -- true"
        here = os.path.join(self.server.directory, "have-")
        runs = [self.begin("run", mine, "--", "sh", "-c", script.format(here + mine, here + its, PROGRAM, its),
                           stderr=subprocess.PIPE, text=True) for mine, its in ((a, b), (b, a))]
        outcomes = [(run.communicate(timeout=20)[1], run.returncode) for run in runs]
        self.assertEqual(sorted(status for _, status in outcomes), [0, 64], outcomes)


if __name__ == "__main__":
    unittest.main()
