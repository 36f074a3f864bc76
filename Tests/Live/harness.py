"""Starts, stops and kills `leasehold serve`, and talks to it. Each has a control key and ports of its own."""

import atexit
import ctypes
import http.client
import itertools
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import urllib.parse

import namespace

namespace.enter()

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("LEASEHOLD", os.path.join(ROOT, ".build", "debug", "leasehold")))
PATIENCE = 20  # seconds; for what is expected to happen soon, on a machine that may be busy
if not os.access(PROGRAM, os.X_OK):
    raise SystemExit(f"{PROGRAM} is not there: build it, or say where it is with LEASEHOLD=PATH")
RW_UNITS = 16384  # what an exclusive lease takes from the semaphore of a readers-writer lock
_numbers = itertools.count(1)
_started = []  # every daemon; none may outlive this program, however it ends


@atexit.register
def kill_what_is_left():
    for process in _started:
        if process.poll() is None:
            process.kill()


signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
# In the background, and under nohup, these are ignored, and what we start would inherit that. No handler is inherited.
for _number in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, lambda *_: None)


def control_keys():
    """A control key nobody else in this namespace uses."""
    return f"0x4c48{next(_numbers):04x}"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(condition, what, timeout=PATIENCE, pause=0.01):
    """Polls until `condition()` is true and returns it; fails the test with `what` else."""
    deadline = time.monotonic() + timeout
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise AssertionError(f"did not happen within {timeout} s: {what}")
        time.sleep(pause)


NOBODY = 65534


def as_user(user, work):
    """Does some work on this thread as another user; Python's own calls would change every thread."""
    setgroups, setresgid, setresuid = (116, 119, 117) if os.uname().machine == "x86_64" else (159, 149, 147)
    call, same = ctypes.CDLL(None, use_errno=True).syscall, ctypes.c_long(-1)

    def become(group, identity):
        if call(setresgid, same, group, same) or call(setresuid, same, identity, same):
            raise OSError(ctypes.get_errno(), "cannot become another user")

    call(setgroups, 0, None)
    become(user, user)
    try:
        return work()
    finally:
        call(setresuid, same, 0, same)
        become(0, 0)


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def text(self):
        return self.body.decode()

    @property
    def json(self):
        return json.loads(self.body)

    def __getitem__(self, name):
        return self.json[name]

    def __repr__(self):
        return f"<{self.status} {self.body[:600]!r}>"


class UnixConnection(http.client.HTTPConnection):
    """http.client over a Unix domain socket."""

    def __init__(self, path, timeout=PATIENCE):
        super().__init__("localhost", timeout=timeout)
        self.path = path

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self.path)


class Pending:
    """A request that runs in the background, for waiting acquires."""

    def __init__(self, call):
        self._answer = self._error = None
        self._thread = threading.Thread(target=self._run, args=(call,), daemon=True)
        self._thread.start()

    def _run(self, call):
        try:
            self._answer = call()
        except (OSError, http.client.HTTPException) as error:
            self._error = error

    @property
    def done(self):
        return not self._thread.is_alive()

    def answer(self, timeout=PATIENCE):
        self._thread.join(timeout)
        if self._thread.is_alive():
            raise AssertionError(f"no answer within {timeout} s")
        if self._error:
            raise self._error
        return self._answer


class Client:
    """One way to the server: a port or a Unix socket path."""

    def __init__(self, address):
        self.address = address

    def connection(self, timeout=PATIENCE):
        if isinstance(self.address, str):
            return UnixConnection(self.address, timeout)
        return http.client.HTTPConnection("127.0.0.1", self.address, timeout=timeout)

    def request(self, method, target, body=None, headers=None, timeout=PATIENCE, connection=None, **query):
        """`target` is sent as it is; keyword arguments are added as a query string."""
        if query:
            target += ("&" if "?" in target else "?") + urllib.parse.urlencode(query)
        used = connection or self.connection(timeout)
        try:
            used.request(method, target, body, headers or {})
            response = used.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            if connection is None:
                used.close()

    def get(self, target, **query):
        return self.request("GET", target, **query)

    def post(self, target, **query):
        return self.request("POST", target, **query)

    def delete(self, target, **query):
        return self.request("DELETE", target, **query)

    def json_post(self, target, value, **more):
        return self.request("POST", target, json.dumps(value), {"Content-Type": "application/json"}, **more)

    def form_post(self, target, text, **more):
        return self.request("POST", target, text, {"Content-Type": "application/x-www-form-urlencoded"}, **more)

    def acquire(self, key, **parameters):
        return self.post(f"/locks/{urllib.parse.quote(key, safe='')}/acquire", **parameters)

    def release(self, lease):
        return self.delete(f"/leases/{lease['lease']}")

    def metric(self, name):
        """A number of /metrics, by its name and labels."""
        return float(re.search(rf"(?m)^{re.escape(name)} (\S+)$", self.get("/metrics").text)[1])

    def lock(self, key):
        return self.get(f"/locks/{urllib.parse.quote(key, safe='')}")

    def waiting(self, key):
        answer = self.lock(key)
        return answer["waiting"] if answer.status == 200 else 0

    def acquire_later(self, key, wait="20s", **parameters):
        """Starts a waiting acquire and returns once it stands in the queue."""
        before = self.waiting(key)
        pending = Pending(lambda: self.acquire(key, wait=wait, timeout=60, **parameters))
        eventually(lambda: pending.done or self.waiting(key) > before, f"a waiter for {key}")
        return pending

    def raw(self, data, shut=False, timeout=PATIENCE):
        """Sends bytes and returns everything until the server closes; the request should say Connection: close."""
        with self.socket(timeout) as sock:
            try:
                sock.sendall(data)
                if shut:
                    sock.shutdown(socket.SHUT_WR)
            except OSError:
                pass  # the service need not read to the end what it refuses
            return read_all(sock)

    def socket(self, timeout=PATIENCE):
        if isinstance(self.address, str):
            sock = socket.socket(socket.AF_UNIX)
            sock.settimeout(timeout)
            sock.connect(self.address)
            return sock
        return socket.create_connection(("127.0.0.1", self.address), timeout)


