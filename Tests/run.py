#!/usr/bin/env python3
"""Runs the tests and adds them up: python3 Tests/run.py all, or the name of a group.

The last line is "N passed, N failed"; before it comes what was skipped and why, and last what failed. The exit status
is 1 if anything failed.
"""

import os
import re
import signal
import subprocess
import sys
import time
import xml.etree.ElementTree

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
SWIFT = os.environ.get("SWIFT") or "swift"
JOBS = ["-j", os.environ["JOBS"]] if os.environ.get("JOBS") else []
DEBUG, RELEASE = (os.path.join(ROOT, ".build", kind, "leasehold") for kind in ("debug", "release"))
APART = ["unshare", "-i"] if os.getuid() == 0 else ["unshare", "-Ur", "-i"]
# For the steps that try each etcd that is here: Debian's, and the one of Tools/need.
ETCDS = [path for path in ("/usr/bin/etcd", "/usr/local/bin/etcd", os.path.join(ROOT, ".build/tools/etcd-3.5.1"))
         if os.access(path, os.X_OK)]
WITH_ETCDS = ["env", "LEASEHOLD_ETCD=" + (os.environ.get("LEASEHOLD_ETCD") or ":".join(ETCDS))]
XUNIT = os.path.join(ROOT, ".build", "tests.xml")


class Result:
    def __init__(self, passed=0, failed=0, skipped=()):
        self.passed, self.failed, self.skipped = passed, failed, list(skipped)


# How unittest, Swift Testing, node --test, go test, phpunit, Schemathesis, compilers and our own scripts begin the line
# of what failed.
FAILURE = re.compile(r"(?:FAIL|ERROR|FAILED)[: ]|- ST\d+ |curl -X |✘ Test .*(?:recorded an issue|failed)|not ok \d"
                     r"|--- FAIL: |\d+\) \S+::|\S+: error: ")


def failures(name, output, count=12):
    """The lines that say what failed, or else the last ones: who sees only the end of the output has them too."""
    lines = [line.strip() for line in output.splitlines() if line.strip()]
    told = list(dict.fromkeys(line for line in lines if FAILURE.match(line))) or lines
    return [f"{name}: {line[:400]}" for line in told[-count:]]


def one(status, _):
    """A step that is one test."""
    return Result(status == 0, status != 0)


def tidy_checks(status, output):
    match = re.search(r"^tidy: (\d+) checks, (\d+) failed", output, re.M)
    if not match:
        return Result(failed=1)
    count, failed = int(match[1]), int(match[2])
    return Result(count - failed, failed if failed or status == 0 else 1)


def unittests(status, output):
    ran = re.search(r"^Ran (\d+) tests? in", output, re.M)
    skipped = re.findall(r"^(.*\.\.\. skipped .*)$", output, re.M)
    if not ran:
        return Result(failed=1)
    failed = sum(int(count) for count in re.findall(r"\b(?:failures|errors|unexpected successes)=(\d+)", output))
    failed = failed or int(status != 0)
    return Result(max(0, int(ran[1]) - failed - len(skipped)), failed, skipped)


def swift_tests(status, _):
    """From the reports of XCTest and Swift Testing; a crash leaves none, and is a failure."""
    result = Result()
    for path in (XUNIT, XUNIT.replace(".xml", "-swift-testing.xml")):
        if not os.path.exists(path):
            continue
        for case in xml.etree.ElementTree.parse(path).getroot().iter("testcase"):
            if case.find("skipped") is not None:
                result.skipped.append(f"{case.get('classname')}.{case.get('name')}")
            elif case.find("failure") is not None or case.find("error") is not None:
                result.failed += 1
            else:
                result.passed += 1
        os.remove(path)  # so that a step that crashes has not the one before's
    if not result.failed and (status != 0 or not result.passed):
        result.failed = 1
    return result


def shell_scripts():
    listed = subprocess.run(["git", "-C", ROOT, "ls-files", "-z"], check=True, capture_output=True).stdout
    for name in listed.decode().split("\0"):
        path = os.path.join(ROOT, name)
        if os.path.isfile(path) and not os.path.islink(path):
            with open(path, "rb") as file:
                if re.match(rb"#!.*\b(ba)?sh\b", file.readline()):
                    yield name


def python(*words):
    return [sys.executable, "-u", *words]


def scenarios():
    """One step for each file of Tests/Interop."""
    names = sorted(name for name in os.listdir(os.path.join(ROOT, "Tests", "Interop"))
                   if re.fullmatch(r"test_\w+\.py", name))
    steps = [(name[5:-3], python(f"Tests/Interop/{name}"), unittests, DEBUG) for name in names]
    stress = [(f"stress, {kind}", python(f"Tests/Interop/stress_{kind}.py", "3"), one, DEBUG)
              for kind in ("php", "perl")]
    return [*steps, *stress]


