# throw, cancel and safe_cancel of coroutines in sections.
use strict;
use warnings;
use Test::More;
use Coro;
use Coro::Multicore;
use Native;

{
    package Guard;
    sub new { my ($class, $code) = @_; bless $code, $class }
    sub DESTROY { $_[0]->() }
}

# A coroutine in a section, and its gate.
sub in_section(&) {
    my ($code) = @_;
    my $gate = Native::Gate->new;
    my $coro = &async($code, $gate);
    cede;
    return ($coro, $gate);
}

{
    my @seen;
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        eval { Native::take($gate->fd); push @seen, 'after'; 1 } or push @seen, $@;
        eval { push @seen, 'once' };
        'result'
    };
    $coro->throw("boom\n");
    cede for 1 .. 10;
    is_deeply(\@seen, [], 'an exception waits for the section');
    $gate->open;
    is($coro->join, 'result', '... is caught by the eval around the call');
    is_deeply(\@seen, ["boom\n", 'once'], '... as the function returns, once');
}

{
    my $object = bless {}, 'Error';
    my $seen;
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        eval { Native::call(sub { Native::take($gate->fd); 1 }) };
        $seen = $@;
    };
    $coro->throw($object);
    $gate->open;
    $coro->join;
    is($seen, $object, 'an object, through a callback of C');
}

{
    my @seen;
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        my $x = eval { Native::sum($gate->fd, 'ab') };
        push @seen, $@, $x;
        eval { push @seen, Native::sum($gate->fd, 'abc'); };
    };
    $coro->throw("first\n");
    $gate->open;
    cede until @seen;
    $gate->open;
    $coro->join;
    is_deeply(\@seen, ["first\n", undef, 294], 'the next call is as ever');
}

{
    my $uncaught = '';
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        local $SIG{__DIE__} = sub { $uncaught = $_[0]; Coro::terminate('died') };
        Native::take($gate->fd);
    };
    $coro->throw("last\n");
    $gate->open;
    is($coro->join, 'died', 'not lost if the call is the last thing a coroutine does');
    is($uncaught, "last\n", '... with no eval around it');
}

{
    my ($guarded, $after) = (0, 0);
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        my $guard = Guard->new(sub { $guarded++ });
        my $string = 'x' x 100_000;
        Native::sum($gate->fd, $string);
        $after++;
    };
    $coro->cancel('cancelled', 3);
    pass('cancel returns at once');
    is($guarded, 0, 'what the section uses stays');
    $coro->cancel('again');
    $gate->open;
    is_deeply([$coro->join], ['cancelled', 3], 'it ends when the section has, with what cancel was given');
    is($guarded, 1, '... its guards run');
    is($after, 0, '... and no more of its code');
}

{
    my ($guarded, $after) = (0, 0);
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        my $guard = Guard->new(sub { $guarded++ });
        eval { Native::call(sub { my $inner = Guard->new(sub { $guarded++ }); Native::take($gate->fd); $after++ }) };
        $after++;
    };
    $coro->cancel('in C');
    $gate->open;
    is($coro->join, 'in C', 'cancel in a callback of C');
    is("$guarded $after", '2 0', '... guards run, code does not');
}

{
    package Tied;
    sub TIESCALAR { my ($class, $gate) = @_; bless [$gate], $class }
    sub FETCH { my $guard = $_[0][0][2]->(); Native::take($_[0][0]->fd) }
    package Overloaded;
    use overload '+' => sub { my $guard = $_[0][0][2]->(); Native::take($_[0][0]->fd) };
}

for my $kind ('tie', 'overload', '__WARN__', 'first', 'eval string', 'two levels') {
    my ($guarded, $after) = (0, 0);
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        $gate->[2] = sub { Guard->new(sub { $guarded++ }) };
        my $guard = Guard->new(sub { $guarded++ });
        if ($kind eq 'tie') {
            tie my $scalar, 'Tied', $gate;
            my $copy = $scalar;
        } elsif ($kind eq 'overload') {
            my $sum = 1 + bless [$gate], 'Overloaded';
        } elsif ($kind eq '__WARN__') {
            local $SIG{__WARN__} = sub { my $guard = $gate->[2]->(); Native::take($gate->fd) };
            warn 'x';
        } elsif ($kind eq 'first') {
            require List::Util;
            my $found = List::Util::first(sub { my $guard = $gate->[2]->(); Native::take($gate->fd) }, 1);
        } elsif ($kind eq 'eval string') {
            eval 'my $guard = $gate->[2]->(); Native::take($gate->fd)';
        } else {
            my $sum = 1 + bless [$gate], 'Overloaded' for Native::call(sub { tie my $scalar, 'Tied', $gate; my $copy = $scalar });
        }
        $after++;
    };
    $coro->cancel($kind);
    $gate->open;
    is($coro->join, $kind, "cancel in: $kind");
    is("$guarded $after", '2 0', '... guards run, code does not');
}

{
    my ($guarded, $destroyed, $after) = (0, 0, 0);
    my ($coro, $gate) = in_section {
        my ($gate) = @_;
        my $guard = Guard->new(sub { $guarded++ });
        my $last = Guard->new(sub { Native::take($gate->fd); $destroyed++ });
        undef $last;
        cede;
        $after++;
    };
    $coro->cancel('in DESTROY');
    $gate->open;
    is($coro->join, 'in DESTROY', 'cancel in a DESTROY: when the coroutine gives way');
    is("$destroyed $guarded $after", '1 1 0', '... and the DESTROY has been to its end');
}

{
    my ($coro, $gate) = in_section { my ($gate) = @_; Native::take($gate->fd) };
    ok(!eval { $coro->safe_cancel; 1 }, 'safe_cancel fails in a section');
    like($@, qr/inside C callback/, '... as Coro documents');
    $gate->open(4);
    is($coro->join, 4, '... and changes nothing');
}

{
    my $coro = async { Coro::schedule };
    cede;
    $coro->cancel('plain');
    is($coro->join, 'plain', 'cancel outside of sections is Coro\'s');
    my $self = async { Coro::current->cancel('self') };
    is($self->join, 'self', '... also of oneself');
}

{
    my %before = Coro::Multicore::stats();
    for (1 .. 200) {
        my ($coro, $gate) = in_section { my ($gate) = @_; Native::take($gate->fd); die 'not reached' };
        $coro->cancel;
        $gate->open;
        $coro->join;
    }
    my %after = Coro::Multicore::stats();
    cmp_ok($after{threads_peak}, '<=', $before{threads_peak} + 2, 'no thread leaks');
}

done_testing;
