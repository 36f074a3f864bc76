"""Real PHP programs beside a server under test, in its IPC namespace, and what the kernel says of their semaphores."""

import ctypes
import functools
import itertools
import json
import os
import subprocess
import sys
import tempfile
import urllib.parse
import urllib.request

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Live"))

from harness import PATIENCE, LiveTest, Pending, Server, eventually, free_port  # noqa: E402
from native import Native, make_set, proc_sets, remove_set  # noqa: E402
from talking import Talking  # noqa: E402
from users import AS_NOBODY, NOBODY, can_be  # noqa: E402

__all__ = ["AS_NOBODY", "NOBODY", "LiveTest", "Native", "Pending", "Server", "can_be", "eventually", "make_set",
           "proc_sets", "remove_set"]

PHP_PROGRAM = os.environ.get("PHP", "php")
IPC_RMID, GETVAL, GETALL, GETNCNT, GETZCNT, SETVAL = 0, 12, 13, 14, 15, 16
_libc = ctypes.CDLL(None, use_errno=True)
_keys = itertools.count(0x50480001)  # nobody else is in this namespace

try:
    _modules = subprocess.run([PHP_PROGRAM, "-m"], check=True, capture_output=True, text=True).stdout.split()
except OSError as error:
    raise SystemExit(f"{PHP_PROGRAM}: {error.strerror}; install php-cli, or say where it is with PHP=PATH") from None
if "sysvsem" not in _modules:
    raise SystemExit(f"{PHP_PROGRAM} has no sysvsem extension")


def next_key():
    """A SysV key that nobody else uses here."""
    return next(_keys)


def signed(key):
    """A key as `key_t` has it."""
    return key - (1 << 32) if key >= 1 << 31 else key


def set_id(key):
    """The id of the set with a key, as semget(key, 0, 0) finds it; None when there is none."""
    found = _libc.semget(ctypes.c_int(signed(key)), 0, 0)
    return None if found < 0 else found


def control(set_number, semaphore, command, value=0):
    """semctl(2); raises OSError."""
    result = _libc.semctl(*map(ctypes.c_int, (set_number, semaphore, command, value)))
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


def values(set_number, count=3):
    """All values of a set in one look: [SEM, USAGE, SETVAL] of PHP's."""
    array = (ctypes.c_ushort * count)()
    if _libc.semctl(ctypes.c_int(set_number), 0, GETALL, array) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return list(array)


def sleepers(set_number, semaphore=0):
    """How many sleep in the kernel until a semaphore grows (GETNCNT)."""
    return control(set_number, semaphore, GETNCNT)


class PHP(Talking):
    """A PHP process that obeys; it ends with the test that started it at the latest."""

    def __init__(self, arguments=(), prefix=()):
        driver = os.path.join(HERE, "php", "driver.php")
        super().__init__(*prefix, PHP_PROGRAM, "-n", *extensions(), *arguments, driver)
        self.pid = self.answer()["ready"]

    def answer(self, timeout=PATIENCE):
        line = self.line(timeout)
        if not line:
            raise AssertionError(f"PHP did not answer within {timeout} s")
        return json.loads(line)

    def ask(self, command):
        """The result of a command; no warning may come with it."""
        self.send(command)
        answer = self.answer()
        assert answer["warning"] is None, f"{command}: {answer}"
        return answer["result"]

    def warned(self, command):
        """The warning of a command that fails."""
        self.send(command)
        answer = self.answer()
        assert answer["result"] is False, f"{command}: {answer}"
        return answer["warning"]

    def quit(self):
        """The end of the script, and of the process."""
        if self.process.poll() is None:
            self.send("quit")
        self.process.wait(PATIENCE)
        self.kill()


@functools.cache
def extensions():
    """Without php.ini (-n), so that a host's settings change nothing: the extensions that are not built in."""
    found = []
    built_in = subprocess.run([PHP_PROGRAM, "-n", "-m"], check=True, capture_output=True, text=True).stdout.split()
    for name in ("posix", "sysvsem", "sysvshm"):
        if name not in built_in:
            found += ["-d", f"extension={name}"]
    return found


