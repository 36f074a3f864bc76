# Rows: H33 H27
"""Foreign, broken and 32-bit segments: nothing is written, nothing crashes, and 32-bit ones are used."""

import struct

from interop import AS_BYTES, Scenario, dump, main

# A segment of 160 bytes as a 32-bit PHP leaves it after shm_put_var($m, 1, "Variable 1"); shm_put_var($m, -2, true);
PHP32 = bytes.fromhex(
    "5048505f534d0000 18000000 50000000 50000000 a0000000"
    "01000000 12000000 24000000 733a31303a225661726961626c652031223b0000 00000000"
    "feffffff 04000000 14000000 623a313b 00000000") + bytes(80)


class Corrupt(Scenario):
    def raw(self, content, offset=0):
        answer = self.server.request("PUT", f"{self.path}/bytes?offset={offset}", content)
        self.assertEqual(answer.status, 200, answer)

    def refused(self, reason=""):
        """Every variable request is refused and leaves every byte as it was."""
        before = self.memory()
        for answer in (self.fetch(1), self.put(1, "x"), self.put(99, "x"), self.server.delete(f"/shm/1?{self.query}"),
                       self.server.get("/shm?" + self.query)):
            problem = self.assertProblem(answer, 409, "corrupt-segment")
            self.assertIn(reason, problem["reason"])
        self.assertEqual(self.memory(), before)
        self.assertEqual(self.server.get("/healthz").status, 200)

    def test_a_foreign_segment_is_left_alone_until_init(self):
        self.php.bytes(f"$s = shmop_open({self.key}, 'c', 0666, 500); return (string)shmop_write($s, 'mine', 0);")
        self.refused("mark")
        self.assertIsNone(self.server.get(self.path)["word_bits"])
        self.assertFalse(self.make()["initialized"])
        self.refused()
        made = self.make(init="true")
        self.assertEqual((made["created"], made["initialized"], made["word_bits"]), (False, True, 64))
        self.assertEqual(dump(self.memory())[1], {"start": 40, "end": 40, "free": 460, "total": 500})
        self.assertEqual(self.put(1, 1).status, 201)
        self.assertFalse(self.make(init="true")["initialized"])
        self.assertEqual(self.fetch(1).json, 1)
        self.attach()
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b"i:1;")

    def test_hostile_headers(self):
        self.make(size=400)
        self.put(1, "one")
        good = self.memory()
        far = (-1, 1 << 62, -(1 << 63), (1 << 63) - 1)
        for offset, numbers in ((8, (0, 41, 48, *far)), (16, (0, 39, 401, *far)), (24, (361, *far)),
                                (32, (0, 39, 401, *far)), (48, (100, *far)), (56, (0, 23, 361, *far))):
            for number in numbers:
                with self.subTest(offset=offset, number=number):
                    self.raw(good)
                    self.raw(struct.pack("=q", number), offset)
                    self.refused()
        self.raw(good)
        self.assertEqual(self.fetch(1).json, "one")

    def test_a_segment_smaller_than_a_header(self):
        self.php.bytes(f"shmop_open({self.key}, 'c', 0666, 16); return '';")
        self.refused("fewer")
        self.assertProblem(self.server.post("/segments", key=self.key, init="true"), 409, "corrupt-segment")

    def test_a_total_below_the_segment_is_what_php_82_leaves(self):
        self.php.bytes(f"shmop_open({self.key}, 'c', 0666, 4096); return '';")
        self.attach(1000)
        self.in_php("shm_put_var($m, 1, 'x')")
        self.assertEqual(self.fetch(1).json, "x")
        self.assertProblem(self.put(2, "y" * 1000), 507, "segment-full")
        self.assertEqual(self.server.get("/shm?" + self.query)["size_bytes"], 1000)

    def test_a_segment_of_a_32_bit_php(self):
        self.make(size=160)
        self.raw(PHP32)
        self.assertEqual(self.server.get(self.path)["word_bits"], 32)
        self.assertEqual((self.fetch(1).json, self.fetch(-2).json), ("Variable 1", True))
        # The same steps over HTTP leave the same bytes.
        self.assertEqual(self.server.delete(f"/shm/-2?{self.query}")["freed_bytes"], 20)
        self.put(-2, True)
        self.assertEqual(self.memory(), PHP32)
        self.assertEqual(dump(self.memory(), 4)[0], [(1, b's:10:"Variable 1";'), (-2, b"b:1;")])
        self.assertProblem(self.put(1 << 31, 1), 400, "out-of-range", parameter="var")
        self.assertProblem(self.put(5, 1 << 31), 400, "out-of-range")
        self.assertProblem(self.put(5, {"a": [-(1 << 31) - 1]}), 400, "out-of-range")
        self.assertEqual(self.put(5, -(1 << 31)).status, 201)
        self.assertEqual(self.put("counter", 1)["key"], -1054698376)
        self.assertEqual(self.fetch("counter", AS_BYTES).body, b"i:1;")
        self.assertEqual(self.server.get("/shm?" + self.query)["word_bits"], 32)
        for offset in range(8, 24, 4):
            before = self.memory()
            self.raw(struct.pack("=i", 0x7FFFFFF0), offset)
            self.refused()
            self.raw(before)


if __name__ == "__main__":
    main()
