"""Several locks at once, conversions, and waits that would never end."""

import os
import random
import threading
import time
import unittest

from harness import PATIENCE, RW_UNITS, LiveTest, Pending, eventually
from native import Native


class Several(LiveTest):
    def several(self, *wants, **more):
        wants = [want if isinstance(want, dict) else {"key": want} for want in wants]
        return self.server.json_post("/leases", {"want": wants, **more}, timeout=60)

    def several_later(self, *wants, **more):
        first = wants[0]["key"] if isinstance(wants[0], dict) else wants[0]
        before = self.server.waiting(first)
        pending = Pending(lambda: self.several(*wants, wait="30s", **more))
        eventually(lambda: pending.done or self.server.waiting(first) > before, "a waiter for several")
        return pending

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

    def test_who_waits_for_several_holds_none_and_is_not_passed(self):
        a, b = self.key("-a"), self.key("-b")
        held = self.granted(self.server.acquire(b))
        waiter = self.several_later(a, b)
        self.assertEqual(self.server.lock(a)["available"], 1)
        self.assertProblem(self.server.acquire(a), 423, "locked")
        behind = self.server.acquire_later(a)
        self.server.release(held)
        lease = self.granted(waiter.answer())
        self.assertGreaterEqual(lease["waited_ms"], 0)
        self.assertFalse(behind.done)
        self.server.release(lease)
        self.granted(behind.answer())

    def test_a_native_holder_of_one_is_waited_for(self):
        a, b = self.key("-a"), self.key("-b")
        sysv = self.granted(self.server.acquire(b))
        self.server.release(sysv)
        with Native(sysv["sysv"]) as native:
            native.ask(native.take(1))
            waiter = self.several_later(a, b)
            self.assertEqual((self.server.lock(a)["available"], self.server.lock(b)["native_held"]), (1, 1))
            eventually(lambda: self.server.lock(b)["sysv"]["ncnt"] == 1, "one of ours asleep on it")
            native.ask(native.give(1))
            self.granted(waiter.answer())

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

    def test_a_waiter_that_hangs_up_leaves_every_queue(self):
        a, b = self.key("-a"), self.key("-b")
        held = self.granted(self.server.acquire(b))
        connection = self.server.connection()
        connection.request(
            "POST", "/leases", f'{{"want":[{{"key":"{a}"}},{{"key":"{b}"}}],"wait":"30s"}}',
            {"Content-Type": "application/json"},
        )
        eventually(lambda: self.server.waiting(a) == 1 and self.server.waiting(b) == 1, "two places")
        connection.close()
        eventually(lambda: self.server.waiting(a) == 0 and self.server.waiting(b) == 0, "both places left")
        self.granted(self.server.acquire(a))
        self.server.release(held)

    def test_a_lease_of_several_survives_kill_and_ends_as_one(self):
        a, b = self.key("-a"), self.key("-b")
        lease = self.granted(self.several(a, {"key": b, "mode": "shared"}, ttl="3s", owner="survivor"))
        self.server.kill()
        self.server.start()
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}")["locks"], lease["locks"])
        self.assertProblem(self.server.acquire(a), 423, "locked")
        eventually(lambda: self.server.lock(a)["held"] + self.server.lock(b)["held"] == 0, "its end")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "expired")

    def test_random_requests_never_hang_and_never_overlap(self):
        """Threads that take random locks together, by marks that each holder checks; the seed is printed."""
        seed = random.SystemRandom().getrandbits(32)
        print(f"seed {seed}")
        names = [self.key(f"-{number}") for number in range(5)]
        marks, flaws, done = {name: [] for name in names}, [], []
        guard = threading.Lock()

        def work(number):
            source = random.Random(seed + number)
            deadline = time.monotonic() + 3
            while time.monotonic() < deadline:
                wants = [
                    {"key": name, "mode": source.choice(("exclusive", "shared"))}
                    for name in source.sample(names, source.randint(1, 4))
                ]
                answer = self.several(*wants, wait="20s", ttl="20s")
                if answer.status != 201:
                    flaws.append(answer)
                    return
                with guard:
                    for want in wants:
                        others = marks[want["key"]]
                        if others and (want["mode"] == "exclusive" or "exclusive" in others):
                            flaws.append((want, list(others)))
                        others.append(want["mode"])
                time.sleep(source.random() / 500)
                with guard:
                    for want in wants:
                        marks[want["key"]].remove(want["mode"])
                self.server.release(answer.json)
                done.append(number)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(PATIENCE * 2)
        self.assertEqual(flaws, [])
        self.assertEqual(set(done), set(range(12)), "somebody never got anything")
        self.assertFalse(any(thread.is_alive() for thread in threads), "somebody hangs")
        self.assertEqual([self.server.lock(name)["held"] for name in names], [0] * 5)


