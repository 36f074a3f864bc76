"""flock's letters and long names, and a skip without a word."""

import os
import re
import subprocess
import time
import unittest

from support import PROGRAM, ROOT, CliTest, eventually
from test_terminal import Terminal


class Letters(CliTest):
    def status(self, *words):
        return self.cli("run", *words, "--", "true").returncode

    def test_a_value_may_be_joined_or_apart(self):
        for words in (("-w10",), ("-w", "10"), ("-w=10",), ("--wait=10",), ("--timeout", "10"), ("-sw10",),
                      ("-xw", "1.5"),
                      ("-E7",), ("-E", "7"), ("-qE7",), ("--conflict-exit-code", "7"), ("-n5",), ("-n", "5"),
                      ("-n5", "-w1"), ("--limit=5",), ("-x",), ("-e",), ("-s",), ("-o",), ("--close",), ("-xo",)):
            with self.subTest(words):
                self.assertEqual(self.status(*words, self.key("-".join(words))), 0)
                self.assertEqual(self.status(self.key("-".join(words)), *words), 0)

    def test_other_commands_take_them_too(self):
        for command in ("acquire", "hold"):
            self.granted(self.server.acquire(self.key(f"-{command}"), ttl="20s"))
            for words in (("-w0.1",), ("-xw0.1",), ("--nb",), ("--nonblock",), ("-n",), ("-nb",), ("-qn",)):
                with self.subTest(command=command, words=words):
                    self.assertEqual(self.cli(command, *words, self.key(f"-{command}")).returncode, 75)

    def test_not_to_wait_has_flocks_words(self):
        self.granted(self.server.acquire(self.key(), ttl="20s"))
        for words in (("-n",), ("-nb",), ("--nb",), ("--nonblock",), ("--no-wait",), ("-xn",), ("-w0",), ("-w0.05",),
                      ("--timeout=0.05",)):
            with self.subTest(words):
                self.assertEqual(self.status(*words, self.key()), 75)
                self.assertEqual(self.status(*words, "-E9", self.key()), 9)
        self.assertEqual(self.status("-nE", "3", self.key()), 3)
        self.assertEqual(self.status("-nqE0", self.key()), 0)

    def test_exec_has_flocks_word(self):
        for word in ("-F", "--no-fork"):
            self.assertEqual(self.cli("run", word, self.key(), "--", "sh", "-c", "exit 3").returncode, 3)

    def test_what_does_not_fit_is_refused_with_the_reason(self):
        for words, reason in ((("-c", "date"), "sh -c"), (("--command", "date"), "sh -c"), (("-u",), "release"),
                              (("--unlock",), "release"), (("--fcntl",), "file"), (("--verbose",), "--quiet"),
                              (("-xc", "date"), "sh -c")):
            for position in ((*words, self.key()), (self.key(), *words)):
                with self.subTest(position):
                    result = self.cli("run", *position, "--", "true")
                    self.assertEqual(result.returncode, 64)
                    self.assertOneLine(result.stderr, reason)
        self.assertEqual(self.cli("run", "-Z", self.key(), "--", "true").returncode, 64)

    def test_the_commands_own_letters_are_its_own(self):
        result = self.cli("run", "-w10", self.key(), "--", "printf", "%s|", "-w10", "-c", "-n", "--unlock")
        self.assertEqual(result.stdout, "-w10|-c|-n|--unlock|")

    def test_every_letter_of_flock_is_in_the_table_of_the_page(self):
        with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as file:
            page = file.read()
        text = subprocess.run(["flock", "--help"], capture_output=True, text=True, check=True).stdout
        letters = re.findall(r"^ (-\w), (--[\w-]+)", text, re.MULTILINE)
        self.assertGreater(len(letters), 8)
        for letter, _ in letters:
            if letter not in ("-h", "-V"):
                self.assertRegex(page, rf"\n\| [^|]*`{letter}\b", letter)


class Quiet(CliTest):
    def test_a_skip_is_quiet_and_an_error_is_not(self):
        self.granted(self.server.acquire(self.key(), ttl="20s"))
        for command in (("run", "{}", "--", "true"), ("acquire", "{}"), ("hold", "{}")):
            for flags in (("-q", "--no-wait"), ("--quiet", "-w", "100ms")):
                words = [word.format(self.key()) for word in (command[0], *flags, *command[1:])]
                with self.subTest(words):
                    result = self.cli(*words)
                    self.assertEqual((result.returncode, result.stdout, result.stderr), (75, "", ""))
        nothing = self.cli("run", "-q", "--no-wait", "-E", "0", self.key(), "--", "true")
        self.assertEqual((nothing.returncode, nothing.stdout, nothing.stderr), (0, "", ""))
        self.granted(self.server.acquire(self.key("-slots"), limit=2, ttl="20s"))
        for words, status in (((self.key("-new"), "--", "/no/such/program"), 127),
                              ((self.key("-slots"), "--", "true"), 75),
                              (("--ttl", "1ms", self.key("-new"), "--", "true"), 64)):
            loud = self.cli("run", "-q", "-E", "0", *words)
            self.assertEqual(loud.returncode, status, loud)
            self.assertOneLine(loud.stderr)
        away = self.cli("run", "-q", "-E", "0", self.key(), "--", "true", url="unix:/nonexistent/x")
        self.assertEqual(away.returncode, 69)
        self.assertOneLine(away.stderr)

    def test_words_never_go_to_standard_output(self):
        self.granted(self.server.acquire(self.key(), owner="somebody", ttl="20s"))
        result = self.cli("run", "--no-wait", "-E", "0", self.key(), "--", "true")
        self.assertEqual((result.returncode, result.stdout), (0, ""))
        self.assertOneLine(result.stderr, "somebody")

    def test_on_a_terminal_too(self):
        lease = self.granted(self.server.acquire(self.key(), owner="somebody", ttl="60s"))
        terminal = Terminal(self, PROGRAM, "run", "-q", self.key(), "--", "echo", "mine")
        eventually(lambda: self.server.waiting(self.key()) == 1, "it waits")
        time.sleep(1.2)
        self.server.release(lease)
        terminal.expect("^mine")


if __name__ == "__main__":
    unittest.main()
