"""What a token is confined to, `keys=` and `ttl-max=`, holds for every operation, however it finds its lock."""

import os
import re
import unittest

from harness import ROOT, Pending
from test_tokens import TokenTest


def operations():
    """The operations of the API, by the contract."""
    with open(os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
        return set(re.findall(r"^ +operationId: (\w+)$", file.read(), re.MULTILINE))


class Keys(TokenTest):
    """An administrator of the locks that begin with app- reaches no other lock."""

    def setUp(self):
        self.outside = self.granted(self.lock.acquire("prod", owner="us", ttl="60s"))
        self.both = self.granted(self.lock.post("/leases", want="app-both,prod-both", owner="us", ttl="60s"))
        self.ended = self.granted(self.lock.acquire("prod-ended"))
        self.lock.release(self.ended)

    def tearDown(self):
        for lease in (self.outside, self.both):
            self.lock.release(lease)

    def rows(self):
        """For each operation the requests that must be refused; none for what has nothing to confine."""
        lease, ref, both = self.outside["lease"], self.outside["ref"], self.both["lease"]
        lock, of_lease = "/locks/prod", f"/leases/{lease}"
        return {
            "acquireLock": [f"POST {lock}/acquire", f"POST /locks/app-both/acquire?wait=1s&holding={lease}"],
            "holdLock": [f"POST {lock}/hold"],
            "releaseLock": [f"POST {lock}/release?lease={lease}", f"POST /locks/app-both/release?lease={both}"],
            "renewLock": [f"POST {lock}/renew?lease={lease}", f"POST /locks/app-both/renew?lease={both}"],
            "convertLock": [
                f"POST {lock}/convert?lease={lease}&mode=shared",
                f"POST /locks/app-both/convert?lease={both}&mode=shared",
            ],
            "listLocks": ["GET /locks", "GET /locks?key=prod", "GET /locks?key=ap"],
            "getLock": [f"GET {lock}", f"GET {lock}?wait=1s"],
            "openLock": [f"PUT {lock}"],
            "deleteLock": [f"DELETE {lock}", f"DELETE {lock}?force=true", "DELETE /locks/app-both?force=true"],
            "getKey": ["GET /keys/sysv:1.0"],
            "listLeases": ["GET /leases", "GET /leases?owner=us", "GET /leases?key=prod"],
            "acquireLocks": ["POST /leases?want=app-2,prod-2"],
            "releaseLeases": ["DELETE /leases?owner=us&key=prod"],
            "getLease": [f"GET {of_lease}", f"GET /leases/{both}", f"GET /leases/{self.ended['lease']}"],
            "releaseLease": [f"DELETE {of_lease}", f"DELETE /leases/{both}", f"DELETE /leases/{self.ended['lease']}"],
            "renewLease": [f"POST {of_lease}/renew", f"POST /leases/{both}/renew"],
            "addLocks": [f"POST {of_lease}/add?want=app-2", f"POST /leases/{both}/add?want=app-2"],
            "noteLease": [f"PUT {of_lease}/note?note=x", f"PUT /leases/{both}/note?note=x"],
            "holdLease": [f"POST {of_lease}/hold", f"POST /leases/{both}/hold"],
            "breakLease": [
                f"POST {of_lease}/break", f"POST /leases/{ref}/break", f"POST /leases/{ref}/break?after=1s",
                f"POST /leases/{both}/break", f"POST /leases/{self.both['ref']}/break",
                f"POST /leases/{self.ended['ref']}/break",
            ],
            "renewLeases": [f"POST /leases/renew?leases={lease}", f"POST /leases/renew?leases={both}"],
            "transferLease": [f"POST {of_lease}/transfer", f"POST /leases/{both}/transfer"],
            "listSemaphores": ["GET /semaphores"],
            "createSemaphoreSet": ["POST /semaphores?key=private&nsems=1", "POST /semaphores?key=0x5e7&nsems=1"],
            "getSemaphoreSet": ["GET /semaphores/0x5e7"],
            "changeSemaphoreSet": ["PATCH /semaphores/0x5e7?mode=0600"],
            "deleteSemaphoreSet": ["DELETE /semaphores/0x5e7", "DELETE /semaphores/id:0?force=true"],
            "setSemaphores": ["PUT /semaphores/0x5e7/values?values=1"],
            "operateSemaphores": ["POST /semaphores/0x5e7/op?ops=0:1"],
            "getSemaphore": ["GET /semaphores/0x5e7/0"],
            "setSemaphore": ["PUT /semaphores/0x5e7/0?value=1"],
            "listVariables": ["GET /shm", "GET /shm?segment=0x5e7"],
            "getVariable": ["GET /shm/a", "GET /shm/a?segment=0x5e7"],
            "putVariable": ["PUT /shm/a"],
            "deleteVariable": ["DELETE /shm/a"],
            "listSegments": ["GET /segments"],
            "createSegment": ["POST /segments?key=0x5e7&size=100"],
            "getSegment": ["GET /segments/0x5e7"],
            "changeSegment": ["PATCH /segments/0x5e7?mode=0600"],
            "deleteSegment": ["DELETE /segments/0x5e7"],
            "readSegment": ["GET /segments/0x5e7/bytes"],
            "writeSegment": ["PUT /segments/0x5e7/bytes"],
            "events": ["GET /events", "GET /events?key=prod", "GET /events?key=*", "GET /events?key=ap*"],
            "lockState": ["POST /terraform/prod"],
            "unlockState": ["DELETE /terraform/prod"],
            "lockPage": ["GET /ui/locks/prod"],
            # These tell of no lock.
            "health": [], "ready": [], "metrics": [], "version": [], "openapi": [], "docs": [],
            "problem": [], "index": [],
            # To who comes with a token, it says no more than where to look.
            "ownerPage": [],
        }

    def test_every_operation_has_a_decision(self):
        self.assertEqual(set(self.rows()), operations())

    def test_no_operation_reaches_what_is_outside(self):
        for operation, requests in self.rows().items():
            for request in requests:
                with self.subTest(f"{operation}: {request}"):
                    method, target = request.split(" ")
                    answer = self.narrow.request(method, target)
                    self.assertProblem(answer, 403, "forbidden", token="narrow", allowed_prefixes=["app-"])
                    if "prod" not in request:
                        self.assertNotIn("prod", answer.text)
        for lease in (self.outside, self.both):
            self.assertEqual(self.lock.get(f"/leases/{lease['lease']}").status, 200)
            self.assertIsNone(self.lock.get(f"/leases/{lease['lease']}").json.get("breaking_in_ms"))

    def test_inside_every_operation_on_leases_works(self):
        lease = self.granted(self.narrow.acquire("app-1", owner="us"))
        path = f"/leases/{lease['lease']}"
        self.assertEqual(self.narrow.get(path).status, 200)
        self.assertEqual(self.narrow.post(f"{path}/renew").status, 200)
        self.assertEqual(self.narrow.post("/locks/app-1/convert", lease=lease["lease"], mode="shared").status, 200)
        moved = self.granted(self.narrow.post(f"{path}/transfer"))
        self.assertEqual([found["ref"] for found in self.narrow.get("/leases", key="app-")["leases"]], [moved["ref"]])
        self.assertEqual(self.narrow.post(f"/leases/{moved['ref']}/break").status, 200)
        self.granted(self.narrow.acquire("app-1", owner="us"))
        self.assertEqual(self.narrow.delete("/leases", owner="us")["released"], 1)
        self.assertEqual(self.lock.get(f"/leases/{self.outside['lease']}").status, 200)

    def test_another_token_adds_nothing_that_would_lock_the_holder_out(self):
        lease = self.granted(self.narrow.acquire("app-3"))
        path = f"/leases/{lease['lease']}"
        for other in (self.lock, self.admin, self.server.over_unix):
            problem = self.assertProblem(other.post(f"{path}/add", want="prod-3"), 403, "forbidden", ref=lease["ref"])
            self.assertIn("is of another token", problem["detail"])
        self.assertEqual(self.narrow.post(f"{path}/add", want="app-4").status, 200)
        self.assertEqual(self.narrow.post(f"{path}/renew").status, 200)
        self.assertEqual(self.narrow.delete(path).status, 200)

    def test_a_prefix_of_own_locks_lists_no_native_ones(self):
        """`p` covers no `php:` lock, in lists and events as little as by name."""
        native = self.granted(self.admin.acquire("php:0x5e70"))
        self.addCleanup(lambda: self.admin.delete("/locks/php:0x5e70", force="true"))
        keys = [lock["key"] for lock in self.letter.get("/locks", key="p")["locks"]]
        self.assertIn("prod", keys)
        self.assertNotIn("php:0x5e70", keys)
        self.assertEqual([x for x in self.letter.get("/leases", key="php")["leases"] if x["ref"] == native["ref"]], [])
        self.assertProblem(self.letter.get(f"/leases/{native['lease']}"), 403, "forbidden")
        told = self.letter.get("/events", key="p*", since="oldest", wait="0s").text
        self.assertIn('"prod"', told)
        self.assertNotIn("php:", told)

    def test_force_on_a_set_ends_no_lease_under_another_name(self):
        held = self.granted(self.admin.acquire("php:0x5e71"))
        self.addCleanup(lambda: self.admin.delete("/locks/php:0x5e71", force="true"))
        for method, target in (
            ("DELETE", "/semaphores/0x5e71?force=true"), ("PUT", "/semaphores/0x5e71/values?values=1,1,0&force=true"),
            ("PUT", "/semaphores/0x5e71/0?value=1&force=true"), ("DELETE", "/locks/sysv:0x5e71.0?force=true"),
        ):
            with self.subTest(f"{method} {target}"):
                self.assertProblem(self.sets.request(method, target), 403, "forbidden", token="sets")
        self.assertEqual(self.admin.get(f"/leases/{held['lease']}").status, 200)
        made = self.granted(self.sets.post("/semaphores", key="0x5e72", nsems=1))
        raw = self.granted(self.sets.post("/semaphores/0x5e72/op", ops="0:1:undo"))
        self.assertEqual(self.sets.get(f"/leases/{raw['lease']}").status, 200)
        self.assertProblem(self.narrow.get(f"/leases/{raw['lease']}"), 403, "forbidden")
        self.assertEqual(self.sets.delete(f"/semaphores/id:{made['id']}", force="true").status, 200)


class Times(TokenTest):
    """What a token with ttl-max takes is free when that time is over, whatever it asks for."""

    def test_ttl_and_cooldown_together(self):
        for parameters in (
            {"ttl": "3s"}, {"ttl": "1s", "cooldown": "23h"}, {"ttl": "1500ms", "cooldown": "600ms"}, {"cooldown": "2s"},
            {"ttl": "0", "bind": "connection"},
        ):
            with self.subTest(parameters):
                problem = self.assertProblem(self.short.acquire(self.key(), **parameters), 400, "out-of-range")
                self.assertIn("token 'short' may keep a lock for 2s", problem["detail"])
                answer = self.short.post("/leases", want=f"{self.key()},{self.key('-2')}", **parameters)
                self.assertProblem(answer, 400, "out-of-range")
        self.assertProblem(self.short.post(f"/locks/{self.key()}/hold", ttl="0"), 400, "out-of-range")
        lease = self.granted(self.short.acquire(self.key(), ttl="1500ms", cooldown="500ms"))
        self.short.release(lease)
        lease = self.granted(self.short.acquire(self.key(), cooldown="500ms"))
        self.assertEqual((lease["ttl_ms"], lease["cooldown_ms"]), (1500, 500))
        self.short.release(lease)

    def test_a_hold_ends_too(self):
        answer = Pending(lambda: self.short.post(f"/locks/{self.key()}/hold", timeout=20)).answer()
        self.assertEqual(answer.status, 201)
        self.assertIn('"ended":"expired"', answer.text)

    def test_undo_false_in_any_place(self):
        made = self.granted(self.admin.post("/semaphores", key="private", nsems=1, values="1"))
        self.addCleanup(lambda: self.admin.delete(f"/semaphores/id:{made['id']}", force="true"))
        name = f"sysv:id:{made['id']}.0"
        self.assertProblem(self.short.acquire(name, undo="false"), 403, "forbidden")
        wants = {"want": [{"key": name, "undo": False}, {"key": self.key()}]}
        self.assertIn(self.short.json_post("/leases", wants).status, (400, 403))
        self.assertProblem(
            self.short.post(f"/semaphores/id:{made['id']}/op", ops="0:-1:undo", ttl="3s"), 400, "out-of-range")
        lease = self.granted(self.short.post(f"/semaphores/id:{made['id']}/op", ops="0:-1:undo"))
        self.assertEqual(lease["ttl_ms"], 2000)

    def test_a_longer_lease_is_not_carried_on(self):
        long = self.granted(self.lock.acquire(self.key(), ttl="1h"))
        path = f"/leases/{long['lease']}"
        for target in (f"{path}/renew", f"{path}/renew?ttl=3s", f"/locks/{self.key()}/renew?lease={long['lease']}",
                       f"{path}/transfer", f"{path}/transfer?ttl=1h", f"{path}/add?want={self.key('-2')}"):
            with self.subTest(target):
                self.assertProblem(self.short.post(target), 400, "out-of-range")
        self.assertGreater(self.lock.get(path)["expires_in_ms"], 3_000_000)
        self.assertEqual(self.short.post(f"{path}/renew", ttl="2s").status, 200)
        moved = self.granted(self.short.post(f"{path}/transfer", ttl="1s"))
        self.lock.release(moved)
        cooling = self.granted(self.lock.acquire(self.key(), ttl="1s", cooldown="1h"))
        self.assertProblem(self.short.post(f"/leases/{cooling['lease']}/renew", ttl="1s"), 400, "out-of-range")
        self.lock.release(cooling)


if __name__ == "__main__":
    unittest.main()
