"""TRACEPARENT of the environment goes along with every request, and stays there for the command."""

import json
import subprocess
import unittest

from support import PROGRAM, CliTest, eventually

TRACES = [f"{number:032x}" for number in (0x4bf92f3577b34da6, 0xa3ce929d0e0e4736)]


class TraceParent(CliTest):
    arguments = ("--log-format", "json", "--slow-wait", "0")

    @staticmethod
    def header(trace):
        return f"00-{trace}-00f067aa0ba902b7-01"

    def run_command(self, trace, *words):
        environment = {**self.environment(), "TRACEPARENT": self.header(trace), "TRACESTATE": "a=b"}
        return subprocess.Popen([PROGRAM, "run", *words], env=environment, stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)

    def test_the_log_tells_which_run_waited_for_which_and_the_command_sees_the_trace(self):
        first = self.run_command(TRACES[0], self.key(), "--", "cat")
        self.addCleanup(self.end, first)
        eventually(lambda: self.holders(self.key()), "a holder")
        second = self.run_command(
            TRACES[1], self.key(), "--", "sh", "-c", "echo $TRACEPARENT $TRACESTATE")
        self.addCleanup(self.end, second)
        eventually(lambda: self.server.waiting(self.key()) == 1, "a waiter")
        first.communicate(timeout=20)
        printed, _ = second.communicate(timeout=20)
        self.assertEqual(printed.split(), [self.header(TRACES[1]), "a=b"])

        def find():
            lines = [json.loads(line) for line in self.server.log_text().splitlines()]
            return next((line for line in lines if line["message"] == "waited for a lock"), None)

        line = eventually(find, "a line")
        self.assertEqual((line["trace_id"], line["holder_trace_id"]), (TRACES[1], TRACES[0]))
        self.assertTrue(line["holder_owner"].startswith("cat["), line)


if __name__ == "__main__":
    unittest.main()
