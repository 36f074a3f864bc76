"""What one user can do to a set and a segment, natively and over HTTP: run as that user, prints each way and both ends.

Usage: as_user.py SOCKET SET SET_KEY SEGMENT SEGMENT_KEY
"""

import ctypes
import errno
import http.client
import json
import socket
import sys

LIBC = ctypes.CDLL(None, use_errno=True)
LIBC.shmat.restype = ctypes.c_void_p
LIBC.shmat.argtypes = [ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
LIBC.shmdt.argtypes = [ctypes.c_void_p]
IPC_CREAT, IPC_RMID, IPC_SET, IPC_STAT, SHM_RDONLY = 0o1000, 0, 1, 2, 0o10000
GETPID, GETVAL, GETALL, SETVAL, SETALL = 11, 12, 13, 16, 17
NOWAIT, UNDO = 0o4000, 0o10000


class Buffer(ctypes.Union):
    """union semun, with room for a struct semid_ds or shmid_ds."""

    _fields_ = [("val", ctypes.c_int), ("pointer", ctypes.c_void_p)]


def call(name, *arguments):
    """ok, or the name of the error."""
    result = getattr(LIBC, name)(*arguments)
    return "ok" if result not in (-1, None, 2**64 - 1) else errno.errorcode[ctypes.get_errno()]


def room():
    return ctypes.create_string_buffer(512)


def semctl(set_id, number, command, value=0):
    memory = room()
    union = Buffer(val=value) if command == SETVAL else Buffer(pointer=ctypes.addressof(memory))
    return call("semctl", set_id, number, command, union)


def semop(set_id, *operations):
    packed = b"".join(n.to_bytes(2, "little") + d.to_bytes(2, "little", signed=True) + f.to_bytes(2, "little")
                      for n, d, f in operations)
    return call("semop", set_id, packed, ctypes.c_size_t(len(operations)))


def shmat(segment, flags):
    address = LIBC.shmat(segment, None, flags)
    if address in (None, 2**64 - 1):
        return errno.errorcode[ctypes.get_errno()]
    LIBC.shmdt(address)
    return "ok"


def over_http(path, method, target, body=None):
    connection = http.client.HTTPConnection("localhost", timeout=20)
    connection.sock = socket.socket(socket.AF_UNIX)
    connection.sock.settimeout(20)
    connection.sock.connect(path)
    connection.request(method, target, body)
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    code = json.loads(text)["code"] if answer.status >= 400 else ""
    return f"{answer.status} {code}".strip()


def ways(sem, key, seg, seg_key):
    """Method, target, body, and the native call that needs the same rights; those that remove come last."""
    read_write = lambda: shmat(seg, 0)
    take = lambda: semop(sem, (0, -1, NOWAIT | UNDO), (0, 1, UNDO))
    stat = lambda: semctl(sem, 0, IPC_STAT)
    return [
        ("GET", f"/semaphores/id:{sem}", None, lambda: semctl(sem, 0, GETALL)),
        ("GET", f"/semaphores/0x{key:x}", None, stat),
        ("GET", f"/semaphores/id:{sem}/0", None, lambda: semctl(sem, 0, GETVAL)),
        ("POST", f"/semaphores?key=0x{key:x}&nsems=1&mode=0600", None,
         lambda: call("semget", key, 1, IPC_CREAT | 0o600)),
        ("PUT", f"/semaphores/id:{sem}/values?values=1,1,1", None, lambda: semctl(sem, 0, SETVAL, 1)),
        ("PUT", f"/semaphores/id:{sem}/0?value=1", None, lambda: semctl(sem, 0, SETVAL, 1)),
        ("POST", f"/semaphores/id:{sem}/op?ops=0:1,0:-1", None, lambda: semop(sem, (0, 1, 0), (0, -1, 0))),
        ("POST", f"/semaphores/id:{sem}/op?ops=2:-1,2:0:nowait,2:1", None,
         lambda: semop(sem, (2, -1, 0), (2, 0, NOWAIT), (2, 1, 0))),
        ("POST", f"/semaphores/id:{sem}/op?ops=2:0:nowait", None, lambda: semop(sem, (2, 0, NOWAIT))),
        ("POST", f"/semaphores/id:{sem}/op?ops=1:1:undo&ttl=100ms", None,
         lambda: semop(sem, (1, 1, UNDO), (1, -1, UNDO))),
        ("GET", f"/locks/sysv:id:{sem}.0", None, stat),
        ("PUT", f"/locks/sysv:id:{sem}.0", None, take),
        ("POST", f"/locks/sysv:id:{sem}.0/acquire?ttl=100ms&wait=1s", None, take),
        ("POST", f"/locks/sysv:0x{key:x}.0/acquire?ttl=100ms&wait=1s", None, take),
        ("POST", f"/locks/php:0x{key:x}/acquire?perm=0666&ttl=100ms&wait=1s", None,
         lambda: call("semget", key, 3, IPC_CREAT | 0o666)),
        ("PUT", f"/locks/php:0x{key:x}?perm=0666", None, lambda: call("semget", key, 3, IPC_CREAT | 0o666)),
        ("GET", f"/segments/id:{seg}", None, lambda: call("shmctl", seg, IPC_STAT, room())),
        ("GET", f"/segments/id:{seg}/bytes?length=4", None, lambda: shmat(seg, SHM_RDONLY)),
        ("PUT", f"/segments/id:{seg}/bytes?offset=900", b"x", read_write),
        ("POST", f"/segments?key=0x{seg_key:x}&size=1000&mode=0600", None,
         lambda: call("shmget", seg_key, ctypes.c_size_t(1000), IPC_CREAT | 0o600)),
        ("POST", f"/segments?key=0x{seg_key:x}&size=1000&mode=0666&init=true", None, read_write),
        ("GET", f"/shm?segment=id:{seg}", None, lambda: shmat(seg, SHM_RDONLY)),
        ("GET", f"/shm/1?segment=id:{seg}", None, lambda: shmat(seg, SHM_RDONLY)),
        ("PUT", f"/shm/1?segment=id:{seg}", b"1", read_write),
        ("DELETE", f"/shm/1?segment=id:{seg}", None, read_write),
        ("PATCH", f"/segments/id:{seg}?mode=0666", None, lambda: call("shmctl", seg, IPC_SET, room())),
        ("PATCH", f"/semaphores/id:{sem}?mode=0666", None, lambda: semctl(sem, 0, IPC_SET)),
        ("DELETE", f"/locks/sysv:id:{sem}.0?force=true", None, lambda: semctl(sem, 0, IPC_RMID)),
        ("DELETE", f"/locks/php:0x{key:x}?force=true", None, lambda: semctl(sem, 0, IPC_RMID)),
        ("DELETE", f"/semaphores/id:{sem}?force=true", None, lambda: semctl(sem, 0, IPC_RMID)),
        ("DELETE", f"/segments/id:{seg}", None, lambda: call("shmctl", seg, IPC_RMID, None)),
    ]


if __name__ == "__main__":
    SOCKET = sys.argv[1]
    for method_, target_, body_, native in ways(*map(int, sys.argv[2:6])):
        print(json.dumps([f"{method_} {target_}", over_http(SOCKET, method_, target_, body_), native()]), flush=True)
