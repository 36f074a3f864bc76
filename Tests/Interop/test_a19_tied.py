# Rows: A19 A20
"""Tied sessions: what Apache::Session::Flex locks with Lock => 'Semaphore', and what HTTP may do meanwhile."""

import os
import shutil
import subprocess
import tempfile
import threading
import unittest

from perlside import LEASE, Apache, eventually, ipcs, options, quoted

COUNT = """
use strict; use warnings;
use Apache::Session::Flex;
my ($id, $folder, $key, $times) = @ARGV;
for (1 .. $times) {
    tie my %session, 'Apache::Session::Flex', $id, {
        Store => 'File', Lock => 'Semaphore', Generate => 'MD5', Serialize => 'Storable',
        Directory => $folder, SemaphoreKey => $key, Transaction => 1,
    };
    $session{count}++;
    untie %session;
}
"""
# What a program under a lease over HTTP does with the file that the sessions are stored in.
EDIT = """
use strict; use warnings;
use Storable qw(lock_retrieve freeze thaw);
my ($file) = @ARGV;
open my $in, '<:raw', $file or die $!;
my $session = thaw(do { local $/; <$in> });
$session->{count}++;
open my $out, '>:raw', $file or die $!;
print $out freeze($session);
close $out or die $!;
"""


class Tied(Apache):
    def setUp(self):
        super().setUp()
        self.folder = tempfile.mkdtemp(prefix="leasehold-session-")
        self.addCleanup(shutil.rmtree, self.folder)

    def tying(self, program, session="undef", **more):
        """The code that ties %h."""
        program.do("require Apache::Session::Flex")
        given = options(
            Store="File",
            Lock="Semaphore",
            Generate="MD5",
            Serialize="Storable",
            Directory=self.folder,
            SemaphoreKey=self.semkey,
            **more,
        )
        return f"tie %h, 'Apache::Session::Flex', {session}, {{{given}}}; $h{{_session_id}}"

    def stored(self, **more):
        """A session that is stored and locked by nobody; HTTP means it from here on."""
        perl = self.perl()
        self.session = perl.do(self.tying(perl, **more))
        perl.do("$h{count} = 0; untie %h; 1")
        self.assertRegex(self.session, "^[0-9a-f]{32}$")
        self.bind()
        self.assertEqual((self.r, self.w), (0, 16))
        self.assertEqual(self.rw, (0, 0))

    def opened(self, **more):
        perl = self.perl()
        perl.do(self.tying(perl, quoted(self.session), **more))
        return perl

    def test_a_new_session_is_a_writer_until_it_is_untied(self):
        perl = self.perl()
        self.session = perl.do(self.tying(perl))
        self.bind()
        self.assertEqual(self.rw, (0, 1))
        self.assertProblem(self.acquire("read"), 423, "locked")
        waiter = self.acquire_later("read")
        self.reader_waits()
        perl.do("untie %h; 1")
        self.release(self.granted(waiter.answer()))
        self.assertEqual(self.rw, (0, 0))

    def test_an_open_session_is_a_reader(self):
        self.stored()
        perl = self.opened()
        self.assertEqual(self.rw, (1, 0))
        lease = self.leased("read")
        self.assertProblem(self.acquire("write"), 423, "locked")
        perl.do("untie %h; 1")
        self.release(lease, leaving=(0, 0))

    def test_storing_is_a_writer(self):
        self.stored()
        perl = self.opened()
        lease = self.leased("read")
        perl.send("$h{count} = 5; untie %h; 1")
        self.writer_waits()  # the module gave its read lock up and waits for the readers
        self.assertEqual(self.rw, (LEASE, 0))
        self.release(lease)
        perl.answer()
        self.assertEqual(self.rw, (0, 0))
        perl = self.opened()
        self.assertEqual(perl.do("$h{count}"), 5)

    def test_tie_waits_for_the_end_of_a_write_lease(self):
        self.stored()
        lease = self.leased("write")
        perl = self.perl()
        perl.send("require Apache::Session::Flex; " + self.tying(self.perl(), quoted(self.session)))
        self.reader_waits()
        self.assertTrue(perl.is_silent())
        self.release(lease)
        self.assertEqual(perl.answer(), [self.session])
        self.assertEqual(self.rw, (1, 0))

    def test_a_transaction_writes_from_the_start(self):
        self.stored()
        perl = self.opened(Transaction=1)
        self.assertEqual(self.rw, (0, 1))
        self.assertProblem(self.acquire("read"), 423, "locked")
        perl.do("untie %h; 1")
        lease = self.leased("read")
        other = self.perl()
        other.send("require Apache::Session::Flex; " + self.tying(self.perl(), quoted(self.session), Transaction=1))
        self.writer_waits()
        self.release(lease)
        other.answer()
        self.assertEqual(self.rw, (0, 1))

    def test_the_printed_example_makes_no_semaphore(self):
        perl = self.perl()
        perl.do("require Apache::Session::File")
        before = ipcs()
        given = options(Directory=self.folder, LockDirectory=self.folder, LockManager="Semaphore")
        perl.do(f"tie %h, 'Apache::Session::File', undef, {{{given}}}; $h{{_session_id}}")
        self.assertEqual(ipcs(), before)
        self.session = perl.do("$h{_session_id}")
        self.release(self.leased("write"))  # not excluded

    def test_no_increment_is_lost(self):
        """Two Perl programs with transactions and two with leases over HTTP count in one session's file."""
        self.stored()
        times = 20
        perls = [
            subprocess.Popen(["perl", "-e", COUNT, self.session, self.folder, str(self.semkey), str(times)])
            for _ in range(2)
        ]
        flaws = []

        def edit():
            for _ in range(times):
                answer = self.acquire("write", wait="30s")
                if answer.status != 201:
                    return flaws.append(answer)
                run = subprocess.run(["perl", "-e", EDIT, os.path.join(self.folder, self.session)], check=False)
                released = self.server.release(answer.json)
                if run.returncode or released.status != 200:
                    return flaws.append((run, released))

        threads = [threading.Thread(target=edit) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for process in perls:
            self.assertEqual(process.wait(60), 0)
        self.assertEqual(flaws, [])
        perl = self.opened()
        self.assertEqual(perl.do("$h{count}"), 4 * times)
        perl.kill()
        eventually(lambda: self.rw == (0, 0), "everything is given back")


if __name__ == "__main__":
    unittest.main()
