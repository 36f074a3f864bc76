"""The daemon is killed, is away for a while, and comes back."""

import threading
import time
import unittest

from support import LiveTest, PATIENCE, eventually, leasehold
from leasehold import Lock


class Away(LiveTest):
    """The daemon is killed: each test has one of its own."""

    def setUp(self):
        self.server = type(self).server = type(self.server)(*self.arguments).start()
        self.addCleanup(self.server.stop)
        self.url, self.client = f"unix:{self.server.unix}", leasehold.Client(f"unix:{self.server.unix}")

    def restart(self, away=0.0):
        self.server.kill()
        time.sleep(away)
        self.server.start()

    def test_the_daemon_is_killed_and_started_again(self):
        bound = leasehold.acquire(self.key, client=self.client)
        renewed = leasehold.acquire(self.key + " ttl", client=self.client, ttl=2)
        self.restart(away=0.3)
        time.sleep(1.8)
        bound.check()
        renewed.check()
        self.assertEqual(self.held(), 1)
        self.breaks(bound)
        self.assertTrue(bound.wait_lost(PATIENCE))
        self.assertTrue(renewed.release())
        with Lock(self.key, client=self.client):
            pass

    def has_grace(self, grace):
        """From the next daemon on."""
        self.server.arguments = [*self.server.arguments, "--recovery-grace", grace]
        self.restart()

    def test_a_stream_is_opened_again_within_the_grace_of_a_restart(self):
        self.has_grace("20s")
        for keys in (self.key, [self.key, self.key + " 2"]):
            lease = leasehold.acquire(keys, client=self.client, keep="stream")
            for end in (self.server.kill, self.server.terminate):
                self.assertIsNone(lease.remaining)
                end()
                eventually(lambda: lease.remaining is not None, "it notices")
                self.assertLessEqual(lease.remaining, 20)
                lease.check()
                self.server.start()
                eventually(lambda: lease.remaining is None, "it is bound again", 19)
            lease.check()
            self.assertEqual(self.held(), 1)
            self.breaks(lease, reason="maintenance")
            self.assertTrue(lease.wait_lost(PATIENCE))
            with self.assertRaises(leasehold.LeaseLost) as lost:
                lease.check()
            self.assertEqual((lost.exception.reason, lost.exception.break_reason), ("broken", "maintenance"))
            self.assertFree()

    def test_a_stream_whose_service_stays_away_is_lost_with_the_grace(self):
        for restarts in (False, True):  # a stream that was opened again has that of the new service
            if restarts:
                self.has_grace("4s")
            lease = leasehold.acquire(self.key, client=self.client, keep="stream")
            if restarts:
                self.has_grace("2s")
                time.sleep(1)
            time.sleep(0.6)
            begun = time.monotonic()
            self.server.kill()
            self.assertTrue(lease.wait_lost(PATIENCE))
            self.assertTrue(1 < time.monotonic() - begun < 3, time.monotonic() - begun)
            self.assertEqual(lease.lost_reason, "connection-closed")
            self.server.start()
            self.assertFree()

    def test_a_stream_without_a_grace_is_lost_at_once(self):
        self.has_grace("0s")
        lease = leasehold.acquire(self.key, client=self.client, keep="stream")
        self.server.kill()
        begun = time.monotonic()
        self.assertTrue(lease.wait_lost(PATIENCE))
        self.assertLess(time.monotonic() - begun, 1)
        self.server.start()

    def test_a_stream_is_released_while_it_is_suspended(self):
        lease = leasehold.acquire(self.key, client=self.client, keep="stream")
        self.server.kill()
        eventually(lambda: lease.remaining is not None, "it notices")
        back = threading.Timer(0.3, self.server.start)
        back.start()
        self.assertTrue(lease.release())
        back.join()
        self.assertFree()

    def test_a_lease_that_ended_while_nobody_listened(self):
        with Lock(self.key + " first", client=self.client):
            time.sleep(0.2)
        lease = leasehold.acquire(self.key, client=self.client)
        proxy_free = self.server.over_unix
        self.restart()
        eventually(lambda: proxy_free.delete(f"/locks/{self.key}", force="true").status in (200, 404), "removed")
        self.assertTrue(lease.wait_lost(PATIENCE))

    def test_away_for_longer_than_the_ttl(self):
        lease = leasehold.acquire(self.key, client=self.client, ttl=0.6)
        begun = time.monotonic()
        self.server.kill()
        self.assertTrue(lease.wait_lost(PATIENCE))
        self.assertLess(time.monotonic() - begun, 0.65)
        self.assertEqual(lease.lost_reason, "deadline")
        self.server.start()
        self.assertFree()

    def test_who_waits_keeps_waiting_through_a_restart(self):
        first = leasehold.acquire(self.key, client=self.client)
        got = []
        new = leasehold.Client(self.url)  # it has had no answer yet, and yet there was somebody
        thread = threading.Thread(target=lambda: got.append(leasehold.acquire(self.key, client=new).release()))
        thread.start()
        eventually(lambda: self.queued() == 1, "it waits")
        self.restart(away=1.5)
        eventually(lambda: self.queued() == 1, "it waits again")
        self.assertTrue(first.release())
        thread.join(PATIENCE)
        self.assertEqual(got, [True])

    def test_a_release_while_the_daemon_is_away_is_done_later(self):
        for options in ({}, {"ttl": 20}):
            lease = leasehold.acquire(self.key, client=self.client, **options)
            self.server.kill()
            begun = time.monotonic()
            self.assertTrue(lease.release())
            self.assertLess(time.monotonic() - begun, 3)
            self.server.start()
            self.assertFree(within=6)

    def test_holder_and_daemon_are_killed(self):
        for options in ("", "keep='stream'", "ttl=1"):
            with self.subTest(options):
                program = self.program(f"lease = acquire({self.key!r}, {options})\nprint('has')\ntime.sleep(60)")
                self.assertEqual(program.line(), "has")
                program.process.kill()
                self.server.kill()
                self.server.start()
                self.assertFree(within=5)


if __name__ == "__main__":
    unittest.main()
