# Sections run in parallel with each other and with perl, with no event loop at all.
use strict;
use warnings;
use Test::More;
use Coro;
use Coro::Multicore;
use Native;

sub stat_of { my %stats = Coro::Multicore::stats(); return $stats{ $_[0] } }

{
    my @coros = map {
        my $number = $_;
        async { Native::meet(3); return $number }
    } 1 .. 3;
    is_deeply([map { $_->join } @coros], [1, 2, 3], 'three sections are open at once; main is in join');
}

{
    my $gate = Native::Gate->new;
    my $coro = async { Native::take($gate->fd) };
    cede;
    my $turns = 0;
    cede while ++$turns < 100;
    $gate->open(42);
    is($coro->join, 42, 'perl runs on beside a section');
}

{
    my $gate = Native::Gate->new;
    my $coro = async { $gate->open(7) };
    is(Native::take($gate->fd), 7, 'main is in a section that another coroutine ends');
    $coro->join;
}

{
    my $gate = Native::Gate->new;
    my $running = 1;
    my $ceding = async { cede while $running };
    my $rounds = 0;
    my $coro = async { Native::take($gate->fd), $rounds++ for 1 .. 20; $running = 0 };
    for (1 .. 20) {
        $gate->open;
        my $before = $rounds;
        cede while $rounds == $before;
    }
    $_->join for $coro, $ceding;
    pass('sections end beside coroutines that cede for ever');
}

{
    my $turns = 0;
    my $coro = async { cede while ++$turns < 20 };
    Native::pairs(1000) while $turns < 20;
    $coro->join;
    pass('others have turns beside one that has only short sections');
}

{
    my $gate = Native::Gate->new;
    my $coro = async { Native::nested($gate->fd); 'nested' };
    cede;
    $gate->open;
    is($coro->join, 'nested', 'a pair within a pair does nothing');
}

{
    my $gate = Native::Gate->new;
    my @done;
    my $outer = async { Native::call(sub { Native::take($gate->fd); push @done, 'callback'; 3 }) };
    my $other = async { Native::meet(1); push @done, 'other' };
    $other->join;
    $gate->open;
    is($outer->join, 3, 'a section in a sub that C calls');
    is_deeply(\@done, ['other', 'callback'], '... others run meanwhile');
}

{
    my $thread = Native::thread();
    my $same = 1;
    my @coros = map {
        async {
            for (1 .. 50) {
                my $before = $_;
                Native::spin(20);
                $same &&= $before == $_;
            }
        }
    } 1 .. 8;
    $_->join for @coros;
    ok($same, '$_ is each coroutine\'s own');
}

{
    my @coros = map { async { Native::meet(200); 1 } } 1 .. 200;
    my $sum = 0;
    $sum += $_->join for @coros;
    is($sum, 200, 'as many threads as there are sections');
}

cmp_ok(stat_of('handoffs'), '>', 0, 'the interpreter changed threads');
done_testing;
