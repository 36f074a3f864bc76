# Rows: H9 H10
"""Each side releases what it acquired itself, once, and nothing of the other's."""

import unittest

from php_support import PHPTest


class Release(PHPTest):
    def test_the_value_moves_once(self):
        php = self.opened()
        lease = self.lease()
        answer = self.server.post(f"/locks/{self.lock}/release", lease=lease["lease"])
        self.assertEqual((answer.status, answer["already"]), (200, False), answer)
        self.assertValues([1, 1, 0])
        for answer in (
            self.server.post(f"/locks/{self.lock}/release", lease=lease["lease"]),
            self.server.delete(f"/leases/{lease['lease']}"),
        ):
            self.assertEqual((answer.status, answer["already"]), (200, True), answer)
            self.assertValues([1, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_no_lease_releases_what_php_holds(self):
        lease = self.lease()
        self.release(lease)
        php = self.holding()
        self.assertIs(self.release(lease)["already"], True)
        self.assertProblem(self.server.post(f"/locks/{self.lock}/release", lease="0" * 32), 404, "no-such-lease")
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_php_cannot_release_a_lease(self):
        lease = self.lease()
        php = self.opened()
        self.assertEqual(
            php.warned("release a"),
            f"sem_release(): SysV semaphore for key 0x{self.sysv_key:x} is not currently acquired",
        )
        self.assertValues([0, 1025, 0])
        self.granted(self.server.get(f"/leases/{lease['lease']}"), 200)
        self.ends(php, leaving=[0, 1024, 0])
        self.release(lease, leaving=[1, 0, 0])

    def test_a_php_handle_cannot_release_what_another_acquired(self):
        php = self.holding()
        self.assertIs(php.ask(f"get b {self.sysv_key}"), True)
        self.assertIn("not currently acquired", php.warned("release b"))
        self.assertProblem(self.acquire(), 423, "locked")
        php.quit()

    def test_release_without_a_lease_or_with_another_locks(self):
        lease = self.lease()
        self.assertProblem(self.server.post(f"/locks/{self.lock}/release"), 400, "missing-parameter")
        other = f"php:{self.sysv_key + 0x10000}"
        self.assertProblem(self.server.post(f"/locks/{other}/release", lease=lease["lease"]), 404, "no-such-lease")
        self.assertValues([0, 1024, 0])
        # Another spelling of the same key is the same lock.
        answer = self.server.post(f"/locks/php:{hex(self.sysv_key)}/release", lease=lease["lease"])
        self.assertEqual(answer.status, 200, answer)
        self.assertValues([1, 0, 0])

    def test_after_the_end_of_its_time_it_is_410(self):
        php = self.opened()
        lease = self.lease(ttl="100ms")
        self.assertIs(php.ask("acquire a"), True)
        self.assertProblem(self.server.post(f"/locks/{self.lock}/release", lease=lease["lease"]), 410, "expired")
        self.assertProblem(self.server.post(f"/locks/{self.lock}/renew", lease=lease["lease"]), 410, "expired")
        self.assertValues([0, 1, 0])
        self.ends(php, leaving=[1, 0, 0])

    def test_whoever_has_the_lease_may_release_it(self):
        lease = self.lease()
        php = self.opened()
        self.asks(php, sleepers=1)
        answer = self.server.over_unix.post(f"/locks/{self.lock}/release", lease=lease["lease"])
        self.assertEqual(answer.status, 200, answer)
        self.assertIs(php.answer()["result"], True)
        self.ends(php, leaving=[1, 0, 0])

    def test_renewed_it_stays(self):
        lease = self.lease(ttl="1s")
        php = self.opened()
        self.asks(php, sleepers=1)
        self.granted(self.server.post(f"/locks/{self.lock}/renew", lease=lease["lease"], ttl="60s"), 200)
        self.assertEqual(self.acquire(wait="1200ms").status, 423)
        self.assertTrue(php.is_silent())
        self.release(lease)
        self.assertIs(php.answer()["result"], True)
        self.ends(php, leaving=[1, 0, 0])

    def test_an_acquire_that_is_repeated_takes_one_slot(self):
        headers = {"Idempotency-Key": "again"}
        target = f"/locks/{self.lock}/acquire?limit=3"
        first = self.granted(self.server.request("POST", target, headers=headers))
        self.assertValues([2, 1024, 0])
        second = self.granted(self.server.request("POST", target, headers=headers), 200)
        self.assertEqual((second["lease"], second["replayed"]), (first["lease"], True))
        self.assertValues([2, 1024, 0])
        self.release(first, leaving=[3, 0, 0])

    def test_all_of_an_owner_and_nothing_of_php(self):
        php = self.holding(4)
        mine = [self.lease(owner="me", limit=4), self.lease(owner="me", limit=4)]
        other = self.lease(owner="you", limit=4)
        answer = self.server.delete("/leases", owner="me", key=self.lock)
        self.assertEqual((answer.status, answer["released"]), (200, 2), answer)
        self.assertEqual(sorted(answer["leases"]), sorted(lease["ref"] for lease in mine))
        self.assertValues([2, 1025, 0])
        self.release(other)
        self.ends(php, leaving=[4, 0, 0])


if __name__ == "__main__":
    unittest.main()
