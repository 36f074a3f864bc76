"""What the Perl scenarios need: the daemon of Tests/Live in a private IPC namespace, and real Perl programs beside it.

Run one with `python3 Tests/Interop/test_a02_readers.py`. The first line of each names the rows that it proves.
"""

import atexit
import base64
import itertools
import json
import os
import shutil
import sys
import tempfile
import urllib.parse

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Live"))

from harness import PATIENCE, LiveTest, Pending, Server, eventually  # noqa: E402
from native import ipcs  # noqa: E402
from talking import Talking  # noqa: E402
from users import AS_NOBODY, NOBODY, can_be  # noqa: E402

__all__ = ["AS_NOBODY", "NOBODY", "LiveTest", "Pending", "Server", "can_be", "eventually", "ipcs"]  # and what is below
PERL = ("perl", "-I", os.path.join(HERE, "perl"), os.path.join(HERE, "perl", "peer.pl"))
LEASE = 1024  # what a lease adds to a semaphore of an apache: set, where a Perl program adds 1
_keys = itertools.count(0x41500001)


class Died(Exception):
    """The code died; carries the message."""


class Perl(Talking):
    """A perl process that runs what it is told. Variables (without `my`) stay from one command to the next."""

    def __init__(self, *prefix):
        super().__init__(*prefix, *PERL)
        self.errno, self.warnings = None, []
        self.do("1")  # it is up

    def send(self, code):
        """Runs `code` and does not wait for what it returns: semop(2) may block."""
        super().send(base64.b64encode(code.encode()))

    def answer(self, timeout=PATIENCE):
        """What the code returned, as a list."""
        line = self.line(timeout)
        if line is None:
            raise AssertionError(f"perl did not answer within {timeout} s")
        if not line:
            raise AssertionError(f"perl ended with {self.process.wait()}")
        answer = json.loads(line)
        self.errno, self.warnings = answer["errno"], answer["warnings"]
        if answer["error"] is not None:
            raise Died(answer["error"])
        return answer["value"]

    def list(self, code):
        """What `code` returns in list context."""
        self.send(code)
        return self.answer()

    def do(self, code):
        """The last value of what `code` returns; None for nothing and undef."""
        return ([None] + self.list(code))[-1]

    def exit(self):
        """Ends as programs do."""
        if self.process.poll() is None:
            self.process.stdin.close()
            self.process.wait(PATIENCE)


def quoted(text):
    """A Perl string."""
    return "'" + str(text).replace("\\", "\\\\").replace("'", "\\'") + "'"


def options(**given):
    """Perl's `name => value, ..`: numbers stay numbers, all else is a string."""
    return ", ".join(
        f"{name} => {value if isinstance(value, int) else quoted(value)}" for name, value in given.items()
    )


def segment(text):
    """One segment of a URL's path."""
    return urllib.parse.quote(text, safe="")


class Scenario(LiveTest):
    """A daemon for the class, and a perl process that only looks."""

    def setUp(self):
        self.eye = self.perl()

    def perl(self, *prefix):
        program = Perl(*prefix)
        self.addCleanup(program.kill)
        return program

    def look(self, key):
        """[value, ncnt, zcnt, pid] of each semaphore of a set, as IPC::Semaphore tells; [] without a set."""
        return self.eye.list(f"look({key})")

    def values(self, key):
        """Perl's getall."""
        return [row[0] for row in self.look(key)]

    def ncnt(self, key, number):
        return self.look(key)[number][1]

    def zcnt(self, key, number):
        return self.look(key)[number][2]

    def at_http(self, key, action="", method="GET", **parameters):
        """A request about a lock, with its binding."""
        target = f"/locks/{segment(key)}" + (f"/{action}" if action else "")
        return self.server.request(method, target, timeout=60, **parameters)

    def acquire_in_background(self, key, binding, **parameters):
        """Starts a waiting acquire, and returns once it stands in the queue."""
        parameters = {"wait": "30s"} | binding | parameters
        before = self.queued(key, binding)
        pending = Pending(lambda: self.at_http(key, "acquire", "POST", **parameters))
        eventually(lambda: pending.done or self.queued(key, binding) > before, f"a waiter for {key}")
        return pending

    def queued(self, key, binding):
        answer = self.at_http(key, **binding)
        return answer["waiting"] if answer.status == 200 else 0


