"""What a lock can be asked for besides, and what a living lease can."""

import asyncio
import json
import shutil
import socket
import subprocess
import tempfile
import unittest

from support import PATIENCE, LiveTest, Server, eventually, leasehold
from harness import free_port
from cgroups import Cgroup, why_none
from test_wire import Script, answer
from leasehold import AlreadyHeld, Client, Invalid, LeaseholdError, LeaseLost, Lock, Locked, Slots, Superseded

WHY_NO_CGROUP = why_none()


class Features(LiveTest):
    def acquire(self, *key, **options):
        lease = leasehold.acquire(*(key or (self.key,)), **{"client": self.client, **options})
        self.addCleanup(lease.release, early=True)
        return lease

    def holder(self):
        return self.client.lock(self.key)["holders"][0]

    def test_all_is_said_to_the_service(self):
        self.acquire(slots=["a", "b"], slot="b", cooldown=5, newest="web", owner="ann", note="begins",
                     hold_at_least=0.01)
        seen = self.holder()
        self.assertEqual([seen[name] for name in ("slots", "newest", "owner", "note")], [["b"], "web", "ann", "begins"])
        self.assertEqual(self.client.lock(self.key)["limit"], 2)
        self.client.break_(seen["ref"])
        eventually(lambda: self.client.lock(self.key)["cooling"] == 1, "it cools down")

    def test_a_slot_by_its_name(self):
        first = self.acquire(slots=["a", "b", "c"], slot=["b", "c"], count=2)
        self.assertEqual((first.slot, first.slots), ("b", ("b", "c")))
        other = self.program(f"l = acquire({self.key!r}, slot='a'); print(l.slot); sys.stdin.readline()")
        self.assertEqual(other.line(), "a")
        self.assertRaises(Locked, self.acquire, slots=["a", "b", "c"], slot="a", wait=0)

    def test_what_makes_no_sense_is_refused_at_once(self):
        for options in ({"value": 3}, {"count": 2}, {"keep": "cgroup", "ttl": 5}, {"cooldown": -1}):
            with self.subTest(options), self.assertRaises(Invalid):
                Lock(self.key, **options)
        self.assertRaises(TypeError, Lock, self.key, colour="red")
        self.assertRaises(TypeError, leasehold.acquire, self.key, colour="red")
        self.assertRaises(Invalid, Lock, [{"kay": "a"}])

    def test_a_lock_gets_another_number_of_slots(self):
        lease = self.acquire(slots=1)
        self.assertEqual(self.client.resize(self.key, 3)["limit"], 3)
        lease.release()
        self.assertTrue(self.client.resize(self.key, 0)["paused"])
        self.assertRaises(Locked, self.acquire, slots=3, wait=0)
        self.assertTrue(self.client.resize(self.key, 2, pinned=True)["pinned"])
        self.acquire(slots=9)
        self.acquire(f"{self.key}-2", slots=["a", "b"])
        self.assertEqual(self.client.resize(f"{self.key}-2", ["a", "b", "c"])["slots"], ["a", "b", "c"])

    def test_a_lock_is_added_to_a_living_lease(self):
        for keep in ("process", "stream", "renewal"):
            with self.subTest(keep):
                lease = self.acquire(keep=keep)
                more = [f"{self.key}-2", Slots(f"{self.key}-3", ["x", "y"], slot="y")]
                lease.add(*more)
                lease.add(*more)
                self.assertEqual(lease.keys, (self.key, f"{self.key}-2", f"{self.key}-3"))
                self.assertEqual((lease.slot, lease.fences[self.key]), ("y", lease.fence))
                self.assertGreater(lease.fences[f"{self.key}-2"], lease.fence)
                self.assertEqual(self.held(f"{self.key}-3"), 1)
                other = self.program(f"l = acquire({self.key + '-4'!r}); print('has'); sys.stdin.readline()")
                self.assertEqual(other.line(), "has")
                with self.assertRaises(Locked):
                    lease.add(f"{self.key}-4")
                other.stop()
                with self.assertRaises(Invalid):
                    lease.add("sysv:0x5150.0")  # there is none: the lease is as it was
                lease.check()
                self.assertEqual(lease.env()["LEASEHOLD_LOCK"], "\n".join(lease.keys))
                self.assertTrue(lease.release())
                eventually(lambda: self.held(f"{self.key}-3") == 0, "all are free")  # noqa: B023
                self.assertRaises(LeaseLost, lease.add, "x")

    def test_it_stays_taken_until_an_early_release(self):
        lease = self.acquire(hold_at_least=3600)
        told = lease.kept_until
        self.assertRegex(told, "T.*Z$")
        self.assertTrue(lease.release())
        self.assertEqual((lease.kept_until, self.holder()["state"]), (told, "kept"))
        self.assertFalse(lease.release())
        self.assertFalse(lease.release(early=True))
        self.assertFree()
        self.assertIsNone(lease.kept_until)
        lease = self.acquire(hold_at_least=3600)
        self.assertTrue(lease.release(early=True))
        self.assertFree()
        self.assertIsNone(self.acquire().kept_until)

    def test_a_note_with_a_renewal(self):
        lease = self.acquire(ttl=30, note="begins")
        lease.renew(note="step 2")
        self.assertEqual(self.holder()["note"], "step 2")

    def test_the_newest_of_a_group_is_waited_for_and_the_holder_is_asked_to_yield(self):
        for options in ({}, {"keep": "stream"}, {"ttl": 0.6}):
            with self.subTest(options):
                lease = self.acquire(newest="web", **options)
                self.assertFalse(lease.wait_yield(0))
                program = (f"try: l = acquire({self.key!r}, newest='web', ttl=5); print('has')\n"
                           "except Superseded as error: print(error.code)")
                older = self.program(program)
                eventually(lambda: self.queued() == 1, "it waits")
                self.assertTrue(lease.wait_yield(PATIENCE))
                newer = self.program(program)
                self.assertEqual(older.line(), "superseded")
                self.assertTrue(lease.yield_asked)
                lease.check()
                self.assertTrue(lease.release())
                self.assertEqual(newer.line(), "has")
                newer.stop()
                self.client.break_(self.holder()["ref"])
                self.assertFree()

    def test_a_task_is_asked_to_yield(self):
        async def work():
            async with Lock(self.key, newest="web", client=self.client) as lease:
                newer = asyncio.ensure_future(leasehold.aio.acquire(self.key, newest="web", client=self.client))
                self.assertTrue(await lease.wait_yield(PATIENCE))
                await lease.add(f"{self.key}-2")
                self.assertEqual(len(lease.fences), 2)
            await (await newer).release(early=True)
            self.assertTrue(await lease.wait_yield())
        with self.assertRaises(AlreadyHeld):  # of the same task
            with Lock(self.key, client=self.client):
                leasehold.acquire(self.key, newest="web", client=self.client)
        asyncio.run(work())

    def test_who_holds_it_too_long_is_stopped_before_others_get_it(self):
        program = self.program(f"l = acquire({self.key!r}, max_hold=1, stop_grace=0.2)\n"
                               "import signal\nsignal.signal(signal.SIGTERM, lambda *_: print('told'))\n"
                               "print('has')\nwhile True: time.sleep(9)")
        self.assertEqual(program.line(), "has")
        self.assertEqual((self.holder()["stop"], self.holder()["grace_ms"]), ("term", 200))
        self.acquire(wait=PATIENCE)
        self.assertEqual(program.line(), "told")
        self.assertEqual(program.process.wait(PATIENCE), -9)

    def test_a_set_of_semaphores_is_made(self):
        lease = self.acquire("sysv:0x4c4153.0", create=True, value=2)
        self.acquire({"key": "sysv:0x4c4153.0", "create": True}).release()
        self.assertEqual(self.client.lock("sysv:0x4c4153.0")["sysv"]["value"], 1)
        several = self.acquire([{"key": "sysv:0x4c4154.1", "create": True, "value": 3}, self.key])
        self.assertEqual(self.client.lock("sysv:0x4c4154.1")["sysv"]["value"], 2)
        for one in (lease, several):
            self.assertTrue(one.release())
        for key in ("0x4c4153", "0x4c4154"):
            self.assertEqual(self.server.delete(f"/semaphores/{key}").status, 200)

    @unittest.skipIf(WHY_NO_CGROUP, WHY_NO_CGROUP)
    def test_it_ends_with_the_cgroup(self):
        cgroup = Cgroup()
        self.addCleanup(cgroup.remove)
        program = self.program(
            f"import subprocess\nl = acquire({self.key!r}, keep='cgroup')\n"
            "subprocess.Popen(['sleep', '600'], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)\n"
            "print(l.kept_by, l.remaining)", prefix=cgroup.enter())
        self.assertEqual(program.line(), "cgroup None")
        program.end()
        self.assertEqual(self.held(), 1)
        cgroup.kill()
        self.assertFree()
        self.assertRaises(Invalid, leasehold.acquire, self.key, keep="cgroup", client=self.tcp)

    def test_what_an_older_service_does_not_know_is_an_error(self):
        problem = {"code": "unknown-parameter", "detail": "There is no parameter 'newest'.", "parameter": "newest"}
        script = Script([answer(json.dumps(problem).encode(), 400)])
        with self.assertRaises(Invalid) as error:
            leasehold.acquire("a", newest="web", ttl=5, client=Client(script.url))
        self.assertEqual((error.exception.parameter, str(error.exception)), ("newest", problem["detail"]))

    def test_what_the_engine_cannot_do_is_an_error(self):
        problem = {"code": "not-supported", "detail": "etcd has no semaphores."}
        script = Script([answer(json.dumps(problem).encode(), 501)])
        with self.assertRaises(LeaseholdError) as error:
            leasehold.acquire("php:5", ttl=5, client=Client(script.url))
        self.assertEqual((error.exception.status, str(error.exception)), (501, problem["detail"]))


