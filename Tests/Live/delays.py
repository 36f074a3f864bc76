"""What tests say of engines that take their time: LHDELAYS=ms=20 makes that of a debug build such a one."""

import os
import re
import unittest

DELAYS = os.environ.get("LHDELAYS", "")
DELAY_MS = int((re.search(r"\bms=(\d+)", DELAYS) or ["", "0"])[1])  # of each call


def at_once(why):
    """For a test of what only an engine gives that answers at once: skipped where LHDELAYS gives another one."""
    return unittest.skipIf(DELAYS, f"with an engine that may block {why}")


def soon(milliseconds, calls=10):
    """A time that is over soon, and not before so many calls are made, however slow the engine is."""
    return f"{milliseconds + calls * DELAY_MS}ms"