def client_tests(status, output):
    """What a client's own runner counted: unittest, node --test, go test -v, phpunit, or else the whole as one test."""
    ran = [int(count) for count in re.findall(r"^Ran (\d+) tests? in", output, re.M)]
    ran += [int(count) for count in re.findall(r"^# pass (\d+)$", output, re.M)]
    ran += [len(re.findall(r"^\s*--- PASS: ", output, re.M))]
    ran += [int(count) for count in re.findall(r"^(?:OK \(|Tests: )(\d+)\b", output, re.M)]
    skipped = re.findall(r"^(?:skipped: .*|.*\.\.\. skipped .*|.* # SKIP.*)$", output, re.M)
    passed = sum(ran) - len([line for line in skipped if "... skipped" in line])
    told = r"\b(?:failures|errors)=(\d+)|^# fail (\d+)$|^Tests: .*\b(?:Failures|Errors): (\d+)"
    failed = sum(int(count) for count in re.findall(told, output, re.M)
                 for count in count if count) if status else 0
    return Result(max(0, passed - failed) or int(status == 0 and not skipped), failed or int(status != 0), skipped)


def clients():
    """One step for each library below clients that has an executable `test`."""
    folder = os.path.join(ROOT, "clients")
    return [(f"client, {name}", [os.path.join(folder, name, "test")], client_tests, DEBUG)
            for name in sorted(os.listdir(folder)) if os.access(os.path.join(folder, name, "test"), os.X_OK)]


def fuzz(seconds):
    return [os.path.join(ROOT, ".build", "debug", "leasehold-fuzz"), "--seconds", str(seconds)]


def robustness(script, *words):
    return python(f"Tests/Robustness/{script}.py", *words)


def delayed(milliseconds, *names):
    """Tests/Live, or some of its files, over an engine that takes so long for each call."""
    command = ["env", f"LHDELAYS=ms={milliseconds}", *python("Tests/Live/run.py", *names)]
    return f"live, {milliseconds} ms", command, unittests, DEBUG


def swift_test(*words):
    return [*WITH_ETCDS, *APART, SWIFT, "test", "--skip-build", "--xunit-output", XUNIT, *words]


def release_build():
    flags = [flag for tool in ("Tools/static", "Tools/dense")
             for flag in subprocess.run([tool, ".build"], cwd=ROOT, check=True, stdout=subprocess.PIPE,
                                        text=True).stdout.split()]
    return [SWIFT, "build", "-c", "release", "--product", "leasehold", *JOBS, *flags]


def swift_format():
    return [SWIFT, "format", "lint", "--strict", "--parallel", "--recursive", "Package.swift", "Sources", "Tests"]


# The files of Tests/Live for an engine that takes 200 ms: those about locks and leases. All take a quarter of an hour.
SLOWLY = [f"test_{name}" for name in (
    "acquire", "add", "at_least", "break", "hold", "idempotency", "lease", "lock_changes", "newest", "notes", "queue",
    "renewals", "resize", "several", "slots", "terraform", "traces", "truth",
)]

