"""`/terraform/{state}`: the exchange of Terraform's backend `http`; Tests/Interop has the program itself."""

import base64
import json
import unittest

from harness import LiveTest, Pending, eventually, methods
from test_tokens import TokenTest

ID = "6f9c2a52-7a5e-4d0b-9c86-1b2b6a3f0d11"
OTHER = "b0b0b0b0-0000-4000-8000-000000000000"


def lock_info(identity=ID, **more):
    return {"ID": identity, "Operation": "OperationTypeApply", "Info": "", "Who": "ann@laptop", "Version": "1.11.4",
            "Created": "2026-11-29T16:00:00.123456789Z", "Path": ""} | more


class Terraform(LiveTest):
    def setUp(self):
        self.path = f"/terraform/{self.key()}"
        self.name = f"terraform:{self.key()}"

    def ask(self, method, info, query=""):
        body = json.dumps(info) if isinstance(info, dict) else info
        headers = {"Content-Type": "application/json"} if body else {}
        return self.server.request(method, self.path + query, body, headers)

    def known(self, info):
        """What is kept of a lock-info."""
        return {name: text for name, text in info.items() if text}

    def test_lock_conflict_and_unlock_with_both_pairs_of_methods(self):
        for lock, unlock in (("LOCK", "UNLOCK"), ("POST", "DELETE"), ("LOCK", "DELETE")):
            with self.subTest(lock):
                answer = self.ask(lock, lock_info())
                self.assertEqual((answer.status, answer.json), (200, self.known(lock_info())))
                again = self.ask(lock, lock_info())
                self.assertEqual((again.status, again.json), (200, self.known(lock_info())))
                (holder,) = self.server.lock(self.name)["holders"]
                self.assertEqual((holder["owner"], holder["ttl_ms"]), (f"ann@laptop (terraform {ID})", 86_400_000))
                problem = self.assertProblem(
                    self.ask(lock, lock_info(OTHER, Who="bob@desk")), 423, "locked", **self.known(lock_info()))
                self.assertEqual(problem["holders"][0]["ref"], holder["ref"])
                self.assertProblem(self.ask(unlock, lock_info(OTHER)), 423, "locked", ID=ID, Who="ann@laptop")
                self.assertEqual(self.ask(unlock, lock_info()).status, 200)
                self.assertEqual(self.ask(unlock, lock_info()).status, 200)
                self.assertEqual(self.server.lock(self.name)["holders"], [])

    def test_an_empty_unlock_is_by_force(self):
        self.ask("LOCK", lock_info())
        answer = self.ask("UNLOCK", None)
        self.assertEqual((answer.status, answer.json), (200, {"unlocked": True, "key": self.name}))
        problem = self.assertProblem(self.ask("UNLOCK", lock_info()), 410, "broken", reason="broken")
        self.assertEqual(problem["break_reason"], "terraform force-unlock")
        self.assertEqual(self.ask("UNLOCK", None).status, 200)
        self.assertEqual(self.ask("LOCK", lock_info(OTHER)).status, 200)
        self.assertEqual(self.ask("DELETE", None).status, 200)

    def test_a_state_that_nobody_locked_can_be_unlocked(self):
        self.assertEqual(self.ask("UNLOCK", lock_info()).status, 200)
        self.assertEqual(self.ask("UNLOCK", None).status, 200)

    def test_a_time_of_its_own_and_a_lock_that_is_over(self):
        self.assertEqual(self.ask("LOCK", lock_info(), "?ttl=100ms").status, 200)
        eventually(lambda: not self.server.lock(self.name)["holders"], "the lease expires")
        self.assertProblem(self.ask("UNLOCK", lock_info(), "?ttl=100ms"), 410, "expired")
        self.assertProblem(self.ask("LOCK", lock_info(), "?ttl=25h"), 400, "out-of-range", parameter="ttl")
        self.assertProblem(self.ask("LOCK", lock_info(), "?owner=me"), 400, "unknown-parameter")

    def test_who_waits_gets_it_in_turn(self):
        self.ask("LOCK", lock_info())
        waiting = Pending(lambda: self.ask("LOCK", lock_info(OTHER), "?wait=20s"))
        eventually(lambda: self.server.waiting(self.name), "the second waits")
        self.assertProblem(self.ask("LOCK", lock_info("third"), "?wait=100ms"), 423, "wait-timeout", ID=ID)
        self.ask("UNLOCK", lock_info())
        answer = waiting.answer()
        self.assertEqual((answer.status, answer["ID"]), (200, OTHER))
        self.assertEqual(self.ask("UNLOCK", lock_info(OTHER)).status, 200)

    def test_other_holders_have_a_lock_info_too(self):
        lease = self.granted(self.server.acquire(self.name, owner="ann: by hand"))
        self.assertProblem(self.ask("LOCK", lock_info()), 423, "locked", ID=lease["ref"], Who="ann: by hand")
        self.assertProblem(self.ask("UNLOCK", lock_info()), 423, "locked", ID=lease["ref"])
        self.server.release(lease)

    def test_a_restart_keeps_who_it_is(self):
        self.ask("LOCK", lock_info(Who="w" * 200 + "é" * 100))
        self.server.restart()
        problem = self.assertProblem(self.ask("LOCK", lock_info(OTHER)), 423, "locked", ID=ID)
        self.assertRegex(problem["Who"], "^w{50,}$")
        self.assertEqual(self.ask("LOCK", lock_info()).status, 200)
        self.assertProblem(self.ask("UNLOCK", lock_info(OTHER)), 423, "locked", ID=ID)
        self.assertEqual(self.ask("UNLOCK", lock_info()).status, 200)
        self.assertEqual(self.server.lock(self.name)["holders"], [])

    def test_unlocking_takes_what_stands_in_the_address_if_it_is_right(self):
        self.ask("LOCK", lock_info(), "?ttl=1h&wait=1s")
        for query, parameter in (("?ttl=25h", "ttl"), ("?wait=2h", "wait")):
            self.assertProblem(self.ask("UNLOCK", lock_info(), query), 400, "out-of-range", parameter=parameter)
        self.assertEqual(self.ask("UNLOCK", lock_info(), "?ttl=1h&wait=1s").status, 200)

    def test_what_is_no_lock_info(self):
        state = {"version": 4, "terraform_version": "1.11.4", "serial": 1, "lineage": "a", "resources": []}
        for body, code, parameter in (
            (json.dumps(state), "missing-parameter", "ID"), ("", "missing-parameter", "ID"),
            ("[1]", "missing-parameter", "ID"), ('{"ID":7}', "missing-parameter", "ID"), ("{", "bad-json", None),
            ('{"ID":"a","ID":"b"}', "bad-json", None), (json.dumps(lock_info("a b")), "invalid-parameter", "ID"),
            (json.dumps(lock_info("x" * 65)), "invalid-parameter", "ID"),
            (json.dumps(lock_info(Who="a\nb")), "invalid-parameter", "Who"),
            (json.dumps(lock_info(Path="x" * 1025)), "invalid-parameter", "Path"),
        ):
            with self.subTest(body[:60]):
                problem = self.assertProblem(self.ask("LOCK", body), 400, code)
                self.assertEqual(problem.get("parameter"), parameter)
        self.assertIn("'address' to where the state is", self.ask("POST", json.dumps(state))["detail"])

    def test_no_state_is_kept_here(self):
        for method in ("GET", "PUT", "HEAD"):
            answer = self.server.request(method, self.path)
            self.assertEqual((answer.status, methods(answer)), (405, {"LOCK", "UNLOCK", "POST", "DELETE", "OPTIONS"}))
        self.assertIn("'address' to where the state is", self.server.get(self.path)["detail"])
        self.assertProblem(self.server.request("LOCK", "/locks/a"), 405, "method-not-allowed")
        self.assertProblem(self.server.request("UNLOCK", "/leases"), 405, "method-not-allowed")


class WithTokens(TokenTest):
    def basic(self, name):
        return {"Authorization": "Basic " + base64.b64encode(f"ann:{self.server.tokens[name]}".encode()).decode()}

    def test_the_password_is_the_token(self):
        path, body = "/terraform/prod", json.dumps(lock_info())
        self.assertProblem(self.server.request("LOCK", path, body), 401, "unauthenticated")
        wrong = {"Authorization": "Basic YTpi"}
        self.assertProblem(self.server.request("LOCK", path, body, wrong), 401, "unauthenticated")
        self.assertProblem(self.server.request("LOCK", path, body, self.basic("read")), 403, "forbidden")
        self.assertEqual(self.server.request("LOCK", path, body, self.basic("lock")).status, 200)
        self.assertProblem(self.server.request("UNLOCK", path, None, self.basic("lock")), 403, "forbidden",
                           needed_role="admin")
        self.assertEqual(self.server.request("UNLOCK", path, None, self.basic("admin")).status, 200)
        # Elsewhere a browser might send one by itself.
        self.assertProblem(self.server.request("GET", "/locks", None, self.basic("admin")), 401, "unauthenticated")


if __name__ == "__main__":
    unittest.main()
