# What perl keeps for each coroutine, and where it cannot switch: sections in the corners of the language.
use strict;
use warnings;
use Test::More;
BEGIN {
    if (($ENV{LC_ALL} || '') ne 'C') { # a thread that perl has not told has this one
        $ENV{LC_ALL} = 'C';
        exec $^X, $0;
    }
}
use Coro;
use Coro::Multicore;
use Native;

# Runs the code in a coroutine that is in a section each time it calls the gate; meanwhile another one runs, on
# the same variables.
sub beside {
    my ($code, $other) = @_;
    my $gate = Native::Gate->new;
    my $coro = async {
        $code->(sub { Native::take($gate->fd) });
    };
    my $busy = async {
        until ($coro->is_zombie) {
            $other->();
            $gate->open;
            cede;
        }
    };
    my @result = $coro->join;
    $busy->join;
    return wantarray ? @result : $result[0];
}

my $nothing = sub { };

{
    our $global = 'outer';
    my @seen = beside(sub {
        my ($section) = @_;
        local $global = 'inner';
        $section->();
        my $inner = $global;
        local $_ = 'topic';
        $section->();
        ($inner, $_)
    }, sub { local $_ = 'other'; Native::spin(1) });
    is($seen[1], 'topic', 'a local $_');
    is($global, 'outer', 'local ends with its scope');
}

is(beside(sub {
    my ($section) = @_;
    eval { $section->(); die "mine\n" };
    $section->();
    $@
}, sub { eval { die "other's\n" } }), "mine\n", '$@ is each coroutine\'s own');

is(beside(sub {
    my ($section) = @_;
    my @seen;
    for my $level (1 .. 3) {
        eval { eval { $section->(); die "inner $level\n" }; push @seen, $@; $section->(); die "outer $level\n" };
        push @seen, $@;
    }
    join '', @seen
}, $nothing), join('', map { "inner $_\nouter $_\n" } 1 .. 3), 'die and eval around sections');

is(beside(sub {
    my ($section) = @_;
    my @sorted = sort { Native::spin(20); $a <=> $b } 3, 1, 2;
    $section->();
    "@sorted"
}, sub { my @other = sort { $b <=> $a } 1 .. 5 }), '1 2 3', 'a sort block: sections are inline');

is(beside(sub {
    my ($section) = @_;
    join ' ', map { my $item = $_; $section->(); $item * 2 } grep { $section->(); $_ > 1 } 1 .. 4
}, sub { my @other = map { $_ + 1 } 1 .. 5 }), '4 6 8', 'map and grep');

our $section;
is(beside(sub { ($section) = @_; eval 'my $x = 2; $section->(); eval q{$section->(); $x * 3}' },
    sub { eval 'my $y = 1; $y++' }), 6, 'string eval');

is(beside(sub { my ($section) = @_; $section->(); eval 'BEGIN { Native::spin(20) } 7' }, $nothing), 7,
    'BEGIN in a string eval: sections are inline');

{
    package Counter;
    sub TIESCALAR { my ($class, $section) = @_; bless { section => $section, count => 0 }, $class }
    sub FETCH { my ($self) = @_; $self->{section}->(); ++$self->{count} }
    sub STORE { my ($self, $value) = @_; $self->{section}->(); $self->{count} = $value }

    package Number;
    use overload
        '+' => sub { $_[0][0]->(); Number->new($_[0][0], $_[0][1] + (ref $_[1] ? $_[1][1] : $_[1])) },
        '""' => sub { $_[0][0]->(); "<$_[0][1]>" },
        'cmp' => sub { $_[0][0]->(); "$_[0]" cmp "$_[1]" };
    sub new { my ($class, @fields) = @_; bless [@fields], $class }

    package Last;
    sub DESTROY { $_[0][0]->(); push @{ $_[0][1] }, 'destroyed' }
}

is(beside(sub {
    my ($section) = @_;
    tie my $counter, 'Counter', $section;
    my $sum = $counter + $counter;
    $counter = 10;
    $sum + $counter
}, sub { tie my $counter, 'Counter', sub { }; my $x = $counter }), 14, 'tie');

is(beside(sub {
    my ($section) = @_;
    my $number = Number->new($section, 1);
    my $sum = $number + 2 + $number;
    "$sum"
}, $nothing), '<4>', 'overload');

{
    my @seen;
    beside(sub {
        my ($section) = @_;
        { my $object = bless [$section, \@seen], 'Last' }
        push @seen, 'after';
    }, $nothing);
    is_deeply(\@seen, ['destroyed', 'after'], 'DESTROY with a section');
}

{
    my @seen;
    beside(sub {
        my ($section) = @_;
        eval { my $object = bless [$section, \@seen], 'Last'; die "out\n" };
        push @seen, $@;
    }, $nothing);
    is_deeply(\@seen, ['destroyed', "out\n"], '... as an exception leaves');
}

{
    no warnings 'recursion';
    sub deep { my ($level, $section) = @_; $level ? 1 + deep($level - 1, $section) : ($section->(), 0)[-1] }
    is(beside(sub { my ($section) = @_; deep(5000, $section) }, sub { deep(500, sub { }) }), 5000, 'deep recursion');
}
is(beside(sub {
    my ($section) = @_;
    my $nested;
    $nested = sub { my ($level) = @_; $level ? 1 + Native::call(sub { $nested->($level - 1) }) : ($section->(), 0)[-1] };
    my $depth = $nested->(50);
    undef $nested;
    $depth
}, $nothing), 50, 'deep recursion through C');

is(beside(sub {
    my ($section) = @_;
    'abc' =~ /(b)/;
    $section->();
    my $first = $1;
    (my $text = 'a1b2') =~ s/(\d)/my $digit = $1; $section->(); "<$digit>"/ge;
    "$first $text"
}, sub { 'xyz' =~ /(y)/ }), 'b a<1>b<2>', 'captures, if copied before a section in s///e');

is(beside(sub {
    my ($section) = @_;
    local $SIG{__WARN__} = sub { $section->() };
    warn 'x';
    open my $file, '<', $0;
    my $line = <$file>;
    $section->();
    $line .= <$file>;
    $line =~ tr/\n//
}, sub { warn 'other' if 0 }), 2, 'a __WARN__ handler, a file half read');

is(beside(sub { my ($section) = @_; my @list = (wantarray ? 1 : 0, $section->(), 3); "@list" }, $nothing), '1 1 3',
    'the stack of a list');

is(beside(sub {
    my ($section) = @_;
    my $sum = 0;
    for my $i (1 .. 3) { while ($section->()) { $sum += $i; last } }
    $sum
}, $nothing), 6, 'loops');

is(beside(sub { my ($section) = @_; sprintf '%s-%s', $section->(), scalar reverse 'ab' }, $nothing), '1-ba', 'arguments');

{
    require POSIX;
    require I18N::Langinfo;
    my $codeset = sub { I18N::Langinfo::langinfo(I18N::Langinfo::CODESET()) };
    is(POSIX::setlocale(POSIX::LC_CTYPE(), 'C.UTF-8'), 'C.UTF-8', 'a locale that the environment has not');
    my @coros = map {
        async {
            my $gate = Native::Gate->new;
            my $opener = async { $gate->open };
            return Native::codeset($gate->fd) . ' ' . $codeset->();
        }
    } 1 .. 8;
    is_deeply([map { $_->join } @coros], [('UTF-8 UTF-8') x 8], '... is perl\'s on every thread');
}

done_testing;