def methods(answer):
    """What Allow has."""
    return {word.strip() for word in answer.headers["Allow"].split(",")}


def statuses(text):
    """Of all answers in what a connection gave."""
    return [int(number) for number in re.findall(rb"^HTTP/1\.1 (\d{3}) ", text, re.M)]


def read_all(sock):
    chunks = []
    while True:
        try:
            chunk = sock.recv(65536)
        except ConnectionResetError:
            break
        if not chunk:
            break
        chunks.append(chunk)
    return b"".join(chunks)


class UserClient(Client):
    """A user of the Unix socket."""

    def __init__(self, path, user):
        super().__init__(path)
        self.user = user

    def connection(self, timeout=PATIENCE):
        connection = UnixConnection(self.address, timeout)
        as_user(self.user, connection.connect)
        return connection


class Server(Client):
    """A daemon of our own. `arguments` are added to `serve`; `prefix` runs in front of the program."""

    def __init__(self, *arguments, control_key=None, prefix=(), port=None, unix=None):
        super().__init__(port or free_port())
        self.port = self.address
        self.directory = tempfile.mkdtemp(prefix="leasehold-")
        os.chmod(self.directory, 0o777)  # a server under test may run as another user
        self.unix = unix or os.path.join(self.directory, "socket")
        self.over_unix = Client(self.unix)
        self.control_key = control_key or control_keys()
        self.arguments, self.prefix = list(arguments), list(prefix)
        self.process = None

    @property
    def command(self):
        return [
            *self.prefix,
            PROGRAM,
            "serve",
            "--host",
            "127.0.0.1",
            "--port",
            str(self.port),
            "--unix",
            self.unix,
            "--control-key",
            self.control_key,
            *self.arguments,
        ]

    @property
    def pid(self):
        return self.process.pid

    def spawn(self):
        """Starts without waiting for it to be ready."""
        with open(os.path.join(self.directory, "log"), "ab") as log:
            self.process = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        _started[:] = [process for process in _started if process.poll() is None] + [self.process]
        return self

    def start(self):
        self.spawn()
        self.wait_ready()
        return self

    def wait_ready(self, timeout=PATIENCE):
        deadline = time.monotonic() + timeout
        while not self.is_ready():
            if self.process.poll() is not None:
                raise AssertionError(f"ended with {self.process.returncode}: {self.command}\n{self.log_text()}")
            if time.monotonic() > deadline:
                raise AssertionError(f"not ready within {timeout} s: {self.command}\n{self.log_text()}")
            time.sleep(0.005)

    def is_ready(self):
        try:
            return self.get("/readyz", timeout=2).status == 200
        except (OSError, http.client.HTTPException):
            return False

    def log_text(self):
        with open(os.path.join(self.directory, "log"), encoding="utf-8", errors="replace") as file:
            return file.read()

    def kill(self):
        """kill -9"""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def restart(self):
        """kill -9, and a start."""
        self.kill()
        self.start()

    def terminate(self, timeout=PATIENCE):
        """SIGTERM; the exit status."""
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def ends_with(self, test):
        """Stops at the end of a test, or of a class of tests."""
        (test.addClassCleanup if isinstance(test, type) else test.addCleanup)(self.stop)
        return self

    def stop(self):
        try:
            if self.process and self.process.poll() is None:
                self.terminate()
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"did not stop on SIGTERM\n{self.log_text()}") from None
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)


class LiveTest(unittest.TestCase):
    """A test case with a running server; `arguments` are added to `serve`."""

    arguments = ()
    maxDiff = None

    @classmethod
    def setUpClass(cls):
        cls.server = Server(*cls.arguments).ends_with(cls).start()

    def key(self, suffix=""):
        """A lock name of this test alone."""
        return f"{self.id().split('.')[-1][:200]}{suffix}"

    def granted(self, answer, status=201):
        self.assertEqual(answer.status, status, answer)
        return answer.json

    def assertProblem(self, answer, status, code, **members):
        """A whole and helpful problem."""
        self.assertEqual(answer.status, status, answer)
        self.assertEqual(answer.headers.get_content_type(), "application/problem+json", answer)
        problem = answer.json
        self.assertEqual(problem["code"], code, problem)
        self.assertEqual(problem["status"], status, problem)
        self.assertEqual(problem["type"], f"/problems/{code}")
        self.assertTrue(problem["title"])
        self.assertEqual(problem["request_id"], answer.headers["X-Request-Id"])
        self.assertGreaterEqual(len(problem["detail"].split()), 4, f"no helpful sentence: {problem}")
        for name, value in members.items():
            self.assertEqual(problem.get(name), value, problem)
        return problem
