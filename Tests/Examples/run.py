#!/usr/bin/env python3
"""Runs the README's snippets against a daemon of its own; a comment above each says what it must print."""

import os
import pty
import re
import subprocess
import sys
import tempfile
import termios
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import PROGRAM, LiveTest, eventually  # noqa: E402  (enters a private IPC namespace)

SERVICE = "127.0.0.1:31818"
BACKUP = "#!/bin/sh\nexec cat\n"  # runs as long as its input is open
SNIPPET = re.compile(r"^<!-- expect: ([^\n]*) -->\n```bash\n(.*?)^```", re.S | re.M)


def any_numbers(line):
    return re.sub(r"\d+", r"\\d+", re.escape(line))


def executable(path, flags):
    return os.open(path, flags, 0o755)


def end(process):
    process.stdin.close()
    process.terminate()
    process.wait(20)


class Readme(LiveTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            cls.text = file.read()

    def environment(self, url, *folders):
        path = [*folders, os.path.dirname(os.path.abspath(PROGRAM)), os.environ["PATH"]]
        return os.environ | {"LEASEHOLD_URL": url, "PATH": ":".join(path)}

    def test_every_example_prints_what_it_says(self):
        text = self.text
        snippets = SNIPPET.findall(text)
        self.assertEqual(len(snippets), text.count("```bash\n"), "a snippet has no expectation")
        self.assertGreater(len(snippets), 4)
        served = f"127.0.0.1:{self.server.port}"
        for expected, script in snippets:
            with self.subTest(script.splitlines()[0]), tempfile.TemporaryDirectory() as directory:
                result = subprocess.run(
                    ["bash", "-c", f"set -euo pipefail\nL=http://{SERVICE}\n{script}".replace(SERVICE, served)],
                    env=self.environment(f"http://{served}"), cwd=directory, capture_output=True, text=True,
                    timeout=60, check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""), result)
                self.assertRegex(result.stdout.replace("\n", " "), expected)

    def test_a_second_run_prints_what_the_first_screen_shows(self):
        shown = re.search(r"^```console\n(.*?)^```", self.text, re.S | re.M)[1].splitlines()
        first, second, waits, third, refused = (re.sub(r"\s+# .*", "", line).removeprefix("$ ") for line in shown)
        self.assertEqual((second, waits[:11], refused[:11]), (first, "leasehold: ", "leasehold: "))
        with tempfile.TemporaryDirectory() as directory:
            with open(os.path.join(directory, "backup"), "w", encoding="utf-8", opener=executable) as file:
                file.write(BACKUP)
            environment = self.environment(f"unix:{self.server.unix}", directory)
            holder = subprocess.Popen(first.split(), stdin=subprocess.PIPE, env=environment)
            self.addCleanup(end, holder)
            eventually(lambda: self.server.get("/leases")["leases"], "the first has the lock")
            result = subprocess.run(
                third.split(), env=environment, capture_output=True, text=True, timeout=20, check=False)
            self.assertEqual((result.returncode, result.stdout), (75, ""))
            self.assertRegex(result.stderr, f"^{any_numbers(refused)}\n$")

            terminal, other = pty.openpty()
            termios.tcsetwinsize(other, (24, 200))
            waiter = subprocess.Popen(second.split(), stdin=subprocess.PIPE, stderr=other, env=environment)
            self.addCleanup(end, waiter)
            os.close(other)
            seen = b""
            while b" left" not in seen:
                seen += os.read(terminal, 4096)
            self.assertRegex(seen.decode(), any_numbers(waits))
            for process in (holder, waiter):
                process.stdin.close()
                self.assertEqual(process.wait(20), 0)
            os.close(terminal)

    def test_no_example_leaves_a_lock_that_never_ends(self):
        for lease in self.server.get("/leases")["leases"]:
            self.assertIsNotNone(lease["expires_in_ms"], lease)


if __name__ == "__main__":
    unittest.main()
