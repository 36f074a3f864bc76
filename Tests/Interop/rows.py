#!/usr/bin/env python3
"""Every row of the list of seed features has a scenario that proves it, or a line that says why not.

A scenario names its rows in its first line (`# Rows: H17 H18`); a row without one stands in unproved.md, as
`| H23 | why |`.
"""

import os
import re
import sys

HERE = os.path.dirname(os.path.abspath(__file__))


def span(letter, first, last):
    return [f"{letter}{number}" for number in range(first, last + 1)]


# What must be accounted for.
REQUIRED = span("A", 1, 21) + span("C", 1, 28) + span("P", 1, 19) + span("H", 1, 35)


def proved():
    """Row to the scenarios that name it."""
    rows = {}
    for name in sorted(os.listdir(HERE)):
        if name.startswith("test_") and name.endswith(".py"):
            with open(os.path.join(HERE, name), encoding="utf-8") as file:
                first = file.readline()
            match = re.match(r"# Rows:((?: [ACPH]\d+)+)$", first.rstrip())
            if not match:
                raise SystemExit(f"{name}: the first line does not name rows: {first!r}")
            for row in match[1].split():
                rows.setdefault(row, []).append(name)
    return rows


def unproved():
    with open(os.path.join(HERE, "unproved.md"), encoding="utf-8") as file:
        return re.findall(r"^\| ([ACPH]\d+) \| \S.*\|$", file.read(), re.M)


def main():
    found, excused = proved(), unproved()
    missing = [row for row in REQUIRED if row not in found and row not in excused]
    for row in missing:
        print(f"{row}: no scenario names it, and unproved.md does not say why")
    twice = [row for row in excused if row in found]
    for row in twice:
        print(f"{row}: stands in unproved.md, and in {', '.join(found[row])}")
    print(f"rows: {len(REQUIRED)} required, {len(found)} proved, {len(excused)} excused, {len(missing)} missing")
    sys.exit(1 if missing or twice or not found else 0)


if __name__ == "__main__":
    main()
