# Rows: H23
"""The guard: PHP's own semaphore of the segment's key, taken for each variable request."""

import threading
import time

from interop import PHP, Pending, Scenario, eventually, main


class Guard(Scenario):
    def setUp(self):
        super().setUp()
        self.lock = f"php:{self.key:#x}"
        self.make()

    def acquire(self):
        self.php.bytes(f"global $s; $s = sem_get({self.key}); return (string)sem_acquire($s);")

    def release(self):
        self.php.bytes("global $s; return (string)sem_release($s);")

    def test_a_put_waits_for_php(self):
        self.acquire()
        self.assertProblem(self.put(1, 1, wait="0"), 423, "locked")
        self.assertProblem(self.put(1, 1, wait="200ms"), 423, "wait-timeout")
        pending = Pending(lambda: self.put(1, "after", wait="20s"))
        eventually(lambda: self.server.waiting(self.lock), "the put waits")
        self.assertFalse(pending.done)
        self.attach()
        self.assertEqual(self.in_php("shm_has_var($m, 1)"), b"b:0;")
        self.release()
        self.assertEqual(pending.answer().status, 201)
        self.assertEqual(self.fetch(1).json, "after")

    def test_a_waiter_that_hangs_up_stores_nothing(self):
        self.acquire()
        with self.server.socket() as sock:
            sock.sendall(f"PUT /shm/1?{self.query}&wait=20s HTTP/1.1\r\nHost: localhost\r\n"
                         "Content-Length: 1\r\n\r\n5".encode())
            eventually(lambda: self.server.waiting(self.lock), "the put waits")
        eventually(lambda: not self.server.waiting(self.lock), "the put is gone")
        self.release()
        self.assertProblem(self.fetch(1), 404, "no-such-variable")

    def test_php_waits_for_a_lease_and_its_holder_does_not(self):
        lease = self.granted(self.server.acquire(self.lock))
        self.assertEqual(self.put(1, 1, lease=lease["lease"]).status, 201)
        self.assertProblem(self.put(1, 2, wait="0"), 423, "locked")
        self.php.send(f"$s = sem_get({self.key}); return (string)sem_acquire($s);")
        self.assertEqual(self.fetch(1, lease=lease["lease"]).json, 1)
        self.assertEqual(self.server.delete(f"/shm/1?{self.query}", lease=lease["lease"]).status, 200)
        self.server.release(lease)
        self.assertEqual(self.php.answer(), b"1")

    def test_a_lease_must_be_alive_and_on_this_lock(self):
        other = self.granted(self.server.acquire(self.lock + "1"))
        self.assertProblem(self.put(1, 1, lease=other["lease"]), 404, "no-such-lease", guard=self.lock)
        self.assertProblem(self.put(1, 1, lease="0" * 32), 404, "no-such-lease")
        self.assertProblem(self.put(1, 1, lease="x"), 400, "invalid-parameter", parameter="lease")
        lease = self.granted(self.server.acquire(self.lock))
        self.server.release(lease)
        self.assertProblem(self.put(1, 1, lease=lease["lease"]), 410, "released")
        lease = self.granted(self.server.acquire(self.lock, ttl="100ms"))
        eventually(lambda: self.put(1, 1, lease=lease["lease"]).status == 410, "it expires")
        self.assertProblem(self.put(1, 1, lease=lease["lease"]), 410, "expired")

    def test_an_old_fence_is_refused_even_after_a_restart(self):
        first = self.granted(self.server.acquire(self.lock))
        self.server.release(first)
        second = self.granted(self.server.acquire(self.lock))
        self.assertLess(first["fence"], second["fence"])
        self.assertEqual(self.put(1, 1, fence=first["fence"], lease=second["lease"]).status, 201)
        self.assertEqual(self.put(1, 2, fence=second["fence"], lease=second["lease"]).status, 200)
        self.server.release(second)
        stale = lambda: self.put(1, 3, fence=first["fence"])  # noqa: E731
        self.assertProblem(stale(), 412, "stale-fence", last_fence=second["fence"])
        self.server.restart()
        self.assertProblem(stale(), 412, "stale-fence", last_fence=second["fence"])
        self.assertProblem(self.fetch(1, fence=first["fence"]), 412, "stale-fence")
        self.assertEqual(self.fetch(1, fence=second["fence"]).json, 2)
        self.assertProblem(self.put(1, 3, fence="-1"), 400, "out-of-range", parameter="fence")

    def test_nothing_is_left_of_the_guard(self):
        for number in range(5):
            self.put(number, number)
        values = self.server.get(f"/semaphores/{self.key:#x}")["values"]
        self.assertEqual(values, [1, 0, 0])
        self.acquire()
        self.release()

    def test_a_set_that_is_not_phps_is_not_used(self):
        self.php.bytes(f"shmop_open({self.key}, 'a', 0, 0); return '';")
        from native import make_set, remove_set  # pylint: disable=import-outside-toplevel
        number = make_set(self.key, 32, 0o666)
        self.addCleanup(remove_set, number)
        self.assertProblem(self.put(1, 1), 409, "nsems-mismatch")
        self.assertProblem(self.fetch(1), 409, "nsems-mismatch")

    def test_a_counter_of_php_and_http_loses_nothing(self):
        """Both count up under the guard: PHP with sem_acquire, HTTP with a lease and with If-Match."""
        self.put(1, 0)
        times, counted = 150, []
        php = PHP()
        self.addCleanup(php.kill)
        php.send(f"""$s = sem_get({self.key}); $m = shm_attach({self.key});
            for ($i = 0; $i < {times}; $i++) {{
                sem_acquire($s); shm_put_var($m, 1, shm_get_var($m, 1) + 1); sem_release($s); usleep(100);
            }} return 'done';""")

        def with_lease():
            for _ in range(times):
                lease = self.granted(self.server.acquire(self.lock, wait="20s"))
                now = self.fetch(1, lease=lease["lease"]).json
                counted.append(self.put(1, now + 1, lease=lease["lease"]).status == 200)
                self.server.release(lease)

        def with_etag():
            done = 0
            while done < times:
                now = self.fetch(1, wait="20s")
                answer = self.put(1, now.json + 1, {"If-Match": now.headers["ETag"]}, wait="20s")
                self.assertIn(answer.status, (200, 412), answer)
                done += answer.status == 200
            counted.extend([True] * done)

        threads = [threading.Thread(target=work) for work in (with_lease, with_etag)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(php.answer(), b"done")
        self.assertEqual(counted, [True] * 2 * times)
        self.assertEqual(self.fetch(1).json, 3 * times)

    def test_many_writers_never_break_the_table(self):
        """Even where a program gave the semaphore more than one slot, which then guards nothing."""
        self.php.bytes(f"global $s; $s = sem_get({self.key}, 8); return '';")
        broken = []

        def write(worker):
            for number in range(60):
                size = (worker * 37 + number * 53) % 300
                answer = self.put(worker * 1000 + number % 7, "x" * size, wait="20s")
                if answer.status not in (200, 201, 507):
                    broken.append(answer)

        threads = [threading.Thread(target=write, args=(worker,)) for worker in range(6)]
        begun = time.monotonic()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(broken, [])
        listed = self.server.get("/shm?" + self.query)
        self.assertEqual((listed.status, listed["used_bytes"] + listed["free_bytes"]), (200, 10000), begun)


class PrivateSegment(Scenario):
    def test_has_no_guard(self):
        number = self.server.post("/segments", key="private")["id"]
        self.assertEqual(self.server.request("PUT", f"/shm/1?segment=id:{number}", b"1").status, 201)
        self.assertEqual(self.server.get("/locks", key="php:").json["locks"], [])


if __name__ == "__main__":
    main()
