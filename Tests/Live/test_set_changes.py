"""Sets made, changed, operated on and removed over HTTP: what is refused, and how."""

import json
import unittest

from harness import LiveTest, Pending, Server, eventually
from native import make_set, proc_sets, remove_set
from users import AS_NOBODY, needs_nobody


class SetTest(LiveTest):
    def made(self, **members):
        members = {"key": "private", "nsems": 2, **members}
        made = self.granted(self.server.json_post("/semaphores", members))
        self.addCleanup(lambda: made["id"] in proc_sets() and remove_set(made["id"]))
        return made

    def values(self, made):
        return self.granted(self.server.get(f"/semaphores/id:{made['id']}"), 200)["values"]

    def operate(self, made, ops, **members):
        return self.server.json_post(f"/semaphores/id:{made['id']}/op", {"ops": ops, **members})

    def put(self, target, value, **query):
        return self.server.request("PUT", target, json.dumps(value), {"Content-Type": "application/json"}, **query)


class Refusals(SetTest):
    def test_a_lease_is_no_reason_to_refuse_what_it_does_not_stand_on(self):
        made = self.made()
        self.granted(self.server.acquire(self.key()))
        self.assertEqual(self.put(f"/semaphores/id:{made['id']}/values", {"values": [3, 4]})["broken"], [])
        self.assertEqual(self.values(made), [3, 4])

    def test_a_set_that_is_gone_is_404_for_every_request(self):
        made = self.made()
        address = f"/semaphores/id:{made['id']}"
        self.granted(self.server.delete(address), 200)
        for method, rest in (("GET", ""), ("GET", "/0"), ("DELETE", ""), ("DELETE", "?force=true"), ("PATCH", "?uid=0"),
                             ("PUT", "/0?value=1"), ("PUT", "/values?values=1,2"), ("POST", "/op?ops=0:1"),
                             ("POST", "/op?ops=0:-1&wait=5s")):
            with self.subTest(f"{method} {rest}"):
                answer = self.server.request(method, address + rest)
                self.assertProblem(answer, 404, "no-such-set", errno="EINVAL", set=f"id:{made['id']}")

    def test_a_number_beyond_the_set_is_404_with_how_many_it_has(self):
        made = self.made()
        for method, rest in (("GET", "/2"), ("PUT", "/2?value=1"), ("GET", "/99999999999999999999")):
            answer = self.server.request(method, f"/semaphores/id:{made['id']}{rest}")
            self.assertProblem(answer, 404, "no-such-semaphore", errno="EINVAL", nsems=2)

    def test_text_and_json_are_equal(self):
        made = self.made(values=[5, 5])
        target = f"/semaphores/id:{made['id']}/op"
        self.granted(self.server.post(target, ops="0:-1:nowait,1:+2"), 200)
        self.granted(self.server.form_post(target, "ops=0:-1,1:2:nowait"), 200)
        self.assertEqual(self.operate(made, [{"sem": 0, "op": -1, "nowait": True}, {"sem": 1, "op": 2}])["ops"], 2)
        self.assertEqual(self.values(made), [2, 11])


class Waiting(SetTest):
    arguments = ("--operation-waiters", "3")

    def wait(self, made, ops, wait="20s"):
        count = self.server.metric("leasehold_operation_waiters")
        pending = Pending(lambda: self.server.json_post(
            f"/semaphores/id:{made['id']}/op", {"ops": ops, "wait": wait}, timeout=60))
        eventually(lambda: pending.done or self.server.metric("leasehold_operation_waiters") == count + 1,
                   "an operation that waits")
        return pending

    def semaphore(self, made, number):
        return self.granted(self.server.get(f"/semaphores/id:{made['id']}/{number}"), 200)

    def test_waiting_blocks_nobody_else_and_has_a_maximum(self):
        made = self.made()
        pending = [self.wait(made, [{"sem": 0, "op": -1}]) for _ in range(3)]
        problem = self.assertProblem(
            self.operate(made, [{"sem": 0, "op": -1}], wait="5s"), 429, "too-many-waiters", limit="operation-waiters")
        self.assertEqual(problem["maximum"], 3)
        eventually(lambda: self.semaphore(made, 0)["ncnt"] == 3, "all three stand in the kernel")
        self.granted(self.server.post(f"/semaphores/id:{made['id']}/op", ops="0:3"), 200)
        for one in pending:
            self.assertTrue(self.granted(one.answer(), 200)["done"])
        self.assertEqual(self.values(made), [0, 0])


@needs_nobody
class AnotherUser(SetTest):
    def test_what_the_kernel_refuses_the_service_is_403_with_the_errno(self):
        server = Server(prefix=[*AS_NOBODY, "--inh-caps=-all"]).ends_with(self).start()
        for number, (mode, errnos) in enumerate({
                0o600: "EACCES EACCES EACCES", 0o622: "EACCES - EACCES", 0o644: "- EACCES EPERM",
                0o666: "- - EPERM"}.items()):
            set_id = make_set(0x5EC5E0 + number, 1, mode)
            self.addCleanup(remove_set, set_id)
            requests = (("GET", "/0"), ("PUT", "/0?value=1"), ("PATCH", "?mode=0666"), ("DELETE", "?force=true"))
            for (method, rest), errno in zip(requests, [*errnos.split(), "EPERM"]):
                with self.subTest(f"{method} {rest} of {mode:o}"):
                    answer = server.request(method, f"/semaphores/id:{set_id}{rest}")
                    if errno == "-":
                        self.assertEqual(answer.status, 200, answer)
                    else:
                        self.assertProblem(answer, 403, "permission-denied", errno=errno)
            answer = server.json_post("/semaphores", {"key": 0x5EC5E0 + number, "nsems": 1, "mode": "0600"})
            self.assertEqual(answer.status, 200 if mode == 0o666 else 403, answer)


if __name__ == "__main__":
    unittest.main()
