# An application in a container of its own: it knows the daemon by its Unix socket and the kernel by semop(2).
#   client.pl acquire KEY     gets a lease, and sees its units gone from the semaphore in this IPC namespace
#   client.pl lease ID        fails unless the lease is alive
use strict;
use warnings;
use IO::Socket::UNIX;

sub request {
    my ($method, $target) = @_;
    my $socket = IO::Socket::UNIX->new(Peer => '/run/leasehold/leasehold.sock') or die "connect: $!\n";
    print $socket "$method $target HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    local $/;
    my ($status, $body) = <$socket> =~ m{^HTTP/1\.1 (\d+).*?\r\n\r\n(.*)}s or die "no answer\n";
    return ($status, $body);
}

my ($command, $name) = @ARGV;
if ($command eq 'lease') {
    my ($status, $body) = request('GET', "/leases/$name");
    die "$status $body" unless $status == 200;
    exit;
}
my ($status, $body) = request('POST', "/locks/$name/acquire?ttl=60s");
die "$status $body" unless $status == 201;
my ($lease) = $body =~ /"lease":"(\w+)"/;
my ($set, $semaphore, $units) = $body =~ /"id":(\d+),.*"semaphores":\[(\d+)\],"units":(\d+)/;
my ($GETVAL, $IPC_NOWAIT) = (12, 04000);
my $value = semctl($set, $semaphore, $GETVAL, 0);
defined $value or die "semctl: $! (another IPC namespace?)\n";
$value == 0 or die "the semaphore is $value although the lock is held\n";
!semop($set, pack('s!3', $semaphore, -1, $IPC_NOWAIT)) && $!{EAGAIN} or die "semop was not refused: $!\n";
print "$lease\n";
