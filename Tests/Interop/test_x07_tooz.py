# Rows: X7
"""tooz, Debian's, with `ipc://`: its lock is `sysv:KEY.0`; each release removes the set, `create=1` makes it again."""

import subprocess
import unittest

from others import DEBIANS, OneLock, Others, eventually, imports, python

PROGRAM = """
from tooz import coordination
coordinator = coordination.get_coordinator("ipc://", b"test")
lock = coordinator.get_lock({name!r})
take, give = lock.acquire, lock.release
"""


@unittest.skipUnless(imports("tooz.drivers.ipc"), "no tooz here: apt-get install python3-tooz")
class Tooz(OneLock, Others):
    lock = "lock of the tests"
    parameters = {"create": 1}

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        code = "import sys, tooz.drivers.ipc as ipc; print(ipc.IPCLock(sys.argv[1]).key & 0xffffffff)"
        cls.its_key = int(subprocess.run([DEBIANS, "-c", code, cls.lock], check=True, capture_output=True).stdout)

    def setUp(self):
        super().setUp()
        self.key = self.its_key
        self.name = f"sysv:{self.key:#x}.0"

    def rests(self):
        """Its release removes the set."""
        eventually(lambda: self.set is None or self.value == self.free, "nobody has it")

    def program(self):
        return self.holder(python(PROGRAM.format(name=self.lock)))

    def test_without_create_its_release_ends_who_waits(self):
        self.parameters = {}
        program = self.program()
        program.take()
        self.refused()
        waiter = self.acquire_later()
        program.give()
        self.assertProblem(waiter.answer(), 410, "set-removed")
        self.assertProblem(self.acquire(), 404, "no-such-set")

    def test_tooz_has_it_and_its_release_hands_it_on(self):
        program = self.program()
        for _ in range(5):
            program.take()
            self.refused()
            waiter = self.acquire_later()
            program.give()
            self.server.release(self.granted(waiter.answer()))

    def test_both_wait_while_the_set_comes_and_goes(self):
        holder, other = self.program(), self.program()
        holder.take()
        other.take_later()
        waiter = self.acquire_later()
        eventually(lambda: self.sleepers() == 2, "both wait in the kernel")
        holder.give()
        # Whoever of them makes the set, the other waits for it.
        eventually(lambda: waiter.done or not other.is_silent(), "one of them has it")
        if not waiter.done:
            other.taken()
            other.give()
            self.server.release(self.granted(waiter.answer()))
            return
        lease = self.granted(waiter.answer())
        self.assertTrue(other.is_silent())
        self.server.release(lease)
        other.taken()


if __name__ == "__main__":
    unittest.main()
