"""Slots with names: the grant tells which, one may be asked for, none is held twice, and they survive kill -9."""

import unittest

from harness import LiveTest, Server

GPUS = "gpu0,gpu1,gpu2"
JSON = {"Content-Type": "application/json"}


class Slots(LiveTest):
    def take(self, **more):
        return self.granted(self.server.acquire(self.key(), slots=GPUS, **more))

    def test_a_grant_tells_its_slots_and_lists_do(self):
        first, second = self.take(), self.take(slot="gpu2")
        self.assertEqual((first["slot"], first["slots"], first["limit"]), ("gpu0", ["gpu0"], 3))
        self.assertEqual((second["slot"], second["count"]), ("gpu2", 1))
        lock = self.server.lock(self.key())
        self.assertEqual((lock["slots"], lock["free_slots"], lock["limit"]), (GPUS.split(","), ["gpu1"], 3))
        self.assertEqual(sorted(holder["slots"] for holder in lock["holders"]), [["gpu0"], ["gpu2"]])
        listed = self.server.get("/leases", key=self.key())["leases"]
        self.assertEqual(sorted(lease["slots"] for lease in listed), [["gpu0"], ["gpu2"]])
        renewed = self.granted(self.server.post(f"/leases/{first['lease']}/renew"), 200)
        self.assertEqual(renewed["slot"], "gpu0")
        both = self.granted(self.server.acquire(self.key() + "-b", slots="a,b,c", slot="c", count=2))
        self.assertEqual((both["slot"], both["slots"]), ("a", ["a", "c"]))
        plain = self.granted(self.server.acquire(self.key() + "-c", limit=2))
        self.assertFalse({"slot", "slots"} & set(plain))

    def test_several_locks_and_json(self):
        want = [{"key": self.key(), "slots": ["x", "y"], "slot": ["y"]}, {"key": self.key() + "-2", "slots": "p,q"}]
        lease = self.granted(self.server.json_post("/leases", {"want": want}))
        self.assertEqual([lock["slots"] for lock in lease["locks"]], [["y"], ["p"]])
        answer = self.server.request(
            "POST", f"/locks/{self.key()}/acquire", '{"slots": ["x", "y"], "slot": "x", "limit": 2}', JSON)
        self.assertEqual(self.granted(answer)["slot"], "x")

    def test_what_does_not_go_says_what_does(self):
        self.take()
        ask = lambda **words: self.server.acquire(self.key(), **words)  # noqa: E731
        self.assertProblem(ask(slots="a,b"), 409, "limit-mismatch")
        self.assertProblem(ask(slots="a,b,c"), 409, "limit-mismatch", slots=GPUS.split(","))
        self.assertProblem(ask(slot="gpu7"), 400, "invalid-parameter", parameter="slot", allowed=GPUS.split(","))
        for words in (
            {"slots": "a,,b"}, {"slots": "a,a"}, {"slots": "a b"}, {"slots": "a" * 65}, {"slots": ""},
            {"slots": ",".join(f"s{number}" for number in range(65))},
        ):
            self.assertProblem(ask(**words), 400, "invalid-parameter", parameter="slots")
        self.assertProblem(ask(slots="a,b", slot="c"), 400, "invalid-parameter", parameter="slot")
        self.assertProblem(ask(slots="a,b", limit=3), 400, "invalid-parameter", parameter="limit")
        self.assertProblem(ask(slots="a,b", slot="a,b", count=1), 400, "invalid-parameter", parameter="count")
        self.assertProblem(ask(slots="a,b", mode="shared"), 400, "invalid-parameter", parameter="mode")
        self.assertProblem(self.server.acquire("php:77", slots="a,b"), 400, "invalid-parameter", parameter="slots")
        self.assertProblem(self.server.acquire("nowhere", slot="a"), 400, "invalid-parameter", parameter="slot")
        put = self.server.request("PUT", f"/locks/{self.key()}", slots="a,b", limit=3, resize="true")
        self.assertProblem(put, 400, "invalid-parameter", parameter="limit")


class Restarts(unittest.TestCase):
    def test_names_and_who_has_them_survive_kill_9(self):
        server = Server().ends_with(self).start()
        server.request("PUT", "/locks/k", slots=GPUS, resize="true", pinned="true")
        leases = [server.acquire("k", slots=GPUS, owner="owner " * 10)["slot"] for _ in range(2)]
        server.restart()
        self.assertEqual(leases + [server.acquire("k", slot="gpu2")["slot"]], GPUS.split(","))
        self.assertEqual(server.acquire("k", limit=3).status, 423)
        self.assertEqual(server.lock("k")["free_slots"], [])


if __name__ == "__main__":
    unittest.main()
