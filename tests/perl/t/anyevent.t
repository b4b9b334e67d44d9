# AnyEvent's loop in pure perl, in Coro's idle coroutine.
use strict;
use warnings;
use Test::More;
BEGIN {
    $ENV{PERL_ANYEVENT_MODEL} = 'Perl';
    eval { require AnyEvent; require Coro::AnyEvent; 1 } or plan skip_all => 'AnyEvent is missing';
}
use Coro;
use Coro::AnyEvent;
use Coro::Multicore;
use Native;

AnyEvent::detect();
is($AnyEvent::MODEL, 'AnyEvent::Impl::Perl', 'the loop is the one in pure perl');

{
    my @coros = map { my $n = $_; async { Native::meet(3); $n } } 1 .. 3;
    is_deeply([map { $_->join } @coros], [1, 2, 3], 'main joins sections');
}

{
    my $gate = Native::Gate->new;
    my $timer = AE::timer 0.01, 0, sub { $gate->open(5) };
    is(Native::take($gate->fd), 5, 'main is in a section, and the loop runs');
}

{
    my $gate = Native::Gate->new;
    my $ticks = 0;
    my $timer = AE::timer 0.005, 0.005, sub { $gate->open(6) if ++$ticks == 3 };
    my $coro = async { Native::take($gate->fd) };
    is($coro->join, 6, 'timers go on during a section');
    cmp_ok($ticks, '>=', 3, '... all of them');
}

{
    my $cv = AE::cv;
    my $gate = Native::Gate->new;
    my $coro = async { $cv->send(Native::take($gate->fd)) };
    my $timer = AE::timer 0.01, 0, sub { $gate->open(7) };
    is($cv->recv, 7, 'main waits for a condition variable');
    $coro->join;
}

{
    my $gate = Native::Gate->new;
    pipe my $reader, my $writer;
    my $io = AE::io $reader, 0, sub { sysread $reader, my $byte, 1; $gate->open(ord $byte) };
    my $coro = async { Native::take($gate->fd) };
    my $timer = AE::timer 0.01, 0, sub { syswrite $writer, chr 8 };
    is($coro->join, 8, 'io during a section');
}

{
    my @order;
    my $gate = Native::Gate->new;
    my $coro = async {
        Native::take($gate->fd);
        push @order, 'section';
        Coro::AnyEvent::sleep(0.01);
        push @order, 'timer';
    };
    $gate->open;
    $coro->join;
    is_deeply(\@order, ['section', 'timer'], 'a timer that is started beside the waiting loop is not late');
}

{
    my $called = 0;
    my $cv = AE::cv;
    my $timer = AE::timer 0.001, 0, sub { Native::spin(10); $called++; $cv->send };
    $cv->recv;
    is($called, 1, 'a section in a callback of the loop');
}

{
    my @coros = map {
        async { for (1 .. 50) { Native::spin(50); Coro::AnyEvent::sleep(0.0001) if $_ % 10 == 0 } 1 }
    } 1 .. 8;
    my $sum = 0;
    $sum += $_->join for @coros;
    is($sum, 8, 'sections and timers');
}

done_testing;
