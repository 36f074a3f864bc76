"""What the service says is so: damaged locks, free ones, cooling slots, ends, names, and places that are kept."""

import urllib.parse

from harness import LiveTest, Pending, eventually
from native import Native

COMPOSED, DECOMPOSED = "caf\u00e9", "cafe\u0301"


def path(key, rest=""):
    return f"/locks/{urllib.parse.quote(key, safe='')}{rest}"


class TruthTest(LiveTest):
    def events(self, key, kind):
        text = self.server.get("/events", since="oldest", wait="0", key=key, kind=kind).text
        return [line.removeprefix("data: ") for line in text.splitlines() if line.startswith("data: ")]

    def lock_in(self, state):
        return [lock["key"] for lock in self.server.get("/locks", state=state)["locks"]]


class Damage(TruthTest):
    def test_a_damaged_lock_is_called_so_and_one_command_mends_it(self):
        lease = self.granted(self.server.acquire(self.key(), limit=3))
        other = self.granted(self.server.acquire(self.key("-other"), limit=2))
        self.assertEqual(lease["sysv"]["id"], other["sysv"]["id"], "they are in one set")
        waiter = self.server.acquire_later(self.key(), limit=3, count=3)
        with Native(lease["sysv"]) as perl:
            self.assertEqual(perl.ask(f"op {lease['sysv']['semaphores'][0] + 64} 1"), "ok")
        problem = self.assertProblem(waiter.answer(), 500, "ledger-damaged", damaged=True, key=self.key())
        self.assertEqual(problem["mend"], f"DELETE /locks/{self.key()}?force=true")
        self.assertIn(problem["mend"], problem["detail"])
        self.assertNotIn("ipcrm", problem["detail"])
        self.assertTrue(self.server.lock(self.key())["damaged"])
        self.assertFalse(self.server.lock(self.key("-other"))["damaged"])
        self.assertEqual(self.lock_in("damaged"), [self.key()])
        self.assertEqual(self.server.get("/readyz")["damaged_locks"], 1)
        self.assertEqual(self.server.metric("leasehold_damaged_locks"), 1)
        self.assertIn("is damaged", self.events(self.key(), "drift")[0])
        self.assertProblem(self.server.delete(f"/locks/{self.key()}"), 500, "ledger-damaged")
        self.server.restart()
        self.assertTrue(self.server.lock(self.key())["damaged"], "a restart does not forget it")
        method, target = problem["mend"].split()
        self.assertEqual(self.server.request(method, target).status, 200)
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "lock-removed", key=self.key())
        self.granted(self.server.post(f"/leases/{other['lease']}/renew"), 200)
        for _ in range(3):
            self.granted(self.server.acquire(self.key(), limit=3))
        self.assertProblem(self.server.acquire(self.key(), limit=3), 423, "locked")
        self.assertEqual(self.server.get("/readyz")["damaged_locks"], 0)
        with Native(lease["sysv"]) as perl:
            place = lease["sysv"]["semaphores"][0]
            self.assertEqual([perl.ask(f"val {place + column * 64}") for column in range(3)], ["ok 0"] * 3)


class Contention(TruthTest):
    def test_a_free_lock_says_what_its_queue_waits_for(self):
        free, busy = self.key("-free"), self.key("-busy")
        self.granted(self.server.acquire(busy))
        Pending(
            lambda: self.server.json_post("/leases", {"want": [{"key": free}, {"key": busy}], "wait": "10s"}))
        eventually(lambda: self.server.waiting(free) == 1, "it queues")
        problem = self.assertProblem(self.server.acquire(free), 423, "locked", queued_for=[busy], holders=[])
        self.assertIn(f"'{busy}'", problem["detail"])
        self.assertNotIn(f"'{free}' is held", problem["detail"])
        lock = self.server.lock(free).json
        self.assertEqual((lock["queued_for"], lock["waiters"][0]["locks"]), ([busy], [free, busy]))
        self.assertEqual(self.server.lock(busy)["queued_for"], [])
        listed = {lock["key"]: lock["queued_for"] for lock in self.server.get("/locks", key=self.key())["locks"]}
        self.assertEqual(listed, {free: [busy], busy: []})

    def test_a_slot_that_cools_down_is_no_lease(self):
        lease = self.granted(self.server.acquire(self.key(), limit=2, ttl="200ms", cooldown="20s"))
        eventually(lambda: self.server.get(f"/leases/{lease['lease']}").status == 410, "it expires")
        lock = self.server.lock(self.key()).json
        self.assertEqual((lock["held"], lock["cooling"], lock["available"]), (0, 1, 1))
        self.assertEqual(lock["holders"][0]["state"], "cooling")
        self.assertGreater(lock["holders"][0]["expires_in_ms"], 10_000)
        self.assertIn(self.key(), self.lock_in("cooling"))
        self.assertNotIn(self.key(), self.lock_in("held"))
        self.assertNotIn(self.key(), self.lock_in("free"))
        self.assertEqual(self.server.get("/readyz")["cooling"], self.server.metric("leasehold_cooling_leases"))
        self.assertEqual(self.server.get("/readyz")["leases"], self.server.metric("leasehold_leases"))
        problem = self.assertProblem(self.server.acquire(self.key(), limit=2, count=2), 423, "locked", cooling=1)
        self.assertIn("cools down", problem["detail"])


class Names(TruthTest):
    def test_names_are_their_bytes(self):
        leases = [self.granted(self.server.post(path(name, "/acquire"), owner=name)) for name in (COMPOSED, DECOMPOSED)]
        self.assertNotEqual(leases[0]["lease"], leases[1]["lease"])
        self.assertEqual(len(self.server.get("/leases", owner=COMPOSED)["leases"]), 1)
        self.assertEqual([lock["key"] for lock in self.server.get("/locks", key=DECOMPOSED)["locks"]], [DECOMPOSED])
        self.assertEqual(len(self.events(DECOMPOSED, "granted")), 1)
        self.server.restart()
        for name in (COMPOSED, DECOMPOSED):
            self.assertProblem(self.server.post(path(name, "/acquire")), 423, "locked", key=name)
        self.server.release(leases[0])
        self.granted(self.server.post(path(COMPOSED, "/acquire")))
        self.assertProblem(self.server.post(path(DECOMPOSED, "/acquire")), 423, "locked")


class Places(TruthTest):
    def wait(self, key, name):
        sock = self.server.socket()
        head = f"POST /locks/{key}/acquire?wait=20s HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {name}\r\n\r\n"
        sock.sendall(head.encode())
        return sock

    def detached(self):
        return [waiter["detached"] for waiter in self.server.lock(self.key())["waiters"]]

    def test_a_retry_finds_its_place_in_the_queue(self):
        held = self.granted(self.server.acquire(self.key()))
        broken = self.wait(self.key(), "mine")
        eventually(lambda: self.server.waiting(self.key()) == 1, "it queues")
        behind = self.server.acquire_later(self.key(), owner="behind")
        broken.close()
        eventually(lambda: self.detached() == [True, False], "its connection is seen to be broken")
        self.server.release(held)
        target = f"/locks/{self.key()}/acquire?wait=10s"
        retry = self.server.request("POST", target, headers={"Idempotency-Key": "mine"})
        lease = self.granted(retry)
        self.assertFalse(behind.done)
        self.server.release(lease)
        self.assertEqual(self.granted(behind.answer())["owner"], "behind")
