# Perl through Coro::Multicore: hashes and compresses real files with the modules of docs/examples/perl, and
# measures what a section costs. Started by ./bench/run perl.
# SPDX-License-Identifier: BSL-1.0
use strict;
use warnings;
use Getopt::Long;
use List::Util qw(max min sum0);

my %o = (rounds => 5, 'max-mib' => 256);
GetOptions(\%o, 'rounds=i', 'max-mib=i') && min($o{rounds}, $o{'max-mib'}) > 0
    or die "perl: --rounds and --max-mib need a whole number from 1\n";
my @paths = @ARGV ? @ARGV : '/usr/lib';
my $terminal = -t STDERR;

sub median { my @s = sort { $a <=> $b } @_; @s % 2 ? $s[@s / 2] : ($s[@s / 2 - 1] + $s[@s / 2]) / 2 }
sub spread { sprintf '%.0f %%', 100 * (max(@_) - min(@_)) / median(@_) }

# A perl of its own for each measurement, so that none has the threads of another. What it prints.
sub in_perl {
    my ($what, $script, @arguments) = @_;
    printf STDERR "\r%s \e[K", $what if $terminal;
    open my $from, '-|', $^X, '-MBenchPerl', '-e', "use strict; $script", @arguments
        or die "perl: cannot start $^X: $!\n";
    my $text = do { local $/; <$from> };
    print STDERR "\r\e[K" if $terminal;
    close $from or die "perl: $what: the script failed ($?)\n";
    return $text;
}

# ways: name => script. Each in turn, so often; name => [numbers].
sub in_turns {
    my (%ways) = @_;
    my %numbers;
    for my $round (1 .. $o{rounds}) {
        for my $way (sort keys %ways) {
            my ($script, @arguments) = @{$ways{$way}};
            push @{$numbers{$way}}, in_perl("$way, round $round of $o{rounds}", $script, @arguments) + 0;
        }
    }
    return \%numbers;
}

sub row { printf "  %-58s %9s %8s   %s\n", @_ }

########################################################################## what a section costs

sub pairs {
    # 20 windows of 200,000; which one, from the least to the most.
    my $loop = 'my @ns = sort { $a <=> $b } map { BenchPerl::pairs(2e5) } 1 .. 20; print $ns[$ARGV[0]]';
    my %before = (none => '', disabled => 'use Coro; use Coro::Multicore ();', enabled => 'use Coro; use Coro::Multicore;');
    for my $window (['the least of 20 windows', 0], ['the median of 20 windows', 10]) {
        my ($title, $index) = @$window;
        my $ns = in_turns(map { ($_ => [$before{$_} . $loop, $index]) } keys %before);
        my $none = median(@{$ns->{none}});
        print "\na pair of release and acquire with nobody waiting, ns, $title\n";
        row('no backend', sprintf('%.1f', $none), spread(@{$ns->{none}}), '');
        for my $way (qw(disabled enabled)) {
            my $median = median(@{$ns->{$way}});
            row($way, sprintf('%.1f', $median), spread(@{$ns->{$way}}), sprintf '%+.1f', $median - $none);
        }
    }
}

sub latency {
    my $script = <<'EOF';
use Coro;
use Coro::EV;
use Coro::Multicore;
use List::Util;
my $steps = 300 * BenchPerl::calibrate();
my @ns;
async {
    push @ns, BenchPerl::work($steps) for 1 .. 2000;
    EV::break();
};
EV::run();
@ns = sort { $a <=> $b } @ns;
print $ns[@ns * $ARGV[0]];
EOF
    my $ns = in_turns('p50' => [$script, 0.5], 'p99' => [$script, 0.99]);
    print "\nfrom the end of a section to perl, libev idle, us\n";
    row($_, sprintf('%.2f', median(@{$ns->{$_}}) / 1e3), spread(@{$ns->{$_}}), '') for qw(p50 p99);
}

sub parallel {
    my $script = <<'EOF';
use Coro;
use Coro::Multicore;
use Time::HiRes 'time';
my ($count, $length) = @ARGV;
my $steps = $length * BenchPerl::calibrate();
my $rounds = int(1 + 4e5 / $length / $count);
my $start = time;
$_->join for map { async { BenchPerl::work($steps) for 1 .. $rounds } } 1 .. $count;
print $count * $rounds * $length * 1e-6 / (time - $start);
EOF
    print "\nsections in parallel: their time / wall\n";
    my $two = in_turns(two => ['print BenchPerl::two_threads(2e5 * BenchPerl::calibrate())']);
    row('two threads without perl', sprintf('%.2f', median(@{$two->{two}})), spread(@{$two->{two}}), '');
    for my $length (10, 100, 1000) {
        my %ways = map { ("$_ coroutines, sections of $length us" => [$script, $_, $length]) } 2, 8, 64;
        my $found = in_turns(%ways);
        for my $way (sort { ($a =~ /^(\d+)/)[0] <=> ($b =~ /^(\d+)/)[0] } keys %$found) {
            row($way, sprintf('%.2f', median(@{$found->{$way}})), spread(@{$found->{$way}}), '');
        }
    }
}

