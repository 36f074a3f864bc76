"""`leasehold run` and `top` in a terminal: a shell with job control, Ctrl-C, Ctrl-Z, a screen."""

import fcntl
import os
import pty
import re
import select
import signal
import struct
import subprocess
import termios
import time
import unittest

from support import PATIENCE, PROGRAM, CliTest, eventually


class Terminal:
    """A program in a pseudo-terminal of its own; what it writes is kept."""

    def __init__(self, test, *words, rows=40, columns=160):
        self.text = ""
        self.pid, self.descriptor = pty.fork()
        if self.pid == 0:
            environment = {**test.environment(), "PS1": "$ ", "TERM": "dumb", "HISTFILE": ""}
            os.execvpe(words[0], list(words), environment)
        fcntl.ioctl(self.descriptor, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.status = None
        test.addCleanup(self.close)

    def send(self, text, answer=None):
        os.write(self.descriptor, text.encode())
        if answer:
            self.expect(answer)

    def expect(self, pattern, timeout=PATIENCE):
        """Waits for text and takes all up to its end away."""
        deadline = time.monotonic() + timeout
        while not re.search(pattern, self.text):
            left = deadline - time.monotonic()
            if left <= 0:
                raise AssertionError(f"no {pattern!r} in {self.text[-600:]!r}")
            if select.select([self.descriptor], [], [], left)[0]:
                try:
                    self.text += os.read(self.descriptor, 65536).decode(errors="replace")
                except OSError:
                    if not re.search(pattern, self.text):
                        raise AssertionError(f"ended without {pattern!r}: {self.text[-600:]!r}") from None
        match = re.search(pattern, self.text)
        self.text = self.text[match.end():]
        return match

    def wait(self):
        if self.status is None:
            self.status = os.waitpid(self.pid, 0)[1]
        return os.waitstatus_to_exitcode(self.status)

    def close(self):
        if self.status is None:
            os.kill(self.pid, signal.SIGKILL)
            self.wait()
        os.close(self.descriptor)


class Run(CliTest):
    def shell(self):
        shell = Terminal(self, "bash", "--norc", "--noprofile", "-i")
        shell.expect(r"\$ $")
        return shell

    def test_control_c_goes_to_the_command(self):
        shell = self.shell()
        script = 'trap "echo caught; exit 9" INT; echo on; while :; do sleep 0.1; done'
        shell.send(f"{PROGRAM} run {self.key()} -- sh -c '{script}'\n", r"[\r\n]on\r")
        shell.send("\x03", "caught")
        shell.send("echo status $?\n", r"[\r\n]status 9\r")
        self.assertEqual(self.holders(self.key()), [])

    def test_the_command_reads_the_terminal(self):
        shell = self.shell()
        shell.send(f"{PROGRAM} run {self.key()} -- sh -c 'echo on; read line; echo got $line'\n", r"[\r\n]on\r")
        shell.send("hello\n", r"[\r\n]got hello\r")
        shell.send("echo status $?\n", r"[\r\n]status 0\r")

    def test_control_z_stops_both_and_fg_goes_on(self):
        shell = self.shell()
        shell.send(
            f"{PROGRAM} run --ttl 60s {self.key()} -- sh -c 'echo on; read line; echo got $line'\n", r"[\r\n]on\r")
        shell.send("\x1a", r"Stopped")
        self.assertTrue(self.holders(self.key()))
        shell.send("fg\n", r"run --ttl")
        time.sleep(0.1)
        shell.send("again\n", r"[\r\n]got again\r")
        shell.expect(r"\$ $")
        self.assertEqual(self.holders(self.key()), [])

    def test_a_job_in_the_background_stops_when_it_reads_and_fg_lets_it(self):
        shell = self.shell()
        shell.send(f"{PROGRAM} run --ttl 60s {self.key()} -- sh -c 'read line; echo got $line' &\n")
        eventually(lambda: self.holders(self.key()), "the lock is held")
        shell.expect(r"\$ $")
        time.sleep(0.3)
        shell.send("jobs\n", r"Stopped")
        shell.send("fg\n", r"run --ttl")
        time.sleep(0.2)
        shell.send("input\n", r"[\r\n]got input\r")
        shell.expect(r"\$ $")
        self.assertEqual(self.holders(self.key()), [])

    def test_a_job_that_was_stopped_for_longer_than_its_ttl_is_not_continued(self):
        shell = self.shell()
        shell.send(
            f"{PROGRAM} run --ttl 1s {self.key()} -- sh -c 'echo on; read line; echo got $line'\n", r"[\r\n]on\r")
        shell.send("\x1a", r"Stopped")
        eventually(lambda: not self.holders(self.key()), "the lease ends")
        shell.send("fg\n", r"stopping the command")
        shell.expect(r"\$ $")
        shell.send("echo status $?\n", r"[\r\n]status 70\r")

    def test_who_waits_sees_for_whom_and_in_which_place(self):
        lease = self.granted(self.server.acquire(self.key(), owner="somebody", ttl="60s"))
        terminal = Terminal(self, PROGRAM, "run", self.key(), "--", "echo", "mine")
        terminal.expect(r"waiting for \w+.*, 1 of 1, held by somebody")
        self.server.release(lease)
        terminal.expect(r"\r\x1b\[K")
        terminal.expect("mine")
        self.assertEqual(terminal.wait(), 0)


class Top(CliTest):
    def test_it_shows_holders_and_waiters_and_q_quits(self):
        self.granted(self.server.acquire(self.key(), owner="somebody", ttl="60s"))
        self.server.acquire_later(self.key())
        terminal = Terminal(self, PROGRAM, "top", "--interval", "100ms")
        terminal.expect(rf"{self.key()[:20]}\w* +1 +0 +1 +0 +somebody")
        self.granted(self.server.acquire(self.key("2"), owner="another"))
        terminal.expect("another")
        terminal.send("q")
        terminal.expect(r"\x1b\[\?1049l")
        self.assertEqual(terminal.wait(), 0)

    def test_in_a_narrow_terminal_it_shows_who_has_what_for_how_long(self):
        for number in range(30):
            self.granted(self.server.acquire(self.key(f"-{number:02}"), owner=f"worker-number-{number}", ttl="10m"))
        for columns, rows, head in ((80, 24, "LOCK +HELD +FREE +WAITING +NATIVE +OWNER +SINCE +LEFT +TTL"),
                                    (40, 10, "LOCK +WAITING +OWNER +LEFT")):
            with self.subTest(columns=columns):
                terminal = Terminal(self, PROGRAM, "top", "--interval", "100ms", rows=rows, columns=columns)
                terminal.expect(r"\x1b\[\?1049h")
                terminal.expect(rf"\r\n{head}\x1b")
                line = terminal.expect(r"\r\n(\S+…\S+ .*)\x1b\[K")[1]
                self.assertLessEqual(len(line), columns)
                self.assertRegex(line, r" work\S*\d .*9m\d\ds")
                terminal.expect(r"\.\.\. \d+ more")
                terminal.send("q")
                self.assertEqual(terminal.wait(), 0)

    def test_keys_sort_and_filter(self):
        for name, owner in (("aa", "ann"), ("bb", "bob"), ("cc", "ann")):
            self.granted(self.server.acquire(self.key(f"-{name}"), owner=owner, ttl="10m"))
        self.server.acquire_later(self.key("-cc"))
        terminal = Terminal(self, PROGRAM, "top", "--interval", "100ms", rows=80, columns=100)
        terminal.expect(r"by waiting, s sorts")
        terminal.expect(r"-cc [\s\S]*-aa [\s\S]*-bb ")
        terminal.send("ss")
        terminal.expect(r"by name[\s\S]*-aa [\s\S]*-bb [\s\S]*-cc ")
        terminal.send("/BOB\r")
        shown = terminal.expect(r"/BOB  Esc: all([\s\S]*?)\x1b\[J")[1]
        self.assertIn("-bb ", shown)
        self.assertNotIn("-aa ", shown)
        terminal.send("\x1b")
        terminal.expect(r"/ filters[\s\S]*-aa ")
        terminal.send("q")
        self.assertEqual(terminal.wait(), 0)

    def test_without_a_terminal_it_prints_once(self):
        self.granted(self.server.acquire(self.key(), owner="some\x7fbody".replace("\x7f", "")))
        result = subprocess.run([PROGRAM, "top"], env=self.environment(), capture_output=True, text=True, timeout=20,
                                check=False)
        self.assertEqual(result.returncode, 0)
        self.assertIn("somebody", result.stdout)
        self.assertNotIn("\x1b", result.stdout)
        self.assertEqual(self.cli("top", url="unix:/nonexistent/x").returncode, 69)


if __name__ == "__main__":
    unittest.main()
