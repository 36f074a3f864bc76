"""Another user, for tests that need two."""

import os
import subprocess
import unittest

from harness import NOBODY


def becoming(uid):
    """What to put in front of a command that is to run as this user, and in no group but its own."""
    return ("setpriv", f"--reuid={uid}", f"--regid={uid}", "--clear-groups")


def can_be(uid):
    """Whether this may start programs as another user: it is root, and that user is in its user namespace."""
    command = [*becoming(uid), "true"]
    return os.getuid() == 0 and subprocess.run(command, check=False, capture_output=True).returncode == 0


AS_NOBODY = becoming(NOBODY)
needs_nobody = unittest.skipUnless(can_be(NOBODY), "needs root and another user")
