# Rows: H12 H14 H16 H17 H19 H21 H22 H33
"""The cases of PHP's own tests of sysvshm, replayed with one of the two sides over HTTP."""

import struct

from interop import Scenario, dump, main


class Upstream(Scenario):
    """Named after the files in ext/sysvshm/tests that they follow."""

    def test_002_attaching(self):
        for size in (0, -1):
            self.assertProblem(self.server.post("/segments", key=self.key, size=size), 400, "out-of-range")
        self.assertProblem(self.server.post("/segments", key=self.key, size=1), 400, "out-of-range", minimum=40)
        self.assertEqual(self.make(size=1024)["size_bytes"], 1024)
        self.php.bytes(f"return gettype(shm_attach({self.key}));")
        negative = self.server.post("/segments", key=-559038737, size=1024)
        self.assertEqual((negative.status, negative["key"]), (201, -559038737))
        self.assertEqual(self.php.value("return get_class(shm_attach(-559038737));"), "SysvSharedMemory")
        self.assertEqual(self.server.delete("/segments/0xDEADBEEF").status, 200)

    def test_003_detaching_keeps_the_values(self):
        self.attach()
        self.in_php("shm_put_var($m, 1, 'here')")
        self.php.bytes("global $m; shm_detach($m); return '';")
        self.assertEqual(self.fetch(1).json, "here")

    def test_004_putting(self):
        self.make(size=1024)
        self.attach()
        self.assertEqual(self.put(-1, "test").status, 201)
        self.assertEqual(self.put(0, [1]).status, 201)
        self.assertEqual(self.put(1, {"a": 1}).status, 201)
        self.assertProblem(self.put(1, "test string" * 1024), 507, "segment-full")
        self.assertEqual(self.in_php("[shm_get_var($m, -1), shm_get_var($m, 0), shm_get_var($m, 1)]"),
                         self.in_php("['test', [1], ['a' => 1]]"))

    def test_005_getting(self):
        self.attach()
        self.in_php("shm_put_var($m, -1, 'test')")
        self.in_php("shm_put_var($m, 1, [1, 2])")
        self.assertEqual((self.fetch(-1).json, self.fetch(1).json), ("test", [1, 2]))
        for number in (0, 2, -10):
            self.assertProblem(self.fetch(number), 404, "no-such-variable")
            self.assertEqual(self.in_php(f"shm_get_var($m, {number})"), b"b:0;")

    def test_006_removing_variables(self):
        self.make()
        for number in range(-1, 3):
            self.put(number, "test")
        self.attach()
        self.assertProblem(self.server.delete(f"/shm/-10?{self.query}"), 404, "no-such-variable")
        self.assertEqual(self.server.delete(f"/shm/0?{self.query}").status, 200)
        self.assertEqual(self.in_php("shm_remove_var($m, 0)"), b"b:0;")
        self.assertEqual(self.in_php("shm_remove_var($m, 1)"), b"b:1;")
        self.assertProblem(self.server.delete(f"/shm/1?{self.query}"), 404, "no-such-variable")
        self.assertEqual(self.in_php("[shm_get_var($m, -1), shm_get_var($m, 2)]"), self.in_php("['test', 'test']"))

    def test_007_removing_the_segment(self):
        self.attach()
        self.in_php("shm_put_var($m, 1, 1)")
        self.assertEqual(self.php.value("global $m; return shm_remove($m);"), True)
        self.assertProblem(self.fetch(1), 404, "no-such-segment")
        self.assertProblem(self.server.delete(self.path), 404, "no-such-segment")

    def test_bug72858_more_than_there_is(self):
        self.assertProblem(self.server.post("/segments", key=self.key, size=(1 << 63) - 1), 507, "kernel-limit")

    def test_gh9945_an_exception_while_serializing(self):
        """PHP 8.2 stores what it has by then; over HTTP that is an ordinary value, or no room."""
        self.make(size=200)
        self.attach()
        self.put(1, "before")
        with self.assertRaises(AssertionError):
            self.php.bytes("global $m; shm_put_var($m, 2, function() {}); return '';")
        self.assertEqual(self.fetch(1).json, "before")
        self.assertIn(self.fetch(2).status, (404, 409))

    def test_shm_get_var_of_a_broken_value(self):
        self.make()
        self.put(1, "x" * 20)
        self.server.request("PUT", f"{self.path}/bytes?offset={40 + 24}", b"s:99")
        self.attach()
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b"b:0;")
        self.assertEqual(self.php.warnings, ["shm_get_var(): Variable data in shared memory is corrupted"])
        self.assertProblem(self.fetch(1), 409, "corrupt-segment")

    def test_attach_and_chunk_bounds(self):
        """The development branch refuses these headers and chunks; PHP 8.2 runs off the end."""
        self.make(size=4096)
        self.put(1, "x")
        good = self.server.get(self.path + "/bytes").body
        for offset, number in ((8, 0), (8, 1 << 40), (16, 1 << 40), (24, 1 << 40), (32, 1 << 40), (16, 8),
                               (48, 1 << 40), (48, -1), (56, -8)):
            self.server.request("PUT", self.path + "/bytes", good)
            self.server.request("PUT", f"{self.path}/bytes?offset={offset}", struct.pack("=q", number))
            for answer in (self.fetch(1), self.put(1, "y"), self.server.delete(f"/shm/1?{self.query}")):
                self.assertProblem(answer, 409, "corrupt-segment")
        self.server.request("PUT", self.path + "/bytes", good)
        self.assertEqual(dump(self.memory())[0], [(1, b's:1:"x";')])


if __name__ == "__main__":
    main()
