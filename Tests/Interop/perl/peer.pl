# A perl program at the other side of a lock: it runs one piece of code a line (in base64) and answers one line of JSON:
# what the code returned, how it died, what $! was, and what it warned of. Variables of the package stay.
use strict;
use warnings;
use Apache::Session::Lock::Semaphore;
use Concurrency;
use Errno ();
use IPC::Semaphore;
use IPC::SysV qw(IPC_CREAT IPC_EXCL IPC_NOWAIT IPC_PRIVATE SEM_UNDO ftok);
use JSON::PP ();
use MIME::Base64 qw(decode_base64);

our (@warnings, %sets);
local $SIG{__WARN__} = sub { push @warnings, $_[0] };

# A lock manager and its session, as Apache::Session makes them.
sub locker {
    my ($id, %options) = @_;
    my $session = {data => {_session_id => $id}, args => \%options};
    return (Apache::Session::Lock::Semaphore->new($session), $session);
}

# The set of a key, or undef. Asks for no permission.
sub set_of { my ($key) = @_; return IPC::Semaphore->new($key, 0, 0) }

# Values, GETNCNT, GETZCNT and GETPID of each semaphore; nothing when there is no such set.
sub look {
    my $set = set_of($_[0]) or return;
    my @values = $set->getall;
    return map { [$values[$_], $set->getncnt($_), $set->getzcnt($_), $set->getpid($_)] } 0 .. $#values;
}

sub stat_of {
    my $stat = $_[0]->stat or return;
    return map { $_ => $stat->$_ } qw(uid gid cuid cgid mode ctime otime nsems);
}

my $json = JSON::PP->new->allow_blessed->allow_nonref->latin1;
$| = 1;
while (my $line = <STDIN>) {
    @warnings = ();
    my $code = decode_base64($line);
    my @value = do { no strict; eval "\$! = 0; $code" };
    my ($error, $number) = ($@, $! + 0);
    my ($name) = $number ? grep { $!{$_} } qw(EAGAIN EACCES EPERM EIDRM EINVAL ERANGE EFBIG ENOSPC ENOENT EEXIST ENOSYS) : ();
    my %answer = (value => \@value, error => $error ? "$error" : undef, errno => $name, warnings => [@warnings]);
    print $json->encode(\%answer), "\n";
}
