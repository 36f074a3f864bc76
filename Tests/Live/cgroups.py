"""Cgroups of our own, where this host has cgroup v2 and lets us make some."""

import os
import signal
import subprocess
import tempfile

from harness import eventually

ENTER = ("sh", "-c", 'echo $$ >"$0/cgroup.procs" && exec "$@"')


def mounted():
    """The folder and the root of a mount of cgroup v2, or None."""
    with open("/proc/self/mountinfo", encoding="utf-8") as file:
        for line in file:
            left, _, right = line.partition(" - ")
            if right.startswith("cgroup2 ") and left.split()[3] == "/":
                return left.split()[4]
    return None


def why_none():
    """Why no cgroup can be made here; None where it can."""
    if mounted() is None:
        return "no cgroup v2 is mounted here"
    try:
        Cgroup().remove()
    except OSError as error:
        return f"cannot make a cgroup: {error}"
    return None


class Cgroup:
    """A cgroup, and what runs in it."""

    def __init__(self, below=None):
        self.folder = tempfile.mkdtemp(prefix="leasehold-", dir=below.folder if below else mounted())
        os.chmod(self.folder, 0o755)

    @property
    def path(self):
        """As /proc/PID/cgroup names it."""
        return self.folder[len(mounted().rstrip("/")):]

    def enter(self, *command):
        """A command that runs in it."""
        return (*ENTER, self.folder, *command)

    def run(self, *command, **more):
        process = subprocess.Popen(self.enter(*command), **more)
        eventually(lambda: process.pid in self.pids() or process.poll() is not None, "it is in its cgroup", pause=0.001)
        return process

    def pids(self):
        with open(f"{self.folder}/cgroup.procs", encoding="ascii") as file:
            return [int(line) for line in file]

    @property
    def is_empty(self):
        with open(f"{self.folder}/cgroup.events", encoding="ascii") as file:
            return "populated 0" in file.read()

    def kill(self):
        """Kills all that is in it, however it forks."""
        kill = f"{self.folder}/cgroup.kill"  # Linux 5.14
        if os.path.exists(kill):
            with open(kill, "w", encoding="ascii") as file:
                file.write("1")
            return
        while pids := self.pids():
            for pid in pids:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass

    def remove(self):
        if not os.path.isdir(self.folder):
            return
        self.kill()
        eventually(lambda: self.is_empty, "the cgroup is empty")
        eventually(self.is_removed, "the cgroup can be removed")

    def is_removed(self):
        try:
            os.rmdir(self.folder)
        except OSError:
            return False
        return True