sub many {
    my $script = <<'EOF';
use Coro;
use Coro::Multicore;
use Time::HiRes 'time';
my $start = time;
$_->join for map { async { BenchPerl::nap(0.1) } } 1 .. 1000;
print 1e3 * (time - $start);
EOF
    my $ms = in_turns(many => [$script]);
    print "\n1,000 coroutines, each in a section of 100 ms: wall, ms\n";
    row('', sprintf('%.0f', median(@{$ms->{many}})), spread(@{$ms->{many}}), '');
}

########################################################################## real files

sub files {
    my @found;
    my $bytes = 0;
    open my $list, '-|', 'find', @paths, '-type', 'f', '-printf', '%s %p\0' or die "perl: cannot start find: $!\n";
    local $/ = "\0";
    for (sort { (split ' ', $a, 2)[1] cmp (split ' ', $b, 2)[1] } <$list>) {
        chomp;
        my ($size, $path) = split ' ', $_, 2;
        next if !-r $path || $bytes + $size > $o{'max-mib'} << 20;
        push @found, $path;
        $bytes += $size;
    }
    die "perl: no files to read below @paths\n" unless @found;
    return $bytes, @found;
}

# `line` computes $result of $path. Prints seconds, and writes what was computed to the file named first.
my $job = <<'EOF';
use Coro;
use Coro::Semaphore;
use Coro::Multicore;
use Time::HiRes 'time';
my ($to, $enabled, $limit) = splice @ARGV, 0, 3;
Coro::Multicore::enable($enabled);
my @paths = do { local $/ = "\0"; map { chomp; $_ } <STDIN> };
my $start = time;
my $next = 0;
my @results;
$_->join for map {
    async {
        while (defined(my $path = $paths[my $mine = $next++])) {
            $results[$mine] = LINE;
        }
    }
} 1 .. $limit;
print time - $start;
open my $file, '>', $to or die "$to: $!";
print $file "$_\n" for @results;
close $file or die "$to: $!";
EOF

sub job {
    my ($what, $module, $line, $list, $bytes, $expected) = @_;
    (my $script = $job) =~ s/LINE/$line/;
    my %seconds;
    my $wrong = 0;
    for my $round (1 .. $o{rounds}) {
        for my $enabled (0, 1) {
            open STDIN, '<', $list or die "perl: $list: $!\n";
            my $to = "$ENV{BENCH_SCRATCH}/results";
            push @{$seconds{$enabled}}, in_perl("$what, round $round of $o{rounds}", "use $module; $script", $to,
                $enabled, $ENV{BENCH_CPUS} + 1) + 0;
            open my $results, '<', $to or die "perl: $to: $!\n";
            my $text = do { local $/; <$results> };
            $expected //= $text;
            $wrong++ if $text ne $expected;
        }
    }
    my @median = map { median(@{$seconds{$_}}) } 0, 1;
    row("$what, disabled: MiB/s", sprintf('%.1f', $bytes / $median[0] / (1 << 20)), spread(@{$seconds{0}}), '');
    row("$what, enabled: MiB/s", sprintf('%.1f', $bytes / $median[1] / (1 << 20)), spread(@{$seconds{1}}),
        sprintf('%.2f times as fast; %s', $median[0] / $median[1], $wrong ? "$wrong RUNS WENT WRONG" : 'results equal'));
    return !$wrong;
}

sub real_files {
    my ($bytes, @files) = files();
    my $list = "$ENV{BENCH_SCRATCH}/list";
    open my $to, '>', $list or die "perl: $list: $!\n";
    print $to map { "$_\0" } @files;
    close $to or die "perl: $list: $!\n";
    printf "\n%d files below @paths, %.0f MiB\n", scalar @files, $bytes / (1 << 20);
    my $expected = '';
    open my $sums, '-|', 'xargs', '-0', '-a', $list, 'sha256sum', '-z', '--' or die "perl: cannot start xargs: $!\n";
    { local $/ = "\0"; $expected .= substr($_, 0, 64) . "\n" while <$sums>; }
    my $good = job('SHA-256', 'FileDigest', 'FileDigest::sha256($path)', $list, $bytes, $expected);
    return job('gzip', 'FileGzip', 'FileGzip::compress($path, "/dev/null")', $list, $bytes, undef) && $good;
}

$| = 1;
printf "perl %vd, Coro::Multicore on libmulticore, %d CPUs; medians of %d rounds in turns, and their spread\n",
    $^V, $ENV{BENCH_CPUS}, $o{rounds};
my $good = real_files();
pairs();
latency();
parallel();
many();
exit !$good;
