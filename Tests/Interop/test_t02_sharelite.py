# Rows: T2
"""IPC::ShareLite, Debian's: its locks and those of HTTP shut each other out."""

import unittest

from shares import Scenario, Shares


class ShareLite(Shares, Scenario):
    opening = """use IPC::ShareLite qw(:lock);
        $s = IPC::ShareLite->new(-key => $k, -create => 'yes', -destroy => 'no') or die $!"""
    round_trip = "$s->store('text'); $s->fetch"


if __name__ == "__main__":
    unittest.main()
