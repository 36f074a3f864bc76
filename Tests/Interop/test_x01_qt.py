# Rows: X1
"""Qt 5, Debian's: QSystemSemaphore of a key is `path:` and the file that Qt makes for it, with `project=Q`."""

import hashlib
import os
import re
import unittest

from others import OneLock, Others, eventually, imports, python, segment

# `mode` is Open, which leaves the value of a semaphore that is there, or Create, which writes it.
PROGRAM = """
import os
os.environ["TMPDIR"] = {folder!r}
from PySide2.QtCore import QSystemSemaphore
semaphore = QSystemSemaphore({key!r}, 1, QSystemSemaphore.{mode})
assert semaphore.error() == QSystemSemaphore.NoError, semaphore.errorString()
def take(): assert semaphore.acquire(), semaphore.errorString()
def give(): assert semaphore.release(), semaphore.errorString()
"""
MEMORY = """
import os
os.environ["TMPDIR"] = {folder!r}
from PyQt5.QtCore import QSharedMemory
memory = QSharedMemory({key!r})
# The numbers of files come again: the segment may be one of a test before.
assert memory.create(100) or memory.attach(), memory.errorString()
take, give = memory.lock, memory.unlock
"""


def file_of(key):
    """The name of the file of a key: its letters, and the SHA-1 of all of it."""
    return "qipc_systemsem_" + re.sub("[^A-Za-z]", "", key) + hashlib.sha1(key.encode()).hexdigest()


class OfAFile(OneLock, Others):
    parameters = {"project": "Q"}

    def setUp(self):
        super().setUp()
        self.text = f"Build of {self.key}"
        self.file = os.path.join(self.folder, file_of(self.text))
        self.name = f"path:{self.file}"

    def where(self):
        return self.server.get(f"/keys/{segment(self.name)}", **self.parameters)["sysv"]


@unittest.skipUnless(imports("PySide2.QtCore"), "no Qt here: apt-get install python3-pyside2.qtcore")
class Semaphore(OfAFile):
    def start(self, mode="Open"):
        return self.holder(python(PROGRAM.format(folder=self.folder, key=self.text, mode=mode)))

    def program(self):
        """One that has the semaphore open, and is up."""
        program = self.start()
        program.take()
        program.give()
        self.key = self.where()["key"]
        return program

    def make(self):
        answer = self.server.request("PUT", f"/locks/{segment(self.name)}", limit=1, **self.parameters)
        self.granted(answer)
        self.key = self.where()["key"]

    def test_a_set_that_http_made_serves_qt(self):
        self.make()
        lease = self.granted(self.acquire())
        program = self.start()
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "Qt waits in the kernel")
        self.server.release(lease)
        program.taken()
        self.refused()
        program.give()

    def test_create_puts_a_lease_out(self):
        self.make()
        lease = self.granted(self.acquire())
        self.later_than_the_set()
        program = self.start("Create")
        program.take()
        problem = self.server.get(f"/leases/{lease['lease']}")
        self.assertProblem(problem, 410, "rewritten")
        program.give()
        self.assertEqual(self.value, 1)

    def test_the_end_of_who_created_it_removes_it(self):
        program = self.program()
        lease = self.granted(self.acquire())
        program.process.stdin.close()
        program.process.wait()
        self.assertFalse(os.path.exists(self.file))
        self.assertProblem(self.server.delete(f"/leases/{lease['lease']}"), 410, "set-removed")


@unittest.skipUnless(imports("PyQt5.QtCore"), "no QSharedMemory here: apt-get install python3-pyqt5")
class SharedMemory(OfAFile):
    def program(self):
        program = self.holder(python(MEMORY.format(folder=self.folder, key=self.text)))
        self.key = self.where()["key"]
        return program


del OfAFile  # it has no program

if __name__ == "__main__":
    unittest.main()
