"""Two services on one etcd, by curl's eyes: the same locks through both, and what is checked of a history of grants.

Without an etcd (see cluster.py for which ones) all is skipped.
"""

import concurrent.futures
import http.client
import os
import random
import re
import signal
import subprocess
import threading
import time
import unittest
import urllib.request

import history
from cluster import ETCD, FAILURES, OneEtcd, call, for_each_etcd, free_port
from rig import PROGRAM, eventually


class Service:
    def __init__(self, etcd):
        self.port, self.etcd = free_port(), etcd
        self.start()

    def start(self):
        self.process = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(self.port), "--engine", f"etcd:http://127.0.0.1:{self.etcd.port}",
             "--log-level", "error"])
        eventually(self.answers, "the service answers")

    def answers(self):
        try:
            return call(self.port, "GET", "/readyz")[0] == 200
        except FAILURES:
            return False

    def waiting(self, lock):
        """How many wait, as far as it knows: another service hears of them a little later."""
        return call(self.port, "GET", f"/locks/{lock}")[1].get("waiting", 0)

    def post(self, path, **headers):
        return call(self.port, "POST", path, headers)

    def text(self, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}") as answer:
            return answer.read().decode()

    def stop(self):
        self.process.send_signal(signal.SIGCONT)
        self.process.terminate()
        self.process.wait(20)


class TwoServices(unittest.TestCase):
    """Two services on one etcd."""
    program = ETCD

    @classmethod
    def setUpClass(cls):
        cls.etcd = OneEtcd(cls.program)
        cls.addClassCleanup(cls.etcd.stop)
        cls.a, cls.b = Service(cls.etcd), Service(cls.etcd)
        cls.addClassCleanup(cls.a.stop)
        cls.addClassCleanup(cls.b.stop)