# Group to steps: name, command, how to count, which program to test. A step with a function makes its command late.
GROUPS = {
    "lint": [
        ("swift format", swift_format(), one, None),
        ("shellcheck", lambda: ["shellcheck", *shell_scripts()], one, None),
        ("tidy", python("Tests/Tidy/tidy.py"), tidy_checks, None),
        ("tests of tidy", python("Tests/Tidy/test_tidy.py"), unittests, None),
        ("versions", python("Tests/Release/test_version.py", "-v"), unittests, None),
        ("dense code", python("Tests/Release/test_dense.py", "-v"), unittests, None),
    ],
    "debug": [("build, debug", [SWIFT, "build", "--build-tests", *JOBS], one, None)],
    "unit": [("swift test", swift_test("--skip", "LeaseholdClientTests"), swift_tests, None)],
    # The client's tests keep leases alive by time: not beside tests that take all threads.
    "unit-client": [("swift test, client", swift_test("--filter", "LeaseholdClientTests"), swift_tests, None)],
    "live": [("live", python("-m", "unittest", "discover", "-v", "-s", "Tests/Live"), unittests, DEBUG)],
    # Not part of all, where test_delays does a little of it.
    "delayed": [delayed(0), delayed(20), delayed(200, *SLOWLY)],
    "cli": [("cli", python("-m", "unittest", "discover", "-v", "-s", "Tests/Cli"), unittests, DEBUG)],
    "interop": scenarios(),
    "distributed": [
        ("more than one host", [*WITH_ETCDS, *python("-m", "unittest", "discover", "-v", "-s", "Tests/Distributed")],
         unittests, DEBUG),
    ],
    "fuzz-short": [("fuzz", fuzz(5), one, None)],
    "fuzz": [("fuzz", fuzz(600), one, None)],
    "browser": [("browser", python("-m", "unittest", "discover", "-v", "-s", "Tests/Browser"), unittests, DEBUG)],
    "contract": [("contract", python("Tests/Contract/run.py", "--leasehold", DEBUG), one, DEBUG)],
    "contract-full": [("contract", python("Tests/Contract/run.py", "--leasehold", DEBUG, "--full"), one, DEBUG)],
    "clients-generated": [("generated clients", python("Tests/Contract/test_clients.py", "-v"), unittests, DEBUG)],
    "clients": clients(),
    "conformance": [("conformance", python("clients/conformance/run.py"), one, DEBUG)],
    "examples": [
        ("examples", python("Tests/Examples/run.py"), unittests, DEBUG),
        ("clients", python("-m", "unittest", "discover", "-v", "-s", "Tests/Examples"), unittests, DEBUG),
    ],
    "release": [("build, release", release_build, one, None)],
    "hardening": [("as released", python("Tests/Cli/test_program.py", "-v"), unittests, RELEASE)],
    "footprint": [("footprint", python("Tests/Footprint/test_footprint.py", "-v"), unittests, RELEASE)],
    # The first six look for mistakes, which the debug build finds more of; the others measure.
    "robustness": [
        ("kill -9", robustness("kill_loop", "--kills", "30"), one, DEBUG),
        ("kill at a call", robustness("kill_loop", "--kills", "40", "--at-calls", "1"), one, DEBUG),
        ("many natives", robustness("natives"), one, DEBUG),
        ("failing calls", robustness("sweep", "--seconds", "80"), one, DEBUG),
        ("signals", robustness("signals", "--rounds", "18"), one, DEBUG),
        ("upgrade", robustness("upgrade"), one, DEBUG),
        ("dying clients", robustness("clients", "--clients", "300"), one, DEBUG),
        ("what is found", robustness("found"), one, DEBUG),
        ("dying units", robustness("units", "--limit-ms", "250"), one, DEBUG),
        ("stopped processes", robustness("stops", "--stops", "40"), one, DEBUG),
        ("many waiters", robustness("waiters", "--waiters", "2000"), one, RELEASE),
        ("newest wins", robustness("newest", "--waiters", "300"), one, RELEASE),
        ("many leases", robustness("leases", "--leases", "20000", "--ttl", "20"), one, RELEASE),
        ("expiry", robustness("expiry", "--expiries", "50", "--limit-ms", "25"), one, RELEASE),
        ("subscribers", robustness("subscribers", "--subscribers", "50", "--cycles", "2000"), one, RELEASE),
        ("log stall", robustness("log_stall", "--seconds", "3", "--limit-ms", "25"), one, RELEASE),
    ],
    "sweep": [
        ("failing calls", robustness("sweep", "--seconds", "3000", "--errnos", "99", "--rounds", "4"), one, DEBUG),
    ],
    "upgrade": [
        ("upgrade", robustness("upgrade", "--old", os.environ.get("OLD", "HEAD")), one, RELEASE),
    ],
    "mutants": [("mutants", python("Tests/Mutants/run.py"), one, None)],
    "soak": [
        ("kill -9", robustness("kill_loop", "--kills", "1000"), one, RELEASE),
        ("kill at a call", robustness("kill_loop", "--kills", "1000", "--at-calls", "1"), one, RELEASE),
        ("many natives", robustness("natives", "--kills", "500"), one, RELEASE),
        ("failing calls", robustness("sweep", "--seconds", "1200", "--errnos", "99"), one, DEBUG),
        ("signals", robustness("signals", "--rounds", "400"), one, RELEASE),
        ("dying clients", robustness("clients", "--clients", "10000", "--max-seconds", "900"), one, RELEASE),
        ("what is found", robustness("found", "--scribbles", "300", "--removals", "50"), one, RELEASE),
        ("stopped processes", robustness("stops", "--stops", "1000"), one, RELEASE),
        ("many waiters", robustness("waiters", "--waiters", "10000"), one, RELEASE),
        ("newest wins", robustness("newest"), one, RELEASE),
        ("many leases", robustness("leases", "--leases", "100000"), one, RELEASE),
        ("expiry", robustness("expiry", "--expiries", "1000"), one, RELEASE),
        ("subscribers", robustness("subscribers"), one, RELEASE),
        ("log stall", robustness("log_stall", "--seconds", "60"), one, RELEASE),
    ],
}
ALL = ["lint", "debug", "unit", "unit-client", "fuzz-short", "live", "cli", "browser", "interop", "distributed",
       "contract", "clients-generated", "clients", "examples", "release", "hardening", "footprint", "robustness"]
