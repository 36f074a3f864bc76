"""The life of a lease, and the listings."""

import time
import unittest

from harness import LiveTest, eventually


class LeaseLife(LiveTest):
    def test_a_lease_is_released_once_and_a_second_time_says_so(self):
        lease = self.granted(self.server.acquire(self.key()))
        expected = {"released": True, "already": False, "key": self.key(), "ref": lease["ref"]}
        release = f"/locks/{self.key()}/release"
        self.assertEqual(self.granted(self.server.post(release, lease=lease["lease"]), 200), expected)
        expected["already"] = True
        self.assertEqual(self.granted(self.server.post(release, lease=lease["lease"]), 200), expected)
        self.assertEqual(self.granted(self.server.release(lease), 200), expected)
        for answer in (
            self.server.get(f"/leases/{lease['lease']}"),
            self.server.post(f"/leases/{lease['lease']}/renew"),
            self.server.post(f"/locks/{self.key()}/renew", lease=lease["lease"]),
        ):
            self.assertProblem(answer, 410, "released", key=self.key(), ref=lease["ref"], reason="released")

    def test_renewing_moves_the_deadline(self):
        lease = self.granted(self.server.acquire(self.key(), ttl="1s"))
        for _ in range(4):
            time.sleep(0.4)
            self.granted(self.server.post(f"/leases/{lease['lease']}/renew"), 200)
        renewed = self.granted(self.server.post(f"/locks/{self.key()}/renew", lease=lease["lease"], ttl="1h"), 200)
        self.assertEqual(
            (renewed["lease"], renewed["fence"], renewed["ttl_ms"]), (lease["lease"], lease["fence"], 3600000)
        )
        self.assertGreater(renewed["expires_in_ms"], 3500000)
        shorter = self.granted(self.server.post(f"/leases/{lease['lease']}/renew", ttl="200ms"), 200)
        self.assertLess(shorter["deadline_monotonic_ns"], renewed["deadline_monotonic_ns"])
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "a shorter ttl counts too")

    def test_a_lease_can_be_read_by_its_id(self):
        lease = self.granted(self.server.acquire(self.key(), owner="me"))
        read = self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
        self.assertRegex(read["since"], r"Z\Z")
        same = set(lease) - {"expires_in_ms", "renew_after_ms", "waited_ms"}
        self.assertEqual({name: read[name] for name in same}, {name: lease[name] for name in same})


class Listings(LiveTest):
    def test_a_lock_shows_its_holders_waiters_and_the_kernels_view(self):
        lease = self.granted(self.server.acquire(self.key(), limit=4, count=3, owner="ann"))
        self.server.acquire_later(self.key(), wait="3s", limit=4, count=2, owner="bob")
        lock = self.granted(self.server.lock(self.key()), 200)
        expected = {
            "key": self.key(),
            "kind": "counting",
            "limit": 4,
            "available": 1,
            "native_held": 0,
            "fence": lease["fence"],
        }
        self.assertEqual({name: lock[name] for name in expected}, expected)
        [holder] = lock["holders"]
        self.assertEqual((holder["ref"], holder["owner"], holder["count"]), (lease["ref"], "ann", 3))
        self.assertTrue(holder["peer"].startswith("127.0.0.1"))
        [waiter] = lock["waiters"]
        self.assertEqual((waiter["owner"], waiter["mode"], waiter["count"]), ("bob", "exclusive", 2))
        for name in ("key", "id", "nsems", "semaphores"):
            self.assertEqual(lock["sysv"][name], lease["sysv"][name])
        self.assertEqual(lock["sysv"]["value"], 1)

    def test_the_unix_socket_knows_who_called(self):
        lease = self.granted(self.server.over_unix.acquire(self.key()))
        [holder] = self.server.lock(self.key())["holders"]
        self.assertEqual(holder["uid"], 0)
        self.assertGreater(holder["pid"], 1)
        self.assertEqual(self.server.over_unix.release(lease).status, 200)

    def test_locks_are_listed_filtered_and_paged(self):
        prefix = self.key("/")
        for number in range(5):
            self.granted(self.server.acquire(f"{prefix}{number}"))
        self.server.release(self.granted(self.server.acquire(f"{prefix}free")))
        self.server.acquire_later(f"{prefix}0", wait="5s")
        listed = self.granted(self.server.get("/locks", key=prefix, limit=1000), 200)
        self.assertIsNone(listed["next_cursor"])
        by_key = {lock["key"]: lock for lock in listed["locks"]}
        self.assertEqual(len(by_key), 6)
        self.assertEqual((by_key[f"{prefix}0"]["held"], by_key[f"{prefix}0"]["waiting"]), (1, 1))
        self.assertNotIn("holders", by_key[f"{prefix}0"])
        for state, count in (("held", 5), ("free", 1), ("waited", 1)):
            found = self.granted(self.server.get("/locks", key=prefix, state=state), 200)["locks"]
            self.assertEqual(len(found), count, (state, found))
        self.assertEqual(self.pages("/locks", "locks", "key", prefix), sorted(by_key))

    def pages(self, path, member, name, prefix):
        found, cursor = [], {}
        for _ in range(20):
            page = self.granted(self.server.get(path, key=prefix, limit=2, **cursor), 200)
            self.assertLessEqual(len(page[member]), 2)
            found += [item[name] for item in page[member]]
            if page["next_cursor"] is None:
                return sorted(found)
            cursor = {"cursor": page["next_cursor"]}
        self.fail("the pages never end")

    def test_leases_are_listed_filtered_and_paged_without_their_ids(self):
        prefix = self.key("/")
        leases = [self.granted(self.server.acquire(f"{prefix}{number}", owner=f"o{number % 2}")) for number in range(5)]
        answer = self.server.get("/leases", key=prefix)
        listed = self.granted(answer, 200)["leases"]
        self.assertEqual({item["ref"] for item in listed}, {lease["ref"] for lease in leases})
        for lease in leases:
            self.assertNotIn(lease["lease"], answer.text)
        owned = self.granted(self.server.get("/leases", key=prefix, owner="o1"), 200)["leases"]
        self.assertEqual({item["owner"] for item in owned}, {"o1"})
        self.assertEqual(len(owned), 2)
        self.assertEqual(self.pages("/leases", "leases", "ref", prefix), sorted(lease["ref"] for lease in leases))


if __name__ == "__main__":
    unittest.main()
