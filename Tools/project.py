#!/usr/bin/env python3
"""Writes what packaging/project.env and VERSION say to every place that names it: Tools/project.py [--check]

With --check nothing is written: places that differ are named, and the exit status is 1. Documents name the next release
as people will have it; what a program says of itself is what Tools/version says.
"""

import os
import re
import shlex
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
VALUES = "packaging/project.env"
NAMES = ("MAINTAINER", "REPOSITORY", "HOMEPAGE", "SECURITY", "IMAGE")
NUMBER = r"\d+\.\d+\.\d+(?:-(?:dev|rc\d+))?"

# Which files, what stands before the place, the place itself, what belongs there, and whether it must be there.
RULES = (
    (r"packaging/debian/control", r"^Maintainer: ", r".*", "{MAINTAINER}", True),
    (r"packaging/debian/control", r"^Homepage: ", r".*", "{HOMEPAGE}", True),
    (r"packaging/debian/copyright", r"^Source: ", r".*", "{REPOSITORY}", True),
    (r"openapi\.yaml", r"^  version: ", r".*", "{RELEASE}", True),
    (r"openapi\.yaml", r"^  contact:\n    name: ", r".*", "{NAME}", True),
    (r"openapi\.yaml", r"^  contact:\n    name: .*\n    url: ", r".*", "{HOMEPAGE}", True),
    (r"docs/man/.*\.1", r'^\.TH .*"leasehold ', r'[^"]*', "{RELEASE}", True),
    (r"Sources/CBuild/cbuild\.c", r"#define LEASEHOLD_VERSION ", r'"[^"]*"', '"{VERSION}"', True),
    (r"clients/python/src/leasehold/__init__\.py", r"^__version__ = ", r'"[^"]*"', '"{PYTHON}"', True),
    (r"clients/node/package\.json", r'^  "version": ', r'"[^"]*"', '"{VERSION}"', True),
    (r"clients/go/go\.mod", r"^module ", r"\S+", "{MODULE}/clients/go", True),
    (r"clients/go/.*\.(?:go|md)", r'^\s*(?:import )?leasehold "', r'[^"]*', "{MODULE}/clients/go", False),
    (r"SECURITY\.md", r"privately, at\s+<", r"[^>]*", "{SECURITY}", True),
    (r"docker/Dockerfile", r"^ARG VERSION=", r"\S*", "{VERSION}", True),
    (r"docker/Dockerfile", r'\bopencontainers\.image\.source="', r'[^"]*', "{REPOSITORY}", True),
    (r"docker/Dockerfile", r'\bopencontainers\.image\.url="', r'[^"]*', "{HOMEPAGE}", True),
    (r"docker/Dockerfile", r'\bopencontainers\.image\.authors="', r'[^"]*', "{MAINTAINER}", True),
    # The first image is the service's; behind it come those of applications.
    (r"docker/(?:compose|kubernetes/\w+)\.yaml", r"\A(?:(?!^\s+image: )[\s\S])*^\s+image: ", r"\S+",
     "{IMAGE}:{RELEASE}", True),
    # What people type.
    (r".*\.md|docker/.*", r"\bleasehold[_-]", NUMBER + r"(?=[-_/]| serve)", "{RELEASE}", False),
    (r".*\.md|docker/.*", r"(?<![\w./-])", r"(?:[\w.-]+(?::\d+)?/)*leasehold:" + NUMBER, "{IMAGE}:{RELEASE}", False),
    (r".*\.md", r"^R=", r"\S+", "{REPOSITORY}/releases/download/v{RELEASE}", False),
    (r".*\.md", r'\.package\(url: "(?=[^"]*leasehold)', r'[^"]*', "{REPOSITORY}", False),
    (r".*\.md", r'\.package\(url: "[^"]*leasehold[^"]*", from: "', r'[^"]*', "{RELEASE}", False),
)


def values(text, version):
    """What packaging/project.env says, as a shell reads it, and what follows from it."""
    found = dict(word.partition("=")[::2] for line in text.splitlines() if not line.startswith("#")
                 for word in shlex.split(line))
    missing = [name for name in NAMES if not found.get(name)]
    if missing:
        raise ValueError(f"{VALUES} does not say {', '.join(missing)}")
    version = version.strip()
    return found | {"NAME": found["MAINTAINER"].partition(" <")[0], "VERSION": version,
                    "RELEASE": version.partition("-")[0], "PYTHON": version.replace("-dev", ".dev0").replace("-", ""),
                    "MODULE": found["REPOSITORY"].partition("://")[2]}


def image(files):
    """The image without its tag; a registry may be named there. Empty where nothing is said."""
    return values(files[VALUES], "")["IMAGE"] if VALUES in files else ""


def differences(files):
    """Path, text as it should be, and what differs, for each file (path to text) that is not as it should be."""
    if VALUES not in files:
        return
    said = values(files[VALUES], files.get("VERSION", ""))
    for path, text in sorted(files.items()):
        # Change logs and issues tell of other versions.
        if path == "CHANGELOG.md":
            continue
        new, wrong = text, []
        for pattern, before, place, wanted, required in RULES:
            if not re.fullmatch(pattern, path):
                continue
            wanted = wanted.format(**said)
            found = [match[2] for match in re.finditer(f"({before})({place})", new, re.M)]
            if required and not found:
                wrong.append(f"has no place for '{wanted}'")
            if any(one != wanted for one in found):
                wrong.append(f"says '{next(one for one in found if one != wanted)}' and not '{wanted}'")
                new = re.sub(f"({before})({place})", lambda match: match[1] + wanted, new, flags=re.M)
        if wrong:
            yield path, new, wrong


def main(words):
    if words not in ([], ["--check"]):
        sys.exit(__doc__.partition("\n")[0])
    command = ["git", "-C", ROOT, "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split("\0")[:-1]
    files = {}
    for path in listed:
        whole = os.path.join(ROOT, path)
        if path in (VALUES, "VERSION") or any(re.fullmatch(rule[0], path) for rule in RULES):
            if os.path.isfile(whole) and not os.path.islink(whole):
                with open(whole, encoding="utf-8") as file:
                    files[path] = file.read()
    status = 0
    for path, text, wrong in list(differences(files)):
        status = 1 if words or any(line.startswith("has no place") for line in wrong) else status
        print("\n".join(f"{path}: {line}" for line in wrong))
        if not words and text != files[path]:
            with open(os.path.join(ROOT, path), "w", encoding="utf-8") as file:
                file.write(text)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