class Apache(Scenario):
    """A session of its own for each test, on a set of its own; or, with `default`, on the set everybody uses."""

    nsems = 32

    def setUp(self):
        super().setUp()
        self.session = os.urandom(5).hex()
        self.semkey = next(_keys)
        self.bind()

    def bind(self):
        answer = self.server.get(f"/keys/{segment(self.name)}", **self.binding)
        self.assertEqual(answer.status, 200, answer)
        self.r, self.w = answer["sysv"]["semaphores"]

    @property
    def name(self):
        return f"apache:{self.session}"

    @property
    def binding(self):
        return {"semaphore_key": self.semkey, "nsems": self.nsems}

    def elsewhere(self):
        """A session of another number: two sessions of one number are one lock."""
        for number in range(10):
            answer = self.server.get(f"/keys/apache:{number}", **self.binding)
            if answer["sysv"]["semaphores"][0] != self.r:
                return str(number)
        raise AssertionError("every session has this number")

    def locker(self, code=None, session=None, **given):
        """A Perl program with a lock manager $l for the session $s, which has run some code."""
        program = self.perl()
        arguments = options(**(given or {"SemaphoreKey": self.semkey, "NSems": self.nsems}))
        program.list(f"($l, $s) = locker({quoted(session or self.session)}, {arguments})")
        if code:
            program.do(code)
        return program

    def does(self, program, code, leaving):
        """A Perl program does something, which leaves these readers and writers."""
        program.do(code)
        self.assertEqual(self.rw, leaving)

    def acquire(self, mode, **parameters):
        return self.at_http(self.name, "acquire", "POST", mode=mode, **(self.binding | parameters))

    def acquire_later(self, mode, **parameters):
        return self.acquire_in_background(self.name, self.binding, mode=mode, **parameters)

    def leased(self, mode, **parameters):
        return self.granted(self.acquire(mode, **parameters))

    def release(self, lease, leaving=None):
        answer = self.granted(self.server.release(lease), 200)
        if leaving:
            self.assertEqual(self.rw, leaving)
        return answer

    @property
    def rw(self):
        """The two semaphores of the session, from Perl's getall; the others must be zero."""
        values = self.values(self.semkey)
        rest = [value for number, value in enumerate(values) if number not in (self.r, self.w)]
        self.assertEqual(rest, [0] * (self.nsems - 2), "a semaphore of no session here was touched")
        return values[self.r], values[self.w]

    def reader_waits(self, count=1):
        """Waits until somebody sleeps as a reader does: for the writers' semaphore to be zero."""
        eventually(lambda: self.zcnt(self.semkey, self.w) == count, "a reader asleep")

    def writer_waits(self, count=1, on=None):
        """Waits until somebody sleeps as a writer does: for the readers' semaphore to be zero, or the writers'."""
        number = self.r if on is None else on
        eventually(lambda: self.zcnt(self.semkey, number) == count, "a writer asleep")


class Path(Scenario):
    """A file of its own for each test."""

    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="leasehold-path-")
        # Not before the end: a new file would get the inode of one that is gone, and with it the key and the set.
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)
        self.path = os.path.join(self.folder, "sem_file")

    @property
    def name(self):
        return f"path:{self.path}"

    def key_of(self, project=0, path=None):
        """ftok as Perl's IPC::SysV computes it; `project` a number, or a string for its character's code."""
        project = project if isinstance(project, int) else quoted(project)
        return self.eye.do(f"ftok({quoted(path or self.path)}, {project})")

    def user(self, path=None, **given):
        """A Perl program with an IPC::Semaphore::Concurrency $c."""
        program = self.perl()
        self.assertTrue(program.do(f"$c = Concurrency->new({options(path=path or self.path, **given)}); $c ? 1 : 0"))
        return program

    def acquire(self, **parameters):
        return self.at_http(self.name, "acquire", "POST", **parameters)

    def acquire_later(self, **parameters):
        binding = {name: parameters.pop(name) for name in ("project", "sem", "nsems") if name in parameters}
        return self.acquire_in_background(self.name, binding, **parameters)

    def leased(self, **parameters):
        return self.granted(self.acquire(**parameters))

    def release(self, lease):
        return self.granted(self.server.release(lease), 200)

    @property
    def all(self):
        """Perl's getall, under project 0."""
        return self.values(self.key_of())

    def user_values(self, count=1, project=0):
        """The values a native program asked for, without what Leasehold may have added behind them."""
        return self.values(self.key_of(project))[:count]

    def sleeping(self, count, number=0, project=0):
        """Waits until so many sleep for a slot."""
        eventually(lambda: self.ncnt(self.key_of(project), number) == count, f"{count} asleep")
