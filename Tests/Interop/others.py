"""What the scenarios of other programs have in common: each program and HTTP shut each other out, on one semaphore."""

import itertools
import os
import shutil
import signal
import subprocess
import tempfile
import time

from perlside import segment
from php_support import GETNCNT, PATIENCE, LiveTest, Pending, Talking, control, eventually, free_port, proc_sets
from php_support import remove_set, set_id, signed, values

_keys = itertools.count(0x4F544801)
GETPID = 11
DEBIANS = "/usr/bin/python3"  # the one that finds Debian's modules
LOOP = """
import sys
print("done", flush=True)
for line in sys.stdin:
    take() if line == "take\\n" else give()
    print("done", flush=True)
"""


def imports(module):
    """Whether Debian's Python has a module."""
    return os.path.exists(DEBIANS) and runs(DEBIANS, "-c", f"import {module}")


def runs(*command):
    """Whether a command is there and ends well."""
    return bool(shutil.which(command[0])) and not subprocess.run(command, check=False, capture_output=True).returncode


def next_key():
    """A key that nobody else uses here."""
    return next(_keys)


class Holder(Talking):
    """A program that takes when it reads `take`, and gives otherwise. It says `done` then, and when it is up."""

    def __init__(self, *command):
        super().__init__(*command)
        self.taken(60)  # some load much

    def take_later(self):
        self.send("take")

    def taken(self, timeout=PATIENCE):
        """Returns when it has what it asked for."""
        line = self.line(timeout)
        assert line == "done\n", f"the program says {line!r}"

    def take(self):
        self.take_later()
        self.taken()

    def give(self):
        self.send("give")
        self.taken()


def python(code):
    """A holder in Debian's Python: `code` defines take() and give()."""
    return Holder(DEBIANS, "-c", code + LOOP)


class Web:
    """A server of the web whose request takes the lock, makes `taken` in its folder, and gives when `go` is there."""

    def __init__(self, test, port, command):
        self.folder, self.port, self.request = test.folder, port, None
        with open(self.path("log"), "wb") as log:
            self.server = subprocess.Popen(command, cwd=self.folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                           start_new_session=True)
        test.addCleanup(self.stop)
        eventually(lambda: self.gone() or runs("curl", "-sf", f"http://127.0.0.1:{port}/up"), "the server is up")
        assert not self.gone(), self.log()

    def gone(self):
        return self.server.poll() is not None

    def log(self):
        with open(self.path("log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def path(self, name):
        return os.path.join(self.folder, name)

    def take_later(self):
        command = ["curl", "-s", "-m", "60", "-o", self.path("answer"), f"http://127.0.0.1:{self.port}/take"]
        self.request = subprocess.Popen(command)

    def taken(self):
        eventually(lambda: os.path.exists(self.path("taken")), "the server has the lock")

    def take(self):
        self.take_later()
        self.taken()

    def is_silent(self):
        return not os.path.exists(self.path("taken"))

    def give(self):
        with open(self.path("go"), "wb"):
            pass
        assert self.request.wait(PATIENCE) == 0, self.log()
        os.remove(self.path("go"))
        os.remove(self.path("taken"))

    def stop(self):
        """kill -9 of all of it."""
        if self.request and self.request.poll() is None:
            self.request.kill()
            self.request.wait()
        if not self.gone():
            os.killpg(self.server.pid, signal.SIGKILL)
            self.server.wait()


class Others(LiveTest):
    """A class of tests of its own daemon; `name` is the lock over HTTP, `key` and `number` the semaphore."""

    number = 0
    parameters = {}

    def setUp(self):
        self.key = next_key()
        self.folder = tempfile.mkdtemp(prefix="others-", dir="/tmp")
        os.chmod(self.folder, 0o777)
        self.addCleanup(shutil.rmtree, self.folder, ignore_errors=True)
        self.addCleanup(self.remove)

    def remove(self):
        """The numbers of files come again, and with them keys: nothing stays for another test."""
        if self.set is not None:
            remove_set(self.set)

    def later_than_the_set(self):
        """Kernel times are whole seconds: only a write in a later one is seen."""
        eventually(lambda: time.time() > proc_sets()[self.set]["ctime"] + 1.1, "the next second")

    def holder(self, program):
        self.addCleanup(program.kill)
        return program

    @property
    def set(self):
        return set_id(self.key)

    @property
    def value(self):
        return values(self.set, self.number + 1)[self.number]

    def kill_who_took(self):
        """kill -9: the kernel knows who changed the semaphore last."""
        pid = control(self.set, self.number, GETPID)
        assert pid > 1 and pid != self.server.pid, f"the semaphore was changed by {pid}"
        os.kill(pid, signal.SIGKILL)

    def sleepers(self):
        """How many sleep in the kernel until there is a unit."""
        return control(self.set, self.number, GETNCNT)

    def acquire(self, **more):
        target = f"/locks/{segment(self.name)}/acquire"
        return self.server.request("POST", target, timeout=60, **{"ttl": "5m"} | self.parameters | more)

    def refused(self):
        return self.assertProblem(self.acquire(), 423, "locked", errno="EAGAIN")

    def acquire_later(self):
        pending = Pending(lambda: self.acquire(wait="30s"))
        eventually(lambda: pending.done or self.sleepers() > 0, "HTTP waits in the kernel")
        return pending


class OneLock:
    """The tests of a mutex; `program()` starts one that has it open, `kill_holder(program)` kills who holds it."""

    free = 1

    def rests(self):
        """The value is what it was. A program may answer before it is through."""
        eventually(lambda: self.value == self.free, "the semaphore is free again")

    def kill_holder(self, program):
        """Of a server with workers, the worker alone."""
        if isinstance(program, Web):
            self.kill_who_took()
        else:
            program.kill()

    def test_the_program_has_it_and_http_waits(self):
        program = self.program()
        program.take()
        self.refused()
        waiter = self.acquire_later()
        self.assertFalse(waiter.done)
        program.give()
        self.server.release(self.granted(waiter.answer()))
        self.rests()

    def test_http_has_it_and_the_program_waits_also_over_a_restart_of_the_service(self):
        program = self.program()
        for restarts in (False, True):
            lease = self.granted(self.acquire())
            if restarts:
                self.server.kill()
            program.take_later()
            eventually(lambda: self.sleepers() == 1, "the program waits in the kernel")
            if restarts:
                self.server.start()
            self.assertTrue(program.is_silent())
            self.server.release(lease)
            program.taken()
            self.refused()
            program.give()
            self.rests()

    def test_a_killed_program_frees_it(self):
        program = self.program()
        program.take()
        waiter = self.acquire_later()
        self.kill_holder(program)
        self.server.release(self.granted(waiter.answer()))
        self.rests()

    def test_a_client_that_died_frees_it_with_its_time(self):
        program = self.program()
        self.granted(self.acquire(ttl="500ms"))
        program.take()
        program.give()
        self.rests()


__all__ = ["DEBIANS", "Holder", "OneLock", "Others", "Web", "eventually", "free_port", "imports",
           "next_key", "python", "runs", "segment", "set_id", "signed", "values"]
