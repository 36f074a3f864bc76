# A native program at the other side of a lock: it obeys one command a line and answers one line.
#   op SEM DELTA [undo] [nowait]   semop(2) on the set given by its key; blocks like any native program
#   all | val N | pid N | ncnt N | nsems | stat     what IPC::Semaphore says
# Usage: perl native.pl KEY|id:N
use strict;
use warnings;
use Errno ();
use IPC::Semaphore;
use IPC::SysV qw(IPC_NOWAIT SEM_UNDO);

$| = 1;
my ($set) = @ARGV;
my $sem;
if ($set =~ /^id:(\d+)$/) {
    my $id = $1;
    $sem = bless \$id, 'IPC::Semaphore';    # The module has no constructor for an id.
} else {
    $sem = IPC::Semaphore->new($set =~ /^0x/ ? hex $set : $set, 0, 0) or die "semget: $!\n";
}
print "ready $$\n";

while (my $line = <STDIN>) {
    my ($command, @rest) = split ' ', $line;
    if ($command eq 'op') {
        my ($number, $delta, @flags) = @rest;
        my $flags = 0;
        for (@flags) { $flags |= $_ eq 'undo' ? SEM_UNDO : IPC_NOWAIT }
        if ($sem->op($number, $delta, $flags)) { print "ok\n" }
        else { my ($name) = grep { $!{$_} } qw(EAGAIN EACCES EIDRM EINVAL ERANGE EINTR); print 'error ', $name // 0 + $!, "\n" }
    }
    elsif ($command eq 'all')  { print "ok @{[$sem->getall]}\n" }
    elsif ($command eq 'val')  { print "ok @{[$sem->getval($rest[0])]}\n" }
    elsif ($command eq 'pid')  { print "ok @{[$sem->getpid($rest[0])]}\n" }
    elsif ($command eq 'ncnt') { print "ok @{[$sem->getncnt($rest[0])]}\n" }
    elsif ($command eq 'stat') { my $s = $sem->stat; print 'ok ', join(' ', $s->uid, $s->gid, $s->cuid, $s->cgid, $s->mode & 0777, $s->nsems, $s->otime, $s->ctime), "\n" }
    else                       { print "error unknown command\n" }
}
