"""flock's letters and long names, and a skip without a word."""

import json
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
                      ("-E7",), ("-E", "7"), ("-qE7",), ("--conflict-exit-code", "7"), ("-j5",), ("-j", "5"),
                      ("-j5", "-w1"), ("--slots", "5"), ("--limit=5",), ("--ttl", "9s"), ("-n",),
                      ("-x",), ("-e",), ("-s",), ("-o",), ("--close",), ("-xo",)):
            with self.subTest(words):
                self.assertEqual(self.status(*words, self.key("-".join(words))), 0)
                self.assertEqual(self.status(self.key("-".join(words)), *words), 0)
                for position in ((*words, self.key("-".join(words))), (self.key("-".join(words)), *words)):
                    self.assertEqual(self.cli("run", *position, "sh", "-c", "exit 3").returncode, 3)

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
        for words, reason in ((("-u",), "release"), (("--unlock",), "release"), (("--fcntl",), "file"),
                              (("-c", "date"), "second command"), (("-n", "5"), "-j 5"), (("-xn5",), "--nonblock 5")):
            for position in ((*words, self.key()), (self.key(), *words)):
                with self.subTest(position):
                    result = self.cli("run", *position, "--", "true")
                    self.assertEqual(result.returncode, 64)
                    self.assertOneLine(result.stderr, reason)
        self.assertEqual(self.cli("run", "-Z", self.key(), "--", "true").returncode, 64)

    def test_the_commands_own_letters_are_its_own(self):
        for dashes in ((), ("--",)):
            words = ("-w10", "-c", "-n", "--unlock", "--help")
            result = self.cli("run", "-w10", self.key(), *dashes, "printf", "%s|", *words)
            self.assertEqual(result.stdout, "-w10|-c|-n|--unlock|--help|")

    def test_a_number_behind_n_would_be_locked_and_is_refused_everywhere(self):
        for command in ("run", "acquire", "hold"):
            result = self.cli(command, "-n", "5", self.key(), *(("--", "true") if command == "run" else ()))
            self.assertEqual(result.returncode, 64)
            self.assertOneLine(result.stderr, "-j 5", "--nonblock 5")
        self.assertEqual(self.status("--nonblock", "5"), 0)
        self.assertEqual(self.server.lock("5").status, 200)

    def test_the_second_word_begins_the_command_and_several_locks_need_dashes(self):
        result = self.cli("run", self.key(), "sh", "-c", 'echo "$LEASEHOLD_LOCK" "$@"', "sh", "a b")
        self.assertEqual((result.returncode, result.stdout), (0, f"{self.key()} a b\n"))
        result = self.cli("run", self.key(), self.key("-b"), "--", "sh", "-c", 'echo "$LEASEHOLD_LOCK"')
        self.assertEqual((result.returncode, result.stdout), (0, f"{self.key()}\n{self.key('-b')}\n"))
        self.assertEqual(self.cli("run", self.key(), "/no/such/program", "--").returncode, 64)
        self.assertEqual(self.cli("run", self.key(), "/no/such/program").returncode, 127)

    def test_words_before_dashes_are_locks_and_that_is_said_where_it_was_not_meant(self):
        result = self.cli("run", self.key(), "checkout", "--", "/no/such/file")
        self.assertEqual(result.returncode, 127)
        self.assertOneLine(result.stderr, "'checkout'", "before --")

    def test_a_text_is_for_the_shell_byte_for_byte(self):
        for words in (("-c", "printf '%s|' \"$LEASEHOLD_LOCK\" 'a  b'; exit 4"),
                      ("-cprintf '%s|' \"$LEASEHOLD_LOCK\" 'a  b'; exit 4",),
                      ("--command=printf '%s|' \"$LEASEHOLD_LOCK\" 'a  b'; exit 4",)):
            for position in ((*words, self.key()), (self.key(), *words)):
                for flags in ((), ("-F",)):
                    result = self.cli("run", *flags, *position)
                    self.assertEqual((result.returncode, result.stdout), (4, f"{self.key()}|a  b|"), result)
        odd = subprocess.run([PROGRAM, "run", self.key(), b"-xcprintf '\xff\xfe'"], env=self.environment(),
                             capture_output=True, check=False, timeout=20)
        self.assertEqual(odd.stdout, b"\xff\xfe", odd)
        for words, reason in (((self.key(), "-c", "true", "more"), "second command"), ((self.key(), "-c"), "missing")):
            result = self.cli("run", *words)
            self.assertEqual(result.returncode, 64)
            self.assertOneLine(result.stderr, reason)
        self.assertOneLine(self.cli("acquire", "-c", "true", self.key()).stderr, "only `run`")

    def test_verbose_says_how_long_it_waited(self):
        got = rf"leasehold: got '{self.key()}' after 0\.\d{{3}} s\n"
        self.assertRegex(self.cli("run", "--verbose", self.key(), "true").stderr, f"^{got}$")
        lease = self.granted(self.server.acquire(self.key(), ttl="60s"))
        waiting = self.begin("run", "--verbose", "-q", self.key(), "true", stderr=subprocess.PIPE, text=True)
        eventually(lambda: self.server.waiting(self.key()) == 1, "it waits")
        time.sleep(1)
        self.server.release(lease)
        self.assertEqual(waiting.wait(20), 0)
        self.assertRegex(waiting.stderr.read(), rf"^leasehold: got '{self.key()}' after [1-9]\d*\.\d{{3}} s\n$")
        lease = self.cli("acquire", "--verbose", self.key())
        self.assertRegex(lease.stderr, f"^{got}$")
        self.assertEqual(self.cli("release", lease.stdout.strip()).returncode, 0)
        held = self.begin("hold", "--verbose", self.key(), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        held.stdout.readline()
        self.assertRegex(held.stderr.readline(), f"^{got}$")

    def test_each_option_of_run_with_a_value_is_known_where_the_command_begins(self):
        dump = json.loads(subprocess.run([PROGRAM, "--experimental-dump-help"], check=True, capture_output=True).stdout)
        run = next(c for c in dump["command"]["subcommands"] if c["commandName"] == "run")
        names = ["--" + name["name"] for argument in run["arguments"] if argument["kind"] == "option"
                 and argument["shouldDisplay"] for name in argument["names"] if name["kind"] != "short"]
        self.assertGreater(len(names), 9)
        for name in names:
            if name != "--command":
                # Were its value not known as one, it would be the lock, and the lock the command.
                self.assertIn("no command", self.cli("run", name, "9", self.key()).stderr, name)

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
