"""The commands of `leasehold` against a daemon of their own, as a shell would run them."""

import os
import signal
import subprocess
import sys
import tempfile
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

from harness import PATIENCE, PROGRAM, LiveTest, Server, eventually  # noqa: E402  (a private IPC namespace)

__all__ = ["PATIENCE", "PROGRAM", "ROOT", "CliTest", "Ticker", "Server", "eventually"]

# Writes "<CLOCK_MONOTONIC ns>" every few milliseconds; says what it catches; takes TERM as it is told.
TICKER = """
import os, signal, sys, time
caught = open(sys.argv[2], "a", buffering=1)
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2, signal.SIGQUIT, signal.SIGWINCH):
    signal.signal(number, lambda number, _: print(signal.Signals(number).name, file=caught))
def term(*_):
    print("SIGTERM", file=caught)
    if sys.argv[3] == "polite": sys.exit(5)
signal.signal(signal.SIGTERM, term)
ticks = open(sys.argv[1], "a", buffering=1)
if sys.argv[4] == "family":
    if os.fork() == 0:
        while True:
            print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), file=ticks)
            time.sleep(0.002)
while True:
    print(time.clock_gettime_ns(time.CLOCK_MONOTONIC), file=ticks)
    time.sleep(0.002)
"""


class CliTest(LiveTest):
    """A daemon, and commands that are told where it is by LEASEHOLD_URL."""

    @classmethod
    def environment(cls, url=None):
        return {**os.environ, "LEASEHOLD_URL": url or f"unix:{cls.server.unix}"}

    def cli(self, *words, url=None, stdin=None, timeout=PATIENCE):
        """Runs a command to its end."""
        return subprocess.run([PROGRAM, *words], env=self.environment(url), input=stdin, capture_output=True,
                              text=True, timeout=timeout, check=False)

    def ok(self, *words, **more):
        """The standard output of a command that succeeds, without a word about errors."""
        result = self.cli(*words, **more)
        self.assertEqual((result.returncode, result.stderr), (0, ""), words)
        return result.stdout

    def begin(self, *words, url=None, **more):
        """Starts a command; it is killed when the test ends."""
        process = subprocess.Popen([PROGRAM, *words], env=self.environment(url), **more)
        self.addCleanup(self.end, process)
        return process

    @staticmethod
    def end(process):
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()

    def assertOneLine(self, text, *parts):
        self.assertEqual(text.count("\n"), 1, text)
        self.assertTrue(text.startswith("leasehold: "), text)
        for part in parts:
            self.assertIn(part, text)

    def holders(self, key):
        answer = self.server.lock(key)
        return answer["holders"] if answer.status == 200 else []


def command_lines():
    """Each process's number and the words that it was started with."""
    for entry in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{entry}/cmdline", "rb") as file:
                yield int(entry), file.read().split(b"\0")
        except OSError:
            pass


class Ticker:
    """A command under `leasehold run` that leaves a trace of when it ran."""

    def __init__(self, test, *options, polite=True, family=False, key=None, url=None):
        self.test, self.key = test, key or test.key()
        self.directory = tempfile.TemporaryDirectory()
        test.addCleanup(self.directory.cleanup)
        self.ticks, self.caught = (os.path.join(self.directory.name, name) for name in ("ticks", "caught"))
        self.process = test.begin(
            "run", *options, self.key, "--", sys.executable, "-c", TICKER, self.ticks, self.caught,
            "polite" if polite else "stubborn", "family" if family else "alone",
            url=url, stderr=subprocess.PIPE, text=True)
        eventually(lambda: self.last() > 0, "the command runs")

    def last(self):
        """The last moment at which it is known to have run."""
        return max(self._numbers(), default=0)

    def _numbers(self):
        try:
            with open(self.ticks, encoding="ascii") as file:
                return [int(line) for line in file.read().split("\n")[:-1] if line]
        except FileNotFoundError:
            return []

    def signals(self):
        try:
            with open(self.caught, encoding="ascii") as file:
                return file.read().split()
        except FileNotFoundError:
            return []

    @property
    def child(self):
        """The command's process number."""
        ticks = self.ticks.encode()
        return next((pid for pid, words in command_lines() if ticks in words and b"run" not in words), None)

    def is_over(self):
        """Whether it has stopped leaving traces."""
        before = self.last()
        time.sleep(0.05)
        return self.last() == before

    def wait(self):
        return self.process.wait(PATIENCE)

    def error(self):
        return self.process.stderr.read()

    def kill_command(self):
        os.kill(self.child, signal.SIGKILL)