class Engine(unittest.TestCase):
    @unittest.skipUnless(shutil.which("etcd"), "no etcd")
    def test_a_lock_of_several_hosts_is_kept_by_a_stream(self):
        urls = [f"http://127.0.0.1:{free_port()}" for _ in range(2)]
        folder = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, folder)
        etcd = subprocess.Popen(
            ["etcd", "--data-dir", folder, "--listen-client-urls", urls[0], "--advertise-client-urls", urls[0],
             "--listen-peer-urls", urls[1], "--initial-advertise-peer-urls", urls[1],
             "--initial-cluster", f"default={urls[1]}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(etcd.wait)
        self.addCleanup(etcd.kill)
        eventually(lambda: answers(urls[0]), "etcd takes connections")
        server = Server("--engine", f"etcd:{urls[0]}")
        self.addCleanup(server.stop)
        server.start()
        with Lock("a", client=Client(f"unix:{server.unix}")) as lease:
            self.assertEqual(lease.kept_by, "stream")
        with self.assertRaises(LeaseholdError) as error:
            leasehold.acquire("a", slots=["x", "y"], client=Client(f"unix:{server.unix}"))
        self.assertEqual(error.exception.status, 501)


def answers(url):
    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", int(url.rpartition(":")[2]))) == 0


class Older(LiveTest):
    def test_events_of_a_service_that_asks_nobody_to_yield_are_followed(self):
        proxy = self.proxy()
        proxy.rewrite = (b",yield", b",yields")  # a kind that it does not know
        client = Client(proxy.url)
        lease = leasehold.acquire(self.key, client=client)
        self.breaks(lease)
        self.assertTrue(lease.wait_lost(10))  # sooner than a look of every 15 s


if __name__ == "__main__":
    unittest.main()
