#!/usr/bin/env python3
"""Runs every bash snippet of the README against a daemon of its own; a comment above each says what it must print."""

import os
import re
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import PROGRAM, LiveTest  # noqa: E402  (enters a private IPC namespace)

SNIPPET = re.compile(r"^<!-- expect: ([^\n]*) -->\n```bash\n(.*?)^```", re.S | re.M)


class Readme(LiveTest):
    def test_every_example_prints_what_it_says(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            text = file.read()
        snippets = SNIPPET.findall(text)
        self.assertEqual(len(snippets), text.count("```bash\n"), "a snippet has no expectation")
        self.assertGreater(len(snippets), 4)
        for expected, script in snippets:
            with self.subTest(script.splitlines()[0]), tempfile.TemporaryDirectory() as directory:
                result = subprocess.run(
                    ["bash", "-c", f"set -euo pipefail\nL=http://127.0.0.1:{self.server.port}\n{script}"],
                    env={**os.environ, "LEASEHOLD_URL": f"http://127.0.0.1:{self.server.port}",
                         "PATH": f"{os.path.dirname(os.path.abspath(PROGRAM))}:{os.environ['PATH']}"},
                    cwd=directory, capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""), result)
                self.assertRegex(result.stdout.replace("\n", " "), expected)

    def test_no_example_leaves_a_lock_that_never_ends(self):
        for lease in self.server.get("/leases")["leases"]:
            self.assertIsNotNone(lease["expires_in_ms"], lease)


if __name__ == "__main__":
    unittest.main()
