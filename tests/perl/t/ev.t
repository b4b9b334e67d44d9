# EV's loop: in main, in Coro's idle coroutine, and in a coroutine of its own.
use strict;
use warnings;
use Test::More;
BEGIN { eval { require EV; require Coro::EV; 1 } or plan skip_all => 'EV is missing' }
use Coro;
use Coro::EV;
use Coro::Multicore;
use Native;

{
    my @coros = map { my $n = $_; async { Native::meet(3); $n } } 1 .. 3;
    is_deeply([map { $_->join } @coros], [1, 2, 3], 'in the idle coroutine: main joins sections');
}

{
    my $gate = Native::Gate->new;
    my $timer = EV::timer 0.01, 0, sub { $gate->open(5) };
    is(Native::take($gate->fd), 5, 'main is in a section, and the loop runs');
}

{
    my $fired = 0;
    my $timer = EV::timer 0.01, 0.01, sub { $fired++ };
    Native::pairs(1000) while $fired < 5;
    pass('the loop has turns beside one that has only short sections');
}

{
    my $gate = Native::Gate->new;
    my $byte;
    my $coro = async { $byte = Native::take($gate->fd); EV::break };
    my $timer = EV::timer 0.01, 0, sub { $gate->open(6) };
    EV::run;
    is($byte, 6, 'EV::run in main waits while a section ends');
    $coro->join;
}

{
    my $coro = async { Native::spin(2000) };
    cede;
    EV::run;
    pass('EV::run returns when the last section has ended');
    ok($coro->is_zombie, '... and its coroutine too');
    $coro->join;
}

{
    my $gate = Native::Gate->new;
    my @order;
    my $coro = async {
        Native::take($gate->fd);
        push @order, 'section';
        my $timer = EV::timer 0.01, 0, sub { push @order, 'timer'; EV::break };
        Native::take($gate->fd);
        push @order, 'end';
    };
    my $first = EV::timer 0.01, 0, sub { $gate->open };
    EV::run;
    is_deeply(\@order, ['section', 'timer'], 'a timer that a coroutine starts beside the waiting loop is not late');
    $gate->open;
    $coro->join;
    is_deeply(\@order, ['section', 'timer', 'end'], '... and its section goes on');
}

{
    my $gate = Native::Gate->new;
    my @got;
    my $watcher = EV::io fileno(STDIN), 0, sub { };
    my $timer = EV::timer 0.005, 0.005, sub { push @got, 'tick'; $gate->open if @got == 3 };
    my $coro = async { Native::take($gate->fd); EV::break };
    EV::run;
    cmp_ok(scalar @got, '>=', 3, 'timers go on during a section');
    $coro->join;
}

{
    my $loop = async { EV::run };
    my @coros = map {
        async { for (1 .. 50) { Native::spin(50); Coro::EV::timer_once 0.0001 if $_ % 10 == 0 } 1 }
    } 1 .. 8;
    my $sum = 0;
    $sum += $_->join for @coros;
    is($sum, 8, 'sections and timers, with the loop in a coroutine');
    EV::break;
}

{
    my $gate = Native::Gate->new;
    my $ready = async {
        pipe my $reader, my $writer;
        my $timer = EV::timer 0.01, 0, sub { syswrite $writer, 'x' };
        Coro::EV::timed_io_once $reader, EV::READ;
        $gate->open(8);
    };
    my $coro = async { Native::take($gate->fd) };
    is($coro->join, 8, 'io beside a section');
    $ready->join;
}

{
    my $called = 0;
    my $timer = EV::timer 0.001, 0, sub { Native::spin(10); $called++; EV::break };
    EV::run;
    is($called, 1, 'a section in a callback of the loop');
}

done_testing;
