"""A private IPC namespace for this process and all it starts, so that no test touches the host's semaphores."""

import ctypes
import os

CLONE_NEWIPC = 0x08000000
CLONE_NEWUSER = 0x10000000
MARK = "LIVE_TEST_IPC_NAMESPACE"


def inode():
    """The number of the namespace this process is in, as `GET /readyz` reports it."""
    return int(os.readlink("/proc/self/ns/ipc").split("[")[1].rstrip("]"))


def enter():
    """Leaves the host's IPC namespace, once per process tree. Must run before any thread is started."""
    if os.environ.get(MARK) != str(inode()):
        leave(CLONE_NEWIPC)
        os.environ[MARK] = str(inode())


def leave(namespaces):
    """Moves this thread, and all it starts from now on, to namespaces of their own."""
    libc = ctypes.CDLL(None, use_errno=True)
    uid, gid = os.getuid(), os.getgid()
    if libc.unshare(namespaces if uid == 0 else namespaces | CLONE_NEWUSER) != 0:
        raise OSError(ctypes.get_errno(), "unshare: these tests need root or user namespaces")
    if uid != 0:
        # As `unshare -Ur` does: become root of the new user namespace.
        for name, text in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
            with open(f"/proc/self/{name}", "w", encoding="ascii") as file:
                file.write(text)
