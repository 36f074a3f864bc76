"""Runs every line of openapi.yaml that people copy from the HTTP reference against a daemon of its own.

x-expect says what an x-curl must print; its answer has the members that the example has.
"""

import json
import os
import subprocess
import sys
import tempfile
import unittest

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
sys.path[:0] = [os.path.join(ROOT, "Tests", "Live"), os.path.join(ROOT, "Tools")]

from http_reference import Contract  # noqa: E402
from harness import PROGRAM, LiveTest  # noqa: E402  (enters a private IPC namespace)


def shape(value):
    """Names of the members, of objects in it too; of a list what its first one has.

    What the service uses a set for differs from set to set.
    """
    if isinstance(value, dict):
        value = {**value, "leasehold": None} if "leasehold" in value else value
        return {name: shape(member) for name, member in value.items()}
    return [shape(value[0])] if isinstance(value, list) and value else None


class Reference(LiveTest):
    # What a person would have done before, and what keeps a command that never ends from doing so.
    BEFORE = """
        curl() { command curl -sf -m 2 "$@" || [ $? = 28 ]; }
        leasehold() { timeout 2 leasehold "$@" || [ $? = 124 ]; }
        post() { command curl -sSf -X POST "$@"; }
    """
    NEEDED = {
        "$lease": 'lease=$(post "$L/locks/deploy/acquire?owner=me&format=text")',
        "$ref": "ref=$(post \"$L/locks/deploy/acquire?owner=me\" | sed 's/.*\"ref\":\"\\([0-9a-f]*\\).*/\\1/')",
        "$set": "set=$(post \"$L/semaphores?key=private&values=3,0\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')",
        "$segment": "segment=$(post \"$L/segments?key=private\" | sed 's/.*\"id\":\\([0-9]*\\).*/\\1/')",
        "shm": "curl -X PUT -d 42 $L/shm/counter",
    }
    HELD = {"listLocks", "getLock", "deleteLock", "listLeases", "releaseLeases", "events"}  # of what is there already

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        with open(os.path.join(ROOT, "openapi.yaml"), encoding="utf-8") as file:
            cls.contract = Contract(file.read())

    def bash(self, script):
        url = f"http://127.0.0.1:{self.server.port}"
        path = f"{os.path.dirname(os.path.abspath(PROGRAM))}:{os.environ['PATH']}"
        with tempfile.TemporaryDirectory() as directory:
            return subprocess.run(["bash", "-c", f"set -euo pipefail\nL={url}\n{script}"],
                                  env={**os.environ, "LEASEHOLD_URL": url, "PATH": path}, cwd=directory,
                                  capture_output=True, text=True, timeout=60, check=False)

    def answer(self, operation, line):
        """What the line prints, after what it needs; nothing of an earlier line is left."""
        for lock in ("deploy", "backup", "a", "b", "downloads"):
            self.server.delete(f"/locks/{lock}", force="true")
        needed = {text for name, text in self.NEEDED.items() if name in line}
        needed |= {self.NEEDED["$lease"]} if operation in self.HELD else set()
        script = "\n".join([self.BEFORE, *(f"{text} >before" if "=$" not in text else text for text in needed), line])
        result = self.bash(script)
        self.assertEqual((result.returncode, result.stderr), (0, ""), script)
        return result.stdout

    def test_every_curl_line_prints_what_it_says(self):
        for name, (_, _, operation) in self.contract.operations.items():
            with self.subTest(name):
                printed = self.answer(name, operation["x-curl"].strip())
                self.assertRegex(printed.replace("\n", " "), operation["x-expect"])
                for _, _, kind, _, example in self.contract.answers(operation):
                    if kind == "application/json" and isinstance(example, dict):
                        self.assertEqual(shape(json.loads(printed)), shape(example))

    def test_every_command_line_works(self):
        for name, (_, _, operation) in self.contract.operations.items():
            if "x-cli" in operation:
                with self.subTest(name):
                    self.answer(name, operation["x-cli"].strip())


if __name__ == "__main__":
    unittest.main()
