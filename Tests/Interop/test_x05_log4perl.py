# Rows: X5
"""Log4perl, Debian's: the mutex of Appender::Synchronized is free at zero; over HTTP it is an operation with undo."""

import os
import unittest

from others import Holder, OneLock, Others, eventually, runs
from php_support import GETZCNT, control

PROGRAM = """
use Log::Log4perl::Util::Semaphore;
$| = 1;
my $semaphore = Log::Log4perl::Util::Semaphore->new(key => $ARGV[0], mode => 0666);
print "done\\n";
while (my $line = <STDIN>) {
    $line eq "take\\n" ? $semaphore->semlock : $semaphore->semunlock;
    print "done\\n";
}
"""
# As people use it: one line a request, in a file.
APPENDER = """
use Log::Log4perl;
$| = 1;
Log::Log4perl->init(\\ <<"END");
log4perl.rootLogger = INFO, Syncer
log4perl.appender.File = Log::Log4perl::Appender::File
log4perl.appender.File.filename = $ARGV[1]
log4perl.appender.File.syswrite = 1
log4perl.appender.File.layout = SimpleLayout
log4perl.appender.Syncer = Log::Log4perl::Appender::Synchronized
log4perl.appender.Syncer.appender = File
log4perl.appender.Syncer.key = $ARGV[0]
END
print "done\\n";
while (my $line = <STDIN>) {
    Log::Log4perl->get_logger->info("a line");
    print "done\\n";
}
"""


def key_of(text):
    """The key of a name: its first four bytes, with blanks behind it."""
    return int.from_bytes(text.encode()[:4].ljust(4), "little")


@unittest.skipUnless(runs("perl", "-MLog::Log4perl", "-e", "1"), "no Log4perl: apt-get install liblog-log4perl-perl")
class Log4perl(OneLock, Others):
    free = 0

    def setUp(self):
        super().setUp()
        self.text = f"{self.key & 0xFFFF:04x}"
        self.key = key_of(self.text)

    def program(self):
        program = self.holder(Holder("perl", "-e", PROGRAM, self.text))
        program.take()
        program.give()
        return program

    def sleepers(self):
        return control(self.set, 0, GETZCNT)

    def acquire(self, **more):
        target = f"/semaphores/{self.key:#x}/op"
        return self.server.request("POST", target, timeout=60, ops="0:0,0:1:undo", **{"ttl": "5m"} | more)

    def test_a_line_waits_for_http(self):
        log = os.path.join(self.folder, "log")
        program = self.holder(Holder("perl", "-e", APPENDER, self.text, log))
        program.take()
        lease = self.granted(self.acquire())
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "Log4perl waits in the kernel")
        with open(log, encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 1)
        self.server.release(lease)
        program.taken()
        with open(log, encoding="ascii") as file:
            self.assertEqual(len(file.readlines()), 2)

    def test_the_set_may_be_made_over_http(self):
        made = self.server.post("/semaphores", key=f"{self.key:#x}", nsems=1, mode="0777")
        self.granted(made)
        lease = self.granted(self.acquire())
        program = self.holder(Holder("perl", "-e", PROGRAM, self.text))
        program.take_later()
        eventually(lambda: self.sleepers() == 1, "Log4perl waits in the kernel")
        self.server.release(lease)
        program.taken()

    def test_a_lease_of_the_semaphore_would_be_another_thing(self):
        self.program()
        self.assertProblem(self.server.acquire(f"sysv:{self.key:#x}.0"), 423, "locked")


if __name__ == "__main__":
    unittest.main()
