"""How the program is built: what makes a mistake in it harder to use."""

import glob
import os
import re
import shutil
import subprocess
import tempfile
import unittest

from support import PROGRAM, ROOT

PACKAGE = os.path.getmtime(os.path.join(ROOT, "Package.swift"))
# One that is tested by name counts, others unless they may be of another day.
RELEASES = [path for path in (os.path.join(ROOT, folder, "release", "leasehold") for folder in (".build", ".build_deb"))
            if os.path.realpath(path) == os.path.realpath(PROGRAM)
            or os.path.exists(path) and os.path.getmtime(path) > PACKAGE]
CHECKED = r"UND (__\w+_chk)\b"  # not __stack_chk_fail, which is another matter


@unittest.skipUnless(shutil.which("readelf"), "there is no readelf (binutils)")
class Hardening(unittest.TestCase):
    def read(self, path, *flags):
        return subprocess.run(["readelf", "-W", *flags, path], check=True, capture_output=True, text=True).stdout

    def test_it_lies_elsewhere_each_time_and_its_tables_are_sealed(self):
        for path in {PROGRAM, *RELEASES}:
            with self.subTest(path):
                self.assertRegex(self.read(path, "-h"), r"Type: +DYN")
                dynamic = self.read(path, "-d")
                self.assertRegex(dynamic, r"FLAGS_1.*\bNOW\b.*\bPIE\b")
                self.assertRegex(dynamic, r"\(FLAGS\).*BIND_NOW")
                segments = self.read(path, "-l")
                self.assertIn("GNU_RELRO", segments)
                self.assertRegex(segments, r"GNU_STACK .* RW ")
                self.assertNotRegex(segments, r"LOAD .* RWE ")

    def test_it_loads_what_only_some_commands_need_when_they_need_it(self):
        for path in {PROGRAM, *RELEASES}:
            with self.subTest(path):
                self.assertNotRegex(self.read(path, "-d"), r"NEEDED.*(gnutls|microhttpd)")
        with tempfile.TemporaryDirectory() as folder:
            for library, words in (("libmicrohttpd.so.12", ("serve", "--port", "0", "--control-key", "0x4c48fa12")),
                                   ("libgnutls.so.30", ("token", "a", "--role", "lock"))):
                with open(os.path.join(folder, library), "w", encoding="ascii") as file:
                    file.write("no library" * 100)
                result = subprocess.run([PROGRAM, *words], capture_output=True, text=True, timeout=20, check=False,
                                        env={**os.environ, "LD_LIBRARY_PATH": folder})
                self.assertEqual(result.returncode, 69, result)
                # Of a limit the log may tell before or after it.
                self.assertRegex(result.stderr, rf"(?m)^leasehold: cannot load {library}: .*invalid ELF header$")
                self.assertEqual(subprocess.run([PROGRAM, "version"], stdout=subprocess.DEVNULL, check=False,
                                                env={**os.environ, "LD_LIBRARY_PATH": folder}).returncode, 0)

    def test_its_c_parts_watch_their_stacks(self):
        for path in {PROGRAM, *RELEASES}:
            with self.subTest(path):
                self.assertIn("__stack_chk_fail", self.read(path, "--dyn-syms"))

    @unittest.skipUnless(RELEASES, "there is no release build")
    def test_its_c_parts_check_their_buffers(self):
        # Nothing of a debug build is checked: that needs the optimizer. Swift's own parts may import such names, too.
        for path in RELEASES:
            with self.subTest(path):
                objects = glob.glob(os.path.join(os.path.dirname(path), "C*.build", "*.c.o"))
                self.assertTrue(objects)
                names = {name for one in objects for name in re.findall(CHECKED, self.read(one, "-s"))}
                self.assertTrue(names, "no call of a C part is fortified")
                self.assertLessEqual(names, set(re.findall(CHECKED, self.read(path, "--dyn-syms"))))


if __name__ == "__main__":
    unittest.main()
