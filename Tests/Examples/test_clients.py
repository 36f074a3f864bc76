"""Runs the programs of docs/clients.md, each in its language, against a daemon of its own."""

import os
import re
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import LiveTest, eventually  # noqa: E402  (enters a private IPC namespace)

PROGRAM = re.compile(r"^(?:<!-- expect: ([^\n]*) -->\n)?```(\w+)\n(.*?)^```", re.S | re.M)
PORT, SOCKET = "31818", "/run/leasehold/leasehold.sock"  # as the page writes them
# Language to the file's ending and the command that runs it.
RUNNERS = {
    "go": (".go", ["go", "run"]),
    "javascript": (".mjs", ["node"]),
    "perl": (".pl", ["perl"]),
    "php": (".php", ["php"]),
    "python": (".py", [sys.executable]),
    "ruby": (".rb", ["ruby"]),
}
PAGE = os.path.join(ROOT, "docs", "clients.md")
COMPILED = os.path.join(ROOT, "Tests", "LeaseholdClientTests", "TourTests.swift")


def programs(language=None, page=PAGE):
    with open(page, encoding="utf-8") as file:
        found = PROGRAM.findall(file.read())
    return [program for program in found if language in (None, program[1])]


class Clients(LiveTest):
    def run_all(self, language):
        ending, command = RUNNERS[language]
        if shutil.which(command[0]) is None:
            self.skipTest(f"there is no {command[0]} here: the examples in {language} were not run")
        self.assertTrue(programs(language))
        for expected, _, text in programs(language):
            self.assertTrue(expected, "a program has no expectation")
            with self.subTest(text.splitlines()[0]), tempfile.TemporaryDirectory() as directory:
                path = os.path.join(directory, f"example{ending}")
                with open(path, "w", encoding="utf-8") as file:
                    file.write(text.replace(PORT, str(self.server.port)).replace(SOCKET, self.server.unix))
                result = subprocess.run([*command, path], cwd=directory, capture_output=True, text=True, timeout=300,
                                        check=False)
                self.assertEqual((result.returncode, result.stderr), (0, ""), result)
                self.assertRegex(result.stdout.replace("\n", " "), expected)
                eventually(lambda: not self.server.get("/leases")["leases"], "the lock is free again")

    def test_python(self):
        self.run_all("python")

    def test_php(self):
        self.run_all("php")

    def test_node(self):
        self.run_all("javascript")

    def test_go(self):
        self.run_all("go")

    def test_perl(self):
        self.run_all("perl")

    def test_ruby(self):
        self.run_all("ruby")

    def test_every_language_of_the_page_is_run_or_compiled(self):
        self.assertEqual({language for _, language, _ in programs()}, {*RUNNERS, "swift"})

    def assertIsIn(self, text, path):
        """All of its lines, in order, as they stand in the file."""
        with open(path, encoding="utf-8") as file:
            there = [line.strip() for line in file]
        lines = [line.strip() for line in text.splitlines()]
        self.assertIn(lines, [there[start:start + len(lines)] for start in range(len(there))])

    def test_the_swift_of_the_pages_is_the_swift_that_is_compiled(self):
        for page in (PAGE, os.path.join(ROOT, "clients", "swift", "README.md")):
            texts = [text for _, _, text in programs("swift", page)]
            # The line of a manifest, whose address Tools/project.py keeps.
            self.assertEqual([text.startswith(".package(url: ") for text in texts].count(True), 1)
            for text in texts:
                if not text.startswith(".package(url: "):
                    self.assertIsIn(text, COMPILED)

    def test_the_swift_of_the_readme_is_the_swift_that_is_run(self):
        with open(os.path.join(ROOT, "README.md"), encoding="utf-8") as file:
            found = re.findall(r"^```swift\n(.*?)^```", file.read(), re.S | re.M)
        self.assertEqual(len(found), 1)
        self.assertIsIn(found[0], os.path.join(ROOT, "Tests", "LeaseholdClientTests", "LiveTests.swift"))
