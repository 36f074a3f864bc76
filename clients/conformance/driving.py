"""The driver of a language, and what a case needs to judge it: see run.py."""

import json
import os
import select
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import Server  # noqa: E402
from proxy import Proxy  # noqa: E402

FIRST_ANSWER, PATIENCE = 120, 10


class Failed(Exception):
    """The library did not do what a rule says."""


class Unsupported(Exception):
    """The library has no such thing."""


class Driver:
    """The driver of a language, started for one case."""

    def __init__(self, program, url, within=(), **environment):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [*within, program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            env={**os.environ, "LEASEHOLD_URL": url, **environment})
        self.text = b""
        self.send(do="hello")
        self.hello = self.answer(FIRST_ANSWER)

    def send(self, **command):
        self.process.stdin.write(json.dumps(command).encode() + b"\n")
        self.process.stdin.flush()

    def answer(self, timeout):
        """The next answer, whatever it says."""
        deadline = time.monotonic() + timeout
        while b"\n" not in self.text:
            if not select.select([self.process.stdout], [], [], max(0.0, deadline - time.monotonic()))[0]:
                raise Failed(f"no answer within {timeout:g} s")
            got = os.read(self.process.stdout.fileno(), 65536)
            if not got:
                raise Failed("the driver ended")
            self.text += got
        line, _, self.text = self.text.partition(b"\n")
        answer = json.loads(line)
        if answer.get("error") == "unsupported":
            raise Unsupported
        return answer

    def ask(self, do, patience=0.0, **command):
        """Does it, and takes no error for an answer."""
        self.send(do=do, **command)
        answer = self.answer(patience + PATIENCE)
        if not answer["ok"]:
            raise Failed(f"{do}: {answer['error']} {answer.get('code')}: {answer.get('message')}")
        return answer

    def fails(self, kind, do, patience=0.0, **command):
        self.send(do=do, **command)
        answer = self.answer(patience + PATIENCE)
        if answer["ok"] or answer["error"] != kind:
            raise Failed(f"{do}: {answer.get('error', 'done')} and not {kind}: {answer.get('message')}")
        return answer

    def stop(self):
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            stream.close()

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode(errors="replace").strip()


class Case:
    """One fault for one library: a daemon of its own, and what is needed to judge."""

    def __init__(self, program, way):
        self.program, self.way = program, way
        self.server = Server("--heartbeat", "200ms").start()
        self.parts = []

    def driver(self, url=None, within=(), **environment):
        if within and subprocess.run([*within, "true"], stderr=subprocess.DEVNULL).returncode:
            raise Unsupported
        driver = Driver(self.program, url or f"unix:{self.server.unix}", within, **environment)
        self.parts.append(driver)
        if self.way and self.way not in driver.hello["keeps"]:
            raise Unsupported
        return driver

    def proxy(self):
        proxy = Proxy(self.server.unix)
        self.parts.append(proxy)
        return proxy

    def options(self, ttl=2.0):
        return {"keep": self.way, **({"ttl": ttl} if self.way == "renewal" else {})}

    def count(self, name="held"):
        answer = self.server.over_unix.lock("lock")
        return answer[name] if answer.status == 200 else 0

    def until(self, condition, what, within):
        """How long it took."""
        begun = time.monotonic()
        while not condition():
            if time.monotonic() - begun > within:
                raise Failed(f"not within {within:g} s: {what}")
            time.sleep(0.005)
        return time.monotonic() - begun

    def free(self, within):
        return self.until(lambda: not self.count() and not self.count("waiting"), "the lock is free", within)

    def lost(self, driver, within):
        """Waits for the signal; how long it took."""
        begun = time.monotonic()
        answer = driver.ask("wait_lost", **{"as": "a"}, timeout=within, patience=within)
        if not answer["lost"]:
            raise Failed(f"not told within {within:g} s that the lease is lost")
        return time.monotonic() - begun

    def held(self, driver):
        answer = driver.ask("state", **{"as": "a"})
        if not answer["held"]:
            raise Failed(f"says that it is lost: {answer['reason']}")

    def other(self, **query):
        """Somebody else has the lock."""
        return self.server.over_unix.acquire("lock", ttl="60s", **query).json

    def stop(self):
        for part in self.parts:
            part.close() if isinstance(part, Proxy) else part.stop()
        self.server.stop()
