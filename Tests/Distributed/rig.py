"""Hosts on one machine: network namespaces on a bridge, whose links can be cut.

They are seen by this process alone and gone with it, however it ends. It stands on the bridge itself, so it reaches
every host. Tests that need them are skipped where the machine has no such namespaces, with what it said.
"""

import os
import signal
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
PROGRAM = os.path.abspath(os.environ.get("LEASEHOLD", os.path.join(ROOT, ".build", "debug", "leasehold")))
sys.path.insert(0, os.path.join(ROOT, "Tests", "Live"))

import namespace  # noqa: E402

CLONE_NEWNS, CLONE_NEWNET = 0x00020000, 0x40000000
COMMANDS = "/run/commands"
ADDRESS = "10.77.0.{}"
# What a test started is ended by its cleanups, also when the test is told to end.
signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
_why_not = None  # why there are no hosts here; "" when there are


def why_not():
    """Moves this process onto a bridge of its own, once, while it has no other thread; says why that cannot be."""
    global _why_not  # pylint: disable=global-statement
    if _why_not is None:
        try:
            namespace.leave(CLONE_NEWNS | CLONE_NEWNET | namespace.CLONE_NEWIPC)
            # Names of network namespaces are files below /run/netns.
            for line in ("mount --make-rprivate /", "mount -t tmpfs tmpfs /run", "ip link set lo up",
                         "ip link add bridge type bridge", f"ip addr add {ADDRESS.format(254)}/24 dev bridge",
                         "ip link set bridge up", "ip netns add probe", "ip netns exec probe true",
                         "ip netns del probe"):
                ran = subprocess.run(line.split(), check=False, capture_output=True, text=True)
                if ran.returncode:
                    raise OSError(f"{line}: {ran.stderr.strip()}")
            # Where lines of the documents find the program under test.
            os.mkdir(COMMANDS)
            os.symlink(PROGRAM, f"{COMMANDS}/leasehold")
            _why_not = ""
        except OSError as error:
            _why_not = f"there are no network namespaces here: {error}"
    return _why_not


def names(of):
    """Lets every program started from now on find addresses by these names."""
    path = "/run/hosts"
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(f"{address} {name}\n" for name, address in {"localhost": "127.0.0.1", **of}.items())
    subprocess.run(["mount", "--bind", path, "/etc/hosts"], check=True)


class Host:
    """A network namespace with one link to the bridge; `number` is the end of its address."""

    made = 0

    def __init__(self, number):
        # The kernel takes down a removed host's link some time later: names are not used twice.
        Host.made += 1
        self.name, self.address, self.link = f"host{number}", ADDRESS.format(number), f"link{Host.made}"
        for line in (f"ip netns add {self.name}", f"ip link add {self.link} type veth peer name eth0 netns {self.name}",
                     f"ip link set {self.link} master bridge up", f"ip -n {self.name} link set lo up",
                     f"ip -n {self.name} addr add {self.address}/24 dev eth0", f"ip -n {self.name} link set eth0 up"):
            subprocess.run(line.split(), check=True)

    def inside(self, command):
        """The command as it runs on this host; its process id is that of the program."""
        return ["ip", "netns", "exec", self.name, *command]

    def cut(self):
        subprocess.run(["ip", "link", "set", self.link, "down"], check=True)

    def join(self):
        subprocess.run(["ip", "link", "set", self.link, "up"], check=True)

    def remove(self):
        subprocess.run(["ip", "link", "del", self.link], check=True)
        subprocess.run(["ip", "netns", "del", self.name], check=True)


def eventually(condition, what, timeout=20):
    end = time.monotonic() + timeout
    while not (value := condition()):
        if time.monotonic() > end:
            raise AssertionError(f"did not happen within {timeout} s: {what}")
        time.sleep(0.02)
    return value
