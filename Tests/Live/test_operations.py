"""Every operation of openapi.yaml answers, and the table below has every one of them."""

import os
import re
import unittest

from harness import ROOT, LiveTest

# operationId: method, path, status, body. {key} is a free lock, {held} a held one and {id} its lease; {set} is a
# native set.
OPERATIONS = {
    "acquireLock": ("POST", "/locks/{key}/acquire", 201),
    "releaseLock": ("POST", "/locks/{held}/release?lease={id}", 200),
    "renewLock": ("POST", "/locks/{held}/renew?lease={id}", 200),
    "convertLock": ("POST", "/locks/{held}/convert?lease={id}&mode=shared", 200),
    "holdLock": ("POST", "/locks/{key}/hold?ttl=100ms", 201),
    "listLocks": ("GET", "/locks", 200),
    "getLock": ("GET", "/locks/{held}", 200),
    "openLock": ("PUT", "/locks/{key}", 201),
    "deleteLock": ("DELETE", "/locks/{held}?force=true", 200),
    "getKey": ("GET", "/keys/php:7777", 200),
    "listLeases": ("GET", "/leases", 200),
    "acquireLocks": ("POST", "/leases?want={key}-a,{key}-b", 201),
    "releaseLeases": ("DELETE", "/leases?owner=me", 200),
    "getLease": ("GET", "/leases/{id}", 200),
    "releaseLease": ("DELETE", "/leases/{id}", 200),
    "renewLease": ("POST", "/leases/{id}/renew", 200),
    "addLocks": ("POST", "/leases/{id}/add?want={key}-a,{key}-b", 200),
    "noteLease": ("PUT", "/leases/{id}/note?note=here", 200),
    "renewLeases": ("POST", "/leases/renew?leases={id}", 200),
    "holdLease": ("POST", "/leases/{id}/hold?ttl=100ms", 200),
    "breakLease": ("POST", "/leases/{id}/break?reason=test", 200),
    "transferLease": ("POST", "/leases/{id}/transfer", 201),
    "listSemaphores": ("GET", "/semaphores", 200),
    "createSemaphoreSet": ("POST", "/semaphores?key=private&nsems=2", 201),
    "getSemaphoreSet": ("GET", "/semaphores/id:{set}", 200),
    "changeSemaphoreSet": ("PATCH", "/semaphores/id:{set}?mode=0640", 200),
    "deleteSemaphoreSet": ("DELETE", "/semaphores/id:{set}", 200),
    "setSemaphores": ("PUT", "/semaphores/id:{set}/values?values=4,5", 200),
    "operateSemaphores": ("POST", "/semaphores/id:{set}/op?ops=0:1,1:0", 200),
    "getSemaphore": ("GET", "/semaphores/id:{set}/1", 200),
    "setSemaphore": ("PUT", "/semaphores/id:{set}/1?value=3", 200),
    "listVariables": ("GET", "/shm", 200),
    "getVariable": ("GET", "/shm/here", 200),
    "putVariable": ("PUT", "/shm/new-{set}", 201, b"[1]"),
    "deleteVariable": ("DELETE", "/shm/here", 200),
    "listSegments": ("GET", "/segments", 200),
    "createSegment": ("POST", "/segments?key=private&size=64", 201),
    "getSegment": ("GET", "/segments/0x5e6eaaaa", 200),
    "changeSegment": ("PATCH", "/segments/0x5e6eaaaa?mode=0600", 200),
    "deleteSegment": ("DELETE", "/segments/0x5e6eaaaa", 200),
    "readSegment": ("GET", "/segments/0x5e6eaaaa/bytes?length=8", 200),
    "writeSegment": ("PUT", "/segments/0x5e6eaaaa/bytes?offset=50", 200, b"abc"),
    "events": ("GET", "/events?wait=0", 200),
    "lockState": ("POST", "/terraform/{key}", 200, b'{"ID":"a"}'),
    "unlockState": ("DELETE", "/terraform/{key}", 200),
    "health": ("GET", "/healthz", 200),
    "ready": ("GET", "/readyz", 200),
    "metrics": ("GET", "/metrics", 200),
    "version": ("GET", "/version", 200),
    "openapi": ("GET", "/openapi.yaml", 200),
    "docs": ("GET", "/docs", 200),
    "problem": ("GET", "/problems/locked", 200),
    "index": ("GET", "/", 200),
    "lockPage": ("GET", "/ui/locks/{held}", 200),
    "ownerPage": ("GET", "/ui/owners/me", 200),
}


class Operations(LiveTest):
    def native_set(self):
        made = self.granted(self.server.post("/semaphores", key="private", nsems=2))["id"]
        self.addCleanup(lambda: self.server.delete(f"/semaphores/id:{made}", force="true"))
        return made

    def test_the_table_has_the_operations_of_the_document(self):
        with open(os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
            paths = file.read().partition("\ncomponents:")[0]
        self.assertEqual(re.findall(r"^      operationId: (\w+)$", paths, re.M), list(OPERATIONS))

    def test_every_operation_answers(self):
        for number, (operation, (method, path, status, *body)) in enumerate(OPERATIONS.items()):
            with self.subTest(operation):
                self.server.post("/segments", key="0x5e6eaaaa")
                self.server.request("PUT", "/shm/here", b"1")
                held = self.granted(self.server.acquire(f"held-{number}", owner="me"))
                target = path.format(key=f"free-{number}", held=held["key"], id=held["lease"], set=self.native_set())
                answer = self.server.request(method, target, *body)
                self.assertEqual(answer.status, status, answer)
                self.assertTrue(answer.headers["X-Request-Id"])
                self.assertEqual(answer.headers["Cache-Control"], "no-store")

    def test_every_operation_names_what_it_does_not_know(self):
        for number, (operation, (method, path, *_)) in enumerate(OPERATIONS.items()):
            with self.subTest(operation):
                held = self.granted(self.server.acquire(f"odd-{number}", owner="me"))
                target = path.format(key=f"odd-free-{number}", held=held["key"], id=held["lease"],
                                     set=self.native_set())
                answer = self.server.request(method, target + ("&" if "?" in target else "?") + "nonsense=1")
                self.assertProblem(answer, 400, "unknown-parameter", parameter="nonsense")


if __name__ == "__main__":
    unittest.main()
