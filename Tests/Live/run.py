#!/usr/bin/env python3
"""Runs the live tests and says how many passed. Names may be given as to unittest: `run.py test_queue test_hold.Bind`.

LEASEHOLD=.build/release/leasehold python3 Tests/Live/run.py
"""

import os
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))


def main():
    sys.path.insert(0, HERE)
    loader = unittest.TestLoader()
    suite = loader.loadTestsFromNames(sys.argv[1:]) if sys.argv[1:] else loader.discover(HERE)
    result = unittest.TextTestRunner(verbosity=2).run(suite)
    # Sub-tests fail their test more than once; a class that cannot start counts as one.
    failed = len({str(test).split(" [")[0].split(" (sub")[0] for test, _ in result.failures + result.errors})
    failed += len(result.unexpectedSuccesses)
    skipped = len(result.skipped)
    print(f"{max(result.testsRun - failed - skipped, 0)} passed, {failed} failed, {skipped} skipped")
    sys.exit(0 if result.wasSuccessful() and result.testsRun else 1)


if __name__ == "__main__":
    main()
