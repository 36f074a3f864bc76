# A native program that does what it is told with Perl's own IPC::Semaphore: each line is an expression, in which $sem
# is a set. The answer is one line: "ok" and the values; "undef" and the errno's name where there is nothing but undef,
# or an empty list with an errno; "died" and why.
use strict;
use warnings;
use Errno ();
use IPC::Semaphore;
use IPC::SysV qw(
    GETALL IPC_CREAT IPC_EXCL IPC_NOWAIT IPC_PRIVATE IPC_RMID IPC_STAT SEM_UNDO SETALL S_IRWXG S_IRWXO S_IRWXU
);

$| = 1;
our $sem;

# IPC::Semaphore has no constructor for an id.
sub by_id { my $id = shift; return bless \$id, 'IPC::Semaphore' }

# The stat of a set by the names that both sides use.
sub stat_of { my $s = shift->stat or return; return map { $s->$_ } qw(uid gid cuid cgid mode nsems otime ctime) }

sub errno_name { my ($name) = grep { $!{$_} && $_ ne 'EWOULDBLOCK' } sort keys %!; return $name // 'none' }

print "ready\n";
while (my $line = <STDIN>) {
    $! = 0;
    my @values = eval "no strict 'subs'; $line";
    if ($@) { my $why = $@; $why =~ s/\n.*//s; print "died $why\n" }
    elsif ((!@values || @values == 1 && !defined $values[0]) && $!) { print 'undef ', errno_name(), "\n" }
    else { print join(' ', 'ok', map { $_ // 'undef' } @values), "\n" }
}
