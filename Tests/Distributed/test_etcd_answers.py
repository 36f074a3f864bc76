"""What a service on etcd says of itself and of its locks, beside what it grants: two services on one etcd."""

import base64
import collections
import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import time
import unittest

from cluster import ETCD, OneEtcd, call, for_each_etcd
from rig import PROGRAM, eventually
from test_etcd_engine import Service, TwoServices


@unittest.skipUnless(ETCD, "there is no etcd: apt-get install etcd-server")
class EtcdAnswers(TwoServices):
    def kind(self, answer):
        return answer["kind"], answer["limit"]

    def test_a_grant_tells_the_kind_of_its_lock_before_the_watch_does(self):
        for turn in range(3):
            _, lease = self.a.post(f"/locks/kind{turn}/acquire?ttl=30s&limit=3&count=2")
            self.assertEqual(self.kind(lease), ("counting", 3), lease)
            _, renewed = self.b.post(f"/leases/{lease['lease']}/renew")
            self.assertEqual(self.kind(renewed), ("counting", 3), renewed)
            self.assertEqual(call(self.b.port, "DELETE", f"/leases/{lease['lease']}")[0], 200)
            _, other = self.b.post(f"/locks/kind{turn}/acquire?ttl=30s")
            self.assertEqual(self.kind(other), ("rw", None), other)
            body = {"want": [{"key": f"kind-a{turn}"}, {"key": f"kind-b{turn}", "limit": 5}], "ttl": "30s"}
            _, several = call(self.a.port, "POST", "/leases", {"Content-Type": "application/json"}, body=body)
            self.assertEqual([self.kind(one) for one in several["locks"]], [("rw", None), ("counting", 5)], several)

    def test_a_burst_of_requests_stands_in_line(self):
        sockets = []
        for number in range(200):
            sock = socket.create_connection(("127.0.0.1", self.a.port), timeout=30)
            self.addCleanup(sock.close)
            sock.sendall(f"POST /locks/burst{number}/acquire?ttl=5s HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Length: 0\r\nConnection: close\r\n\r\n".encode())
            sockets.append(sock)
        answers = [sock.makefile("rb").readline().split()[1] for sock in sockets]
        self.assertEqual(collections.Counter(answers), {b"201": 200})

    def test_one_lock_twice_in_a_request_is_refused(self):
        for mode in ("exclusive", "shared"):
            body = {"want": [{"key": key, "mode": mode} for key in ("twice", "other", "twice")], "ttl": "5s"}
            status, problem = call(self.a.port, "POST", "/leases", {"Content-Type": "application/json"}, body=body)
            self.assertEqual((status, problem["code"]), (422, "same-lock-twice"), problem)
        self.assertEqual(self.b.post("/locks/twice/acquire?ttl=5s")[0], 201)

    def test_what_another_program_wrote_ends_no_service(self):
        entry = {"u": 1_000_000, "m": "x", "n": 1, "ref": "0123456789", "at": 1, "mark": "1", "o": "odd"}
        absurd = ({"ttl": 2**63 - 1, "cd": 1}, {"ttl": 30_000, "cd": -100_000}, {"ttl": 5000, "at": 9_300_000_000_000})
        for spans in absurd:
            for end in ("DELETE /leases?owner=odd", "POST /leases/0123456789/break?after=1s"):
                for key, value in (("c/odd", {"k": "rw"}), ("x/n", ["odd"]), ("a/n", {}), ("q/odd/n", entry | spans)):
                    texts = {"key": "/lh/1/" + key, "value": json.dumps(value)}
                    self.etcd.post("/v3/kv/put", {
                        name: base64.b64encode(text.encode()).decode() for name, text in texts.items()})
                eventually(lambda: call(self.a.port, "GET", "/locks/odd")[1].get("held"), "it has heard of it")
                status, answer = call(self.a.port, *end.split())
                self.assertEqual(status, 200, answer)

    def test_who_gave_up_waiting_does_not_count_and_lists_tell_how_long_others_wait(self):
        self.a.post("/locks/patient/acquire?ttl=30s")
        status, problem = self.a.post("/locks/patient/acquire?ttl=30s&wait=300ms")
        self.assertEqual((status, problem["code"], problem["waiters"]), (423, "wait-timeout", 0), problem)
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiter = pool.submit(self.b.post, "/locks/patient/acquire?ttl=30s&wait=3s")
            eventually(lambda: call(self.a.port, "GET", "/locks/patient")[1]["longest_wait_ms"], "it tells how long")
            waiter.result()

    def test_who_waits_for_what_it_holds_is_told_so(self):
        _, lease = self.a.post("/locks/own/acquire?ttl=30s")
        eventually(lambda: call(self.b.port, "GET", "/locks/own")[1]["held"], "b has heard of it")
        for service in (self.a, self.b):
            path = f"/locks/own/acquire?ttl=30s&wait=20s&holding={lease['lease']}"
            status, problem = service.post(path)
            self.assertEqual((status, problem["code"]), (409, "deadlock"), problem)
            self.assertEqual([(step["waits_for"], step["holds"], step["you"]) for step in problem["circle"]],
                             [("own", "own", True)])
        eventually(lambda: self.a.waiting("own") == 0, "it left the queue")
        _, slot = self.a.post("/locks/own-slots/acquire?ttl=30s&limit=2")
        status, _ = self.a.post(f"/locks/own-slots/acquire?ttl=30s&limit=2&wait=5s&holding={slot['lease']}")
        self.assertEqual(status, 201, "there is another slot")

    def test_run_below_itself_is_refused(self):
        run = [PROGRAM, "run", "--ttl", "5s", "nested"]
        environment = {**os.environ, "LEASEHOLD_URL": f"http://127.0.0.1:{self.a.port}"}
        ran = subprocess.run([*run, *run, "true"], env=environment, capture_output=True, text=True, timeout=60,
                             check=False)
        self.assertEqual(ran.returncode, 64, ran.stderr)
        self.assertIn("would wait for itself", ran.stderr)

    def test_a_break_without_a_grace_says_that_it_is_done(self):
        # After a second in which no caller waited, more than ten changes are heard together: the other service waits.
        time.sleep(1.3)
        leases = [self.a.post(f"/locks/broken{n}/acquire?ttl=30s")[1] for n in range(20)]
        for lease in leases:
            status, answer = self.b.post(f"/leases/{lease['ref']}/break")
            self.assertEqual((status, answer["broken"], answer["breaking_in_ms"]), (200, True, 0), answer)

    def test_an_etcd_without_its_gateway_is_named_with_what_mends_it(self):
        bare = OneEtcd(self.program, "--enable-grpc-gateway=false", until=lambda bare: bare.answers("/version"))
        self.addCleanup(bare.stop)
        begun = subprocess.run([PROGRAM, "serve", "--port", "0", "--engine", f"etcd:http://127.0.0.1:{bare.port}"],
                               capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(begun.returncode, 69, begun.stderr)
        self.assertIn("--enable-grpc-gateway=true", begun.stderr)

    def test_a_service_whose_etcd_hangs_is_not_ready(self):
        service = Service(self.etcd)
        self.addCleanup(service.stop)
        ready = [PROGRAM, "ready", "--url", f"http://127.0.0.1:{service.port}"]
        time.sleep(1.5)  # it hears nothing new: its watch stays open
        self.etcd.pause()
        try:
            begun = time.monotonic()
            eventually(lambda: call(service.port, "GET", "/readyz")[1]["status"] == 503, "it is not ready", 20)
            self.assertGreater(time.monotonic() - begun, 3, "a change of leader is no reason")
            problem = call(service.port, "GET", "/readyz")[1]
            self.assertEqual((problem["code"], problem["part"]), ("degraded", "cluster"), problem)
            self.assertEqual(call(service.port, "GET", "/healthz")[0], 200)
            self.assertEqual(subprocess.run(ready, capture_output=True, check=False).returncode, 69)
        finally:
            self.etcd.process.send_signal(signal.SIGCONT)
        for one in (service, self.a, self.b):
            eventually(one.answers, "it is ready again")


load_tests = for_each_etcd(EtcdAnswers)

if __name__ == "__main__":
    unittest.main(verbosity=2)
