# Stands in for IPC::Semaphore::Concurrency 0.04, which only CPAN has: the same system calls in the same order, and the
# same answers. What looks odd here is the module's: see `touch`, and `release`.
package Concurrency;
use strict;
use warnings;
use Carp qw(carp);
use Fcntl qw(O_CREAT O_NOCTTY O_NONBLOCK O_WRONLY);
use IPC::SysV qw(IPC_CREAT IPC_EXCL IPC_NOWAIT SEM_UNDO ftok);
use IPC::Semaphore;

sub new {
    my ($class, @given) = @_;
    my %option = (project => 0, count => 1, value => 1, touch => 1, @given == 1 ? (path => $given[0]) : @given);
    if (!defined $option{path}) { carp 'a path is needed'; return undef }
    # An existing file and touch => 0 make no object: a slip of precedence in the module that its users know.
    return undef if -e $option{path} && !$option{touch};
    if (sysopen my $file, $option{path}, O_WRONLY | O_CREAT | O_NONBLOCK | O_NOCTTY) {
        utime undef, undef, $option{path} if $option{touch};
    }
    my $key = ftok($option{path}, $option{project}) or return undef;
    my $set = open_or_make($key, @option{qw(count value)}) or return undef;
    return bless {key => $key, set => $set}, $class;
}

# The first values come one by one, after the set is there: others may see zeros for a moment.
sub open_or_make {
    my ($key, $count, $value) = @_;
    my $set = IPC::Semaphore->new($key, 0, 0);
    return $set if $set;
    $set = IPC::Semaphore->new($key, $count, IPC_CREAT | IPC_EXCL | 0666);
    return IPC::Semaphore->new($key, 0, 0) if !$set;
    $set->op($_, $value, 0) for 0 .. $count - 1;
    return $set;
}

sub acquire {
    my ($self, @given) = @_;
    my %option = @given && $given[0] =~ /^[0-9]+$/ ? () : @given;
    @option{qw(sem wait max undo)} = @given if !%option;
    my $number = $option{sem} // 0;
    my $most = $option{max} // -1;
    my $undo = $option{undo} // 1 ? SEM_UNDO : 0;
    my $waiting = $option{wait} ? $self->{set}->getncnt($number) : 0;
    my $got = $self->{set}->op($number, -1, IPC_NOWAIT | $undo);
    return $got if $got || !$option{wait};
    return $got if $most >= 0 && $waiting >= $most;
    return $self->{set}->op($number, -1, $undo);
}

# Adds one and asks nothing: not whether it was taken, and not whether the end of the process will add another.
sub release { my ($self, $number) = @_; return $self->{set}->op($number // 0, 1, 0) }

sub getall  { return $_[0]{set}->getall }
sub getval  { return $_[0]{set}->getval($_[1] // 0) }
sub getncnt { return $_[0]{set}->getncnt($_[1] // 0) }
sub setall  { my ($self, @values) = @_; return $self->{set}->setall(@values) }
sub setval  { my ($self, $number, $value) = @_; return $self->{set}->setval($number, $value) }
sub stat    { return $_[0]{set}->stat }
sub id      { return $_[0]{set}->id }
sub key     { return $_[0]{key} }
sub remove  { return $_[0]{set}->remove }

1;
