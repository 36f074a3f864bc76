"""Programs of others that tests use and that may be missing."""

import os
import shutil
import subprocess

import harness

# Where Tools/need puts what it only takes out of a Debian package, as the package would also start a service.
OURS = os.path.join(harness.ROOT, ".build", "tools")
NEED = {"haproxy": "test", "nginx": "nginx", "promtool": "promtool"}


def find(name):
    """Where a program is; `None` where there is none. Debian has servers where only root looks."""
    return shutil.which(name, path=os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", OURS)))


def promtool(test, *arguments, text=None):
    """Runs promtool, which must succeed, and returns all it said; skips the test where there is none."""
    program = find("promtool")
    if not program:
        test.skipTest("SKIPPED: there is no promtool here (Tools/need promtool)")
    done = subprocess.run([program, *arguments], input=text, capture_output=True, text=True, timeout=120, check=False)
    test.assertEqual(done.returncode, 0, done.stdout + done.stderr)
    return done.stdout + done.stderr
