"""Stops one thread of a daemon and lets the others run, as a debugger does: ptrace(2)."""

import ctypes
import os
import unittest

SEIZE, INTERRUPT, DETACH, WALL = 0x4206, 0x4207, 17, 0x40000000
libc = ctypes.CDLL(None, use_errno=True)
libc.ptrace.restype = ctypes.c_long
libc.ptrace.argtypes = [ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p]


def thread(pid, name):
    """The number of a thread, by its name."""
    for number in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{number}/comm", encoding="utf-8") as file:
            if file.read().strip() == name:
                return int(number)
    raise LookupError(f"process {pid} has no thread {name}")


def ptrace(request, number):
    if libc.ptrace(request, number, None, None) != 0:
        raise OSError(ctypes.get_errno(), f"ptrace {request:#x}")


class Frozen:
    """A thread that stands still for the length of a block; the test is skipped where nobody may trace."""

    def __init__(self, pid, name):
        self.number = thread(pid, name)

    def __enter__(self):
        try:
            ptrace(SEIZE, self.number)
        except OSError as error:
            raise unittest.SkipTest(f"no thread can be stopped here: {error}") from None
        ptrace(INTERRUPT, self.number)
        os.waitpid(self.number, WALL)
        return self

    def __exit__(self, *_):
        try:
            ptrace(DETACH, self.number)
        except OSError:
            self.reap()  # it is gone

    def reap(self):
        """Waits for its end; the process is not gone before."""
        try:
            os.waitpid(self.number, WALL)
        except ChildProcessError:
            pass
