"""The preloaded library: built, and told by a file that it maps what to let fail; see faults.c."""

import errno
import mmap
import os
import socket
import struct
import subprocess
import tempfile

from faults import table

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(os.path.dirname(HERE)))
BUILT = os.path.join(ROOT, ".build", "faults")

HEAD = struct.Struct("QQQ")
SLOT = struct.Struct("40sqqqqii24Q")
# Instead of an errno: the process is killed before the call, or after it.
KILL_BEFORE, KILL_AFTER = "KILL_BEFORE", "KILL_AFTER"
NUMBERS = {table.HALVED_NAME: table.HALVED, KILL_BEFORE: table.HALVED + 1, KILL_AFTER: table.HALVED + 2}
CALLS, LEFT, TIMES, FIRED, ERROR, WHERE = 40, 48, 56, 64, 72, 76
MODULES = ("program", "libmicrohttpd")


def build():
    """Compiles the library; its path."""
    os.makedirs(BUILT, exist_ok=True)
    with open(os.path.join(BUILT, "calls.inc"), "w", encoding="ascii") as file:
        file.write(table.inclusion())
    library = os.path.join(BUILT, "faults.so")
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-Werror", "-fno-builtin", "-fPIC", "-shared",
         "-I", BUILT, "-o", library, os.path.join(HERE, "faults.c"),
         # The program loads these when it needs them; here they must be there before, to be found and watched.
         "-Wl,--no-as-needed", "-lmicrohttpd", "-lgnutls"],
        check=True,
    )
    return library


def number(name):
    if name in NUMBERS:
        return NUMBERS[name]
    if name in table.TLS_NUMBERS:
        return table.TLS_NUMBERS[name]
    return getattr(errno, name) if hasattr(errno, name) else getattr(socket, name)


class Faults:
    """What one process is told, and what it counted."""

    def __init__(self, library, program):
        self.library, self.program = library, os.path.realpath(program)
        size = HEAD.size + SLOT.size * len(table.NAMES) * len(MODULES)
        self.file = tempfile.NamedTemporaryFile(prefix="leasehold-faults-")
        self.file.truncate(size)
        self.memory = mmap.mmap(self.file.fileno(), size)
        self.memory[: HEAD.size] = HEAD.pack(size, 0, 0)

    def environment(self):
        return {
            "LD_PRELOAD": self.library, "FAULTS_FILE": self.file.name, "FAULTS_PROGRAM": self.program
        }

    def arm(self, function, module, error, nth, times=1):
        """The `nth` call from now fails, and with `times` those that follow it."""
        place = self.place(function, module)
        self.put(place + ERROR, "i", 0)
        for offset, value in ((LEFT, nth), (TIMES, times), (FIRED, 0)):
            self.put(place + offset, "q", value)
        self.put(place + WHERE, "i", 0)
        self.put(place + ERROR, "i", number(error))

    def disarm(self, function, module):
        self.put(self.place(function, module) + ERROR, "i", 0)

    def fired(self, function, module):
        return self.take(self.place(function, module) + FIRED, "q")

    def calls(self):
        """How often each function was called, by (function, module)."""
        return {
            (function, module): self.take(self.place(function, module) + CALLS, "q")
            for function in table.NAMES
            for module in MODULES
        }

    def where(self, function, module):
        """The places in the program from which the call came, innermost first."""
        place = self.place(function, module)
        count = self.take(place + WHERE, "i")
        addresses = [self.take(place + 80 + 8 * index, "Q") for index in range(count)]
        named = subprocess.run(
            ["llvm-symbolizer", "--obj=" + self.program, "--output-style=GNU", "-f", "-s",
             *[hex(address - 1) for address in addresses]],
            capture_output=True, text=True, check=False,
        ).stdout.splitlines()
        return [line for line in named[1::2] if not line.startswith("??")]

    def place(self, function, module):
        return HEAD.size + SLOT.size * (table.NAMES.index(function) * len(MODULES) + MODULES.index(module))

    def put(self, at, kind, value):
        struct.pack_into(kind, self.memory, at, value)

    def take(self, at, kind):
        return struct.unpack_from(kind, self.memory, at)[0]
