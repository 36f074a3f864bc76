"""`GET /semaphores` says what `ipcs -s`, /proc/sysvipc/sem and perl's IPC::Semaphore say."""

import os
import unittest
import urllib.parse

from harness import LiveTest, Server
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

    def test_the_values_of_an_own_set_add_up(self):
        lease = self.granted(self.server.acquire(self.key(), limit=7, count=3))
        shown = self.granted(self.server.get(f"/semaphores/id:{lease['sysv']['id']}"), 200)
        [number] = lease["sysv"]["semaphores"]
        self.assertEqual(shown["values"][number], 4)
        self.assertEqual(shown["semaphores"][number]["leases"], [lease["ref"]])

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


@unittest.skipUnless(os.getuid() == 0, "needs to become another user")
class AnotherUser(unittest.TestCase):
    def test_a_set_that_the_daemon_may_not_read_is_403_with_the_errno(self):
        server = Server(prefix=["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps=-all"])
        self.addCleanup(server.stop)
        server.start()
        secret, readable = make_set(0x5EC4E7, 1, 0o600), make_set(0x5EC4E8, 1, 0o644)
        self.addCleanup(remove_set, secret)
        self.addCleanup(remove_set, readable)
        answer = server.get("/semaphores/0x5ec4e7")
        self.assertEqual((answer.status, answer["code"], answer["errno"]), (403, "permission-denied", "EACCES"), answer)
        self.assertEqual(server.get("/semaphores/0x5ec4e8").status, 200)
        listed = {item["id"]: item for item in server.get("/semaphores", limit=1000)["semaphores"]}
        self.assertEqual(listed[secret]["mode"], "0600", "the list shows it all the same")
        self.assertEqual(server.acquire("k").status, 201)


class KernelLimits(unittest.TestCase):
    def test_a_kernel_without_room_for_a_set_is_507_with_the_limit(self):
        # A namespace of its own, in which the daemon may have its control set and two more.
        script = 'echo "32000 1024000000 500 3" > /proc/sys/kernel/sem && exec "$@"'
        server = Server(prefix=["unshare", "-i", "sh", "-c", script, "sh"])
        self.addCleanup(server.stop)
        server.start()
        for number in range(100_000):
            answer = server.acquire(f"k{number}", ttl="60s")
            if answer.status != 201:
                break
        self.assertEqual((answer.status, answer["code"]), (507, "kernel-limit"), answer)
        self.assertEqual((answer["errno"], answer["limit"], answer["value"]), ("ENOSPC", "SEMMNI", 3))
        self.assertGreater(number, 2, "the first sets hold more than a lock each")
        self.assertEqual(server.get("/readyz").status, 200)
        first = server.get("/leases", limit=1)["leases"][0]
        self.assertEqual(server.get(f"/locks/{first['key']}").status, 200)

    def test_a_full_ledger_is_507_with_its_size(self):
        server = Server("--max-leases", "50")
        self.addCleanup(server.stop)
        server.start()
        leases = []
        for _ in range(1000):
            answer = server.acquire("k", limit=30000)
            if answer.status != 201:
                break
            leases.append(answer.json)
        self.assertEqual((answer.status, answer["code"], answer["value"]), (507, "ledger-full", len(leases)), answer)
        self.assertEqual(server.lock("k")["available"], 30000 - len(leases), "a refused acquire takes nothing")
        server.release(leases[0])
        self.assertEqual(server.acquire("k", limit=30000).status, 201)


if __name__ == "__main__":
    unittest.main()
