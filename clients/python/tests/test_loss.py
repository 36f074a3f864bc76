"""How a lease is kept, and how its loss is told."""

import re
import signal
import threading
import time
import unittest

from support import LiveTest, PATIENCE, eventually, leasehold
from leasehold import LeaseLost, Lock


class Loss(LiveTest):
    WAYS = ({"keep": "process"}, {"keep": "stream"}, {"ttl": 1.5})

    def test_a_broken_lease_is_told_by_itself(self):
        for options in self.WAYS:
            with self.subTest(options):
                lease = leasehold.acquire(self.key, client=self.client, **options)
                threading.Timer(0.3, self.breaks, [lease], {"reason": "host goes down"}).start()
                begun = time.monotonic()
                self.assertTrue(lease.wait_lost(PATIENCE))
                self.assertLess(time.monotonic() - begun, 1.2)
                self.assertEqual(lease.lost_reason, "broken")
                with self.assertRaises(LeaseLost) as error:
                    lease.check()
                self.assertEqual((error.exception.reason, error.exception.break_reason), ("broken", "host goes down"))
                self.assertRegex(error.exception.ended_at, r"^\d{4}-\d\d-\d\dT")
                self.assertFalse(lease.release())

    def test_a_lease_broken_before_anybody_listened(self):
        lease = leasehold.acquire(self.key, client=self.client)
        self.breaks(lease)
        self.assertTrue(lease.wait_lost(PATIENCE))

    def test_a_lost_lease_leaves_the_block(self):
        with self.assertRaises(LeaseLost), Lock(self.key, client=self.client) as lease:
            self.breaks(lease)
            result = "done"
        self.assertEqual(result, "done")

    def test_what_the_body_raises_is_not_hidden(self):
        with self.assertRaises(ZeroDivisionError), Lock(self.key, client=self.client) as lease:
            self.breaks(lease)
            1 / 0

    def test_who_ignores_it_keeps_the_result(self):
        @Lock(self.key, client=self.client, on_lost="ignore")
        def work():
            self.server.over_unix.delete(f"/locks/{self.key}", force="true")
            return "done"

        self.assertEqual(work(), "done")

    def test_released_within_the_block(self):
        with Lock(self.key, client=self.client) as lease:
            self.assertTrue(lease.release())
        self.assertFalse(lease.lost)

    def test_the_lock_is_removed(self):
        lease = leasehold.acquire(self.key, client=self.client)
        eventually(lambda: self.server.over_unix.delete(f"/locks/{self.key}", force="true").status == 200, "removed")
        self.assertTrue(lease.wait_lost(PATIENCE))
        self.assertEqual(lease.lost_reason, "lock-removed")

    def test_an_operator_gives_time(self):
        for options in self.WAYS[1:]:
            with self.subTest(options):
                lease = leasehold.acquire(self.key, client=self.client, **options)
                self.breaks(lease, after="800ms", reason="later")
                time.sleep(0.4)
                lease.check()
                self.assertTrue(lease.wait_lost(PATIENCE))
                self.assertEqual(lease.lost_reason, "broken")
                self.assertRaisesRegex(LeaseLost, "", lease.check)

    def test_a_ttl_is_renewed_and_not_waited_for(self):
        with Lock(self.key, client=self.client, ttl=0.6) as lease:
            time.sleep(1.5)
            lease.check()
            self.assertGreater(lease.remaining, 0.1)
        self.assertFree()

    def renewals(self):
        """How often the service was asked for one, and for several at once."""
        text = self.server.over_unix.get("/metrics").text
        return [sum(map(int, re.findall(rf'^leasehold_http_requests_total.*"{name}".* (\d+)$', text, re.M)))
                for name in ("renewLease", "renewLeases")]

    def test_several_are_renewed_in_one_request(self):
        before = self.renewals()
        leases = [leasehold.acquire(f"{self.key} {number}", client=self.client, ttl=1.2) for number in range(5)]
        time.sleep(0.6)
        self.server.over_unix.post(f"/leases/{leases[4].ref}/break", reason="test")
        time.sleep(1.4)
        alone, together = (after - was for after, was in zip(self.renewals(), before))
        self.assertLessEqual(alone, 1)
        self.assertIn(together, range(2, 7))
        for lease in leases[:4]:
            lease.check()
            self.assertTrue(lease.release())
        self.assertEqual((leases[4].lost, leases[4].lost_reason), (True, "broken"))

    def test_a_service_that_cannot_renew_several_renews_each(self):
        client = leasehold.Client(self.url)
        ask = client.service.request
        client.service.request = lambda method, target, *more, **named: ask(
            method, target.replace("/leases/renew", "/leases/unknown"), *more, **named)
        leases = [leasehold.acquire(f"{self.key} {number}", client=client, ttl=0.9) for number in range(3)]
        time.sleep(1.5)
        for lease in leases:
            self.assertTrue(lease.release())
        self.assertFalse(client.service.renews_many)

    def test_a_lease_is_held_no_longer_than_max_hold(self):
        for options in ({}, {"keep": "stream"}, {"ttl": 0.5}):
            with self.subTest(options):
                begun = time.monotonic()
                lease = leasehold.acquire(self.key, client=self.client, max_hold=0.9, **options)
                self.assertTrue(lease.wait_lost(PATIENCE))
                self.assertLess(time.monotonic() - begun, 1.0)
                self.assertGreater(time.monotonic() - begun, 0.6)
                self.assertIn(lease.lost_reason, ("deadline", "ttl", "expired"))
                self.assertFree(within=2)

    def test_renewed_by_hand_to_a_shorter_time(self):
        lease = leasehold.acquire(self.key, client=self.client, ttl=30)
        lease.renew(0.4)
        self.assertLess(lease.remaining, 0.41)
        lease.renew(20)
        self.assertGreater(lease.remaining, 15)
        lease.release()
        self.assertRaises(LeaseLost, lease.renew)

    def test_the_deadline_counts_from_before_the_request_also_after_a_wait(self):
        first = leasehold.acquire(self.key, client=self.client)
        threading.Timer(0.5, first.release).start()
        got = []

        def take():
            lease = leasehold.acquire(self.key, client=self.client, ttl=2, wait=10)
            real = self.server.over_unix.get(f"/leases/{lease._state.id}")["deadline_monotonic_ns"] / 1e9
            got.append(real - lease._state.deadline)
            lease.release()

        thread = threading.Thread(target=take)
        thread.start()
        thread.join(PATIENCE)
        self.assertGreaterEqual(got[0], 0)
        self.assertLess(got[0], 0.3)

    def test_a_process_that_was_stopped_past_its_deadline(self):
        for proxied in (False, True):
            url = self.proxy().url if proxied else self.url
            program = self.program(f"""
lease = acquire({self.key!r}, ttl=0.5)
print("has")
sys.stdin.readline()
print(lease.lost, lease.lost_reason)
try: lease.check()
except LeaseLost: print("told")
""", url)
            self.assertEqual(program.line(), "has")
            program.process.send_signal(signal.SIGSTOP)
            time.sleep(0.9)
            self.assertFree(within=1)
            program.say()
            program.process.send_signal(signal.SIGCONT)
            self.assertRegex(program.end()[0], r"^True (deadline|ttl)\ntold$")

    def test_a_holder_that_is_killed(self):
        for options, url in (("", self.url), ("keep='stream'", self.url), ("", self.tcp_url), ("ttl=1", self.url)):
            with self.subTest(options):
                program = self.program(f"lease = acquire({self.key!r}, {options})\nprint('has')\ntime.sleep(60)", url)
                self.assertEqual(program.line(), "has")
                program.process.kill()
                took = self.assertFree(within=3)
                self.assertLess(took, 2 if "ttl" in options else 1)

    def test_more_leases_than_a_request_can_name(self):
        many = [leasehold.acquire(f"{self.key} {number}", client=self.client) for number in range(40)]
        with self.assertRaises(leasehold.AlreadyHeld):
            leasehold.acquire(f"{self.key} 0", client=self.client)
        self.breaks(many[3])
        self.assertTrue(many[3].wait_lost(PATIENCE))
        self.assertEqual([lease.release() for lease in many].count(False), 1)


if __name__ == "__main__":
    unittest.main()
