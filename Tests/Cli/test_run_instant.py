"""`leasehold run` killed with -9 in the instants around its grant: the lease ends soon, and not before the command.

LEASEHOLD_SEED and LEASEHOLD_KILLS repeat a run, or make a longer one.
"""

import os
import random
import signal
import socket
import subprocess
import tempfile
import threading
import time
import unittest

from support import PROGRAM, ROOT, CliTest, eventually

SEED = int(os.environ.get("LEASEHOLD_SEED") or random.randrange(1 << 32))
KILLS = int(os.environ.get("LEASEHOLD_KILLS") or 40)
SOON = 1  # seconds; most often it takes a few milliseconds

# A line at its begin, and one every 2 ms, by a child of the command as well.
COMMAND = """
while :; do date +%s%N >>"$0"; sleep 0.002; done &
while :; do date +%s%N >>"$0"; sleep 0.002; done
"""


class Between:
    """Passes bytes on between `run` and the service, and may kill `run` when the answer to its request comes."""

    def __init__(self, path, to):
        self.path, self.to = path, to
        self.victim = None
        self.killed = threading.Event()
        self.later = []
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen(16)
        threading.Thread(target=self.serve, daemon=True).start()

    def close(self):
        self.listener.close()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client):
        with client, socket.socket(socket.AF_UNIX) as service:
            service.connect(self.to)
            request = client.recv(65536)
            service.sendall(request)
            answer = service.recv(65536)
            if self.victim and not self.killed.is_set() and b'"lease":"' in answer:
                # The service has granted, and nobody was told.
                self.killed.set()
                self.victim.kill()
                self.victim.wait()
                return
            if self.killed.is_set():
                self.later.append(request.split(b"\r\n")[0].decode())
            client.sendall(answer)


