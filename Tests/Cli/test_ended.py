"""A command that waits and is ended: by which signal ever, at once, without a word, and its job never runs."""

import os
import re
import resource
import signal
import subprocess
import time
import unittest

from support import PATIENCE, PROGRAM, CliTest, Ticker, eventually
from test_terminal import Terminal

ENDING = (signal.SIGQUIT, signal.SIGABRT, signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGPIPE, signal.SIGKILL)


class Waiting(CliTest):
    @classmethod
    def environment(cls, url=None):
        # As in an install with swift-backtrace beside the libraries, for which the runtime looks otherwise.
        return {**super().environment(url), "SWIFT_BACKTRACE": "enable=yes,color=no"}

    def setUp(self):
        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))

    def test_whatever_ends_a_waiter_ends_it_at_once_without_a_word(self):
        lease = self.granted(self.server.acquire(self.key(), ttl="60s"))
        for words in (("run", self.key(), "--", "echo", "ran"), ("run", "--exec", self.key(), "--", "echo", "ran"),
                      ("acquire", "-w", "50s", self.key()), ("acquire", self.key(), self.key("-2")),
                      ("hold", self.key())):
            for number in ENDING:
                with self.subTest(words=words, signal=number.name):
                    self.ends(words, number, lambda: self.server.waiting(self.key()))
        self.server.release(lease)
        eventually(lambda: not self.holders(self.key()), "nobody has it")

    def test_a_waiter_for_an_operation_too(self):
        number = self.cli("sem", "create", "0x7791").stdout.strip()
        self.addCleanup(self.cli, "sem", "rm", number)
        count = lambda: int(self.cli("sem", "show", number).stdout.splitlines()[1].split()[3])  # noqa: E731
        for ending in ENDING[:3]:
            with self.subTest(signal=ending.name):
                self.ends(("sem", "op", "-w", "50s", number, "0:-1"), ending, count)

    def ends(self, words, number, waiting):
        process = self.begin(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        eventually(lambda: waiting() == 1, "it waits")
        begun = time.monotonic()
        process.send_signal(number)
        self.assertEqual(process.wait(PATIENCE), -number)
        self.assertLess(time.monotonic() - begun, 2)
        self.assertEqual((process.stdout.read(), process.stderr.read()), (b"", b""))
        eventually(lambda: waiting() == 0, "it left the queue")

    def test_a_signal_that_is_ignored_stays_so(self):
        script = f"trap '' QUIT; exec {PROGRAM} run {self.key()} -- grep SigIgn /proc/self/status"
        result = subprocess.run(["sh", "-c", script], capture_output=True, text=True, env=self.environment(),
                                check=False, timeout=20)
        self.assertTrue(int(result.stdout.split()[1], 16) & 1 << signal.SIGQUIT - 1, result)

    def test_a_reader_of_messages_that_went_away_does_not_end_run(self):
        # Its message would: then the command was killed, in place of being asked to end.
        ticker = Ticker(self, "--ttl", "2s")
        ticker.process.stderr.close()
        self.server.release({"lease": self.lease_of(ticker)})
        self.assertEqual(ticker.wait(), 70)
        self.assertIn("SIGTERM", ticker.signals())

    def lease_of(self, ticker):
        with open(f"/proc/{ticker.child}/environ", "rb") as file:
            return re.search(rb"LEASEHOLD_LEASE=([0-9a-f]+)", file.read())[1].decode()


class Screen(CliTest):
    def test_top_gives_the_terminal_back_whatever_ends_it(self):
        for number in ENDING[:5]:
            with self.subTest(signal=number.name):
                terminal = Terminal(self, "sh", "-c", f"{PROGRAM} top; stty -a; echo over")
                terminal.expect(r"\x1b\[\?1049h")
                terminal.expect("leasehold ready")
                os.kill(self.child(terminal.pid), number)
                terminal.expect(r"\x1b\[\?25h\x1b\[\?1049l")
                settings = terminal.expect(r"([\s\S]*)over")[1]
                self.assertRegex(settings, r"[^-]isig")
                self.assertRegex(settings, r"[^-]icanon")

    @staticmethod
    def child(parent):
        return int(subprocess.run(["pgrep", "-P", str(parent)], capture_output=True, check=True, text=True).stdout)


if __name__ == "__main__":
    unittest.main()
