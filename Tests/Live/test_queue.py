"""Who is next."""

import time
import unittest

from harness import LiveTest, Server, eventually


class Queue(LiveTest):
    def test_waiters_are_served_in_the_order_in_which_they_came(self):
        held = self.granted(self.server.acquire(self.key()))
        waiters = [self.server.acquire_later(self.key(), owner=f"w{number}") for number in range(6)]
        listed = self.server.lock(self.key())["waiters"]
        self.assertEqual([waiter["owner"] for waiter in listed], [f"w{number}" for number in range(6)])
        ages = [waiter["age_ms"] for waiter in listed]
        self.assertEqual(ages, sorted(ages, reverse=True))
        self.assertTrue(all(0 < waiter["wait_left_ms"] <= 20000 for waiter in listed))
        for number, waiter in enumerate(waiters):
            self.granted(self.server.release(held), 200)
            held = self.granted(waiter.answer())
            self.assertEqual(held["owner"], f"w{number}")
            self.assertEqual(self.server.waiting(self.key()), 5 - number)

    def test_a_large_count_at_the_head_is_not_overtaken(self):
        held = self.granted(self.server.acquire(self.key(), limit=5, count=3))
        large = self.server.acquire_later(self.key(), limit=5, count=4)
        small = self.server.acquire_later(self.key(), limit=5, count=1)
        refused = self.server.acquire(self.key(), limit=5, count=1)
        problem = self.assertProblem(refused, 423, "locked", available=2, waiters=2)
        self.assertEqual(len(problem["holders"]), 1)
        time.sleep(0.1)
        self.assertFalse(large.done or small.done)
        self.server.release(held)
        self.assertEqual(self.granted(large.answer())["count"], 4)
        self.assertEqual(self.granted(small.answer())["count"], 1)

    def test_a_writer_at_the_head_is_not_overtaken_by_readers(self):
        reader = self.granted(self.server.acquire(self.key(), mode="shared"))
        writer = self.server.acquire_later(self.key(), mode="exclusive")
        later = [self.server.acquire_later(self.key(), mode="shared") for _ in range(3)]
        self.assertProblem(self.server.acquire(self.key(), mode="shared"), 423, "locked", waiters=4)
        self.server.release(reader)
        lease = self.granted(writer.answer())
        self.assertFalse(any(pending.done for pending in later))
        self.server.release(lease)
        for pending in later:
            self.granted(pending.answer())

    def test_a_waiter_gets_the_lock_when_the_holders_time_is_over(self):
        self.granted(self.server.acquire(self.key(), ttl="300ms"))
        lease = self.granted(self.server.acquire(self.key(), wait="20s"))
        self.assertGreaterEqual(lease["waited_ms"], 200)

    def test_a_waiter_that_hangs_up_leaves_the_queue_and_never_gets_the_lock(self):
        held = self.granted(self.server.acquire(self.key()))
        gone = self.server.socket()
        gone.sendall(
            f"POST /locks/{self.key()}/acquire?wait=20s&owner=gone HTTP/1.1\r\nHost: localhost\r\n\r\n".encode()
        )
        eventually(lambda: self.server.waiting(self.key()) == 1, "the waiter queues")
        patient = self.server.acquire_later(self.key(), owner="patient")
        gone.close()
        eventually(lambda: self.server.waiting(self.key()) == 1, "the one who hung up leaves")
        self.server.release(held)
        self.assertEqual(self.granted(patient.answer())["owner"], "patient")

    def test_a_large_waiter_that_hangs_up_lets_the_small_ones_pass(self):
        self.granted(self.server.acquire(self.key(), limit=3, count=2))
        large = self.server.socket()
        target = f"/locks/{self.key()}/acquire?limit=3&count=3&wait=20s"
        large.sendall(f"POST {target} HTTP/1.1\r\nHost: localhost\r\n\r\n".encode())
        eventually(lambda: self.server.waiting(self.key()) == 1, "the large one queues")
        small = self.server.acquire_later(self.key(), limit=3)
        large.close()
        self.granted(small.answer())

    def test_max_waiters_refuses_at_once(self):
        self.granted(self.server.acquire(self.key()))
        self.assertProblem(self.server.acquire(self.key(), wait="10s", max_waiters=0), 423, "queue-full", waiters=0)
        self.server.acquire_later(self.key(), wait="3s", max_waiters=1)
        begun = time.monotonic()
        answer = self.server.acquire(self.key(), wait="10s", max_waiters=1)
        self.assertProblem(answer, 423, "queue-full", waiters=1)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertLess(time.monotonic() - begun, 5)
        self.server.acquire_later(self.key(), wait="3s", max_waiters=2)

    def test_max_waiters_does_not_refuse_who_need_not_wait(self):
        self.granted(self.server.acquire(self.key(), max_waiters=0))

    def test_wait_timeouts_do_not_disturb_the_others(self):
        held = self.granted(self.server.acquire(self.key()))
        first = self.server.acquire_later(self.key(), wait="300ms")
        second = self.server.acquire_later(self.key())
        self.assertProblem(first.answer(), 423, "wait-timeout", waiters=1)
        self.server.release(held)
        self.granted(second.answer())

    def test_removing_a_lock_tells_its_holders_and_waiters(self):
        lease = self.granted(self.server.acquire(self.key()))
        waiter = self.server.acquire_later(self.key())
        self.assertProblem(self.server.delete(f"/locks/{self.key()}"), 409, "in-use")
        answer = self.server.delete(f"/locks/{self.key()}", force="true")
        self.assertEqual((answer.status, answer["removed"], answer["key"]), (200, True, self.key()))
        self.assertProblem(waiter.answer(), 410, "lock-removed", key=self.key(), reason="lock-removed")
        self.assertProblem(self.server.get(f"/leases/{lease['lease']}"), 410, "lock-removed", ref=lease["ref"])
        self.granted(self.server.acquire(self.key()))

    def test_removing_an_idle_lock_and_an_unknown_one(self):
        self.server.release(self.granted(self.server.acquire(self.key())))
        self.assertEqual(self.server.delete(f"/locks/{self.key()}").status, 200)
        self.assertProblem(self.server.delete(f"/locks/{self.key()}"), 404, "no-such-lock")
        self.assertProblem(self.server.lock(self.key()), 404, "no-such-lock")


class ManyWaiters(unittest.TestCase):
    def test_the_services_own_limit_of_waiters_is_429(self):
        server = Server("--max-waiters", "3")
        self.addCleanup(server.stop)
        server.start()
        self.assertEqual(server.acquire("k").status, 201)
        for _ in range(3):
            server.acquire_later("k", wait="5s")
        answer = server.acquire("k", wait="5s")
        self.assertEqual((answer.status, answer["code"]), (429, "too-many-waiters"), answer)
        self.assertGreaterEqual(int(answer.headers["Retry-After"]), 1)
        self.assertEqual(server.acquire("other").status, 201, "who need not wait is served")


if __name__ == "__main__":
    unittest.main()
