"""More locks for a lease that is held."""

import unittest

from harness import LiveTest


class Add(LiveTest):
    def add(self, lease, *keys, **want):
        wants = [{"key": self.key(key), **want} for key in keys]
        return self.server.json_post(f"/leases/{lease['lease']}/add", {"want": wants})

    def test_locks_are_added_all_or_none(self):
        lease = self.granted(self.server.acquire(self.key(), owner="ann", ttl="1h"))
        other = self.granted(self.server.acquire(self.key("-3"), owner="bob"))
        problem = self.assertProblem(self.add(lease, "-2", "-3"), 423, "locked", key=self.key("-3"))
        self.assertIn("nothing was added", problem["detail"])
        self.assertEqual(problem["holders"][0]["owner"], "bob")
        self.server.release(other)
        answer = self.granted(self.add(lease, "-2", "-3"), 200)
        self.assertEqual((answer["lease"], answer["fence"]), (lease["lease"], lease["fence"]))
        self.assertFalse(answer["replayed"])
        self.assertEqual([lock["key"] for lock in answer["locks"]], [self.key(), self.key("-2"), self.key("-3")])
        self.assertGreater(answer["locks"][1]["fence"], other["fence"])
        self.assertNotIn("fence", answer["locks"][0])
        self.assertFalse(answer["atomic"])
        self.assertEqual(self.server.lock(self.key("-2"))["holders"][0]["owner"], "ann")
        again = self.granted(self.add(lease, "-2", "-3"), 200)
        self.assertTrue(again["replayed"])
        self.server.release(lease)
        self.granted(self.server.acquire(self.key("-2")))

    def test_something_must_be_wanted(self):
        lease = self.granted(self.server.acquire(self.key()))
        self.assertProblem(
            self.server.post(f"/leases/{lease['lease']}/add"), 400, "missing-parameter", parameter="want")


if __name__ == "__main__":
    unittest.main()
