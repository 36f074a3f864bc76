# Rows: X7
"""tooz, Debian's, with `ipc://`: its lock is `sysv:KEY.0` of a set that each release removes."""

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

    def make(self):
        return self.server.post("/semaphores", key=f"{self.key:#x}", nsems=1, values="1", mode="0600")

    def test_tooz_has_it_and_its_release_ends_who_waits(self):
        program = self.program()
        program.take()
        self.refused()
        waiter = self.acquire_later()
        program.give()
        self.assertProblem(waiter.answer(), 410, "set-removed")
        self.assertProblem(self.acquire(), 404, "no-such-set")
        self.granted(self.make())
        self.server.release(self.granted(self.acquire()))

    def test_http_has_it_and_tooz_waits(self):
        self.granted(self.make())
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
        self.granted(self.make())
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
