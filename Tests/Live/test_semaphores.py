"""`GET /semaphores` says what `ipcs -s`, /proc/sysvipc/sem and perl's IPC::Semaphore say."""

import os
import unittest
import urllib.parse

from harness import LiveTest
from native import make_set, proc_sets, remove_set


class Semaphores(LiveTest):
    arguments = ("--path-roots", "/tmp")

    def foreign(self, key, nsems=3, mode=0o644):
        set_id = make_set(key, nsems, mode)
        self.addCleanup(lambda: set_id in proc_sets() and remove_set(set_id))
        return set_id

    def test_each_way_to_make_a_set_operates_on_it_for_who_waits_for_that(self):
        before = set(proc_sets())
        path = os.path.join(self.server.directory, "made")
        made = [
            self.server.post("/semaphores", key="0x5afe31", nsems=2),
            self.server.post("/semaphores", key="private", nsems=1),
            self.server.request("PUT", "/locks/php:0x5afe32"),
            self.server.request("PUT", "/locks/apache:a", semaphore_key="0x5afe33"),
            self.server.request("PUT", f"/locks/path:{urllib.parse.quote(path, safe='')}"),
            self.server.acquire("php:0x5afe34"), self.server.acquire("apache:a", semaphore_key="0x5afe35"),
            self.server.acquire(f"path:{path}2"),
        ]
        self.assertEqual({answer.status for answer in made}, {201}, made)
        sets = {number: row for number, row in proc_sets().items() if number not in before}
        for number in sets:
            self.addCleanup(remove_set, number)
        self.assertEqual(len(sets), len(made), sets)
        self.assertEqual([row for row in sets.values() if row["otime"] == 0], [])

    def test_own_sets_say_what_they_are_for(self):
        lease = self.granted(self.server.acquire(self.key()))
        by_id = {item["id"]: item for item in self.server.get("/semaphores", limit=1000)["semaphores"]}
        bank = by_id[lease["sysv"]["id"]]["leasehold"]
        self.assertEqual(bank["role"], "bank")
        self.assertGreaterEqual(bank["leases"], 1)
        self.assertIn("control", [item["leasehold"]["role"] for item in by_id.values() if item["leasehold"]])
        foreign = self.foreign(0x5AFE02)
        self.assertIsNone(self.server.get(f"/semaphores/id:{foreign}")["leasehold"])

    def test_a_set_is_found_by_hex_decimal_and_id(self):
        set_id = self.foreign(0x5AFE04)
        for name in ("0x5afe04", "0X5AFE04", str(0x5AFE04), f"id:{set_id}"):
            self.assertEqual(self.granted(self.server.get(f"/semaphores/{name}"), 200)["id"], set_id)
        negative = self.foreign(-559038737)
        for name in ("0xDEADBEEF", "-559038737"):
            self.assertEqual(self.granted(self.server.get(f"/semaphores/{name}"), 200)["id"], negative)

    def test_many_sets_come_in_pages(self):
        made = {self.foreign(0x5AFF00 + number) for number in range(7)}
        found, cursor = [], {}
        for _ in range(1000):
            page = self.granted(self.server.get("/semaphores", limit=3, **cursor), 200)
            found += [item["id"] for item in page["semaphores"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        self.assertEqual(len(found), len(set(found)))
        self.assertLessEqual(made, set(found))


if __name__ == "__main__":
    unittest.main()
