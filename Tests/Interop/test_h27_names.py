# Rows: H27
"""Variable keys: PHP's integers to the ends, and names by a hash that PHP, Perl and Python write in one line."""

import urllib.parse
import zlib

from interop import Scenario, main, perl


class Names(Scenario):
    def setUp(self):
        super().setUp()
        self.make(size=50000)
        self.attach()

    def test_integers_to_the_ends(self):
        for number in (0, 1, -1, 31818, 1 << 32, -(1 << 63), (1 << 63) - 1):
            self.assertEqual(self.put(number, f"v{number}")["key"], number)
            php = "PHP_INT_MIN" if number == -(1 << 63) else str(number)
            self.assertEqual(self.php.value(f"global $m; return shm_get_var($m, {php});"), f"v{number}")
            self.php.bytes(f"global $m; shm_put_var($m, {php}, 'php'); return '';")
            self.assertEqual(self.fetch(number).json, "php")
        for number in (1 << 63, -(1 << 63) - 1, 10 ** 30):
            self.assertProblem(self.fetch(number), 400, "out-of-range", parameter="var")

    def test_names(self):
        for name in ("counter", "a b", "Grüße", "x" * 255, "1.5", "0x10", "+5", "-", "a/b"):
            quoted = urllib.parse.quote(name, safe="")
            self.assertEqual(self.put(quoted, name)["key"], zlib.crc32(name.encode()))
            self.assertEqual(self.put(quoted, name)["name"], name)
            self.assertEqual(self.php.value(f"global $m; return shm_get_var($m, crc32('{name}'));"), name)
            self.php.bytes(f"global $m; shm_put_var($m, crc32('{name}'), 7); return '';")
            self.assertEqual(self.fetch(quoted).json, 7)
        self.assertEqual(int(perl("use Compress::Zlib; print Compress::Zlib::crc32('counter')")),
                         zlib.crc32(b"counter"))

    def test_names_that_are_none(self):
        for quoted in ("%00", "a%0Ab", "%ff", "x" * 256, "%zz"):
            self.assertProblem(self.fetch(quoted), 400, "bad-key")


if __name__ == "__main__":
    main()
