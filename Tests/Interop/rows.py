#!/usr/bin/env python3
"""Writes docs/behaviours.md: each row of rows.txt with the scenarios that prove it. Tests/Tidy checks both.

A row is its name, what the native programs do, and what HTTP does. A scenario names its rows in its first line
(`# Rows: H17 H18`); a row without one stands in unproved.md, as `| H23 | why |`.
"""

import os
import re

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
FOLDER, PAGE = "Tests/Interop/", "docs/behaviours.md"
FAMILIES = {"A": "Apache::Session::Lock::Semaphore", "C": "IPC::Semaphore::Concurrency", "P": "IPC::Semaphore",
            "H": "PHP: sysvsem and sysvshm", "T": "Tools and modules beyond these",
            "X": "Programs that know nothing of the service, by what their sources do"}
HEAD = """# What is shared with PHP and Perl, row by row

Leasehold shares locks and memory with programs that use semaphores and segments of their own: PHP's sysvsem and
sysvshm, Perl's IPC::Semaphore, IPC::Semaphore::Concurrency and Apache::Session. It also speaks the lock protocols of
some tools. Here is one row for each feature that their manuals name. The tests in `Tests/Interop` name these rows.
Each runs the real program beside the service, the program first and HTTP second, and the other way round.
`make interop` runs them all.

`Tests/Interop/rows.py` makes this page from `Tests/Interop/rows.txt` and the first lines of the tests.
[How to use it](interop.md) is another page.
"""


class Rows:
    """The list, from the texts of the files: `files` is path to text."""

    def __init__(self, files):
        self.rows = dict(re.findall(r"^([ACPHTX]\d+) \| (.+ \| .+)$", files.get(FOLDER + "rows.txt", ""), re.M))
        self.excused = dict(re.findall(r"^\| ([ACPHTX]\d+) \| (\S.*) \|$", files.get(FOLDER + "unproved.md", ""), re.M))
        self.nameless, self.proofs, self.says = [], {}, {}
        for path, text in sorted(files.items()):
            if not re.fullmatch(rf"{FOLDER}test_\w+\.py", path):
                continue
            match = re.match(r'# Rows:((?: [ACPHTX]\d+)+)\n"""(.+?)"""', text, re.S)
            if not match:
                self.nameless.append(path)
                continue
            self.says[path] = " ".join(match[2].split("\n\n")[0].split())
            for row in match[1].split():
                self.proofs.setdefault(row, []).append(path)

    def wrong(self):
        """One line for each thing that does not fit together."""
        yield from (f"{path}: the first line does not name rows" for path in self.nameless)
        for row in self.rows:
            if row not in self.proofs and row not in self.excused:
                yield f"{row}: no scenario names it, and unproved.md does not say why"
        for row in self.excused.keys() & self.proofs.keys():
            yield f"{row}: stands in unproved.md, and in {', '.join(self.proofs[row])}"
        for row in (self.excused.keys() | self.proofs.keys()) - self.rows.keys():
            yield f"{row}: is not in rows.txt"

    def page(self):
        """docs/behaviours.md."""
        parts = [HEAD]
        for letter, name in FAMILIES.items():
            parts.append(f"\n## {letter}: {name}\n\n| row | native | over HTTP | proved by |\n|---|---|---|---|\n")
            for row, text in self.rows.items():
                if row[0] == letter:
                    links = [f"[{os.path.basename(path)[5:-3]}](../{path})" for path in self.proofs.get(row, [])]
                    proof = ", ".join(links) or "nothing: " + self.excused.get(row, "")
                    parts.append(f"| {row} | {text} | {proof} |\n")
        parts.append("\n## The tests\n\n| test | shows |\n|---|---|\n")
        parts += [f"| [{os.path.basename(path)[5:-3]}](../{path}) | {text} |\n" for path, text in self.says.items()]
        return "".join(parts)


def main():
    files = {}
    for name in os.listdir(os.path.join(ROOT, FOLDER)):
        if name.endswith((".py", ".txt", ".md")):
            with open(os.path.join(ROOT, FOLDER, name), encoding="utf-8") as file:
                files[FOLDER + name] = file.read()
    with open(os.path.join(ROOT, PAGE), "w", encoding="utf-8") as file:
        file.write(Rows(files).page())


if __name__ == "__main__":
    main()