class Conversions(LiveTest):
    def convert(self, lease, mode, key=None, **more):
        return self.server.post(f"/locks/{key or lease['key']}/convert", lease=lease["lease"], mode=mode, **more)

    def test_down_and_up(self):
        lease = self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.granted(self.convert(lease, "shared"), 200)["mode"], "shared")
        other = self.granted(self.server.acquire(self.key(), mode="shared"))
        self.assertProblem(self.convert(lease, "exclusive"), 423, "locked")
        upgrade = Pending(lambda: self.convert(lease, "exclusive", wait="30s"))
        eventually(lambda: self.server.waiting(self.key()) == 1, "the upgrade in the queue")
        late = self.convert(other, "exclusive", wait="30s")
        self.assertEqual([step["ref"] for step in self.assertProblem(late, 409, "deadlock")["circle"]],
                         [other["ref"], lease["ref"]])
        self.server.release(other)
        up = self.granted(upgrade.answer(), 200)
        self.assertEqual((up["mode"], up["fence"], up["lease"]), ("exclusive", lease["fence"], lease["lease"]))
        self.assertEqual(self.granted(self.convert(lease, "exclusive"), 200)["mode"], "exclusive")

    def test_what_has_no_readers_is_refused(self):
        lease = self.granted(self.server.acquire(self.key(), limit=3))
        self.assertProblem(self.convert(lease, "shared"), 409, "kind-mismatch")
        self.assertProblem(
            self.server.post(f"/locks/{self.key()}/convert", lease=lease["lease"]), 400, "missing-parameter",
            parameter="mode",
        )

    def test_an_upgrade_that_hangs_up_keeps_the_readers_share(self):
        lease, other = (self.granted(self.server.acquire(self.key(), mode="shared")) for _ in range(2))
        connection = self.server.connection()
        connection.request("POST", f"/locks/{self.key()}/convert?lease={lease['lease']}&mode=exclusive&wait=30s")
        eventually(lambda: self.server.waiting(self.key()) == 1, "the upgrade in the queue")
        connection.close()
        eventually(lambda: self.server.waiting(self.key()) == 0, "it left")
        self.server.release(other)
        self.assertEqual(self.server.get(f"/leases/{lease['lease']}")["mode"], "shared")


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

    def test_a_bound_connection_that_waits_is_known(self):
        connections = [self.server.connection() for _ in range(2)]
        for number, connection in enumerate(connections):
            answer = self.server.post(
                f"/locks/{self.key(f'-{number}')}/acquire", bind="connection", connection=connection
            )
            self.granted(answer)
        first = Pending(
            lambda: self.server.post(f"/locks/{self.key('-1')}/acquire", wait="30s", connection=connections[0])
        )
        eventually(lambda: self.server.waiting(self.key("-1")) == 1, "the first waits")
        answer = self.server.post(f"/locks/{self.key('-0')}/acquire", wait="30s", connection=connections[1])
        self.assertProblem(answer, 409, "deadlock")
        connections[1].close()
        self.granted(first.answer())
        connections[0].close()


if __name__ == "__main__":
    unittest.main()
