"""Native names: openLock makes the set without a lease, getKey says where a name leads, and nonsense is explained."""

import os
import tempfile
import unittest
import urllib.parse

from harness import LiveTest
from native import ipcs, remove_set


class NativeKeys(LiveTest):
    def forget(self, answer):
        set_id = answer["sysv"]["id"]
        self.addCleanup(lambda: set_id in {row["id"] for row in ipcs()} and remove_set(set_id))
        return answer

    def test_open_lock_of_an_own_lock_makes_its_place(self):
        key = self.key()
        self.assertEqual(self.granted(self.server.request("PUT", f"/locks/{key}", limit=2), 201)["limit"], 2)
        self.granted(self.server.request("PUT", f"/locks/{key}", limit=2), 200)
        self.assertProblem(self.server.request("PUT", f"/locks/{key}/acquire"), 405, "method-not-allowed")

    def test_get_key_changes_nothing(self):
        with tempfile.TemporaryDirectory(dir="/tmp") as folder:
            path = os.path.join(folder, "sem")
            name = "path:" + urllib.parse.quote(path, safe="")
            before = ipcs()
            answer = self.granted(self.server.get(f"/keys/{name}"), 200)
            self.assertEqual((answer["exists"], answer["sysv"]["id"], answer["sysv"]["key"]), (False, None, None))
            self.assertFalse(os.path.exists(path))
            self.assertEqual(ipcs(), before)
            self.forget(self.granted(self.server.request("PUT", f"/locks/{name}"), 201))
            self.assertTrue(self.granted(self.server.get(f"/keys/{name}"), 200)["exists"])
        apache = self.granted(self.server.get("/keys/apache:0123abc", nsems=24), 200)
        self.assertEqual((apache["sysv"]["key"], len(apache["sysv"]["semaphores"])), (31818, 2))
        self.assertProblem(self.server.get("/keys/plain"), 400, "bad-key")

    def test_nonsense_is_explained(self):
        cases = [
            ("php:", 400, "bad-key", {}),
            ("php:12z", 400, "bad-key", {}),
            ("php:0", 400, "out-of-range", {}),
            ("php:4294967296", 400, "out-of-range", {}),
            ("sysv:0x5afe77.1", 404, "no-such-set", {}),
            ("sysv:5", 400, "bad-key", {}),
            ("path:relative", 400, "bad-key", {}),
            ("path:%2Fetc%2Fleasehold-sem", 403, "path-not-allowed", {}),
            ("path:%2Ftmp%2F..%2Fetc%2Fleasehold-sem", 403, "path-not-allowed", {}),
            ("path:%2Ftmp%2Fno-such-folder-5afe%2Fsem", 404, "no-such-path", {}),
            ("apache:abc", 400, "out-of-range", {"nsems": 1}),
            ("apache:abc", 400, "invalid-parameter", {"project": 1}),
            ("apache:abc", 400, "invalid-parameter", {"count": 2}),
            ("apache:abc", 400, "out-of-range", {"semaphore_key": 0}),
            ("php:5", 400, "invalid-parameter", {"perm": "rw"}),
            ("php:5", 400, "out-of-range", {"perm": "1777"}),
            ("php:5", 400, "invalid-parameter", {"mode": "shared"}),
            ("php:5", 422, "count-exceeds-limit", {"count": 2, "limit": 1}),
            ("path:%2Ftmp%2Fx", 400, "invalid-parameter", {"undo": "false", "ttl": "5s"}),
            ("path:%2Ftmp%2Fx", 400, "invalid-parameter", {"nsems": 2, "limit": "1,2,3"}),
            ("path:%2Ftmp%2Fx", 400, "invalid-parameter", {"project": "ab"}),
            ("plain", 400, "invalid-parameter", {"nsems": 2}),
        ]
        for name, status, code, parameters in cases:
            with self.subTest(name=name, parameters=parameters):
                self.assertProblem(self.server.post(f"/locks/{name}/acquire", **parameters), status, code)


if __name__ == "__main__":
    unittest.main()
