"""Calls that fail in `leasehold run`."""

import os
import signal
import subprocess
import tempfile
import time

from faults.stage import CRASH
from support import harness, quiet

BOUND = 20  # seconds; the command takes a twentieth of one, the lease's time is one


class Runs:
    """Commands below `leasehold run`, one after the other, with a diary that shows whether two ever ran at once."""

    def __init__(self, faults, report, verbose=False):
        self.faults, self.report, self.verbose = faults, report, verbose
        self.server = harness.Server("--recovery-grace", "10ms", "--log-level", "warning")
        self.server.start()
        self.diary = tempfile.NamedTemporaryFile(prefix="leasehold-diary-")
        # Some are over before their lease is renewed first, some are not.
        self.program = ("sh", "-c", 'echo "begin $0" >>"$1"; sleep $2; echo "end $0" >>"$1"')
        self.seconds = "0.4"

    def command(self, name, exec_form):
        return [
            harness.PROGRAM, "run", *(["--exec"] if exec_form else ["--ttl", "600ms"]), "-w", "10s",
            "--url", f"unix:{self.server.unix}", "job", "--", *self.program, name, self.diary.name, self.seconds,
        ]

    def measure(self, exec_form):
        before = self.faults.calls()
        self.take_briefly()
        self.run("measure", exec_form)
        after = self.faults.calls()
        return {key: after[key] - before[key] for key in after if after[key] > before[key]}

    def take_briefly(self):
        """Somebody has the lock for a moment, so that the command waits for it."""
        self.server.acquire("job", ttl="150ms")

    def run(self, name, exec_form):
        """The status and what it said; None for one that did not end."""
        environment = {**os.environ, **self.faults.environment()}
        process = subprocess.Popen(
            self.command(name, exec_form), env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True)
        try:
            text, _ = process.communicate(timeout=BOUND)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            text, _ = process.communicate()
            return None, text
        return process.returncode, text

    def case(self, function, module, error, nth, exec_form=False):
        name = f"run{' --exec' if exec_form else ''}: {function} {error}, call {nth}"
        before = len(self.report.violations)
        self.faults.arm(function, module, error, nth)
        self.seconds = "0.4" if nth % 2 else "0.02"
        if nth % 3:
            self.take_briefly()
        mark = f"{function}-{error}-{nth}-{time.monotonic_ns()}"
        status, text = self.run(mark, exec_form)
        self.faults.disarm(function, module)
        fired = self.faults.fired(function, module) > 0
        self.judge(name, mark, status, text)
        if self.verbose or len(self.report.violations) > before:
            print(f"--- {name}: {'fired' if fired else 'not reached'}, status {status}: {text.strip()}")
            if fired:
                print("    at " + " < ".join(self.faults.where(function, module)[:8]), flush=True)
        return fired

    def judge(self, name, mark, status, text):
        report = self.report
        with open(self.diary.name, encoding="ascii") as file:
            lines = file.read().split("\n")
        began, ended = f"begin {mark}" in lines, f"end {mark}" in lines
        crash = CRASH.search(text)
        report.expect(not crash, f"{name}: {crash and crash[0]}")
        ran = "ran" if began else "did not run"
        report.expect(status is not None, f"{name}: not over after {BOUND} s; the command {ran}")
        if status is None:
            return
        report.expect(status >= 0, f"{name}: ended by signal {-status}")
        report.expect(status != 0 or ended, f"{name}: status 0, but the command did not run to its end")
        report.expect(status == 0 or text.strip(), f"{name}: status {status} without a word")
        for first, second in zip(lines, lines[1:], strict=False):
            # One that never ended was killed; one that ended after the next began was there with it.
            if first.startswith("begin ") and second == f"begin {mark}" and first.replace("begin", "end") in lines:
                report.violation(f"{name}: {first} and {second} ran at once")
        free = quiet(lambda: self.server.get("/leases")["leases"] == [], 4, 0.02)
        report.expect(free, f"{name}: the lease is still there: {self.server.get('/leases').text}")

    def end(self):
        self.server.stop()
