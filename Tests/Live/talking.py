"""Programs beside a test that take lines and answer with lines."""

import select
import subprocess


class Talking:
    """A program with which a test talks; who starts it kills it."""

    def __init__(self, *command):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0)
        self.pid = self.process.pid

    def send(self, line):
        """Does not wait for the answer: what the program does may block."""
        self.process.stdin.write((line if isinstance(line, bytes) else line.encode()) + b"\n")

    def line(self, timeout):
        """The next line; None when there is none in time. An empty one without its end when the program is gone."""
        if self.is_silent(timeout):
            return None
        return self.process.stdout.readline().decode()

    def is_silent(self, timeout=0):
        """Whether there is no answer yet."""
        return not select.select([self.process.stdout], [], [], timeout)[0]

    def kill(self):
        """kill -9"""
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()
