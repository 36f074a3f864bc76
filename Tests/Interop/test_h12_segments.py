# Rows: H12 H13 H14 H15 H16 H25
"""shm_attach, shm_detach and shm_remove beside /segments, seen by ipcs and the kernel's own files."""

from interop import Scenario, Server, dump, eventually, ipcs, main


class Segments(Scenario):
    def test_what_http_makes_php_uses(self):
        made = self.make()
        self.assertEqual((made["created"], made["initialized"], made["ignored"]), (True, True, []))
        self.assertEqual((made["size_bytes"], made["mode"], made["word_bits"]), (10000, "0666", 64))
        self.assertEqual(dump(self.memory())[1], {"start": 40, "end": 40, "free": 9960, "total": 10000})
        self.attach()
        self.assertEqual(self.in_php("shm_put_var($m, 1, 'x')"), b"b:1;")
        self.assertEqual(self.fetch(1).json, "x")

    def test_what_php_makes_http_uses(self):
        self.attach(5000)
        self.php.bytes("global $m; shm_put_var($m, 7, ['a' => 1]); return '';")
        self.assertEqual(self.fetch(7).json, {"a": 1})
        again = self.make(size=123456, mode="0600")
        self.assertEqual((again["created"], again["initialized"], again["ignored"]), (False, False, ["size", "mode"]))
        self.assertEqual((again["size_bytes"], again["mode"]), (5000, "0666"))
        self.assertEqual(ipcs()[self.key]["bytes"], 5000)
        self.assertEqual(self.fetch(7).json, {"a": 1})

    def test_a_second_attachment_of_php_sees_the_same(self):
        self.make(size=4096)
        self.put(1, 5)
        self.attach(99999)
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b"i:5;")
        self.assertEqual(ipcs()[self.key], {**ipcs()[self.key], "bytes": 4096, "mode": 0o666})

    def test_sizes_and_modes_that_cannot_be(self):
        post = lambda **query: self.server.post("/segments", key=f"{self.key:#x}", **query)  # noqa: E731
        self.assertProblem(post(size=39), 400, "out-of-range", parameter="size", minimum=40)
        self.assertProblem(post(size=1 << 62), 429, "caller-limit", limit_name="max-segment-bytes-per-caller")
        # The kernel's own maximum is what bounds root.
        answer = self.server.over_unix.post("/segments", key=f"{self.key:#x}", size=1 << 62)
        self.assertProblem(answer, 507, "kernel-limit")
        self.assertProblem(post(mode="0888"), 400, "invalid-parameter", parameter="mode")
        self.assertProblem(post(mode="1777"), 400, "out-of-range", parameter="mode")
        self.assertProblem(self.server.json_post("/segments", {"key": "1", "mode": 438}), 400, "invalid-parameter")
        self.assertProblem(self.server.post("/segments"), 400, "missing-parameter", parameter="key")
        self.assertProblem(self.server.post("/segments", key="0"), 400, "out-of-range", parameter="key")
        self.assertProblem(self.server.post("/segments", key="abc"), 400, "bad-key", parameter="key")
        self.assertNotIn(self.key, ipcs())
        self.assertEqual(post(size=40).status, 201)

    def test_a_json_body_takes_the_key_as_a_number(self):
        answer = self.server.json_post("/segments", {"key": self.key, "size": 100, "mode": "600"})
        self.assertEqual((answer.status, answer["mode"], answer["size_bytes"]), (201, "0600", 100))
        self.assertEqual(answer.headers["Location"], self.path)

    def test_nothing_stays_attached(self):
        self.make()
        self.put(1, 1)
        self.assertEqual(self.server.get(self.path)["nattch"], 0)
        self.attach()
        self.assertEqual(self.server.get(self.path)["nattch"], 1)
        self.assertEqual(ipcs()[self.key]["nattch"], 1)
        self.php.bytes("global $m; shm_detach($m); return '';")
        self.assertEqual(self.server.get(self.path)["nattch"], 0)
        self.assertEqual(self.fetch(1).json, 1)

    def test_removed_over_http(self):
        self.make()
        self.put(1, "kept")
        self.attach()
        self.assertProblem(self.server.delete(self.path), 409, "in-use", nattch=1)
        removed = self.server.delete(self.path, force="true")
        self.assertEqual((removed.status, removed["removed"], removed["nattch"]), (200, True, 1))
        self.assertNotIn(self.key, ipcs())
        self.assertEqual(self.in_php("shm_get_var($m, 1)"), b's:4:"kept";')
        self.assertProblem(self.server.delete(self.path), 404, "no-such-segment", errno="ENOENT")
        self.assertProblem(self.fetch(1), 404, "no-such-segment")
        self.make()
        self.assertProblem(self.fetch(1), 404, "no-such-variable")

    def test_removed_by_php(self):
        self.make()
        number = self.server.get(self.path)["id"]
        self.attach()
        self.php.bytes("global $m; shm_remove($m); return '';")
        self.assertProblem(self.server.get(self.path), 404, "no-such-segment")
        self.assertTrue(self.server.get(f"/segments/id:{number}")["dest"])
        self.php.kill()
        eventually(lambda: self.server.get(f"/segments/id:{number}").status == 404, "the segment goes with PHP")

    def test_owner_and_mode(self):
        self.make()
        changed = self.server.request("PATCH", self.path + "?mode=0640&uid=1&gid=2")
        self.assertEqual((changed["mode"], changed["uid"], changed["gid"]), ("0640", 1, 2))
        self.assertEqual(ipcs()[self.key]["mode"], 0o640)
        kept = self.server.request("PATCH", self.path + "?mode=600")
        self.assertEqual((kept["mode"], kept["uid"], kept["cuid"]), ("0600", 1, changed["cuid"]))
        self.assertProblem(self.server.request("PATCH", self.path + "?uid=-1"), 400, "out-of-range", parameter="uid")

    def test_limits_are_the_kernels(self):
        limits = self.server.get("/segments")["limits"]
        for name in ("shmmax", "shmmni", "shmall"):
            with open(f"/proc/sys/kernel/{name}", encoding="ascii") as file:
                self.assertEqual(limits[name], int(file.read()))
        self.assertEqual((limits["shmmin"], limits["shmseg"]), (1, None))

    def test_the_list_is_what_ipcs_shows(self):
        self.make(size=777)
        listed = {item["key"] & 0xFFFFFFFF: item for item in self.server.get("/segments", limit=1000)["segments"]}
        seen = ipcs()
        self.assertEqual(set(listed), set(seen))
        for key, item in seen.items():
            self.assertEqual((listed[key]["id"], listed[key]["size_bytes"], listed[key]["nattch"],
                              int(listed[key]["mode"], 8)), (item["id"], item["bytes"], item["nattch"], item["mode"]))

    def test_the_ledger_is_nobodys_business(self):
        own = [item for item in self.server.get("/segments", limit=1000)["segments"] if item["leasehold"]]
        self.assertEqual(len(own), 1)
        path = f"/segments/id:{own[0]['id']}"
        for answer in (self.server.get(path + "/bytes", length=8), self.server.delete(path),
                       self.server.request("PUT", path + "/bytes", b"x"),
                       self.server.request("PATCH", path + "?mode=0666"),
                       self.server.post("/segments", key=own[0]["key"], init="true", wait="0"),
                       self.server.get("/shm", segment=f"id:{own[0]['id']}", wait="0")):
            self.assertProblem(answer, 403, "permission-denied", errno="EACCES")


class DefaultSegment(Scenario):
    arguments = ("--shm-key", "0x5e5e5e", "--shm-size", "64KiB")

    def test_is_made_at_first_use_and_outlives_the_service(self):
        self.assertNotIn(0x5E5E5E, ipcs())
        self.assertProblem(self.server.get("/segments/0x5e5e5e"), 404, "no-such-segment")
        self.assertEqual(self.server.request("PUT", "/shm/1", b'"stays"').status, 201)
        self.assertEqual(ipcs()[0x5E5E5E]["bytes"], 65536)
        self.server.terminate()
        self.assertEqual(self.php.value("return shm_get_var(shm_attach(0x5e5e5e), 1);"), "stays")
        self.assertEqual(ipcs()[0x5E5E5E]["nattch"], 0 if self.php.process.poll() else ipcs()[0x5E5E5E]["nattch"])
        self.server.start()
        self.assertEqual(self.server.get("/shm/1").json, "stays")
        self.assertTrue(Server)


if __name__ == "__main__":
    main()
