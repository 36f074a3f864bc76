# Rows: T3
"""IPC::Shareable, Debian's: its locks and those of HTTP shut each other out."""

import unittest

from shares import Scenario, Shares


class Shareable(Shares, Scenario):
    opening = """use IPC::Shareable qw(:lock); $s = tie $v, 'IPC::Shareable', {key => $k, create => 1, destroy => 0}"""
    round_trip = "$s->lock; $v = 'text'; $s->unlock; $v"


if __name__ == "__main__":
    unittest.main()
