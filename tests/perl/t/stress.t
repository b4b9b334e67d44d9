# Many coroutines, sections, and what else can happen, over every loop; MULTICORE_STRESS seconds each.
use strict;
use warnings;
use Test::More;

my $seconds = $ENV{MULTICORE_STRESS} || 1;

my $script = <<'EOF';
use strict;
use Coro;
use Coro::Multicore;
use Native;
use Time::HiRes 'time';
my ($seed, $end) = ($$, time + shift);
srand $seed;
my ($done, $thrown, $caught, $cancelled, $made, $gone) = (0) x 6;
sub Guard::new { $made++; bless [], 'Guard' }
sub Guard::DESTROY { $gone++ }
my @actions = (
    sub { Native::spin(rand 200) },
    sub { Native::spin(0) for 1 .. 20 },
    sub { cede },
    sub { my @s = sort { Native::spin(1); $a <=> $b } 3, 1, 2; "@s" eq '1 2 3' or die 'sort' },
    sub { Native::call(sub { Native::spin(rand 100); 1 }) },
    sub { eval { Native::spin(rand 50); die "x\n" }; $@ eq "x\n" or die "lost: $@" },
    sub { Coro::Multicore::sleep(rand 0.001) },
    sub { my $guard = Guard->new; local $_ = rand; my $copy = $_; Native::spin(rand 50); $_ == $copy or die 'local' },
    sub { Coro::Multicore::scoped_disable; Native::spin(rand 10) },
    sub {
        my $target = async { eval { Native::spin(rand 400) for 1 .. 3; 1 } or do { $caught++ } };
        cede;
        $target->is_zombie or do { $thrown++; $target->throw("t\n") };
        $target->join;
    },
    sub {
        my $target = async { my $guard = Guard->new; Native::spin(rand 400) while 1 };
        cede;
        $target->cancel;
        $target->join;
        $cancelled++;
    },
    @main::more
);
my @coros = map { async { while (time < $end) { $actions[rand @actions]->(); $done++ } } } 1 .. 32;
$_->join for @coros;
die "of $thrown exceptions $caught were caught\n" if $caught != $thrown;
die "of $made guards $gone ran\n" if $gone != $made;
print "done $done, thrown $thrown, cancelled $cancelled\n";
EOF

my %loops = (
    'no loop' => '',
    'EV' => 'use Coro::EV; our @more; BEGIN { @more = sub { Coro::EV::timer_once(rand 0.001) } }',
    'AnyEvent in pure perl' => 'use AnyEvent; use Coro::AnyEvent; AnyEvent::detect();'
        . ' our @more; BEGIN { @more = sub { Coro::AnyEvent::sleep(rand 0.001) } }',
);
$ENV{PERL_ANYEVENT_MODEL} = 'Perl';
for my $loop (sort keys %loops) {
    open my $from, '-|', $^X, '-e', $loops{$loop} . $script, $seconds or die "cannot run perl: $!";
    my $printed = join '', <$from>;
    close $from;
    is($?, 0, $loop);
    chomp $printed;
    like($printed, qr/^done [1-9]/, "... $printed");
}
done_testing;
