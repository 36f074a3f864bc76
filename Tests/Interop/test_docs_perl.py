# Rows: A17 A19 T2
"""Runs the examples of docs/interop-perl.md and docs/interop.md; a comment above each says what it must print."""

import os
import re
import subprocess
import tempfile
import unittest

from perlside import HERE, LiveTest

ROOT = os.path.dirname(os.path.dirname(HERE))
SNIPPET = re.compile(r"^<!-- expect: ([^\n]*) -->\n```bash\n(.*?)^```", re.S | re.M)
# What CPAN's module is called; ours stands in for it.
ALIAS = "package IPC::Semaphore::Concurrency;\nrequire Concurrency;\nour @ISA = 'Concurrency';\n1;\n"


class Page(LiveTest):
    def setUp(self):
        self.text = ""
        for page in ("interop-perl.md", "interop.md"):
            with open(os.path.join(ROOT, "docs", page), encoding="utf-8") as file:
                self.text += file.read()

    def test_every_example_prints_what_it_says(self):
        snippets = SNIPPET.findall(self.text)
        self.assertEqual(len(snippets), self.text.count("```bash\n"), "a snippet has no expectation")
        self.assertEqual(len(snippets), 4)
        with tempfile.TemporaryDirectory() as library:
            os.makedirs(os.path.join(library, "IPC", "Semaphore"))
            with open(os.path.join(library, "IPC", "Semaphore", "Concurrency.pm"), "w", encoding="ascii") as file:
                file.write(ALIAS)
            environment = os.environ | {"PERL5LIB": f"{library}:{os.path.join(HERE, 'perl')}"}
            for expected, script in snippets:
                with self.subTest(script.splitlines()[0]), tempfile.TemporaryDirectory() as directory:
                    result = subprocess.run(
                        ["bash", "-c", f"set -euo pipefail\nL=http://127.0.0.1:{self.server.port}\n{script}"],
                        cwd=directory, capture_output=True, text=True, timeout=60, check=False, env=environment,
                    )
                    self.assertEqual((result.returncode, result.stderr), (0, ""), result)
                    self.assertRegex(result.stdout.strip().replace("\n", " "), expected)

    def test_it_tells_what_surprises(self):
        plain = re.sub(r"[*\s]+", " ", self.text)
        for words in ("13 hexadecimal digits or more", "makes no semaphore", "More semaphores do not help"):
            self.assertIn(words, plain)


if __name__ == "__main__":
    unittest.main()
