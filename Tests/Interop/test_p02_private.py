# Rows: P2
"""IPC_PRIVATE and "private" make a set that only its id names, another one each time."""

import unittest

from ipc_semaphore import BothSides, Perl, ipcs


class Private(BothSides):
    def test_each_is_another_set_with_the_key_0(self):
        perl = Perl(self)
        theirs = [self.forget(perl.value("IPC::Semaphore->new(IPC_PRIVATE, 2, 0600 | IPC_CREAT)->id")) for _ in "ab"]
        ours = [self.make(key="private", nsems=2, values=[3, 4]) for _ in "ab"]
        self.assertEqual(len({*theirs, *ours}), 4)
        keys = {row["id"]: row["key"] for row in ipcs()}
        for set_id in theirs + ours:
            self.assertEqual(keys[set_id], 0)
            self.assertEqual(self.get(set_id)["key"], 0)
        self.assertEqual(perl.use(ours[0]).values("$sem->getall"), [3, 4])
        self.assertEqual(self.values(theirs[0]), [0, 0])

    def test_key_0_is_refused_with_the_word_to_use(self):
        for key in (0, "0", "0x0"):
            problem = self.assertProblem(
                self.server.json_post("/semaphores", {"key": key, "nsems": 1}), 400, "out-of-range", parameter="key")
            self.assertIn("private", problem["detail"])
        problem = self.assertProblem(self.server.get("/semaphores/0"), 400, "out-of-range", parameter="set")
        self.assertIn("IPC_PRIVATE", problem["detail"])


if __name__ == "__main__":
    unittest.main()
