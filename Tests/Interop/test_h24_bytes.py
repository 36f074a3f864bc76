# Rows: H24
"""Raw bytes: Perl's shmread and shmwrite, PHP's shmop, and /segments/{seg}/bytes."""

from interop import Scenario, main, perl


class Bytes(Scenario):
    def setUp(self):
        super().setUp()
        self.number = self.make(size=256)["id"]

    def read(self, **query):
        return self.server.get(self.path + "/bytes", **query)

    def write(self, body, **query):
        return self.server.request("PUT", self.path + "/bytes", body, {"Content-Type": "application/octet-stream"},
                                   **query)

    def test_what_http_writes_natives_read(self):
        body = bytes(range(200))
        written = self.write(body, offset=50)
        self.assertEqual((written.status, written["written_bytes"]), (200, 200))
        self.assertEqual(self.memory()[50:250], body)
        seen = perl("binmode STDOUT; my $b; shmread($ARGV[0], $b, 50, 200) or die $!; print $b", str(self.number))
        self.assertEqual(seen, body)

    def test_what_natives_write_http_reads(self):
        perl('shmwrite($ARGV[0], "a\\0b\\xff", 100, 8) or die $!', str(self.number))
        answer = self.read(offset=100, length=8)
        self.assertEqual(answer.body, b"a\0b\xff\0\0\0\0")
        self.assertEqual(answer.headers["Content-Type"], "application/octet-stream")
        self.php.bytes(f"$s = shmop_open({self.key}, 'w', 0, 0); return (string)shmop_write($s, 'php', 252);")
        self.assertEqual(self.read(offset=252).body, b"php\0")
        self.assertEqual(self.read().body, self.memory())

    def test_length_above_the_body_is_filled_with_nul(self):
        self.write(b"\xff" * 20, offset=100)
        self.assertEqual(self.write(b"ab", offset=100, length=10)["written_bytes"], 10)
        self.assertEqual(self.memory()[100:120], b"ab" + b"\0" * 8 + b"\xff" * 10)
        self.assertProblem(self.write(b"abc", length=2), 400, "out-of-range", parameter="length")

    def test_past_the_end(self):
        before = self.memory()
        self.assertProblem(self.read(offset=257), 400, "out-of-range", errno="EFAULT", parameter="offset")
        self.assertProblem(self.read(offset=200, length=57), 400, "out-of-range", errno="EFAULT", maximum=56)
        self.assertProblem(self.write(b"x", offset=256), 400, "out-of-range", errno="EFAULT")
        self.assertProblem(self.write(b"x", offset=(1 << 63) - 1), 400, "out-of-range", errno="EFAULT")
        self.assertProblem(self.write(b"x", length=(1 << 63) - 1, offset=5), 400, "out-of-range", errno="EFAULT")
        self.assertProblem(self.read(offset=-1), 400, "out-of-range", parameter="offset")
        self.assertEqual(self.read(offset=256).body, b"")
        self.assertEqual(self.memory(), before)
        self.assertProblem(self.server.request("PUT", self.path + "/bytes", b"x", {"Content-Type": "text/plain"}), 415,
                           "unsupported-media-type")


class Limit(Scenario):
    arguments = ("--max-value", "4KiB")

    def test_an_answer_has_a_largest_size_that_the_error_names(self):
        self.make(size=10000)
        self.assertEqual(len(self.server.get(self.path + "/bytes", length=4096).body), 4096)
        problem = self.assertProblem(self.server.get(self.path + "/bytes"), 400, "out-of-range", maximum=4096)
        self.assertIn("--max-value", problem["detail"])


if __name__ == "__main__":
    main()
