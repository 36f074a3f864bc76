"""What the robustness programs share: the live tests' harness, keep-alive clients, and how a program ends."""

import argparse
import contextlib
import http.client
import os
import random
import resource
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "Live"))

import access  # noqa: E402,F401
import harness  # noqa: E402  (enters a private IPC namespace)
from native import Native  # noqa: E402,F401

RW_UNITS = harness.RW_UNITS

FAILURES = (OSError, http.client.HTTPException)


def arguments(description, **defaults):
    """The program's options: every default becomes one; `--seed` is always there and always printed."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    for name, default in defaults.items():
        parser.add_argument(
            "--" + name.replace("_", "-"), type=type(default), default=default, help=f"default {default}"
        )
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    return options


def raise_descriptor_limit():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@contextlib.contextmanager
def running(*extra, **more):
    """A server for the length of the block; its log is printed when the block fails."""
    server = harness.Server(*extra, **more)
    try:
        yield server.start()
    except BaseException:
        print(server.log_text()[-4000:], file=sys.stderr)
        raise
    finally:
        server.stop()


class KeepAlive:
    """One connection that is opened again after a failure."""

    def __init__(self, client, timeout=30):
        self.client, self.timeout, self.connection = client, timeout, None

    def request(self, method, target, **query):
        if self.connection is None:
            self.connection = self.client.connection(self.timeout)
        try:
            return self.client.request(method, target, connection=self.connection, **query)
        except FAILURES:
            self.close()
            raise

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None


class Report:
    """Collects violations; the first ones are printed as they come."""

    def __init__(self, shown=20):
        self.violations, self.shown = [], shown

    def violation(self, text):
        if len(self.violations) < self.shown:
            print(f"VIOLATION {text}", flush=True)
        self.violations.append(text)

    def expect(self, condition, text):
        if not condition:
            self.violation(text)

    def finish(self, summary):
        """Prints the last line and ends the program."""
        print(f"{summary} violations {len(self.violations)}", flush=True)
        sys.exit(1 if self.violations else 0)


def quiet(condition, timeout=10.0, pause=0.02):
    """Polls; True when the condition came true in time."""
    deadline = time.monotonic() + timeout
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(pause)
    return True


def percentile(values, share):
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * share))]
