# Takes and releases one lock until told to stop (end of input), as a real program would, and looks each time whether it
# is in company that it should not have. Prints how often it was in, and how often in bad company.
#   stress.pl BOARD PLACE LIMIT apache SESSION KEY NSEMS
#   stress.pl BOARD PLACE LIMIT path PATH loop|fork
# The board is a file with one byte for each program: 0, R (reads) or W (writes, or has a slot).
use strict;
use warnings;
use Apache::Session::Lock::Semaphore;
use Concurrency;
use POSIX ();

my ($board, $place, $limit, $kind, @rest) = @ARGV;
open my $file, '+<:raw', $board or die "$board: $!";
my ($times, $flaws) = (0, 0);

sub mark {
    my ($sign) = @_;
    sysseek $file, $place, 0;
    syswrite $file, $sign or die $!;
}

# Whether somebody is in who must not be there together with us.
sub in_bad_company {
    my ($mine) = @_;
    sysseek $file, 0, 0;
    sysread $file, my $all, 4096;
    my ($readers, $writers) = ($all =~ tr/R//, $all =~ tr/W//);
    return $kind eq 'path' ? $writers > $limit : $mine eq 'R' ? $writers > 0 : $readers + $writers > 1;
}

sub stay {
    my ($sign) = @_;
    mark($sign);
    my $flaw = in_bad_company($sign);
    select undef, undef, undef, rand 0.002;
    $flaw ||= in_bad_company($sign);
    mark("\0");
    return $flaw ? 1 : 0;
}

sub is_over { my $bits = ''; vec($bits, 0, 1) = 1; return select $bits, undef, undef, 0 }

my $turn;
if ($kind eq 'apache') {
    my ($session, $key, $nsems) = @rest;
    $turn = sub {
        my $of = {data => {_session_id => $session}, args => {SemaphoreKey => $key, NSems => $nsems}};
        my $lock = Apache::Session::Lock::Semaphore->new($of);
        my $writes = rand() < 0.5;
        $writes ? $lock->acquire_write_lock($of) : $lock->acquire_read_lock($of);
        my $flaw = stay($writes ? 'W' : 'R');
        $lock->release_all_locks($of);
        return $flaw;
    };
} else {
    my ($path, $how) = @rest;
    my $lock = Concurrency->new($path) or die "$path: $!";
    $turn = $how eq 'loop'
        ? sub {
            $lock->acquire(wait => 1, undo => 0) or die "acquire: $!";
            my $flaw = stay('W');
            $lock->release or die "release: $!";
            return $flaw;
        }
        : sub {
            defined(my $child = fork) or die $!;
            if (!$child) {
                $lock->acquire(wait => 1) or POSIX::_exit(2);
                POSIX::_exit(stay('W'));    # the kernel gives it back
            }
            waitpid $child, 0;
            die "child: $?" if $? & 0xff || $? >> 8 > 1;
            return $? >> 8;
        };
}
while (!is_over()) {
    $flaws += $turn->();
    $times++;
}
print "$times $flaws\n";
