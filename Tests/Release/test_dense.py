#!/usr/bin/env python3
"""Tools/dense with counts that fit, that do not; it and Tools/static with a compiler that comes alone."""

import os
import shutil
import subprocess
import tempfile
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SWIFT = os.path.realpath(shutil.which(os.environ.get("SWIFT") or "swift"))
SOURCE = "@inline(never) public func twice(_ n: Int) -> Int { n > 3 ? n &* 2 : n }\nprint(twice(4))\n"


class Dense(unittest.TestCase):
    def setUp(self):
        made = tempfile.TemporaryDirectory()
        self.addCleanup(made.cleanup)
        self.root = os.path.realpath(made.name)
        os.makedirs(os.path.join(self.root, "Tools"))
        shutil.copy(os.path.join(ROOT, "Tools", "dense"), os.path.join(self.root, "Tools"))

    def flags(self, counts, swift=SWIFT):
        with open(os.path.join(self.root, "Tools", "dense.txt"), "w", encoding="utf-8") as file:
            file.write(counts)
        done = subprocess.run([os.path.join(self.root, "Tools", "dense"), ".build"], check=True, capture_output=True,
                              text=True, cwd=self.root, env={**os.environ, "SWIFT": swift})
        return done.stdout.split(), done.stderr

    def compiled(self, flags):
        """What a program says that is compiled with the flags for the compiler; a warning is an error."""
        source, program = (os.path.join(self.root, name) for name in ("main.swift", "main"))
        with open(source, "w", encoding="utf-8") as file:
            file.write(SOURCE)
        pairs = list(zip(flags[::2], flags[1::2]))
        words = [word for kind, word in pairs if kind == "-Xswiftc"]
        words += [word for pair in pairs if pair[0] == "-Xlinker" for word in pair]
        swiftc = os.path.join(os.path.dirname(SWIFT), "swiftc")
        subprocess.run([swiftc, "-O", "-warnings-as-errors", "-module-name", "m", *words, source, "-o", program],
                       check=True)
        return subprocess.run([program], check=True, capture_output=True, text=True).stdout

    def test_what_the_project_has_can_be_read(self):
        with open(os.path.join(ROOT, "Tools", "dense.txt"), encoding="utf-8") as file:
            text = file.read()
        flags, said = self.flags(text)
        self.assertEqual((flags, said), self.flags(text))
        self.assertEqual(said, "")
        self.assertEqual(self.compiled(flags), "8\n")
        profile = next(flag.partition("=")[2] for flag in flags if flag.startswith("-ir-profile-use="))
        shown = subprocess.run([os.path.join(os.path.dirname(SWIFT), "llvm-profdata"), "show", profile], check=True,
                               capture_output=True, text=True).stdout
        counted = sum(len(line.split()) > 1 for line in text.splitlines() if not line.startswith("#"))
        self.assertIn(f"Total functions: {counted}\n", shown)

    def test_counts_of_other_code_change_nothing(self):
        flags, _ = self.flags("# a comment\n$s1m5twiceyS2iF 382993475055910912 7 0x3 5\n$s1m4goneyyF 7 1\n")
        self.assertEqual(self.compiled(flags), "8\n")

    def test_a_function_of_a_library_has_a_place_and_no_counts(self):
        flags, said = self.flags("$s1m5twiceyS2iF 382993475055910912 7\nswift_retain\n")
        self.assertEqual((said, self.compiled(flags)), ("", "8\n"))
        order = next(flag.partition("=")[2] for flag in flags if flag.startswith("--symbol-ordering-file="))
        with open(order, encoding="utf-8") as file:
            self.assertEqual([line for line in file.read().split() if not line.endswith("Tm")],
                             ["$s1m5twiceyS2iF", "swift_retain"])

    def test_other_counts_are_other_flags(self):
        self.assertNotEqual(self.flags("a 7 1\n"), self.flags("a 7 2\n"))

    def test_without_static_libraries_the_shared_ones_are_taken(self):
        bare = os.path.join(self.root, "swift")
        shutil.copy("/bin/true", bare)
        done = subprocess.run([os.path.join(ROOT, "Tools", "static"), self.root], check=True, capture_output=True,
                              text=True, env={**os.environ, "SWIFT": bare})
        self.assertEqual(done.stdout, "")
        self.assertIn("no static libraries", done.stderr)

    def test_without_tools_or_with_nonsense_the_build_is_an_ordinary_one(self):
        bare = os.path.join(self.root, "swift")
        shutil.copy("/bin/true", bare)
        for flags, said in (self.flags("a 7 1\n", swift=bare), self.flags("a b c\n")):
            self.assertEqual(flags, [])
            self.assertIn("not put close together", said)


if __name__ == "__main__":
    unittest.main()
