"""Both sides of a semaphore set: a perl process with IPC::Semaphore, and requests to a running daemon."""

import json
import os
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(os.path.dirname(HERE), "Live"))

from harness import LiveTest, Pending, Server, eventually  # noqa: E402
from native import ipcs, proc_sets, remove_set  # noqa: E402
from talking import Talking  # noqa: E402

__all__ = ["BothSides", "Pending", "Perl", "Server", "eventually", "ipcs", "next_second", "proc_sets", "remove_set"]
QUIET = 0.2  # seconds; long enough for what must not happen to happen


class Perl(Talking):
    """A perl process that evaluates one expression a line; see ipc_semaphore.pl. It is killed with the test."""

    def __init__(self, test, prefix=()):
        super().__init__(*prefix, "perl", os.path.join(HERE, "ipc_semaphore.pl"))
        self.test = test
        test.addCleanup(self.kill)
        test.assertEqual(self.answer(), "ready")

    def answer(self, timeout=20):
        """The answer, or None if there is none in time."""
        line = self.line(timeout)
        return None if line is None else line.strip()

    def ask(self, expression):
        self.send(expression)
        return self.answer()

    def values(self, expression):
        """The values of an expression that works, as integers."""
        answer = self.ask(expression)
        self.test.assertRegex(answer, r"\Aok\b", f"perl: {expression}")
        return [int(word) for word in answer.split()[1:]]

    def value(self, expression):
        [value] = self.values(expression)
        return value

    def errno(self, expression):
        """The errno's name of an expression that fails."""
        answer = self.ask(expression)
        self.test.assertRegex(answer, r"\Aundef E", f"perl: {expression}")
        return answer.split()[1]

    def blocks(self):
        """Nothing was answered so far."""
        self.test.assertIsNone(self.answer(QUIET), "perl should still wait")

    def use(self, set_id):
        """The set of all expressions from now on."""
        self.ask(f"$sem = by_id({set_id}); 1")
        return self


def next_second(*seconds):
    """Waits until the kernel's clock, which counts whole seconds and ticks late, has left all of these behind."""
    while time.time() < max(seconds) + 1.05:
        time.sleep(0.02)


class BothSides(LiveTest):
    """A test with a daemon, and short names for requests about sets."""

    def forget(self, set_id):
        """The set goes with the test, if it is still there."""
        self.addCleanup(lambda: set_id in proc_sets() and remove_set(set_id))
        return set_id

    def make(self, status=201, **members):
        """POST /semaphores; private with one semaphore unless said otherwise."""
        made = self.granted(self.server.json_post("/semaphores", {"key": "private", "nsems": 1, **members}), status)
        self.forget(made["id"])
        return made["id"]

    def make_for_perl(self, **members):
        """A set, and a perl that uses it."""
        made = self.make(**members)
        return made, Perl(self).use(made)

    def get(self, set_id, number=None):
        target = f"/semaphores/id:{set_id}" + ("" if number is None else f"/{number}")
        return self.granted(self.server.get(target), 200)

    def values(self, set_id):
        return self.get(set_id)["values"]

    def put(self, target, **members):
        return self.server.request("PUT", target, json.dumps(members), {"Content-Type": "application/json"})

    def patch(self, set_id, members):
        body, headers = json.dumps(members), {"Content-Type": "application/json"}
        return self.server.request("PATCH", f"/semaphores/id:{set_id}", body, headers)

    def op(self, set_id, *ops, **more):
        """POST op; an operation is (sem, op), and "nowait" and "undo" may follow."""
        listed = [{"sem": op[0], "op": op[1], **{flag: True for flag in op[2:]}} for op in ops]
        timeout = 60 if "wait" in more else 20
        target = f"/semaphores/id:{set_id}/op"
        return self.server.json_post(target, {"ops": listed, **more}, timeout=timeout)

    def op_later(self, set_id, *ops, wait="20s", **more):
        """Begins a waiting op and returns once it sleeps in the kernel."""
        before = self.asleep(set_id)
        pending = Pending(lambda: self.op(set_id, *ops, wait=wait, **more))
        eventually(lambda: pending.done or self.asleep(set_id) > before, "an op that waits in the kernel")
        return pending

    def asleep(self, set_id):
        return sum(one["ncnt"] + one["zcnt"] for one in self.get(set_id)["semaphores"])
