# Rows: X3
"""Semian: the tickets of a resource are `sysv:KEY.1`. By Semian itself where Ruby finds it, by its calls everywhere."""

import hashlib
import os
import unittest

from others import Holder, OneLock, Others, eventually, runs, signed, values

RUBY = ["ruby", *(["-I", os.environ["SEMIAN"]] if "SEMIAN" in os.environ else []), "-r", "semian"]
PROGRAM = """
resource = Semian::Resource.new(ARGV[0], tickets: 1, timeout: 60)
$stdout.sync = true
puts "done"
while (line = $stdin.gets)
  line == "take\\n" ? resource.acquire_semaphore : resource.release_semaphore
  puts "done"
end
"""

# What it asks of the kernel for that, from ext/semian/sysv_semaphores.c and tickets.c.
CALLS = """
use IPC::SysV qw(IPC_CREAT IPC_EXCL SEM_UNDO SETALL SETVAL);
$| = 1;
my $new = semget($ARGV[0], 4, IPC_CREAT | IPC_EXCL | 0660);
my $id = $new // semget($ARGV[0], 1, 0660) // die $!;
sub op { semop($id, pack "s!3", @_) or die $! }
semctl($id, 0, SETALL, pack "S!4", 1, 0, 0, 0) if defined $new;
op(3, 1, SEM_UNDO);
op(0, -1, SEM_UNDO);
if (defined $new) {
    op(1, 1, 0);
    semctl($id, 2, SETVAL, 1);
}
op(0, 1, SEM_UNDO);
print "done\\n";
while (my $line = <STDIN>) {
    op(1, $line eq "take\n" ? -1 : 1, SEM_UNDO);
    print "done\n";
}
"""


def key_of(name):
    """The key of a resource: the first bytes of a SHA-1, as the processor reads them."""
    return int.from_bytes(hashlib.sha1(f"{name}_NUM_SEMS_4".encode()).digest()[:4], "little")


class Tickets(OneLock, Others):
    """Of a resource with one ticket. Number 0 is Semian's own mutex, 2 how many tickets there are, 3 its processes."""

    number = 1

    def setUp(self):
        super().setUp()
        self.resource = f"mysql_{self.key}"
        self.key = key_of(self.resource)
        self.name = f"sysv:{self.key:#x}.1"

    def test_there_is_nothing_before_semian_made_it(self):
        self.assertProblem(self.acquire(), 404, "no-such-set")


@unittest.skipUnless(runs(*RUBY, "-e", "exit"), "no Semian here: SEMIAN=/path/to/its/lib, or the gem")
class Semian(Tickets):
    def program(self):
        program = self.holder(Holder(*RUBY, "-e", PROGRAM, self.resource))
        program.take()
        program.give()
        self.assertEqual(values(self.set, 4)[:3], [1, 1, 1])
        return program

    def test_more_tickets_are_there_for_http_too(self):
        program = self.program()
        self.holder(Holder(*RUBY, "-e", PROGRAM.replace("tickets: 1", "tickets: 3"), self.resource)).take()
        lease = self.granted(self.acquire())
        program.take()
        self.refused()
        program.give()
        second = self.granted(self.acquire())
        for each in (lease, second):
            self.server.release(each)
        eventually(lambda: self.value == 2, "two are free beside the one of Semian's")


class SameCalls(Tickets):
    def program(self):
        program = self.holder(Holder("perl", "-e", CALLS, "--", str(signed(self.key))))
        program.take()
        program.give()
        return program


del Tickets  # it has no program

if __name__ == "__main__":
    unittest.main()
