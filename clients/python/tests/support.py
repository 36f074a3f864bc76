"""A real daemon in an IPC namespace of its own, a proxy with faults, and programs that use the library."""

import os
import subprocess
import sys
import time
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
PACKAGE = os.path.dirname(HERE)
ROOT = os.path.dirname(os.path.dirname(PACKAGE))
sys.path[:0] = [os.path.join(PACKAGE, "src"), os.path.join(ROOT, "Tests", "Live"),
                os.path.join(ROOT, "clients", "conformance")]

import harness  # noqa: E402
from proxy import Proxy  # noqa: E402
from harness import PATIENCE, eventually  # noqa: E402, F401

import leasehold  # noqa: E402

for name in ("LEASEHOLD_URL", "LEASEHOLD_TOKEN", "LEASEHOLD_HOLDING"):
    os.environ.pop(name, None)


class Server(harness.Server):
    """A daemon that is asked over its Unix socket whether it is ready, as its port may speak TLS."""

    def is_ready(self):
        try:
            return self.over_unix.get("/readyz", timeout=2).status == 200
        except OSError:
            return False


class Program:
    """A Python program beside the test, which talks by lines."""

    def __init__(self, text, url, prefix=(), **environment):
        source = "import os, sys, time, asyncio, threading\nimport leasehold\nfrom leasehold import *\n" + text
        self.process = subprocess.Popen(
            [*prefix, sys.executable, "-u", "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, "PYTHONPATH": os.path.join(PACKAGE, "src"), "LEASEHOLD_URL": url, **environment})

    @property
    def pid(self):
        return self.process.pid

    def line(self):
        return self.process.stdout.readline().strip()

    def say(self, text=""):
        self.process.stdin.write(text + "\n")
        self.process.stdin.flush()

    def end(self, timeout=PATIENCE):
        """What it still says, and its status."""
        said, _ = self.process.communicate(timeout=timeout)
        return said.strip(), self.process.returncode

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait()


class LiveTest(unittest.TestCase):
    """A test case with a daemon."""

    arguments = ("--heartbeat", "200ms")

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments)
        cls.addClassCleanup(cls.server.stop)
        cls.server.start()
        cls.url = f"unix:{cls.server.unix}"
        cls.tcp_url = f"http://127.0.0.1:{cls.server.port}"
        cls.client = leasehold.Client(cls.url)
        cls.tcp = leasehold.Client(cls.tcp_url)

    @property
    def key(self):
        return self.id().split(".")[-1]

    def program(self, text, url=None, **more):
        program = Program(text, url or self.url, **more)
        self.addCleanup(program.stop)
        return program

    def proxy(self, tcp=False):
        proxy = Proxy(self.server.unix, tcp)
        self.addCleanup(proxy.close)
        return proxy

    def held(self, key=None):
        """How many have the lock, by the service's word."""
        answer = self.server.over_unix.lock(key or self.key)
        return answer["held"] if answer.status == 200 else 0

    def queued(self, key=None):
        answer = self.server.over_unix.lock(key or self.key)
        return answer["waiting"] if answer.status == 200 else 0

    def assertFree(self, key=None, within=PATIENCE):
        begun = time.monotonic()
        eventually(lambda: self.held(key) == 0 and self.queued(key) == 0, f"{key or self.key} is free", within)
        return time.monotonic() - begun

    def breaks(self, lease, **query):
        answer = self.server.over_unix.post(f"/leases/{lease.ref}/break", **query)
        self.assertEqual(answer.status, 200, answer)
