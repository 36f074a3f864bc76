# Rows: X6
"""sysv_ipc, Debian's: a Semaphore of Python is `sysv:KEY.0` of either side; without `undo` a killed one keeps it."""

import unittest

from others import OneLock, Others, eventually, imports, python, segment, values
from php_support import make_set

PROGRAM = """
import sysv_ipc
key = {key}
try:
    semaphore = sysv_ipc.Semaphore(key, sysv_ipc.IPC_CREX, initial_value=1)
except sysv_ipc.ExistentialError:
    semaphore = sysv_ipc.Semaphore(key)
semaphore.undo = {undo}
take, give = semaphore.acquire, semaphore.release
"""


@unittest.skipUnless(imports("sysv_ipc"), "no sysv_ipc here: apt-get install python3-sysv-ipc")
class SysvIpc(OneLock, Others):
    def setUp(self):
        super().setUp()
        self.name = f"sysv:{self.key:#x}.0"

    def program(self, key=None, undo=True):
        program = self.holder(python(PROGRAM.format(key=key or self.key, undo=undo)))
        program.take()
        program.give()
        return program

    def test_without_undo_a_killed_program_keeps_it(self):
        program = self.program(undo=False)
        program.take()
        program.kill()
        self.refused()
        self.granted(self.server.request("PUT", f"/semaphores/{self.key:#x}/0", value=1), 200)
        self.server.release(self.granted(self.acquire()))

    def test_whoever_comes_first_makes_it(self):
        self.assertProblem(self.acquire(), 404, "no-such-set", errno="ENOENT")
        lease = self.granted(self.acquire(create=1))
        program = self.holder(python(PROGRAM.format(key=self.key, undo=True)))
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "the program waits in the kernel")
        self.server.release(lease)
        program.taken()
        self.assertProblem(self.acquire(create="true"), 423, "locked")
        program.give()
        self.server.release(self.granted(self.acquire(create=1, value=7)))
        self.assertEqual(self.value, 1, "a set that exists stays as it is")

    def test_a_set_of_several_has_the_value_and_the_mode_that_are_asked_for(self):
        self.name, self.number = f"sysv:{self.key:#x}.2", 2
        made = self.server.request("PUT", f"/locks/{segment(self.name)}", create=1, value=3, nsems=4, perm="0640")
        self.granted(made)
        shown = self.server.get(f"/semaphores/{self.key:#x}")
        self.assertEqual((shown["values"], shown["mode"]), ([3, 3, 3, 3], "0640"))
        self.granted(self.acquire(create=1, count=2))
        self.assertEqual(self.value, 1)

    def test_a_set_that_a_killed_service_left_half_made_is_finished_and_no_other(self):
        make_set(self.key, 1, 0o600)
        self.assertProblem(self.acquire(create=1), 423, "locked")  # free when its program says so
        self.remove()
        make_set(self.key, 2, 0o610)
        self.granted(self.acquire(create=1))
        self.assertEqual(values(self.set, 2), [0, 1])
        self.assertEqual(self.server.get(f"/semaphores/{self.key:#x}")["mode"], "0600")

    def test_what_does_not_go_together_is_refused(self):
        for more in ({"value": 2}, {"nsems": 1}, {"perm": "0600"}):
            self.assertProblem(self.acquire(**more), 400, "invalid-parameter", parameter=next(iter(more)))
        self.assertProblem(self.acquire(create=1, value=0), 400, "out-of-range", parameter="value")
        self.assertProblem(self.acquire(create="yes"), 400, "invalid-parameter", parameter="create")
        self.name = "sysv:id:1.0"
        self.assertProblem(self.acquire(create=1), 400, "invalid-parameter", parameter="create")
        self.name = f"sysv:{self.key:#x}.2"
        self.assertProblem(self.acquire(create=1, nsems=2), 400, "out-of-range", parameter="nsems")

    def test_ftok_is_where_a_path_leads(self):
        program = self.program(f"sysv_ipc.ftok({self.folder!r}, 7, silence_warning=True)")
        self.name, self.parameters = f"path:{self.folder}", {"project": 7}
        self.key = self.server.get(f"/keys/{segment(self.name)}", **self.parameters)["sysv"]["key"]
        program.take()
        self.refused()
        program.give()
        self.server.release(self.granted(self.acquire()))


if __name__ == "__main__":
    unittest.main()
