#!/usr/bin/env python3
"""Puts each fault of mutants.py into the sources and looks whether the tests notice.

python3 Tests/Mutants/run.py            all of them
python3 Tests/Mutants/run.py queue      those with this in their names

All mutants are compiled into one build, each behind a look at LEASEHOLD_MUTANT, so that all cost one build. That is
done in the sources themselves, as the build is incremental then; they are put back in the end, and must have no changes
that git does not know. Says caught, SURVIVED or NOT FOUND for each; fails when one is not
caught, or not there to be put in.
"""

import os
import re
import signal
import subprocess
import sys
import time

from mutants import MUTANTS, STATEMENT, is_place, pattern

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
SWIFT = os.environ.get("SWIFT") or "swift"
APART = ["unshare", "-i"] if os.getuid() == 0 else ["unshare", "-Ur", "-i"]
PROGRAM = os.path.join(ROOT, ".build", "debug", "leasehold")
LIVE = "live:"
SWITCH = "ActiveMutant.swift"
SECONDS = 600  # a mutant that hangs is noticed
LOOK = """internal import Glibc

private let active = getenv("LEASEHOLD_MUTANT").flatMap { Int(String(cString: $0)) } ?? 0

@inline(never) func isMutant(_ number: Int) -> Bool { number == active }
"""


def sources():
    for where, _, names in os.walk(os.path.join(ROOT, "Sources")):
        paths = [os.path.join(where, name) for name in sorted(names)]
        yield from (path for path in paths if is_place(os.path.relpath(path, ROOT)))


def put_in(numbers):
    """Writes the mutants into the sources; those that could not be, and why."""
    texts = {path: open(path, encoding="utf-8").read() for path in sources()}
    whole, missing, folders = dict(texts), {}, set()
    for number in numbers:
        mutant = MUTANTS[number - 1]
        found = [(path, match) for path, text in whole.items() for match in pattern(mutant.old).finditer(text)]
        if len(found) != 1:
            missing[number] = f"is there {len(found)} times"
            continue
        path, match = found[0]
        if mutant.form == STATEMENT:
            new = f"if isMutant({number}) {{\n{mutant.new}\n}} else {{\n{match[2]}\n}}"
        else:
            new = f"(isMutant({number}) ? ({mutant.new}) : ({match[2]}))"
        # Others may be in the same file by now.
        changed = pattern(mutant.old).subn(lambda match, new=new: match[1] + new, texts[path])
        if changed[1] != 1:
            missing[number] = "lies inside another one"
            continue
        texts[path] = changed[0]
        folders.add(os.path.relpath(path, ROOT).split(os.sep)[1])
    for path, text in texts.items():
        if text != whole[path]:
            write(path, text)
    for folder in folders:
        write(os.path.join(ROOT, "Sources", folder, SWITCH), LOOK)
    return missing


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def put_back():
    subprocess.run(["git", "-C", ROOT, "checkout", "-q", "--", "Sources"], check=True)
    for folder in os.listdir(os.path.join(ROOT, "Sources")):
        if os.path.exists(path := os.path.join(ROOT, "Sources", folder, SWITCH)):
            os.remove(path)


def test(filters, number=0):
    """Runs tests with a mutant; whether they passed, what they said and how long it took."""
    swift = [word for one in sorted(set(filters)) if not one.startswith(LIVE) for word in ("--filter", one)]
    live = [word for one in sorted(set(filters)) if one.startswith(LIVE) for word in ("-k", one.removeprefix(LIVE))]
    commands = [[*APART, SWIFT, "test", "--skip-build", *swift]] * bool(swift)
    commands += [[sys.executable, "-m", "unittest", "discover", "-v", "-s", "Tests/Live", *live]] * bool(live)
    begun, output = time.monotonic(), ""
    environment = {**os.environ, "LEASEHOLD_MUTANT": str(number), "LEASEHOLD": PROGRAM}
    for command in commands:
        try:
            done = subprocess.run(
                command, cwd=ROOT, capture_output=True, text=True, timeout=SECONDS, env=environment, check=False)
        except subprocess.TimeoutExpired:
            return False, "it hangs", time.monotonic() - begun
        output += done.stdout + done.stderr
        if done.returncode != 0:
            return False, output, time.monotonic() - begun
    return True, output, time.monotonic() - begun


def first_failure(output):
    found = re.search(r"^(?:✘ Test|FAIL:|ERROR:) (\S+)", output, re.M)
    return found[1] if found else "a crash" if "Fatal error" in output or "signal" in output else output[-80:]


def main(wanted):
    status = subprocess.run(
        ["git", "-C", ROOT, "status", "--porcelain", "--", "Sources"], capture_output=True, text=True, check=True)
    if status.stdout.strip():
        sys.exit(f"mutants: commit or put away first what is changed in Sources:\n{status.stdout}")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    numbers = [number for number, mutant in enumerate(MUTANTS, 1) if wanted in mutant.name]
    bad = 0
    try:
        missing = put_in(numbers)
        build = subprocess.run([SWIFT, "build", "--build-tests"], cwd=ROOT, capture_output=True, text=True, check=False)
        if build.returncode != 0:
            print("\n".join(line for line in build.stdout.splitlines() if "error:" in line) or build.stdout[-2000:])
            sys.exit("mutants: they do not build")
        present = [number for number in numbers if number not in missing]
        healthy, output, seconds = test([MUTANTS[number - 1].tests for number in present])
        if not healthy:
            sys.exit(f"mutants: the tests fail without any: {first_failure(output)}")
        print(f"without any: passed ({seconds:.0f} s)", flush=True)
        for number in numbers:
            mutant = MUTANTS[number - 1]
            if number in missing:
                verdict, why, seconds = "NOT FOUND", f"its text {missing[number]}: {mutant.old}", 0
            else:
                passed, output, seconds = test([mutant.tests], number)
                verdict, why = ("SURVIVED", mutant.tests) if passed else ("caught", first_failure(output))
            bad += verdict != "caught"
            print(f"{number:3} {verdict:9} {mutant.name} ({why}; {seconds:.0f} s)", flush=True)
    finally:
        put_back()
    print(f"{len(numbers) - bad} of {len(numbers)} mutants caught")
    return 1 if bad or not numbers else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))
