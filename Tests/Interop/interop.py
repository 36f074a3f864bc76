"""What every scenario needs: the daemon of Tests/Live in a private IPC namespace, and real PHP and Perl beside it.

Run one with `python3 Tests/Interop/test_h18_types.py`, all of them with `make interop`. The first line of each names
the rows that it proves; see rows.py and docs/behaviours.md.
"""

import base64
import json
import os
import re
import subprocess
import sys
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Live"))

from harness import LiveTest, Pending, Server, eventually  # noqa: E402, F401
from talking import Talking  # noqa: E402

SERIALIZED = "application/vnd.php.serialized"
AS_BYTES = {"Accept": SERIALIZED}
SENT_AS_BYTES = {"Content-Type": SERIALIZED}


class PHP(Talking):
    """A php process that runs what it is told, with its segments attached from one command to the next."""

    def __init__(self):
        super().__init__(
            "php", "-d", "serialize_precision=-1", "-d", "memory_limit=512M", os.path.join(HERE, "peer.php"))

    def send(self, code):
        """Runs `code`, the body of a function, and does not wait for what it returns."""
        super().send(base64.b64encode(code.encode()))

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise AssertionError(f"php ended with {self.process.wait()}")
        answer = json.loads(line)
        self.warnings = answer["warnings"]
        if answer["error"]:
            raise AssertionError(answer["error"])
        return base64.b64decode(answer["value"])

    def bytes(self, code):
        """What `code` returns, a string, as bytes."""
        self.send(code)
        return self.answer()

    def value(self, code):
        """What `code` returns, through JSON."""
        return json.loads(self.bytes(f"return json_encode((function() {{ {code} }})(), JSON_PRESERVE_ZERO_FRACTION);"))


def perl(code, *arguments):
    """What a perl one-liner prints."""
    run = subprocess.run(["perl", "-MIPC::SysV=:all", "-we", code, *arguments], capture_output=True, check=False)
    if run.returncode or run.stderr:
        raise AssertionError(run.stderr.decode())
    return run.stdout


def ipcs():
    """The segments as `ipcs -m` lists them, by key."""
    out = subprocess.run(["ipcs", "-m"], capture_output=True, check=True, text=True).stdout
    rows = re.findall(r"^(0x[0-9a-f]{8})\s+(\d+)\s+\S+\s+(\d+)\s+(\d+)\s+(\d+)(.*)$", out, re.M)
    return {int(key, 16): {"id": int(number), "mode": int(mode, 8), "bytes": int(size), "nattch": int(attached),
                           "dest": "dest" in rest}
            for key, number, mode, size, attached, rest in rows if int(key, 16)}


def dump(memory, word=8):
    """The variables of a segment's bytes, read by a walk of our own: (key, text) in order, and the header."""
    number = lambda at: int.from_bytes(memory[at:at + word], sys.byteorder, signed=True)  # noqa: E731
    start, end, free, total = (number(8 + word * index) for index in range(4))
    found, position = [], start
    while position < end:
        key, length, following = (number(position + word * index) for index in range(3))
        found.append((key, memory[position + 3 * word:position + 3 * word + length]))
        position += following
    return found, {"start": start, "end": end, "free": free, "total": total}


class Scenario(LiveTest):
    """A daemon, a PHP process and a segment of its own for each test."""

    _keys = iter(range(0x5E6000, 0x5EFFFF))

    def setUp(self):
        self.php = PHP()
        self.addCleanup(self.php.kill)
        self.key = next(self._keys)
        self.query = f"segment={self.key:#x}"
        self.path = f"/segments/{self.key:#x}"

    def make(self, **parameters):
        answer = self.server.post("/segments", key=f"{self.key:#x}", **parameters)
        self.assertIn(answer.status, (200, 201), answer)
        return answer.json

    def attach(self, size=10000):
        """PHP attaches the segment as $m."""
        self.php.bytes(f"global $m; $m = shm_attach({self.key}, {size}); return '';")

    def in_php(self, code):
        """What PHP makes of `code` with $m attached, as serialize() writes it."""
        return self.php.bytes(f"global $m; return serialize({code});")

    def put(self, name, value, headers=None, **query):
        """Stores `value`: bytes as they are, everything else as JSON."""
        body = value if isinstance(value, bytes) else json.dumps(value)
        return self.server.request("PUT", f"/shm/{name}?{self.query}", body, headers or {}, **query)

    def fetch(self, name, headers=None, **query):
        return self.server.request("GET", f"/shm/{name}?{self.query}", None, headers or {}, **query)

    def memory(self):
        """All bytes of the segment, as PHP's shmop sees them."""
        return self.php.bytes(
            f"$s = shmop_open({self.key}, 'a', 0, 0); return shmop_read($s, 0, shmop_size($s));")


def main():
    unittest.main(verbosity=2)
