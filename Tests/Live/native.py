"""Native programs (perl, ipcs) in the same IPC namespace as the server under test."""

import os
import subprocess

from talking import Talking

HERE = os.path.dirname(os.path.abspath(__file__))


class Native(Talking):
    """A perl process that does semop(2) on command. It ends with the `with` block; SEM_UNDO does the rest."""

    def __init__(self, sysv):
        """`sysv`: the member of an acquire answer, or anything with `id`."""
        super().__init__("perl", os.path.join(HERE, "native.pl"), f"id:{sysv['id']}")
        self.sysv = sysv
        first = self.answer()
        assert first.startswith("ready"), first

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def answer(self, timeout=10):
        """The answer, or None if there is none in time (the semop blocks)."""
        line = self.line(timeout)
        return None if line is None else line.strip()

    def ask(self, command, timeout=10):
        self.send(command)
        return self.answer(timeout)

    def take(self, units=None, undo=True, nowait=False):
        units = self.sysv["units"] if units is None else units
        flags = (" undo" if undo else "") + (" nowait" if nowait else "")
        return f"op {self.sysv['semaphores'][0]} {-units}{flags}"

    def give(self, units=None, undo=True):
        units = self.sysv["units"] if units is None else units
        return f"op {self.sysv['semaphores'][0]} {units}{' undo' if undo else ''}"


def ipcs():
    """`ipcs -s`: one dict a set, with ints where they are numbers."""
    text = subprocess.run(["ipcs", "-s"], check=True, capture_output=True, text=True).stdout
    sets = []
    for line in text.splitlines():
        words = line.split()
        if len(words) == 5 and words[0].startswith("0x"):
            key = int(words[0], 16)
            sets.append(
                {
                    "key": key - (1 << 32) if key >= 1 << 31 else key,
                    "id": int(words[1]),
                    "owner": words[2],
                    "mode": int(words[3], 8),
                    "nsems": int(words[4]),
                }
            )
    return sets


def proc_sets():
    """/proc/sysvipc/sem, the kernel's own list."""
    with open("/proc/sysvipc/sem", encoding="ascii") as file:
        names = file.readline().split()
        rows = [dict(zip(names, line.split())) for line in file]
    return {
        int(row["semid"]): {
            "key": int(row["key"]),
            "mode": int(row["perms"], 8),
            "nsems": int(row["nsems"]),
            "uid": int(row["uid"]),
            "gid": int(row["gid"]),
            "cuid": int(row["cuid"]),
            "cgid": int(row["cgid"]),
            "otime": int(row["otime"]),
            "ctime": int(row["ctime"]),
        }
        for row in rows
    }


def make_set(key, nsems, mode):
    """Makes a set with perl's own semget; the id."""
    program = "my $id = semget($ARGV[0], $ARGV[1], 01000 | oct $ARGV[2]); defined $id or die qq(semget: $!); print $id"
    result = subprocess.run(
        ["perl", "-e", program, "--", str(key), str(nsems), oct(mode)[2:]], check=True, capture_output=True, text=True
    )
    return int(result.stdout)


def remove_set(set_id):
    subprocess.run(["ipcrm", "-s", str(set_id)], check=True)
