# Rows: X7
"""tooz, Debian's, with `ipc://`: its lock is `sysv:KEY.0`; each release removes the set, `create=1` makes it again."""

import subprocess
import unittest

from others import DEBIANS, Others, eventually, imports, python

PROGRAM = """
from tooz import coordination
coordinator = coordination.get_coordinator("ipc://", b"test")
lock = coordinator.get_lock({name!r})
take, give = lock.acquire, lock.release
"""


@unittest.skipUnless(imports("tooz.drivers.ipc"), "no tooz here: apt-get install python3-tooz")
class Tooz(Others):
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

    def test_http_has_it_and_tooz_waits(self):
        lease = self.granted(self.acquire())
        program = self.program()
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "tooz waits in the kernel")
        self.assertTrue(program.is_silent())
        self.server.release(lease)
        program.taken()
        self.refused()
        program.give()

    def test_a_killed_program_frees_it(self):
        program = self.program()
        program.take()
        waiter = self.acquire_later()
        program.kill()
        self.server.release(self.granted(waiter.answer()))
        self.assertEqual(self.value, 1)

    def test_a_lease_outlives_the_service(self):
        lease = self.granted(self.acquire())
        self.server.kill()
        program = self.program()
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "tooz waits in the kernel")
        self.server.start()
        self.assertTrue(program.is_silent())
        self.server.release(lease)
        program.taken()


if __name__ == "__main__":
    unittest.main()