class PHPWeb:
    """PHP's built-in web server on loopback: one worker that serves one request after the other."""

    def __init__(self):
        self.port = free_port()
        self.directory = tempfile.TemporaryDirectory(prefix="leasehold-php-")
        environment = {name: value for name, value in os.environ.items() if name != "PHP_CLI_SERVER_WORKERS"}
        with open(os.path.join(self.directory.name, "log"), "ab") as log:
            self.process = subprocess.Popen(
                [
                    PHP_PROGRAM,
                    "-n",
                    *extensions(),
                    "-S",
                    f"127.0.0.1:{self.port}",
                    os.path.join(HERE, "php", "page.php"),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=environment,
                cwd=self.directory.name,
            )
        eventually(self._is_up, "PHP's web server answers")

    def _is_up(self):
        assert self.process.poll() is None, "PHP's web server ended"
        try:
            return self.get("ping") == "pong"
        except OSError:
            return False

    def get(self, page, **query):
        """The text of a page."""
        address = f"http://127.0.0.1:{self.port}/{page}?{urllib.parse.urlencode(query)}"
        with urllib.request.urlopen(address, timeout=PATIENCE) as answer:
            return answer.read().decode()

    def stop(self):
        if self.process.poll() is None:
            self.process.terminate()
        self.process.wait(PATIENCE)
        self.directory.cleanup()


class PHPTest(LiveTest):
    """A test case with a server, PHP programs, and a key of its own for each test."""

    def setUp(self):
        self.sysv_key = next_key()
        self.lock = f"php:{self.sysv_key}"

    def php(self, *arguments, **more):
        program = PHP(arguments, **more)
        self.addCleanup(program.kill)
        return program

    def opened(self, max_acquire=1, name="a"):
        """A PHP program with a handle on the test's lock."""
        program = self.php()
        self.assertIs(program.ask(f"get {name} {self.sysv_key} {max_acquire}"), True)
        return program

    def holding(self, max_acquire=1):
        """A PHP program that holds the test's lock."""
        program = self.opened(max_acquire)
        self.assertIs(program.ask("acquire a"), True)
        return program

    def removing(self):
        """A PHP program that has removed the test's set."""
        program = self.opened()
        self.assertIs(program.ask("remove a"), True)
        return program

    @property
    def set(self):
        found = set_id(self.sysv_key)
        self.assertIsNotNone(found, "there is no set")
        return found

    def assertValues(self, expected, why=None):
        self.assertEqual(values(self.set), expected, why)

    def become(self, expected):
        """Waits until the set has these values; a process that ended is undone a moment later."""
        try:
            eventually(lambda: values(self.set) == expected, "these values")
        except AssertionError:
            self.assertValues(expected)

    def waiters(self, count):
        """Waits until that many sleep in the kernel on SEM."""
        try:
            eventually(lambda: sleepers(self.set) == count, "so many sleep")
        except AssertionError:
            self.assertEqual(sleepers(self.set), count, "sleep in the kernel")

    def asks(self, php, sleepers):
        """A PHP program asks for the lock, and so many sleep for it then."""
        php.send("acquire a")
        self.waiters(sleepers)

    def acquire_later(self, sleepers, **parameters):
        """Begins a waiting acquire, with which so many sleep in the kernel."""
        waiter = self.server.acquire_later(self.lock, **parameters)
        self.waiters(sleepers)
        return waiter

    def acquire(self, **parameters):
        return self.server.acquire(self.lock, **parameters)

    def lease(self, **parameters):
        return self.granted(self.acquire(**parameters))

    def release(self, lease, leaving=None):
        answer = self.granted(self.server.release(lease), 200)
        if leaving:
            self.assertValues(leaving)
        return answer

    def ends(self, *programs, leaving):
        """Ends programs, and waits until the set has these values."""
        for program in programs:
            program.quit()
        self.become(leaving)
