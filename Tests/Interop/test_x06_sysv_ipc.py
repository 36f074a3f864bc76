# Rows: X6
"""sysv_ipc, Debian's: a Semaphore of Python is `sysv:KEY.0`; without `undo` a killed program keeps what it has."""

import unittest

from others import OneLock, Others, imports, python, segment

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
