"""Taking, waiting, giving back, and what is refused."""

import datetime
import os
import pickle
import socket
import tempfile
import threading
import time
import unittest

from support import PACKAGE, LiveTest, Program, eventually, leasehold
from leasehold import AlreadyHeld, Client, Deadlock, Invalid, Lock, Locked, Shared, Slots, Unavailable, WaitTimeout


class Locks(LiveTest):
    def test_a_block_has_the_lock_and_gives_it_back(self):
        with Lock(self.key, client=self.client) as lease:
            self.assertEqual(self.held(), 1)
            self.assertEqual((lease.keys, lease.mode), ((self.key,), "exclusive"))
            self.assertEqual((lease.lost, lease.remaining), (False, None))
            self.assertGreater(lease.fence, 0)
            self.assertIn("@", lease.owner)
            lease.check()
        self.assertEqual(self.held(), 0)
        self.assertFalse(lease.lost)
        self.assertFalse(lease.release())
        self.assertRaises(leasehold.LeaseLost, lease.check)

    def test_a_note_is_shown_and_cleared(self):
        with Lock(self.key, client=self.client) as lease:
            for text in ("step 3 of 5", "größer & mehr"):
                lease.note(text)
                self.assertEqual(self.client.lock(self.key)["holders"][0]["note"], text)
            lease.note("")
            self.assertNotIn("note", self.client.lock(self.key)["holders"][0])
            self.breaks(lease)
            self.assertRaises(leasehold.LeaseLost, lease.note, "over")
            lease._on_lost = "ignore"

    def test_it_stays_taken_as_long_as_was_asked_for(self):
        lease = leasehold.acquire(self.key, client=self.client, hold_at_least=3600)
        self.assertTrue(lease.release())
        self.assertEqual(self.client.lock(self.key)["holders"][0]["state"], "kept")
        self.assertRaises(Locked, leasehold.acquire, self.key, client=self.client, wait=0)

    def test_the_body_fails_and_the_lock_is_given_back(self):
        with self.assertRaises(ZeroDivisionError), Lock(self.key, client=self.client):
            1 / 0
        self.assertEqual(self.held(), 0)

    def test_nobody_is_shown_the_id(self):
        with Lock(self.key, client=self.client) as lease:
            self.assertNotIn(lease._state.id, repr(lease) + str(lease) + repr(vars(self.client)))

    def test_a_wait_that_ends_names_the_holders(self):
        other = self.program("l = acquire(%r, owner='ann'); print('has'); sys.stdin.readline()" % self.key)
        self.assertEqual(other.line(), "has")
        with self.assertRaises(Locked) as once:
            leasehold.acquire(self.key, wait=0, client=self.client)
        self.assertNotIsInstance(once.exception, WaitTimeout)
        begun = time.monotonic()
        with self.assertRaises(WaitTimeout) as waited:
            leasehold.acquire(self.key, wait=datetime.timedelta(milliseconds=200), client=self.client)
        self.assertGreaterEqual(time.monotonic() - begun, 0.2)
        self.assertIsInstance(waited.exception, TimeoutError)
        self.assertEqual([holder["owner"] for holder in waited.exception.holders], ["ann"])
        self.assertEqual((waited.exception.status, waited.exception.code), (423, "wait-timeout"))
        self.assertTrue(waited.exception.request_id)
        self.assertEqual(pickle.loads(pickle.dumps(waited.exception)).holders, waited.exception.holders)

    def test_a_lease_above_that_is_over_or_of_another_service_is_not_named_again(self):
        ended = leasehold.acquire(self.key + "-above", client=self.client)
        above = f"{'0' * 32},{ended.env()['LEASEHOLD_LEASE']}"
        ended.release()
        for keep in ("process", "stream"):
            first = leasehold.acquire(self.key, client=self.client)
            other = self.program(f"l = acquire({self.key!r}, wait=9, keep={keep!r}); print('has', l.lost)",
                                 LEASEHOLD_HOLDING=above)
            eventually(lambda: self.queued() == 1, "it waits")
            first.release()
            self.assertEqual(other.end(), ("has False", 0))

    def test_a_wait_longer_than_the_service_allows_goes_on(self):
        server = type(self.server)("--max-wait", "100ms").start()
        self.addCleanup(server.stop)
        client = Client(f"unix:{server.unix}")
        first = leasehold.acquire(self.key, client=client)
        threading.Timer(0.6, first.release).start()
        got = []
        thread = threading.Thread(target=lambda: got.append(leasehold.acquire(self.key, client=client)))
        thread.start()
        thread.join(10)
        self.assertEqual(len(got), 1)
        begun = time.monotonic()
        with self.assertRaises(WaitTimeout), Lock(self.key, client=Client(f"unix:{server.unix}"), wait=0.35):
            pass
        self.assertGreaterEqual(time.monotonic() - begun, 0.35)

    def test_readers_share_and_slots_count(self):
        with Lock(self.key, shared=True, client=self.client) as lease, Lock(self.key, shared=True, client=self.tcp):
            self.assertEqual((lease.mode, self.held()), ("shared", 2))
            with self.assertRaises(AlreadyHeld):
                leasehold.acquire(self.key, client=self.tcp, wait=0)
        counting = self.key + " slots"
        with Lock(counting, slots=5, count=3, client=self.client):
            with Lock(counting, slots=5, count=2, client=self.client):
                self.assertEqual(self.held(counting), 2)
                with self.assertRaises(AlreadyHeld):
                    leasehold.acquire(counting, slots=5, wait=0, client=self.client)

    def test_several_are_one_lease(self):
        names = [self.key + letter for letter in "abc"]
        for client in (self.client, self.tcp):
            with Lock([names[0], Shared(names[1]), Slots(names[2], 5, 2)], client=client) as lease:
                self.assertEqual(lease.keys, tuple(names))
                self.assertEqual([self.held(name) for name in names], [1, 1, 1])
                time.sleep(0.05)
                lease.check()
            for name in names:
                self.assertFree(name, 1)

    def test_a_function_has_a_lease_of_its_own_for_each_call(self):
        fences = []

        @Lock(self.key, client=self.client)
        def work(value):
            """Says so."""
            fences.append(self.held())
            return value

        self.assertEqual((work(1), work(value=2), fences, work.__doc__), (1, 2, [1, 1], "Says so."))
        with self.assertRaises(TypeError):
            Lock(self.key)(lambda: (yield))

    def test_one_object_serves_many_threads(self):
        lock, inside, most = Lock(self.key, client=self.client), [], []

        def work():
            for _ in range(20):
                with lock:
                    inside.append(1)
                    most.append(len(inside))
                    inside.pop()

        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join(30) for thread in threads]
        self.assertEqual((max(most), len(most)), (1, 160))
        self.assertFree()

    def test_the_same_thread_is_told_at_once_that_it_has_it(self):
        for options in ({}, {"wait": 0}, {"wait": 30}, {"shared": True}, {"ttl": 5}):
            with Lock(self.key, client=self.client), self.assertRaises(AlreadyHeld):
                begun = time.monotonic()
                leasehold.acquire(self.key, client=self.client, **options)
            self.assertLess(time.monotonic() - begun, 1)
        both = [self.key, self.key + " other"]
        with Lock(both, client=self.client), self.assertRaises(AlreadyHeld):
            leasehold.acquire(self.key + " other", client=self.client)

    def test_below_a_run_that_has_it_too(self):
        from harness import PROGRAM
        import subprocess
        import sys
        text = f"import leasehold\ntry: leasehold.acquire({self.key!r})\nexcept leasehold.AlreadyHeld: print('told')"
        given = {**os.environ, "LEASEHOLD_URL": self.url, "PYTHONPATH": os.path.join(PACKAGE, "src")}
        said = subprocess.run([PROGRAM, "run", self.key, "--", sys.executable, "-c", text], text=True, timeout=20,
                              capture_output=True, env=given)
        self.assertEqual(said.stdout.strip(), "told", said.stderr)

    def test_two_that_wait_for_each_other_are_told(self):
        first, second = self.key + " 1", self.key + " 2"
        mine = leasehold.acquire(first, client=self.client)
        told = []

        def other():
            with Lock(second, client=self.client):
                begun.set()
                with Lock(first, client=self.client):
                    told.append("got it")

        begun = threading.Event()
        thread = threading.Thread(target=other)
        thread.start()
        begun.wait(10)
        eventually(lambda: self.queued(first) == 1, "the other waits")
        with self.assertRaises(Deadlock) as error:
            leasehold.acquire(second, client=self.client)
        self.assertEqual(len(error.exception.circle), 2)
        mine.release()
        thread.join(10)
        self.assertEqual(told, ["got it"])

    def test_another_thread_may_release(self):
        lease = leasehold.acquire(self.key, client=self.client)
        released = []
        thread = threading.Thread(target=lambda: released.append(lease.release()))
        thread.start()
        thread.join()
        self.assertEqual((released, self.held()), ([True], 0))
        with Lock(self.key, client=self.client):  # and this thread has it no more
            pass

    def test_a_reader_becomes_a_writer_and_back(self):
        with Lock(self.key, shared=True, client=self.client) as lease:
            lease.convert("exclusive")
            self.assertEqual(lease.mode, "exclusive")
            lease.convert("shared")
            self.assertEqual(lease.mode, "shared")

    def test_what_cannot_be_right_is_refused(self):
        for options in ({"ttl": 0}, {"ttl": -1}, {"wait": -1}, {"wait": "5"}, {"ttl": True}, {"keep": "x"},
                        {"count": 2}, {"shared": True, "slots": 2}, {"on_lost": "x"},
                        {"ttl": 5, "keep": "stream"}, {"wait": float("inf")}, {"max_hold": 0}):
            with self.subTest(options), self.assertRaises(Invalid):
                Lock("x", **options)
        self.assertRaises(Invalid, Lock, [])
        with self.assertRaises(Invalid) as error:
            leasehold.acquire(self.key, slots=2, count=3, client=self.client)
        self.assertEqual(error.exception.code, "count-exceeds-limit")
        self.assertRaises(Invalid, leasehold.acquire, self.key, keep="process", client=self.tcp)

    def test_what_a_client_is_asked(self):
        with Lock(self.key, client=self.client, owner="ann") as lease:
            self.assertEqual(self.client.lock(self.key)["holders"][0]["ref"], lease.ref)
            self.assertIn(self.key, [lock["key"] for lock in self.client.locks(self.key)])
            self.assertEqual([found["ref"] for found in self.client.leases(owner="ann")], [lease.ref])
            event = list(self.client.events(self.key, ["granted"], since="oldest", wait=0))[-1]
            self.assertEqual((event["ref"], event["kind"]), (lease.ref, "granted"))
        many = [leasehold.acquire(f"page {number}", client=self.client) for number in range(120)]
        self.assertEqual(len(list(self.client.locks("page "))), 120)
        [lease.release() for lease in many]

    def test_slots_with_names(self):
        with Lock(self.key, slots=["red", "green"], client=self.client) as lease:
            self.assertEqual((lease.slot, lease.slots, lease.env()["LEASEHOLD_SLOT"]), ("red", ("red",), "red"))
            with Lock(leasehold.Slots(self.key, ["red", "green"], slot="green"), client=self.client) as other:
                self.assertEqual(other.slot, "green")
            with Lock([self.key + "2", leasehold.Slots(self.key, ["red", "green"])], client=self.client) as both:
                self.assertEqual(both.slots, ("green",))
            with Lock({"key": self.key, "slots": ["red", "green"]}, client=self.client) as said:
                self.assertEqual(said.slots, ("green",))
        with Lock(self.key + "3", slots=2, client=self.client) as plain:
            self.assertEqual((plain.slot, plain.slots), (None, ()))

    def test_an_environment_for_a_program(self):
        with Lock([self.key, self.key + "2"], client=self.client) as lease:
            given = lease.env()
            self.assertEqual(given["LEASEHOLD_LOCK"], f"{self.key}\n{self.key}2")
            self.assertEqual((given["LEASEHOLD_FENCE"], given["LEASEHOLD_URL"]), (str(lease.fence), self.url))
            self.assertEqual(self.server.over_unix.get(f"/leases/{given['LEASEHOLD_LEASE']}").status, 200)
            self.assertIn(given["LEASEHOLD_LEASE"], given["LEASEHOLD_HOLDING"])