# What a group needs before it.
BUILDS = {group: ["debug"] for group in (
    "unit", "unit-client", "live", "delayed", "cli", "browser", "interop", "distributed", "fuzz", "fuzz-short",
    "contract", "contract-full", "clients-generated", "clients", "conformance", "examples",
)} | {
    "hardening": ["release"], "footprint": ["release"], "robustness": ["debug", "release"], "sweep": ["debug"],
    "soak": ["debug", "release"], "upgrade": ["release"],
}
# Real programs and browsers beside clocks: a machine that stalls for a second fails one of two thousand. A step of
# these is repeated once, and said to be unsteady when it passes then. What looks for races is never repeated.
REPEATED = {"unit-client", "live", "delayed", "cli", "browser", "interop", "distributed", "clients"}
STEP_SECONDS = {"soak": 3600, "mutants": 3600, "sweep": 3600, "contract-full": 4 * 3600}


def run(command, program, seconds):
    """Runs a command, shows what it says as it says it, and returns its status and its output."""
    environment = {**os.environ, **({"LEASEHOLD": program} if program else {})}
    begun, output = time.monotonic(), []
    # A session of its own, so that a step that hangs can be ended with all it started.
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                               stdin=subprocess.DEVNULL, start_new_session=True)
    os.set_blocking(process.stdout.fileno(), False)
    while True:
        chunk = process.stdout.read()
        if chunk:
            sys.stdout.buffer.write(chunk)
            sys.stdout.flush()
            output.append(chunk)
        elif process.poll() is not None:
            break
        elif time.monotonic() - begun > seconds:
            print(f"FAILED: not done after {seconds} s", flush=True)
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            return 124, b"".join(output).decode(errors="replace")
        else:
            time.sleep(0.02)
    return process.returncode, b"".join(output).decode(errors="replace")


def main(groups):
    for path in (XUNIT, XUNIT.replace(".xml", "-swift-testing.xml")):
        if os.path.exists(path):
            os.remove(path)
    rows, unsteady, what_failed, begun = [], [], [], time.monotonic()
    for group in groups:
        for name, command, count, program in GROUPS[group]:
            print(f"\n=== {name}", flush=True)
            if group in ("debug", "release"):
                subprocess.run([os.path.join(ROOT, "Tools", "version"), "write"], check=True)
            started = time.monotonic()
            command = command() if callable(command) else command
            status, output = run(command, program, STEP_SECONDS.get(group, 1200))
            result = count(status, output)
            if result.failed and group in REPEATED:
                print(f"\n=== {name}, repeated: {result.failed} failed", flush=True)
                first = failures(name, output)
                status, output = run(command, program, STEP_SECONDS.get(group, 1200))
                result = count(status, output)
                unsteady += [] if result.failed else first
            what_failed += failures(name, output) if result.failed else []
            rows.append((name, result, time.monotonic() - started))
        if group in ("debug", "release") and rows[-1][1].failed:
            print("FAILED: the rest needs the build and was not run", flush=True)
            break
    print(f"\n{'step':<18}{'passed':>8}{'failed':>8}{'skipped':>8}{'seconds':>9}")
    for name, result, seconds in rows:
        print(f"{name:<18}{result.passed:>8}{result.failed:>8}{len(result.skipped):>8}{seconds:>9.1f}")
    skipped = [line for _, result, _ in rows for line in result.skipped]
    for line in skipped:
        print(f"skipped: {line}")
    for line in unsteady:
        print(f"unsteady, passed when repeated: {line}")
    for line in what_failed:
        print(f"failed: {line}")
    passed, failed = (sum(getattr(result, name) for _, result, _ in rows) for name in ("passed", "failed"))
    print(f"{time.monotonic() - begun:.0f} s, {len(skipped)} skipped")
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in (*GROUPS, "all"):
        sys.exit(f"usage: Tests/run.py all|{'|'.join(GROUPS)}")
    chosen = sys.argv[1]
    sys.exit(main(ALL if chosen == "all" else [*BUILDS.get(chosen, []), chosen]))
