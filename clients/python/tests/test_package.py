"""The package: its types, its wheel and sdist, its README."""

import glob
import hashlib
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import unittest
import zipfile

from support import PACKAGE, ROOT, LiveTest


def run(*words, **options):
    return subprocess.run(words, capture_output=True, text=True, check=False, **options)


def digest(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def with_module(name):
    """A Python that can import it."""
    return next((program for program in (sys.executable, "/usr/bin/python3")
                 if run(program, "-c", f"import {name}").returncode == 0), None)


class Package(unittest.TestCase):
    def test_the_types_are_strict(self):
        program = with_module("mypy")
        if program is None:
            self.skipTest("no mypy: it is in the Debian package mypy")
        with tempfile.TemporaryDirectory() as cache:
            checked = run(program, "-m", "mypy", "--strict", "--cache-dir", cache, "src/leasehold", cwd=PACKAGE)
            self.assertEqual(checked.returncode, 0, checked.stdout + checked.stderr)
            use = os.path.join(cache, "use.py")
            with open(use, "w", encoding="utf-8") as file:
                file.write("from leasehold import Lock, Lease\n@Lock('x')\ndef f(a: int) -> str: return str(a)\n"
                           "f('1')\nwith Lock('x') as lease: reveal_type(lease)\n"
                           "async def g() -> None:\n    async with Lock('x') as a: reveal_type(a)\n")
            seen = run(program, "-m", "mypy", "--strict", "--cache-dir", cache, use,
                       env={**os.environ, "MYPYPATH": os.path.join(PACKAGE, "src")}).stdout
        self.assertIn('incompatible type "str"; expected "int"', seen)
        self.assertRegex(seen, r'"leasehold\._lease\.Lease"[\s\S]*"leasehold\.aio\.AsyncLease"')

    def test_wheel_and_sdist_have_the_same_bytes_twice_and_install(self):
        if with_module("flit_core") is None:
            self.skipTest("no flit_core: it is in the Debian package flit")
        with tempfile.TemporaryDirectory() as folder:
            sums = []
            for number in "12":
                built = run(sys.executable, os.path.join(PACKAGE, "build"), os.path.join(folder, number))
                self.assertEqual(built.returncode, 0, built.stderr)
                sums.append({os.path.basename(path): digest(path)
                             for path in glob.glob(os.path.join(folder, number, "*"))})
            self.assertEqual(sums[0], sums[1])
            self.assertEqual(len(sums[0]), 2, sums)
            wheel, = glob.glob(os.path.join(folder, "1", "*.whl"))
            version = run(os.path.join(ROOT, "Tools", "version"), "python").stdout.strip()
            self.assertIn(version.replace("-", "_"), os.path.basename(wheel))
            with zipfile.ZipFile(wheel) as file:
                self.assertIn("leasehold/py.typed", file.namelist())
                file.extractall(os.path.join(folder, "installed"))
            seen = run(sys.executable, "-c", "import leasehold; print(leasehold.__version__, leasehold.__file__)",
                       env={"PYTHONPATH": os.path.join(folder, "installed")})
            self.assertEqual(seen.stdout.split()[0], version, seen.stderr)
            self.assertIn("installed", seen.stdout)

    def test_what_is_imported_at_first_is_little(self):
        seen = run(sys.executable, "-S", "-c", "import sys; sys.path.insert(0, 'src'); import leasehold; "
                   "print({'asyncio', 'ssl', 'http.client', 'logging', 'inspect'} & set(sys.modules))",
                   cwd=PACKAGE)
        self.assertEqual(seen.stdout.strip(), "set()", seen.stderr)


class Readme(LiveTest):
    def test_the_examples_do_what_they_say(self):
        with open(os.path.join(PACKAGE, "README.md"), encoding="utf-8") as file:
            found = re.findall(r"<!-- expect: ([^\n]*) -->\n```python\n(.*?)```", file.read(), re.S)
        self.assertGreater(len(found), 3)
        for expected, text in found:
            with self.subTest(text.splitlines()[0]), tempfile.TemporaryDirectory() as folder:
                ran = run(sys.executable, "-c", textwrap.dedent(text), cwd=folder, timeout=30,
                          env={**os.environ, "LEASEHOLD_URL": self.url, "PYTHONPATH": os.path.join(PACKAGE, "src")})
                self.assertEqual(ran.returncode, 0, ran.stderr)
                self.assertRegex(ran.stdout.replace("\n", " "), expected)


if __name__ == "__main__":
    unittest.main()
