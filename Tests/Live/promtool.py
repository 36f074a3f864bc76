"""Finds promtool, and runs it."""

import os
import shutil
import subprocess

import harness

# Where Tools/need puts it: Debian's package would also start a Prometheus.
OURS = os.path.join(harness.ROOT, ".build", "tools")


def run(test, *arguments, text=None):
    """Runs promtool, which must succeed, and returns all it said; skips the test where there is none."""
    program = shutil.which("promtool") or shutil.which("promtool", path=OURS)
    if not program:
        test.skipTest("SKIPPED: there is no promtool here (Tools/need promtool)")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr
