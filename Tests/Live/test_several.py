"""Several locks at once, conversions, and waits that would never end."""

import os
import time
import unittest

from harness import RW_UNITS, LiveTest


class Several(LiveTest):
    def several(self, *wants, **more):
        wants = [want if isinstance(want, dict) else {"key": want} for want in wants]
        return self.server.json_post("/leases", {"want": wants, **more}, timeout=60)

    def test_all_or_nothing_on_one_lease(self):
        a, b, c = (self.key(f"-{name}") for name in "abc")
        lease = self.granted(
            self.several(a, {"key": b, "mode": "shared"}, {"key": c, "limit": 5, "count": 2}, owner="me", ttl="20s")
        )
        self.assertEqual([part["key"] for part in lease["locks"]], [a, b, c])
        self.assertEqual([part["sysv"]["units"] for part in lease["locks"]], [RW_UNITS, 1, 2])
        self.assertEqual((lease["atomic"], lease["owner"], lease["ttl_ms"]), (True, "me", 20000))
        for name, status in ((a, 423), (b, 423)):
            self.assertEqual(self.server.acquire(name).status, status)
        self.assertEqual(self.server.lock(b)["holders"][0]["ref"], lease["ref"])
        listed = [entry for entry in self.server.get("/leases", owner="me")["leases"] if entry["ref"] == lease["ref"]]
        self.assertEqual([entry["locks"] for entry in listed], [[a, b, c]])
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}")["locks"], lease["locks"])
        d = self.key("-d")
        problem = self.assertProblem(self.several(d, c, b), 409, "kind-mismatch")
        self.assertIn(c, problem["detail"])
        self.assertProblem(self.several(d, {"key": b}), 423, "locked", key=b)
        self.assertEqual(self.server.lock(d)["available"], 1)
        self.granted(self.server.release(lease), 200)
        self.assertEqual([self.server.lock(name)["held"] for name in (a, b, c)], [0, 0, 0])

    def test_names_alone_do_in_a_query_or_form(self):
        a, b = self.key("-a"), self.key("-b")
        lease = self.granted(self.server.post("/leases", want=f"{a},{b}", ttl="5s"))
        self.assertEqual([part["mode"] for part in lease["locks"]], ["exclusive"] * 2)
        text = self.granted(self.server.release(lease), 200)
        self.assertTrue(text["released"])
        answer = self.server.form_post("/leases", f"want={a}&format=text")
        self.assertRegex(answer.text, r"^[0-9a-f]{32}\n$")
        self.server.delete(f"/leases/{answer.text.strip()}")
        accent = self.granted(self.server.post("/leases", want=f"{a},\u0301e", ttl="5s"))
        self.assertEqual([part["key"] for part in accent["locks"]], [a, "\u0301e"])
        self.granted(self.server.release(accent), 200)

    def test_bad_wants_are_explained(self):
        a = self.key()
        for body, status, code, parameter in (
            ({}, 400, "missing-parameter", "want"),
            ({"want": []}, 400, "out-of-range", "want"),
            ({"want": [{"key": f"k{n}"} for n in range(33)]}, 400, "out-of-range", "want"),
            ({"want": [{"mode": "shared"}]}, 400, "missing-parameter", "key"),
            ({"want": [a, {"key": "b"}]}, 400, "invalid-parameter", "want"),
            ({"want": [{"key": a}, {"key": "b", "mode": "up"}]}, 400, "invalid-parameter", "mode"),
            ({"want": [{"key": a}, {"key": "b", "ttl": 3}]}, 400, "unknown-parameter", "ttl"),
            ({"want": [{"key": a}, {"key": "b", "limit": 2, "count": 3}]}, 422, "count-exceeds-limit", None),
            ({"want": "a,php:1"}, 400, "invalid-parameter", "want"),
            ({"want": [{"key": a}], "holding": ["x"]}, 400, "invalid-parameter", "holding"),
        ):
            answer = self.server.json_post("/leases", body)
            problem = self.assertProblem(answer, status, code)
            self.assertEqual(problem.get("parameter"), parameter, answer)
        problem = self.several({"key": a}, {"key": "b", "count": 0}).json
        self.assertEqual((problem["want"], problem["parameter"]), (1, "count"))
        self.assertTrue(problem["detail"].startswith("want[1]: "), problem)

    def test_one_lock_twice_is_refused_at_once_by_its_names(self):
        a, path = self.key(), os.path.join(self.server.directory, "lock")
        for wants, names in (
            ([a, a], [a, a]),
            ([{"key": a}, {"key": "b"}, {"key": a, "mode": "shared"}], [a, a]),
            ([{"key": a, "limit": 2}, {"key": a, "limit": 2, "count": 2}], [a, a]),
            ([{"key": a, "mode": "shared"}, {"key": a, "limit": 3}], [a, a]),
            ([{"key": a, "limit": 3}, {"key": "b"}, {"key": a, "limit": 4}], [a, a]),
            ([{"key": "php:1010"}, {"key": "php:0x3f2"}], ["php:1010", "php:0x3f2"]),
            ([{"key": f"path:{path}"}, {"key": f"path:{self.server.directory}/./lock"}], None),
        ):
            for wait in ("0", "5s"):
                problem = self.assertProblem(self.several(*wants, wait=wait), 422, "same-lock-twice")
                self.assertEqual(problem["keys"], names or problem["keys"])
                self.assertTrue(all(name in problem["detail"] for name in problem["keys"]), problem)
        self.assertProblem(self.server.post("/leases", want=f"{a},{a}"), 422, "same-lock-twice")
        self.granted(self.several({"key": a, "mode": "shared"}, {"key": a, "mode": "shared"}))


class Deadlocks(LiveTest):
    def test_a_circle_of_three_is_refused_at_once(self):
        leases = [self.granted(self.server.acquire(self.key(f"-{n}"), owner=f"o{n}")) for n in range(3)]
        waiters = [
            self.server.acquire_later(self.key(f"-{n + 1}"), owner=f"o{n}", holding=leases[n]["lease"])
            for n in range(2)
        ]
        begun = time.monotonic()
        answer = self.server.acquire(self.key("-0"), owner="o2", wait="30s", holding=leases[2]["lease"])
        took = time.monotonic() - begun
        problem = self.assertProblem(answer, 409, "deadlock")
        print(f"refused after {took * 1000:.1f} ms")
        self.assertLess(took, 2, "found when the wait begins, not when it ends")
        self.assertEqual([step["owner"] for step in problem["circle"]], ["o2", "o0", "o1"])
        self.assertEqual([step["waits_for"] for step in problem["circle"]], [self.key(f"-{n}") for n in (0, 1, 2)])
        self.assertEqual([step["ref"] for step in problem["circle"]], [leases[n]["ref"] for n in (2, 0, 1)])
        self.assertEqual([step["you"] for step in problem["circle"]], [True, False, False])
        self.server.release(leases[2])
        second = self.granted(waiters[1].answer())
        self.server.release(leases[1])
        self.granted(waiters[0].answer())
        self.server.release(second)


if __name__ == "__main__":
    unittest.main()
