package Coro::Multicore;

use strict;
use warnings;

use Carp ();
use Coro ();
use XSLoader ();

our $VERSION = '1.0';

XSLoader::load(__PACKAGE__);

sub import {
    my ($class, @names) = @_;
    Carp::croak("$class exports nothing, and so not @names") if @names;
    enable(1);
}

# What Coro does when nobody can ever be ready, is still done then.
my $deadlock = $Coro::idle;

sub _be_idle {
    my $coro = Coro->new(sub {
        while () {
            $deadlock->ready unless _sleep();
            Coro::schedule() if Coro::nready(); # it must not wait for itself
        }
    });
    $coro->{desc} = '[Coro::Multicore idle]';
    _idle_is($coro);
    $Coro::idle = $coro;
}
_be_idle() unless defined $deadlock->{desc}; # an event loop

# Calls of Coro's functions that switch have to name them by a glob.
{
    no warnings qw(redefine once);
    *_coro_cancel = \&Coro::cancel;
    *Coro::cancel = sub { &_coro_cancel unless &_defer_cancel };
}

# Cancels those that could not end as their section did, when they have given way.
our @_late;
our $_canceller = Coro->new(sub {
    while () {
        while (my $coro = shift @_late) {
            my $arguments = _take_cancel($coro) or next;
            _coro_cancel($coro, @$arguments);
        }
        Coro::schedule();
    }
});
$_canceller->{desc} = '[Coro::Multicore canceller]';
$_canceller->prio(Coro::PRIO_MAX());

# In a coroutine that was cancelled during a section.
sub _finish { Coro::terminate(@_) }

# An idle coroutine like the one of the event loop.
sub _be_idle_in_loop {
    my ($poll) = @_;
    my $coro = Coro->new(sub {
        while () {
            $poll->();
            Coro::schedule() if Coro::nready();
        }
    });
    $coro->{desc} = $Coro::idle->{desc};
    $Coro::idle = $coro;
}

# In a forked child: coroutines whose sections were on other threads.
sub _lost {
    my ($coros) = @_;
    for my $coro (@$coros) {
        if ($coro == $Coro::idle) {
            my $desc = $coro->{desc} || '';
            if ($desc =~ /Multicore/) { _be_idle() }
            elsif ($desc =~ /EV/) { _be_idle_in_loop(sub { &Coro::EV::_loop_oneshot }) }
            elsif ($desc =~ /AnyEvent/) { _be_idle_in_loop(AnyEvent->can('_poll') || AnyEvent->can('one_event')) }
        }
        _coro_cancel($coro) unless $coro == $Coro::main;
    }
}

1;