class Instant(CliTest):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)

    def trace(self, name):
        return os.path.join(self.folder.name, name)

    @staticmethod
    def ticks(path):
        try:
            with open(path, encoding="ascii") as file:
                return [int(line) for line in file.read().split("\n")[:-1] if line]
        except FileNotFoundError:
            return []

    def start(self, keys, trace, url=None):
        return subprocess.Popen(
            [PROGRAM, "run", "--ttl", "60s", *keys, "--", "sh", "-c", COMMAND, trace],
            env=self.environment(url), stderr=subprocess.DEVNULL, start_new_session=True)

    def next_holder(self, key):
        """When somebody else gets the lock, by the clock of the traces."""
        lease = self.granted(self.server.acquire(key, wait="20s", timeout=40))
        at = time.time_ns()
        self.assertEqual(self.server.release(lease).status, 200)
        return at

    def test_a_lease_that_was_granted_but_not_told_is_given_back(self):
        """The very instant: the kill comes between the grant and its answer."""
        for keys in ((self.key("-1"),), (self.key("-2"), self.key("-3"))):
            for held in (False, True):
                with self.subTest(keys=len(keys), held=held):
                    path = self.trace(f"socket-{len(keys)}-{held}")
                    between = Between(path, self.server.unix)
                    self.addCleanup(between.close)
                    first = self.granted(self.server.acquire(keys[0], ttl="20s")) if held else None
                    trace = self.trace(f"ticks-{len(keys)}-{held}")
                    between.victim = run = self.start(keys, trace, url=f"unix:{path}")
                    if held:
                        eventually(lambda: self.server.waiting(keys[0]) == 1, "run waits")
                        self.server.release(first)
                    self.assertTrue(between.killed.wait(20))
                    begun = time.monotonic()
                    eventually(lambda: not any(self.holders(key) for key in keys), "given back", timeout=5)
                    self.assertLess(time.monotonic() - begun, SOON)
                    self.assertEqual(run.wait(20), -signal.SIGKILL)
                    self.assertEqual(self.ticks(trace), [], "the command never ran")
                    eventually(lambda: "DELETE /leases/" in " ".join(between.later), "by the guard")
        with open(os.path.join(ROOT, "docs", "cli.md"), encoding="utf-8") as page:
            self.assertIn("| `kill -9` of `leasehold run` when its lease is granted and it was not told yet | never "
                          "starts | given back right after | 137, as the shell sees it |", page.read())

    def test_kills_at_random_instants(self):
        """None leaves the lease for longer than a second, none gives it away while anything of the command runs."""
        print(f"\nLEASEHOLD_SEED={SEED} LEASEHOLD_KILLS={KILLS}")
        generator = random.Random(SEED)
        usual = min(self.time_to_run(number) for number in range(3))
        before = during = 0
        for number in range(KILLS):
            with self.subTest(number=number, seed=SEED):
                key, trace = self.key(f"-{number}"), self.trace(f"ticks-{number}")
                url = f"http://127.0.0.1:{self.server.port}" if number % 4 == 3 else None
                run = self.start((key,), trace, url=url)
                # From before the grant to after the command's start, mostly around both.
                time.sleep(usual * generator.uniform(0.4, 1.8))
                run.kill()
                run.wait()
                begun = time.monotonic()
                at = self.next_holder(key)
                self.assertLess(time.monotonic() - begun, SOON, "the lease was left behind")
                time.sleep(0.02)
                ticks = self.ticks(trace)
                self.assertLess(max(ticks, default=0), at, "the command ran when somebody else had the lock")
                before, during = before + (not ticks), during + bool(ticks)
        print(f"killed before the command began: {before}, after: {during}")
        eventually(lambda: not self.server.get("/leases")["leases"], "nothing is left over", timeout=5)

    def time_to_run(self, number):
        """Seconds from the start of run to the first sign of its command."""
        trace = self.trace(f"usual-{number}")
        begun = time.monotonic()
        run = self.start((self.key("-usual"),), trace)
        eventually(lambda: self.ticks(trace), "the command runs", pause=0.0005)
        taken = time.monotonic() - begun
        run.kill()
        run.wait()
        self.next_holder(self.key("-usual"))
        return taken

    def test_a_waiter_that_is_killed_leaves_the_queue_for_good(self):
        first = self.granted(self.server.acquire(self.key(), ttl="20s"))
        run = self.start((self.key(),), self.trace("ticks"))
        eventually(lambda: self.server.waiting(self.key()) == 1, "run waits")
        behind = self.server.acquire_later(self.key(), owner="behind")
        run.kill()
        run.wait()
        eventually(lambda: self.server.waiting(self.key()) == 1, "it leaves")
        self.server.release(first)
        lease = self.granted(behind.answer())
        self.assertEqual(lease["owner"], "behind")
        self.server.release(lease)

    def test_no_guard_stays_behind(self):
        """Whatever run ends with: a guard that goes on would be one process more for every command."""
        held = self.granted(self.server.acquire(self.key("-held"), ttl="20s"))
        for words, status in (
            ((self.key("-a"), "--", "true"), 0), ((self.key("-b"), "--", "/no/such/program"), 127),
            (("--no-wait", self.key("-held"), "--", "true"), 75), (("-w", "50ms", self.key("-held"), "--", "true"), 75),
            (("--ttl", "100h", self.key("-c"), "--", "true"), 64),
        ):
            with self.subTest(words=words):
                before = self.guards()
                self.assertEqual(self.cli("run", *words).returncode, status)
                self.assertEqual(self.guards() - before, set())
        self.server.release(held)
        before = self.guards()
        nowhere = f"unix:{self.trace('nobody')}"
        self.assertEqual(self.cli("run", self.key("-d"), "--", "true", url=nowhere).returncode, 69)
        eventually(lambda: not self.guards() - before, "the guard gives up", timeout=5)

    @staticmethod
    def guards():
        """The guards of all processes there are."""
        found = set()
        for entry in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{entry}/comm", encoding="ascii") as file:
                    if file.read().strip() == "leasehold-guard":
                        found.add(int(entry))
            except OSError:
                continue
        return found


if __name__ == "__main__":
    unittest.main()
