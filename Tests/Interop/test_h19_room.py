# Rows: H19 H22 H32
"""Room in a segment: what fits, what does not, what a removal frees, and the list of variables."""

from interop import AS_BYTES, Scenario, dump, main


class Room(Scenario):
    def state(self):
        return dump(self.memory())

    def test_no_room_keeps_the_old_value(self):
        self.make(size=200)
        self.attach()
        self.put(1, "old")
        before = self.memory()
        problem = self.assertProblem(self.put(1, "x" * 300), 507, "segment-full", free_bytes=160)
        self.assertEqual(problem["needed_bytes"], 344)
        self.assertEqual(self.memory(), before)
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b's:3:"old";')
        self.assertEqual(self.in_php("shm_put_var($m, 1, str_repeat('x', 300))"), b"b:0;")
        self.assertEqual(self.php.warnings, ["shm_put_var(): Not enough shared memory left"])
        # PHP has lost it by now, as it does.
        self.assertProblem(self.fetch(1), 404, "no-such-variable")

    def test_the_last_byte_can_be_used(self):
        self.make(size=40 + 48)
        self.assertEqual(self.put(1, "12345678").status, 201)
        self.assertEqual(self.state()[1]["free"], 0)
        self.assertEqual(self.put(1, "abcdefgh").status, 200)
        self.assertProblem(self.put(2, None), 507, "segment-full", free_bytes=0, needed_bytes=40)
        self.attach()
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b's:8:"abcdefgh";')

    def test_removing_closes_the_gap_and_frees_the_room(self):
        self.make()
        self.attach()
        for number in range(1, 6):
            self.put(number, "v" * number * 7)
        before = self.state()
        removed = self.server.delete(f"/shm/2?{self.query}")
        after = self.state()
        self.assertEqual(removed.status, 200)
        self.assertEqual(before[1]["end"] - after[1]["end"], removed["freed_bytes"])
        self.assertEqual(after[1]["free"] - before[1]["free"], removed["freed_bytes"])
        self.assertEqual(after[0], [item for item in before[0] if item[0] != 2])
        self.assertProblem(self.server.delete(f"/shm/2?{self.query}"), 404, "no-such-variable")
        self.assertEqual(self.in_php("shm_remove_var($m, 2)"), b"b:0;")
        self.assertIn("doesn't exist", self.php.warnings[0])
        self.assertEqual(self.in_php("shm_get_var($m, 5)"), b's:35:"' + b"v" * 35 + b'";')
        self.assertEqual(self.in_php("shm_remove_var($m, 3)"), b"b:1;")
        self.assertEqual([item["key"] for item in self.server.get("/shm?" + self.query)["variables"]], [1, 4, 5])

    def test_the_layout_is_that_of_php(self):
        """The same steps by PHP and over HTTP leave the same bytes up to `end`."""
        self.make()
        self.attach()
        steps = [(1, "one"), (2, [1, 2.5, None]), (-3, {"a": True}), (1, "a longer one"), (2, 0), (7, "x" * 99)]
        for number, value in steps:
            self.put(number, value)
        self.server.delete(f"/shm/-3?{self.query}")
        ours = self.memory()
        self.php.bytes("""
            global $n; $n = shm_attach(0x5ec0de, 10000);
            foreach ([[1, 'one'], [2, [1, 2.5, null]], [-3, ['a' => true]], [1, 'a longer one'], [2, 0],
                      [7, str_repeat('x', 99)]] as [$key, $value]) shm_put_var($n, $key, $value);
            shm_remove_var($n, -3); return '';""")
        theirs = self.php.bytes("$s = shmop_open(0x5ec0de, 'a', 0, 0); return shmop_read($s, 0, shmop_size($s));")
        self.php.bytes("global $n; shm_remove($n); return '';")
        self.assertEqual(dump(ours), dump(theirs))
        self.assertEqual(ours[: dump(ours)[1]["end"]], theirs[: dump(theirs)[1]["end"]])

    def test_the_list_is_what_a_walk_of_the_bytes_finds(self):
        self.make()
        self.attach()
        for index, php in enumerate(("null", "true", "5", "1.5", "'s'", "[1]", "new ArrayObject()")):
            self.in_php(f"shm_put_var($m, {index} - 3, {php})")
        self.put(-3, [])
        listed = self.server.get("/shm?" + self.query).json
        found, header = dump(self.memory())
        self.assertEqual([(item["key"], item["length_bytes"]) for item in listed["variables"]],
                         [(key, len(text)) for key, text in found])
        self.assertEqual([item["type"] for item in listed["variables"]],
                         ["bool", "int", "double", "string", "array", "object", "array"])
        self.assertEqual((listed["size_bytes"], listed["used_bytes"], listed["free_bytes"]),
                         (header["total"], header["end"], header["free"]))
        pages, cursor = [], "0"
        while cursor:
            page = self.server.get("/shm?" + self.query, limit=2, cursor=cursor).json
            pages += [item["key"] for item in page["variables"]]
            cursor = page["next_cursor"]
        self.assertEqual(pages, [key for key, _ in found])

    def test_etags_keep_two_writers_apart(self):
        self.make()
        tag = self.put(1, 1).headers["ETag"]
        self.assertEqual(self.fetch(1).headers["ETag"], tag)
        self.assertEqual(self.fetch(1, AS_BYTES).headers["ETag"], tag)
        self.assertEqual(self.put(1, 2, {"If-Match": f'"0000", {tag}'}).status, 200)
        self.assertProblem(self.put(1, 3, {"If-Match": tag}), 412, "precondition-failed")
        self.assertProblem(self.put(1, 3, {"If-None-Match": "*"}), 412, "precondition-failed")
        self.assertProblem(self.put(2, 3, {"If-Match": "*"}), 412, "precondition-failed")
        self.assertProblem(self.put(2, 3, {"If-Match": "abc"}), 400, "invalid-parameter")
        self.assertEqual(self.put(2, 3, {"If-None-Match": "*"}).status, 201)
        self.assertEqual(self.fetch(1).json, 2)
        self.attach()
        self.in_php("shm_put_var($m, 2, 4)")
        self.assertNotEqual(self.fetch(2).headers["ETag"], self.put(3, 3).headers["ETag"])

    def test_a_value_may_be_larger_than_the_parameters_of_an_acquire(self):
        self.make(size=3 << 20)
        value = "x" * (1 << 19)
        self.assertEqual(self.put(1, value).status, 201)
        self.attach()
        self.assertEqual(self.php.value("global $m; return strlen(shm_get_var($m, 1));"), 1 << 19)
        self.assertEqual(self.fetch(1).json, value)
        head = f"PUT /shm/1?{self.query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {1 << 21}\r\n\r\n"
        answer = self.server.raw(head.encode())
        self.assertIn(b" 413 ", answer.partition(b"\r\n")[0])
        self.assertIn(b"--max-value", answer)
        self.assertIn(b'"body-too-large"', answer)


if __name__ == "__main__":
    main()
