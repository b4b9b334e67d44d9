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

# Has a place in Coro's queue for those whose sections have ended.
our $_usher = Coro->new(sub {
    while () {
        _usher();
        Coro::schedule();
    }
});
$_usher->{desc} = '[Coro::Multicore usher]';
_usher_is($_usher);

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

__END__

=head1 NAME

Coro::Multicore - XS functions of Coro's threads run on several cores

=head1 SYNOPSIS

    use Coro;
    use Coro::Multicore;        # from here on, by default

    my @threads = map { my $file = $_; async { expensive_xs_function($file) } } @files;
    $_->join for @threads;      # no event loop is needed

    use Coro::Multicore ();     # in a module: leave the default alone
    async {
        Coro::Multicore::scoped_enable;
        ...
    };

=head1 DESCRIPTION

Coro's threads, called coroutines here, take turns: one runs at a time. This module lets XS functions say "for
the time being I do not touch perl" (perlmulticore.h: C<perlinterp_release>, C<perlinterp_acquire>). The stretch
between the two is a I<section>. While a coroutine is in a section, others run; sections run in parallel with
perl and with each other, on as many CPUs as there are. To the coroutine the call looks like any other.

Modules that bundle F<perlmulticore.h> work as they are: this is a drop-in backend, on libmulticore. A module that
has sections usually says so in C<$Module::PERLMULTICORE_SUPPORT>; this module leaves that variable alone, and
needs no such variable to be set.

It needs a perl that was built with threads (ithreads or multiplicity), as Debian's is, and works in the
first interpreter of a process: Coro knows no other.

=head1 FUNCTIONS

C<use Coro::Multicore> calls C<enable(1)>; C<use Coro::Multicore ()> does not. Nothing is exported; naming a
symbol to be imported croaks.

=over

=item $previous = Coro::Multicore::enable [$flag]

Whether sections open where no scope says otherwise. Returns what was so before; without a flag nothing changes.

=item Coro::Multicore::scoped_enable

=item Coro::Multicore::scoped_disable

Until the end of the enclosing block, in this coroutine: sections open, or do not. The innermost one counts, and the
end of a block brings back what was before it. A section that does not open runs with perl waiting, as if there
were no backend.

=item Coro::Multicore::sleep $seconds

Sleeps in a section. Fractions count. Signals do not end it.

=item Coro::Multicore::init

Starts what the first section would start, and looks for event loops. Never needed.

=item $fd = Coro::Multicore::fd

=item Coro::Multicore::poll

For event loops that this module does not know: the descriptor becomes readable when a section has ended, and
C<poll>, to be called then, makes its coroutine ready. Not needed with L<EV>, L<Coro::EV>, AnyEvent with EV or in pure
perl, nor without a loop.

=item Coro::Multicore::max_threads $count

=item Coro::Multicore::max_idle $count

=item Coro::Multicore::idle_timeout $seconds

How many threads at most (4096), how many of them are kept when they have nothing to do (the number of CPUs), and
after how long the others end (5). To be set before the first section, they croak later. When the limit is
reached sections still open; coroutines that are ready wait for one to end.

=item %stats = Coro::Multicore::stats

C<sections>, and of these C<sections_inline> (did not open); C<handoffs> of perl from one thread to another;
C<wakes> of sleeping threads; C<threads>, C<threads_peak>; C<longest_wait> in seconds, of a section that had ended,
for its turn.

=back

=head1 WHAT TO KNOW

=over

=item When others run

A call of an XS function with a section may let others run, as C<Coro::cede> does. It does not, so sections do not open, inside
C<sort> blocks and while perl compiles (C<BEGIN>, C<use>): Coro cannot switch there.

=item Threads

An XS function is on one OS thread from C<perlinterp_release> to C<perlinterp_acquire>. Perl code runs on whichever thread it is
handed to, the main program too. What is bound to a thread (some graphics libraries) does not stand this, just as it
does not stand any other backend.

=item throw

C<< $coro->throw >> at a coroutine in a section: the exception is raised as the XS function returns, where an
C<eval> around the call catches it. In a C<DESTROY> it waits further, for Coro.

=item cancel

C<< $coro->cancel >> at a coroutine in a section returns at once. What the function uses stays as it is until the section has
ended; as the function returns, the coroutine ends, and what it had on its stacks is destroyed. No C<eval> stops this. Within callbacks
that C made into perl, the C code is dropped, not unwound: memory that it would have freed leaks. In a C<DESTROY>, the
coroutine runs on until it gives way. C<safe_cancel> fails, as Coro documents for coroutines in C code.

=item fork

The child has all coroutines but those whose sections are open on other threads: they are cancelled there, and
who joins them is woken. Sections in the child do not open. EV's default loop is made fit for use.

=item exit

While a section is open no object is destroyed (C<END> blocks run, files are flushed): it might be in use.

=item Signals

C<%SIG> handlers run in whatever coroutine has its turn, also while all are in sections or nothing is ready. In EV's
loop, as EV says: with the next callback.

=item setlocale

The locale goes with perl from thread to thread. Do not change it while a section is open whose C code uses it:
perl frees the one before.

=item What Coro does not keep

C<local> on package variables, and captures (C<$1>) in the replacement of C<s///e>, are not each coroutine's own.

=back

=head1 DIFFERENCES

From the Coro::Multicore on CPAN:

=over

=item *

No event loop is needed to return from a section, and AnyEvent is not loaded. C<init>, C<fd> and C<poll> are kept.

=item *

Sections in callbacks of an event loop are allowed, and there is no need for C<scoped_disable> around the loop.

=item *

Scopes nest.

=item *

A coroutine that cedes for ever keeps no section from returning.

=item *

C<cancel> in a section, and sections in a forked child, work as described above.

=item *

Threads end when they are idle. C<max_threads> and C<stats> are new; the limits cannot be changed once there are
threads.

=back

=head1 SEE ALSO

L<Coro>, L<EV>, L<AnyEvent>; F<docs/perl.md> and F<docs/design/perl.md> of libmulticore.

=cut