class Where(unittest.TestCase):
    def test_addresses(self):
        from leasehold._address import parse
        for text, url in (("unix:/a/b", "unix:/a/b"), ("unix:///a", "unix:/a"), ("http://h", "http://h:31818"),
                          ("http://[::1]:8/", "http://[::1]:8"), ("https://h:1", "https://h:1")):
            self.assertEqual(parse(text).url, url)
        for text in ("", "/a", "ftp://x", "http://", "unix:", "http://h:x", "http://u@h"):
            self.assertRaises(Invalid, parse, text)

    def test_the_users_own_service_is_found_where_nobody_else_can_put_another(self):
        with tempfile.TemporaryDirectory() as runtime, socket.socket(socket.AF_UNIX) as service:
            folder = os.path.join(runtime, "leasehold")
            os.mkdir(folder, 0o700)
            path = os.path.join(folder, "leasehold.sock")
            service.bind(path)

            def found():
                program = Program("print(Client().url)", "", XDG_RUNTIME_DIR=runtime)
                self.addCleanup(program.stop)
                return program.end()[0]

            self.assertNotEqual(found(), f"unix:{path}")  # nobody takes connections
            service.listen()
            self.assertEqual(found(), f"unix:{path}")
            for open_to_others in (folder, runtime):
                os.chmod(open_to_others, 0o755)
                self.assertNotEqual(found(), f"unix:{path}")
                os.chmod(open_to_others, 0o700)

    def test_nobody_there_is_told_with_the_address_and_soon(self):
        begun = time.monotonic()
        with self.assertRaises(Unavailable) as error:
            leasehold.acquire("x", client=Client("unix:/nonexistent/socket"))
        self.assertLess(time.monotonic() - begun, 3)
        self.assertIn("unix:/nonexistent/socket", str(error.exception))
        self.assertIsInstance(error.exception, ConnectionError)

    @unittest.skipIf(os.getuid() != 0, "only root can be refused as another user")
    def test_a_socket_that_refuses_names_its_group(self):
        import socket
        import tempfile
        text = """
import grp
os.setuid(65534)
try: acquire("x")
except Denied as error: print(isinstance(error, PermissionError), error)
"""
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as listener:
            os.chmod(folder, 0o755)
            path = os.path.join(folder, "s")
            listener.bind(path)
            os.chmod(path, 0o600)
            listener.listen()
            program = Program(text, f"unix:{path}")
            self.addCleanup(program.stop)
            said, _ = program.end()
        self.assertRegex(said, "^True .*its group, 'root'")


if __name__ == "__main__":
    unittest.main()
