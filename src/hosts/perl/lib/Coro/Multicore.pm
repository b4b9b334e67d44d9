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
unless (defined $deadlock->{desc}) {
    $Coro::idle = Coro->new(sub {
        while () {
            $deadlock->ready unless _sleep();
            Coro::schedule();
        }
    });
    $Coro::idle->{desc} = '[Coro::Multicore idle]';
    _idle_is($Coro::idle);
}

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

# In a forked child: coroutines whose sections were on other threads.
sub _lost {
    for my $coro (@{ $_[0] }) {
        if ($coro == $Coro::idle) { _renew_idle() }
        _coro_cancel($coro) unless $coro == $Coro::main;
    }
}

1;
