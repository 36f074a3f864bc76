"""What the daemon writes to standard error."""

import json
import os
import re
import subprocess
import unittest

import harness


class Journal(unittest.TestCase):
    """systemd tells a service by JOURNAL_STREAM that its standard error is the journal (systemd.exec(5))."""

    def lines(self, *options, stream):
        """The lines of a daemon's whole life; `stream` makes JOURNAL_STREAM of the status of its standard error."""
        server = harness.Server("--log-level", "debug", *options)
        self.addCleanup(server.stop)
        read_end, write_end = os.pipe()
        self.addCleanup(os.close, read_end)
        status = os.fstat(write_end)
        environment = {**os.environ, "JOURNAL_STREAM": stream(status)}
        server.process = subprocess.Popen(
            server.command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=write_end, env=environment)
        os.close(write_end)
        harness._started.append(server.process)
        server.wait_ready()
        self.assertEqual(server.terminate(), 0)
        with os.fdopen(os.dup(read_end), encoding="utf-8") as file:
            lines = file.read().splitlines()
        self.assertGreaterEqual(len(lines), 2, lines)
        return lines

    @staticmethod
    def own(status):
        return f"{status.st_dev}:{status.st_ino}"

    @staticmethod
    def other(status):
        return f"{status.st_dev}:{status.st_ino + 1}"

    def test_plain_lines_have_a_priority_and_no_time(self):
        for line in self.lines(stream=self.own):
            self.assertRegex(line, r"^<[2-7]>(?!\d{4}-)")

    def test_json_lines_have_a_priority_before_the_object(self):
        priorities = {"debug": 7, "info": 6, "notice": 5, "warning": 4, "error": 3}
        for line in self.lines("--log-format", "json", stream=self.own):
            match = re.match(r"^<([2-7])>(\{.*\})$", line)
            self.assertTrue(match, line)
            self.assertEqual(int(match[1]), priorities[json.loads(match[2])["level"]], line)

    def test_another_file_than_the_journal_gets_no_priority(self):
        for line in self.lines(stream=self.other):
            self.assertRegex(line, r"^\d{4}-\d\d-\d\dT")
        for line in self.lines("--log-format", "json", stream=self.other):
            self.assertIn("time", json.loads(line))


if __name__ == "__main__":
    unittest.main()