@unittest.skipUnless(ETCD, "there is no etcd: apt-get install etcd-server")
class EtcdEngine(TwoServices):
    def test_both_services_answer_for_one_lock(self):
        status, lease = self.a.post("/locks/one/acquire?ttl=30s")
        self.assertEqual(status, 201, lease)
        self.assertEqual(self.b.post("/locks/one/acquire?ttl=30s")[0], 423)
        status, renewed = self.b.post(f"/leases/{lease['lease']}/renew?ttl=20s")
        self.assertEqual((status, renewed["fence"]), (200, lease["fence"]), renewed)
        self.assertEqual(renewed["ttl_ms"], 20_000)
        self.assertEqual(call(self.b.port, "DELETE", f"/leases/{lease['lease']}")[0], 200)
        self.assertEqual(self.a.post(f"/leases/{lease['lease']}/renew")[0], 410)
        status, other = self.b.post("/locks/one/acquire?ttl=30s")
        self.assertEqual(status, 201)
        self.assertGreater(other["fence"], lease["fence"])

    def test_lists_show_what_was_just_written_though_nobody_waited_for_it(self):
        # After a second in which no caller waited, more than ten changes are heard together.
        for pause in (1.3, 0, 1.3):
            time.sleep(pause)
            leases = [self.a.post(f"/locks/heard-{n}/acquire?ttl=30s")[1] for n in range(12)]
            refs = {lease["ref"] for lease in leases}
            self.assertEqual(self.heard(self.a), refs)
            # What another service wrote may be on its way for a moment.
            eventually(lambda refs=refs: self.heard(self.b) == refs, "the other one has heard of all", 2)
            self.assertEqual(self.b.post("/locks/heard-0/acquire?ttl=30s")[0], 423)
            time.sleep(pause)
            for lease in leases:
                status, answer = self.b.post(f"/leases/{lease['ref']}/break")
                self.assertEqual(status, 200, answer)
            self.assertEqual(self.heard(self.b), set())

    @staticmethod
    def heard(service):
        leases = call(service.port, "GET", "/leases?limit=1000")[1]["leases"]
        return {lease["ref"] for lease in leases if lease["key"].startswith("heard-")}

    def test_who_waits_gets_it_from_another_service(self):
        _, lease = self.a.post("/locks/wait/acquire?ttl=30s")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiter = pool.submit(self.b.post, "/locks/wait/acquire?ttl=30s&wait=20s")
            eventually(lambda: self.a.waiting("wait") == 1, "it waits")
            call(self.a.port, "DELETE", f"/leases/{lease['lease']}")
            status, answer = waiter.result()
        self.assertEqual(status, 201, answer)
        self.assertGreater(answer["fence"], lease["fence"])

    def test_a_retry_through_another_service_gets_the_same_lease(self):
        key = {"Idempotency-Key": "retry-1"}
        _, lease = call(self.a.port, "POST", "/locks/retry/acquire?ttl=30s", key)
        status, again = call(self.b.port, "POST", "/locks/retry/acquire?ttl=30s", key)
        self.assertEqual((status, again["lease"], again["fence"]), (200, lease["lease"], lease["fence"]), again)
        self.assertTrue(again["replayed"])

    def test_a_lease_ends_by_itself_and_goes_to_who_waits(self):
        begun = time.monotonic()
        self.assertEqual(self.a.post("/locks/ends/acquire?ttl=2s")[0], 201)
        status, _ = self.b.post("/locks/ends/acquire?ttl=30s&wait=20s")
        self.assertEqual(status, 201)
        self.assertGreaterEqual(time.monotonic() - begun, 2)

    def resize(self, service, lock, limit, **more):
        words = "".join(f"&{name}={value}" for name, value in more.items())
        return call(service.port, "PUT", f"/locks/{lock}?resize=true&limit={limit}{words}")

    def shows(self, service, lock, **members):
        """Waits until a service shows that: it hears of what others did a little later."""
        def seen():
            shown = call(service.port, "GET", f"/locks/{lock}")[1]
            return all(shown[name] == value for name, value in members.items())
        eventually(seen, f"{lock} shows {members}")

    def slot(self, service, lock, limit, **more):
        words = "".join(f"&{name}={value}" for name, value in more.items())
        return service.post(f"/locks/{lock}/acquire?ttl=30s&limit={limit}{words}")

    def test_more_slots_go_to_who_waits_at_once(self):
        held = [self.slot(self.a, "grow", 1)[1]]
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiters = [pool.submit(self.slot, self.b, "grow", 1, wait="20s") for _ in range(2)]
            eventually(lambda: self.a.waiting("grow") == 2, "two wait")
            self.assertEqual(self.resize(self.a, "grow", 3)[0], 200)
            held += [waiter.result()[1] for waiter in waiters]
        status, other = self.slot(self.b, "grow", 1)
        self.assertEqual((status, other["code"]), (409, "limit-mismatch"))
        self.assertEqual(self.slot(self.b, "grow", 3)[0], 423)
        for lease in held:
            self.assertEqual(call(self.a.port, "DELETE", f"/leases/{lease['lease']}")[0], 200)

    def test_fewer_slots_put_nobody_out_and_count_when_they_fit(self):
        held = [self.slot(self.a, "fewer", 3)[1] for _ in range(3)]
        status, answer = self.resize(self.b, "fewer", 1)
        self.assertEqual((status, answer["limit"], answer["limit_applied"], answer["held"]), (200, 3, False, 3), answer)
        again = self.resize(self.a, "fewer", 1)[1]
        self.assertEqual((again["limit"], again["limit_applied"]), (3, False), "asked again it is the same")
        for lease in held[:2]:
            self.assertEqual(self.slot(self.a, "fewer", 3)[0], 423, "what comes back goes to nobody")
            self.assertEqual(call(self.b.port, "DELETE", f"/leases/{lease['lease']}")[0], 200)
        for service in (self.a, self.b):
            self.shows(service, "fewer", limit=1, held=1, waiting=0, available=0)
        self.assertEqual(self.slot(self.b, "fewer", 1)[0], 423)
        call(self.a.port, "DELETE", f"/leases/{held[2]['lease']}")
        self.assertEqual(self.slot(self.b, "fewer", 1)[0], 201)

    def test_a_larger_limit_calls_a_smaller_one_off(self):
        held = [self.slot(self.a, "off", 2)[1] for _ in range(2)]
        self.assertFalse(self.resize(self.a, "off", 1)[1]["limit_applied"])
        status, answer = self.resize(self.b, "off", 3)
        self.assertEqual((status, answer["limit"], answer["limit_applied"]), (200, 3, True), answer)
        self.assertEqual(self.slot(self.a, "off", 3)[0], 201)
        for lease in held:
            call(self.a.port, "DELETE", f"/leases/{lease['lease']}")
        self.shows(self.b, "off", limit=3, held=1, available=2)

    def test_what_cannot_be_resized_is_named(self):
        self.assertEqual(self.a.post("/locks/plain/acquire?ttl=30s")[0], 201)
        self.assertEqual(self.resize(self.a, "plain", 2)[1]["code"], "kind-mismatch")
        for more in ({"pinned": "true"}, {"slots": "a,b"}):
            status, answer = self.resize(self.a, "unused", 2, **more)
            self.assertEqual((status, answer["code"]), (501, "not-supported"), answer)
        self.assertEqual(self.resize(self.a, "unused", 0)[0], 501)
        self.assertEqual(self.resize(self.a, "unused", 2)[0], 201)
        self.assertEqual(self.slot(self.b, "unused", 2)[0], 201)

    def test_a_full_lock_that_nobody_waits_for_costs_no_revision(self):
        self.a.post("/locks/full/acquire?ttl=60s")
        time.sleep(0.5)
        before = self.etcd.revision()
        refusals = [self.b.post("/locks/full/acquire?ttl=60s")[0] for _ in range(20)]
        self.assertEqual(refusals, [423] * 20)
        self.assertEqual(self.etcd.revision(), before)

    def test_what_belongs_to_one_host_says_what_to_do_instead(self):
        for method, path in [("GET", "/semaphores"), ("POST", "/locks/php%3A1/acquire?ttl=5s")]:
            with self.subTest(path):
                status, problem = call(self.a.port, method, path)
                self.assertEqual((status, problem["code"]), (501, "not-supported"), problem)
                self.assertTrue(problem["instead"])

    def test_who_stops_waiting_leaves_the_queue(self):
        _, lease = self.a.post("/locks/leave/acquire?ttl=60s")
        connection = http.client.HTTPConnection("127.0.0.1", self.b.port)
        connection.request("POST", "/locks/leave/acquire?ttl=60s&wait=60s")
        eventually(lambda: self.a.waiting("leave") == 1, "it waits")
        connection.close()
        eventually(lambda: self.a.waiting("leave") == 0, "it is gone")

    def test_a_hold_ends_with_its_connection(self):
        connection = http.client.HTTPConnection("127.0.0.1", self.a.port)
        connection.request("POST", "/locks/held/hold")
        answer = connection.getresponse()
        self.assertEqual(answer.status, 201)
        self.assertEqual(self.b.post("/locks/held/acquire?ttl=5s")[0], 423)
        # Longer than the ttl that the service chose: it renews.
        time.sleep(12)
        self.assertEqual(self.b.post("/locks/held/acquire?ttl=5s")[0], 423)
        answer.close()
        connection.close()
        eventually(lambda: self.b.post("/locks/held/acquire?ttl=5s")[0] == 201, "the lock is free")

    def test_a_service_that_is_killed_costs_its_waiters_their_places_and_no_lease(self):
        c = Service(self.etcd)
        self.addCleanup(c.stop)
        _, lease = c.post("/locks/killed/acquire?ttl=60s")
        waiter = http.client.HTTPConnection("127.0.0.1", c.port)
        waiter.request("POST", "/locks/killed/acquire?ttl=60s&wait=60s")
        eventually(lambda: self.a.waiting("killed") == 1, "it waits")
        c.process.kill()
        c.process.wait()
        eventually(lambda: self.a.waiting("killed") == 0, "the place is free")
        self.assertEqual(self.a.post(f"/leases/{lease['lease']}/renew")[0], 200)
        c.start()
        self.assertEqual(call(c.port, "DELETE", f"/leases/{lease['lease']}")[0], 200)

    def test_no_quorum_is_said_so(self):
        self.etcd.pause()
        try:
            status, problem = self.a.post("/locks/stopped/acquire?ttl=5s")
        finally:
            self.etcd.process.send_signal(signal.SIGCONT)
        self.assertEqual(status, 503, problem)
        self.assertIn(problem["code"], ("engine-unavailable", "outcome-unknown"))
        # Whatever became of it, nobody was told of a lease.
        eventually(lambda: self.b.post("/locks/stopped/acquire?ttl=5s")[0] == 201, "the lock is free")

    def test_a_service_that_missed_what_etcd_has_forgotten_sees_all_anew(self):
        etcd = OneEtcd(self.program)
        self.addCleanup(etcd.stop)
        b, c = Service(etcd), Service(etcd)
        self.addCleanup(b.stop)
        self.addCleanup(c.stop)
        leases = [b.post(f"/locks/missed-{n}/acquire?ttl=60s")[1]["lease"] for n in range(2)]
        eventually(lambda: call(c.port, "GET", "/locks/missed-1")[1]["held"], "it follows")
        c.process.send_signal(signal.SIGSTOP)
        etcd.kill()  # and with it the watch
        etcd.start()
        eventually(lambda: call(b.port, "DELETE", f"/leases/{leases[0]}")[0] == 200, "etcd is back")
        b.post("/locks/missed-2/acquire?ttl=60s")
        etcd.post("/v3/kv/compaction", {"revision": etcd.revision()})
        c.process.send_signal(signal.SIGCONT)
        eventually(lambda: call(c.port, "GET", "/locks/missed-2")[0] == 200, "it sees what is new")
        self.assertEqual([call(c.port, "GET", f"/locks/missed-{n}")[1]["held"] for n in range(3)], [0, 1, 1])
        told = re.findall(r"^event: (\w+)", c.text("/events?key=missed-0&since=oldest&wait=0"), re.M)
        self.assertEqual(told, ["granted", "released"])

    def test_a_reader_becomes_the_writer_and_a_reader_again(self):
        _, mine = self.a.post("/locks/mode/acquire?ttl=30s&mode=shared")
        _, other = self.b.post("/locks/mode/acquire?ttl=30s&mode=shared")
        up = f"/locks/mode/convert?lease={mine['lease']}&mode=exclusive"
        self.assertEqual(self.b.post(up)[1]["code"], "locked")
        with concurrent.futures.ThreadPoolExecutor() as pool:
            waiter = pool.submit(self.b.post, up + "&wait=20s")
            eventually(lambda: call(self.a.port, "GET", "/locks/mode")[1]["waiting"] == 1, "it waits")
            self.assertEqual(self.a.post(f"/locks/mode/convert?lease={other['lease']}&mode=exclusive")[1]["code"],
                             "deadlock")
            call(self.a.port, "DELETE", f"/leases/{other['lease']}")
            status, writer = waiter.result()
        self.assertEqual((status, writer["lease"], writer["mode"]), (200, mine["lease"], "exclusive"), writer)
        self.assertGreater(writer["fence"], mine["fence"])
        self.assertEqual(self.a.post("/locks/mode/acquire?ttl=5s&mode=shared")[0], 423)
        status, renewed = self.a.post(f"/leases/{mine['lease']}/renew")
        self.assertEqual((status, renewed["mode"], renewed["fence"]), (200, "exclusive", writer["fence"]), renewed)
        status, reader = self.a.post(f"/locks/mode/convert?lease={mine['lease']}&mode=shared")
        self.assertEqual((status, reader["mode"], reader["fence"]), (200, "shared", mine["fence"]), reader)
        self.assertEqual(self.b.post("/locks/mode/acquire?ttl=5s&mode=shared")[0], 201)
        self.assertEqual(call(self.b.port, "DELETE", f"/leases/{mine['lease']}")[0], 200)

    def test_a_cooldown_keeps_the_lock_after_its_lease(self):
        _, first = self.a.post("/locks/cool/acquire?ttl=30s&cooldown=30s")
        self.assertEqual(call(self.b.port, "DELETE", f"/leases/{first['lease']}")[0], 200)
        begun = time.monotonic()
        status, lease = self.a.post("/locks/cool/acquire?ttl=2s&cooldown=4s")
        self.assertEqual(status, 201, lease)
        eventually(lambda: call(self.b.port, "GET", f"/leases/{lease['lease']}")[0] == 410, "the lease is over")
        self.assertGreaterEqual(time.monotonic() - begun, 1.9)
        self.assertEqual(call(self.a.port, "DELETE", f"/leases/{lease['lease']}")[1]["code"], "expired")
        self.assertEqual(self.b.post("/locks/cool/acquire?ttl=5s")[0], 423)
        eventually(lambda: call(self.b.port, "GET", "/locks/cool")[1]["cooling"] == 1, "it cools down")
        self.assertEqual(self.b.post("/locks/cool/acquire?ttl=5s&wait=20s")[0], 201)
        self.assertGreaterEqual(time.monotonic() - begun, 5.9)

    def test_many_are_renewed_at_once_each_on_its_own(self):
        leases = [self.a.post(f"/locks/many{n}/acquire?ttl=10s")[1]["lease"] for n in range(20)]
        self.assertEqual(call(self.b.port, "DELETE", f"/leases/{leases[7]}")[0], 200)
        status, answer = self.b.post("/leases/renew?ttl=60s&leases=" + ",".join(leases))
        self.assertEqual(status, 200, answer)
        self.assertEqual([lease["lease"] for lease in answer["renewed"]], leases[:7] + leases[8:])
        self.assertTrue(all(lease["ttl_ms"] == 60_000 for lease in answer["renewed"]))
        self.assertEqual([(lost["lease"], lost["code"]) for lost in answer["lost"]], [(leases[7], "released")])

    def test_the_engine_tells_of_itself(self):
        _, lease = self.a.post("/locks/traits/acquire?ttl=2500ms")
        self.assertEqual((lease["ttl_ms"], lease["expiry_precision_ms"]), (2500, 2500))
        eventually(lambda: call(self.a.port, "GET", "/version")[1]["engine"]["versions"], "etcd's version is known")
        engine = call(self.a.port, "GET", "/version")[1]["engine"]
        self.assertEqual((engine["name"], engine["ttl_min_ms"]), ("etcd", 2000))
        self.assertRegex(engine["versions"][0], "^3[.]")
        self.assertEqual(self.resize(self.a, "traits2", 2)[0], 201)
        self.assertEqual(self.resize(self.a, "traits2", 2)[0], 200)
        before = self.a.text("/metrics")
        self.assertEqual(self.resize(self.a, "traits2", 3)[0], 200)
        text = self.a.text("/metrics")
        numbers = [int(re.search("^leasehold_resizes_total (.*)$", one, re.M)[1]) for one in (before, text)]
        self.assertEqual(numbers[1], numbers[0] + 1)
        self.assertGreater(numbers[0], 0)
        self.assertRegex(text, "leasehold_cluster_requests_total [1-9]")
        self.assertIn("leasehold_cluster_unknown_outcomes_total", text)
        self.assertIn("leasehold_cluster_watch_restarts_total", text)

    def breaks(self, lease, words):
        """Ends it through the other service, which hears of a lease a moment later."""
        eventually(lambda: self.b.post(f"/leases/{lease['ref']}/break?{words}")[0] == 200, "b knows the lease")

    def test_an_operator_gives_a_holder_some_time(self):
        _, lease = self.a.post("/locks/grace/acquire?ttl=60s")
        self.breaks(lease, "after=4s&reason=maintenance")
        status, problem = self.a.post(f"/leases/{lease['lease']}/renew")
        self.assertEqual((status, problem["code"], problem["break_reason"]), (410, "broken", "maintenance"), problem)
        self.assertEqual(self.a.post("/locks/grace/acquire?ttl=5s")[0], 423)
        eventually(lambda: call(self.a.port, "GET", f"/leases/{lease['lease']}")[0] == 410, "it is over")
        # etcd ends the grace a little later: until then a release is one. Whoever gets the lock comes after that.
        self.assertEqual(self.a.post("/locks/grace/acquire?ttl=5s&wait=20s")[0], 201)
        status, problem = call(self.b.port, "DELETE", f"/leases/{lease['lease']}")
        self.assertEqual((status, problem["code"], problem["break_reason"]), (410, "broken", "maintenance"), problem)
        _, other = self.a.post("/locks/grace2/acquire?ttl=60s")
        self.breaks(other, "after=30s")
        # As soon as that: a service that is told of it by a refusal, and not by its watch, lets it be released too.
        self.assertEqual(self.a.post(f"/leases/{other['lease']}/renew")[1]["code"], "broken")
        self.assertEqual(call(self.a.port, "DELETE", f"/leases/{other['lease']}")[0], 200)
        self.assertEqual(self.b.post("/locks/grace2/acquire?ttl=5s")[0], 201)

    def test_a_history_of_many_is_right(self):
        seconds, slots = float(os.environ.get("LEASEHOLD_SECONDS", "8")), 3
        stop, errors, held, guard = time.monotonic() + seconds, [], [], threading.Lock()
        seed = int(os.environ.get("LEASEHOLD_SEED", random.randrange(1 << 30)))

        def client(number):
            rng = random.Random(seed + number)
            while time.monotonic() < stop:
                port = rng.choice([self.a.port, self.b.port])
                lock, count, most = rng.choice([("w", 1, 1), ("s", 1, slots), ("s", 2, slots)])
                limit = f"&limit={slots}&count={count}" if lock == "s" else ""
                sent = time.monotonic()
                status, lease = call(port, "POST", f"/locks/h-{lock}/acquire?ttl=5s&wait=10s{limit}")
                if status != 201:
                    if status not in (423, 408, 503):
                        errors.append((status, lease))
                    continue
                began, until = time.monotonic(), sent + (lease["waited_ms"] + lease["expires_in_ms"]) / 1000
                time.sleep(rng.random() * 0.01)
                ended = min(time.monotonic(), until)
                status, answer = call(rng.choice([self.a.port, self.b.port]), "DELETE", f"/leases/{lease['lease']}")
                if status != 200:
                    errors.append((status, answer))
                with guard:
                    held.append(history.Held(lock, count, began, ended, lease["fence"]))

        threads = [threading.Thread(target=client, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(errors[:3], [], f"seed {seed}")
        self.assertGreater(len(held), 20)
        self.assertEqual(history.violations(held, {"w": 1, "s": slots}), [], f"seed {seed}")
        print(f"{len(held)} grants in {seconds} s, seed {seed}")


load_tests = for_each_etcd(EtcdEngine)

if __name__ == "__main__":
    unittest.main(verbosity=2)
