"""Tasks of asyncio: loss cancels the body, and a cancellation at any await leaves nothing behind."""

import asyncio
import random
import sys
import time
import unittest

from support import LiveTest, PATIENCE, eventually, leasehold
from leasehold import AlreadyHeld, Client, LeaseLost, Lock, Locked, WaitTimeout


class Tasks(LiveTest):
    def run_async(self, work):
        return asyncio.run(work)

    def test_a_block_has_the_lock_and_gives_it_back(self):
        async def work():
            for options in ({}, {"keep": "stream"}, {"ttl": 5}):
                async with Lock(self.key, client=self.client, **options) as lease:
                    self.assertEqual((self.held(), lease.lost), (1, False))
                self.assertFalse(await lease.release())
                self.assertFree(within=1)
        self.run_async(work())

    def test_tasks_wait_in_line_and_time_out(self):
        async def work():
            lock, inside, most = Lock(self.key, client=self.client), [], []

            async def one():
                async with lock:
                    inside.append(1)
                    most.append(len(inside))
                    await asyncio.sleep(0.001)
                    inside.pop()
            await asyncio.gather(*(one() for _ in range(30)))
            self.assertEqual((max(most), len(most)), (1, 30))
            lease = await leasehold.aio.acquire(self.key, client=self.client)
            other = asyncio.ensure_future(leasehold.aio.acquire(self.key, wait=0.1, client=self.client))
            with self.assertRaises(WaitTimeout):
                await other
            with self.assertRaises(AlreadyHeld):
                await leasehold.aio.acquire(self.key, client=self.client)
            await lease.release()
        self.run_async(work())

    def test_a_function_of_its_own_task(self):
        @Lock(self.key, client=self.client)
        async def work(value):
            self.assertEqual(self.held(), 1)
            return value
        self.assertEqual(self.run_async(work(3)), 3)
        self.assertFree(within=1)

    def test_loss_cancels_the_body_and_leaves_the_block(self):
        async def work(options):
            with self.assertRaises(LeaseLost) as error:
                async with Lock(self.key, client=self.client, **options) as lease:
                    self.breaks(lease, reason="stop")
                    await asyncio.sleep(PATIENCE)
            self.assertEqual(error.exception.break_reason, "stop")
            await asyncio.sleep(0)  # nothing is left of the cancellation
            if sys.version_info >= (3, 11):
                self.assertEqual(asyncio.current_task().cancelling(), 0)
        for options in ({}, {"keep": "stream"}, {"ttl": 0.9}):
            begun = time.monotonic()
            self.run_async(work(options))
            self.assertLess(time.monotonic() - begun, 2)

    def test_a_body_that_never_awaits_is_told_at_its_end(self):
        async def work():
            with self.assertRaises(LeaseLost):
                async with Lock(self.key, client=self.client) as lease:
                    await asyncio.sleep(0.1)
                    self.breaks(lease)
                    time.sleep(0.3)
            await asyncio.sleep(0)
        self.run_async(work())

    def test_who_ignores_it_goes_on(self):
        async def work():
            async with Lock(self.key, client=self.client, on_lost="ignore") as lease:
                self.breaks(lease)
                self.assertTrue(await lease.wait_lost(PATIENCE))
                await asyncio.sleep(0.05)
                return "done"
        self.assertEqual(self.run_async(work()), "done")

    def test_another_cancellation_stays_one(self):
        async def work():
            async with Lock(self.key, client=self.client):
                await asyncio.sleep(PATIENCE)

        async def outer():
            with self.assertRaises(asyncio.TimeoutError):
                await asyncio.wait_for(work(), 0.2)
            self.assertFree(within=1)
            task = asyncio.ensure_future(work())
            await asyncio.sleep(0.1)
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            self.assertFree(within=1)
        self.run_async(outer())

    @unittest.skipIf(sys.version_info < (3, 11), "only newer ones can tell who canceled")
    def test_a_cancellation_beside_the_loss_stays_one(self):
        async def work():
            async with Lock(self.key, client=self.client) as lease:
                lease._state.lose({"reason": "deadline"})
                asyncio.current_task().cancel()
                await asyncio.sleep(PATIENCE)

        async def outer():
            with self.assertRaises(asyncio.CancelledError):
                await asyncio.ensure_future(work())
        self.run_async(outer())
        self.assertFree(within=2)

    def test_a_canceled_waiter_leaves_the_queue_at_once(self):
        async def work():
            lease = await leasehold.aio.acquire(self.key, client=self.client)
            for options in ({}, {"keep": "stream"}, {"ttl": 5}):
                task = asyncio.ensure_future(leasehold.aio.acquire(self.key, client=self.client, **options))
                while not self.queued():
                    await asyncio.sleep(0.01)
                task.cancel()
                with self.assertRaises(asyncio.CancelledError):
                    await task
                eventually(lambda: self.queued() == 0, "it left", 1)
            await lease.release()
        self.run_async(work())

    def test_canceled_at_random_instants(self):
        seed = random.randrange(1 << 32)
        dice = random.Random(seed)

        async def work():
            cycles = 0
            for number in range(300):
                options = ({}, {"keep": "stream"}, {"ttl": 5})[number % 3]
                task = asyncio.ensure_future(self._cycle(options))
                await asyncio.sleep(dice.random() * 0.003)
                task.cancel()
                try:
                    await task
                    cycles += 1
                except asyncio.CancelledError:
                    pass
            self.assertGreater(cycles, 10)
            await asyncio.sleep(0.3)
        try:
            self.run_async(work())
            self.assertFree(within=2)
        except BaseException:
            print("seed", seed)
            raise

    async def _cycle(self, options):
        async with Lock(self.key, client=self.client, wait=5, **options):
            await asyncio.sleep(0.0005)

    def test_canceled_where_the_connection_stalls_after_each_byte(self):
        """The n-th byte of the request or of its answer is the last that passes; then the task is canceled."""
        async def work(options, up, down):
            proxy = self.proxy()
            client = Client(proxy.url)
            proxy.plan(up, down)
            task = asyncio.ensure_future(leasehold.aio.acquire(self.key, client=client, **options))
            last = None
            for _ in range(400):
                await asyncio.sleep(0.005)
                seen = (proxy.passed_up, proxy.passed_down)
                if seen == last and (proxy.passed_up == up or (down is not None and proxy.passed_down == down)):
                    break
                last = seen
            task.cancel()
            with self.assertRaises(asyncio.CancelledError):
                await task
            proxy.close()

        for options in ({}, {"ttl": 20}, {"keep": "stream"}):
            for up, down in [(n, None) for n in (0, 1, 40, 100)] + [(None, n) for n in (0, 1, 12, 100, 300, 500)]:
                with self.subTest(options=options, up=up, down=down):
                    self.run_async(work(options, up, down))
                    self.assertFree(within=3)

    def test_canceled_while_it_releases(self):
        async def work():
            proxy = self.proxy()
            lease = await leasehold.aio.acquire(self.key, client=Client(proxy.url))
            proxy.silent = True
            task = asyncio.ensure_future(lease.release())
            await asyncio.sleep(0.05)
            proxy.silent = False
            proxy.cut()
            task.cancel()
            try:
                await task
            except asyncio.CancelledError:
                pass
        self.run_async(work())
        self.assertFree(within=3)

    def test_the_loop_ends_while_tasks_wait(self):
        first = leasehold.acquire(self.key, client=self.client)

        async def work():
            for _ in range(5):
                asyncio.ensure_future(leasehold.aio.acquire(self.key, client=self.client))
            await asyncio.sleep(0.1)
        self.run_async(work())
        first.release()
        self.assertFree(within=3)

    def test_reads_and_conversions(self):
        async def work():
            async with Lock(self.key, client=self.client, shared=True, ttl=5) as lease:
                await lease.convert("exclusive")
                await lease.renew(9)
                self.assertGreater(lease.remaining, 8)
                self.assertEqual(lease.mode, "exclusive")
                self.assertFalse(await lease.wait_lost(0.05))
        self.run_async(work())


if __name__ == "__main__":
    unittest.main()
