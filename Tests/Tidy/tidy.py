#!/usr/bin/env python3
"""Checks that keep the project in order: fences between modules, sizes, and documents that say what the code does.

python3 Tests/Tidy/tidy.py            test_tidy.py shows for each check a tree that it refuses
"""

import os
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path += [os.path.join(ROOT, "Tools"), os.path.join(ROOT, "Tests", "Interop")]

import comments  # noqa: E402
import contract  # noqa: E402
import prose  # noqa: E402
import sources  # noqa: E402
import units  # noqa: E402
from tree import Tree  # noqa: E402

CHECKS = [*sources.CHECKS, *comments.CHECKS, *contract.CHECKS, *prose.CHECKS, *units.CHECKS]


def main():
    tree, failed = Tree.of_checkout(ROOT), 0
    for check in CHECKS:
        violations = list(check(tree))
        failed += bool(violations)
        for violation in violations:
            print(f"{check.__name__}: {violation}")
    print(f"tidy: {len(CHECKS)} checks, {failed} failed, {len(tree.files)} files read")
    sys.exit(1 if failed or not tree.files else 0)


if __name__ == "__main__":
    main()
