# Rows: H26
"""The examples of docs/interop-php.md do what the page says; and the page says that this is for Linux only."""

import os
import re
import subprocess
import tempfile
import unittest

from php_support import HERE, PHPTest

PAGE = os.path.join(os.path.dirname(os.path.dirname(HERE)), "docs", "interop-php.md")
SNIPPET = re.compile(r"^<!-- expect: ([^\n]*) -->\n```bash\n(.*?)^```", re.S | re.M)


class Page(PHPTest):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(PAGE, encoding="utf-8") as file:
            cls.text = file.read()

    def test_every_example_prints_what_it_says(self):
        snippets = SNIPPET.findall(self.text)
        self.assertEqual(len(snippets), self.text.count("```bash\n"), "a snippet has no expectation")
        self.assertGreaterEqual(len(snippets), 2)
        for expected, script in snippets:
            with self.subTest(script.splitlines()[0]), tempfile.TemporaryDirectory() as directory:
                result = subprocess.run(
                    ["bash", "-c", f"set -euo pipefail\nL=http://127.0.0.1:{self.server.port}\n{script}"],
                    cwd=directory,
                    capture_output=True,
                    text=True,
                    timeout=60,
                    check=False,
                )
                self.assertEqual((result.returncode, result.stderr), (0, ""), result)
                self.assertRegex(result.stdout.replace("\n", " "), expected)

    def test_the_page_says_linux_only(self):
        self.assertIn("Linux only", self.text)


if __name__ == "__main__":
    unittest.main()
