# The functions of Coro::Multicore, as perl code sees them.
use strict;
use warnings;
use Test::More;
use Coro;
use Native;
use Coro::Multicore ();

sub inline_of(&) {
    my ($code) = @_;
    my %before = Coro::Multicore::stats();
    $code->();
    my %after = Coro::Multicore::stats();
    return $after{sections_inline} - $before{sections_inline};
}

sub lends { !inline_of { Native::pairs(1) } }

ok($Native::PERLMULTICORE_SUPPORT, 'the module says that it has sections');

ok(!Coro::Multicore::enable(), 'use Coro::Multicore () does not enable');
ok(!eval { Coro::Multicore->import('enable'); 1 }, 'importing a symbol croaks');
like($@, qr/exports nothing.*enable.*api\.t/s, '... and says what and where');
ok(!Coro::Multicore::enable(), '... and enables nothing');

eval { Coro::Multicore::max_threads(0) };
like($@, qr/max_threads: 0 is less than 1/, 'max_threads needs one');
Coro::Multicore::max_threads(40);
Coro::Multicore::max_idle(3);
Coro::Multicore::idle_timeout(0.5);

Coro::Multicore->import;
ok(Coro::Multicore::enable(), 'use Coro::Multicore enables');
ok(lends(), '... sections');
ok(Coro::Multicore::enable(0), 'enable returns the previous value');
ok(!Coro::Multicore::enable(), '... and sets the new one');
ok(!lends(), '... which counts');

{
    Coro::Multicore::scoped_enable;
    ok(lends(), 'scoped_enable');
    {
        Coro::Multicore::scoped_disable;
        ok(!lends(), 'scoped_disable within');
        {
            Coro::Multicore::scoped_enable;
            ok(lends(), 'and again');
        }
        ok(!lends(), 'the end of the inner scope leaves the middle one');
    }
    ok(lends(), 'the end of the middle scope leaves the outer one');
    my $other = async { lends() };
    ok(!$other->join, 'scopes belong to their coroutine');
    eval { Coro::Multicore::scoped_disable; die "out\n" };
    ok(lends(), 'an exception ends a scope');
}
ok(!lends(), 'the end of the outer scope leaves the default');
Coro::Multicore::enable(1);
{
    Coro::Multicore::scoped_disable;
    ok(!lends(), 'a scope beats the default');
}
ok(lends(), '... while it is open');

{
    my $turns = 0;
    my $other = async { $turns++ };
    Coro::Multicore::sleep(0.01);
    is($turns, 1, 'sleep lets others run');
    Coro::Multicore::sleep(0);
    ok(!eval { Coro::Multicore::sleep(-1); 1 }, 'sleep takes no negative number');
}

ok(!eval { Coro::Multicore::max_threads(4); 1 }, 'max_threads after the first section croaks');
like($@, qr/before the first section/, '... and says why');
ok(!eval { Coro::Multicore::max_idle(4); 1 }, 'max_idle too');
ok(!eval { Coro::Multicore::idle_timeout(4); 1 }, 'idle_timeout too');

{
    my $fd = Coro::Multicore::fd();
    cmp_ok($fd, '>=', 0, 'fd');
    Coro::Multicore::poll();
    vec(my $wanted = '', $fd, 1) = 1;
    is(select(my $quiet = $wanted, undef, undef, 0), 0, 'nothing has ended');
    my $gate = Native::Gate->new;
    my $coro = async { Native::take($gate->fd) };
    cede;
    $gate->open(9);
    is(select(my $readable = $wanted, undef, undef, undef), 1, 'it is readable when a section has ended');
    Coro::Multicore::poll();
    cmp_ok(Coro::nready(), '>', 0, 'poll makes its coroutine ready');
    is($coro->join, 9, '... which goes on');
}

ok(eval { Coro::Multicore::init(); 1 }, 'init');
my %stats = Coro::Multicore::stats();
is_deeply([sort keys %stats],
    [qw(handoffs longest_wait sections sections_inline threads threads_peak wakes)], 'stats');
done_testing;
