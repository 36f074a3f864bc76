"""A service that takes connections and never answers: every command ends, and soon after its own time."""

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from support import PATIENCE, PROGRAM, CliTest, Server, Ticker, eventually
from test_run_kills import Table


class Hole:
    """Listens, takes what comes, and says nothing: or, in drops, never enough."""

    def __init__(self, test, drip=False):
        self.folder = tempfile.TemporaryDirectory()
        test.addCleanup(self.folder.cleanup)
        self.path = os.path.join(self.folder.name, "hole")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(100)
        test.addCleanup(self.close)
        if drip:
            threading.Thread(target=self.drip, daemon=True).start()

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def drip(self):
        try:
            while True:
                threading.Thread(target=self.drops, args=(self.listener.accept()[0],), daemon=True).start()
        except OSError:
            pass

    @staticmethod
    def drops(taken):
        with taken:
            try:
                taken.sendall(b"HTTP/1.1 200 OK\r\n")
                while True:
                    taken.sendall(b"X-More: 1\r\n")
                    time.sleep(0.3)
            except OSError:
                pass


class Silence(CliTest):
    def test_what_does_not_wait_ends_with_69(self):
        key = self.key()
        begun, processes = time.monotonic(), []
        for drip in (False, True):
            url = f"unix:{Hole(self, drip).path}"
            for words in (("run", "--no-wait", key, "--", "true"), ("run", "-w", "1", key, "--", "true"),
                          ("acquire", "-w1", key), ("hold", "-w1", key), ("top",), ("live",)):
                processes.append((self.begin(*words, url=url, stderr=subprocess.PIPE, text=True), words, drip))
        for process, words, drip in processes:
            with self.subTest(words=words, drip=drip):
                self.assertEqual(process.wait(PATIENCE), 69)
                self.assertOneLine(process.stderr.read(), "did not answer in time")
                self.assertLess(time.monotonic() - begun, 9)

    def test_over_tls_the_handshake_has_the_same_end(self):
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(10)
            begun = time.monotonic()
            result = self.cli("run", "--no-wait", self.key(), "--", "true",
                              url=f"https://127.0.0.1:{listener.getsockname()[1]}")
            self.assertEqual(result.returncode, 69, result)
            self.assertLess(time.monotonic() - begun, 8)

    def test_below_a_run_too(self):
        begun = time.monotonic()
        environment = {**self.environment(f"unix:{Hole(self).path}"), "LEASEHOLD_HOLDING": "1" * 32}
        result = subprocess.run([PROGRAM, "acquire", "-w1", self.key()], capture_output=True, text=True,
                                timeout=PATIENCE, env=environment, check=False)
        self.assertEqual(result.returncode, 69)
        self.assertLess(time.monotonic() - begun, 14)

    def test_who_waits_without_end_notices_that_nobody_is_there_any_more(self):
        server = Server().ends_with(self).start()
        self.granted(server.acquire("a", ttl="10m"))
        url = f"unix:{server.unix}"
        waiters = [self.begin(*words, url=url, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
                   for words in (("run", "a", "--", "echo", "ran"), ("acquire", "a"), ("hold", "a"))]
        eventually(lambda: server.waiting("a") == 3, "they wait")
        server.process.send_signal(signal.SIGSTOP)
        self.addCleanup(server.process.send_signal, signal.SIGCONT)
        for waiter in waiters:
            out, error = waiter.communicate(timeout=45)
            self.assertEqual((waiter.returncode, out), (69, ""))
            self.assertOneLine(error, "did not answer in time")

    def test_who_waits_at_a_service_that_is_there_goes_on_waiting(self):
        self.granted(self.server.acquire(self.key(), ttl="60s"))
        waiter = self.begin("run", self.key(), "--", "true", stderr=subprocess.DEVNULL)
        eventually(lambda: self.server.waiting(self.key()) == 1, "it waits")
        self.server.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        self.server.process.send_signal(signal.SIGCONT)
        time.sleep(5)
        self.assertIsNone(waiter.poll())
        self.assertEqual(self.server.waiting(self.key()), 1)


class Lease(Table):
    def hang(self, server):
        server.process.send_signal(signal.SIGSTOP)
        self.addCleanup(server.process.send_signal, signal.SIGCONT)

    def test_run_ends_with_its_leases_time(self):
        for polite, ttl in ((True, 2), (False, 2)):
            with self.subTest(polite=polite):
                server = Server().ends_with(self).start()
                ticker = Ticker(self, "--ttl", f"{ttl}s", polite=polite, key="a", url=f"unix:{server.unix}")
                self.hang(server)
                begun = time.monotonic()
                self.assertEqual(ticker.wait(), 70)
                self.assertLess(time.monotonic() - begun, ttl + 1)
                self.assertIsNone(ticker.child)
                self.assertIn("stopping the command", ticker.error())
        self.seen("the service hangs (`kill -STOP` of the daemon)",
                  "TERM, and KILL after the grace, before the deadline", "ends with its ttl", "70")

    def test_a_command_that_ends_by_itself_ends_run_soon_too(self):
        server = Server().ends_with(self).start()
        mark = os.path.join(server.directory, "mark")
        run = self.begin("run", "--ttl", "20s", "a", "--", "sh", "-c", f"touch {mark}; sleep 1",
                         url=f"unix:{server.unix}", stderr=subprocess.PIPE, text=True)
        eventually(lambda: os.path.exists(mark), "it runs")
        self.hang(server)
        begun = time.monotonic()
        self.assertEqual(run.wait(PATIENCE), 0)
        self.assertLess(time.monotonic() - begun, 9)
        self.assertIn("stays taken until its time is up", run.stderr.read())


class Guard(Table):
    def guards(self, process):
        found = subprocess.run(["pgrep", "-P", str(process.pid), "-x", "leasehold-guard"], capture_output=True,
                               text=True, check=False)
        return [int(line) for line in found.stdout.split()]

    def test_a_guard_that_is_killed_is_replaced_and_the_new_one_does_its_work(self):
        ticker = Ticker(self, "--ttl", "60s", polite=False, family=True)
        for _ in range(3):
            (guard,) = self.guards(ticker.process)
            os.kill(guard, signal.SIGKILL)
            eventually(lambda: self.guards(ticker.process) not in ([], [guard]), "another guard")  # noqa: B023
        waiter = self.server.acquire_later(ticker.key)
        ticker.process.kill()
        granted = self.granted(waiter.answer())
        self.assertTrue(ticker.is_over())
        self.assertLess(ticker.last(), granted["deadline_monotonic_ns"] - granted["ttl_ms"] * 1_000_000)
        self.assertEqual(len(re.findall("the guard of this lease was killed; there is a new one", ticker.error())), 3)

    def test_a_guard_that_is_killed_while_run_waits_is_replaced_before_the_command(self):
        lease = self.granted(self.server.acquire(self.key(), ttl="60s"))
        run = self.begin("run", self.key(), "--", "sleep", "30", stderr=subprocess.PIPE, text=True)
        eventually(lambda: self.server.waiting(self.key()) == 1, "it waits")
        os.kill(self.guards(run)[0], signal.SIGKILL)
        self.server.release(lease)
        eventually(lambda: self.holders(self.key()), "it has the lock")
        eventually(lambda: self.guards(run), "another guard")
        run.terminate()
        self.assertEqual(run.wait(PATIENCE), 143)
        self.seen("`kill -9` of the guard", "goes on, under a new guard", "goes on", "the command's")
        self.assertOneLine(run.stderr.read(), "there is a new one")

    def test_a_guard_that_is_stopped_keeps_nobody(self):
        run = self.begin("run", self.key(), "--", "sleep", "1")
        eventually(lambda: self.guards(run), "the guard")
        guard = self.guards(run)[0]
        os.kill(guard, signal.SIGSTOP)
        self.assertEqual(run.wait(10), 0)
        self.assertFalse(os.path.exists(f"/proc/{guard}"))

    def test_one_that_is_killed_again_and_again_is_given_up_and_told(self):
        ticker = Ticker(self, "--ttl", "60s")
        for _ in range(16):
            guards = eventually(lambda: self.guards(ticker.process), "a guard")
            os.kill(guards[0], signal.SIGKILL)
            eventually(lambda: self.guards(ticker.process) != guards, "it is noticed")  # noqa: B023
        time.sleep(0.3)
        ticker.process.terminate()
        self.assertEqual(ticker.wait(), 5)
        self.assertIn("there will be no other", ticker.error())


if __name__ == "__main__":
    unittest.main()
