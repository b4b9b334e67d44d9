# exit, fork, system and signals, with sections open. Each case is a process of its own.
use strict;
use warnings;
use Test::More;
use POSIX ();

# What a script printed, and its status.
sub script {
    my ($code) = @_;
    my @setup = $ENV{LOOP} ? "use $ENV{LOOP};" : ();
    open my $from, '-|', $^X, '-e', <<"EOF" or die "cannot run perl: $!";
        BEGIN { open STDERR, '>&', \\*STDOUT; \$| = 1 }
        use Coro; @setup use Coro::Multicore; use Native;
        my \$gate = Native::Gate->new;
        $code
EOF
    my $printed = join '', <$from>;
    close $from;
    return ($printed, $? >> 8 || $? & 127);
}

sub check {
    my ($name, $printed, $status, $code) = @_;
    is_deeply([script($code)], [$printed, $status], $name);
}

for my $loop ('', 'Coro::EV', 'Coro::AnyEvent') {
    local $ENV{LOOP} = $loop;
    local $ENV{PERL_ANYEVENT_MODEL} = 'Perl';
    my $with = $loop ? " ($loop)" : '';
    next if $loop and system $^X, '-e', "eval { require $loop } or exit 1";

    check("exit in main with a section open$with", "end\n", 3, <<'EOF');
        END { print "end\n" }
        async { Native::take($gate->fd) };
        cede;
        exit 3;
EOF
    check("exit in a coroutine, main in a section$with", "end\n", 4, <<'EOF');
        END { print "end\n" }
        async { exit 4 };
        Native::take($gate->fd);
EOF
    check("exit in a coroutine, main in join$with", "end\n", 5, <<'EOF');
        END { print "end\n" }
        my $coro = async { Native::take($gate->fd) };
        async { Native::spin(100); exit 5 };
        $coro->join;
EOF
    check("die in a coroutine, main in a section$with", "fatal\nend\n", 255, <<'EOF');
        END { print "end\n" }
        async { Native::spin(100); die "fatal\n" };
        Native::take($gate->fd);
EOF
    check("the end of main, a section open$with", "end\n", 0, <<'EOF');
        END { print "end\n" }
        async { Native::take($gate->fd) };
        cede;
EOF
    check("objects are destroyed at exit$with", "destroyed\n", 0, <<'EOF');
        sub DESTROY { Native::pairs(1); print "destroyed\n" }
        our $object = bless [];
        async { Native::spin(10) }->join;
EOF
    check("a child of fork runs sections$with", "child 9\nparent 0 7\n", 0, <<'EOF');
        my $coro = async { Native::take($gate->fd) };
        cede;
        my $pid = fork;
        if (!$pid) {
            my $own = Native::Gate->new;
            my $section = async { Native::take($own->fd) };
            $own->open(9);
            print "child ", $section->join, "\n";
            exit;
        }
        waitpid $pid, 0;
        my $status = $?;
        $gate->open(7);
        print "parent $status ", $coro->join, "\n";
EOF
    check("a child ends coroutines whose sections are its parent's$with", "child joined\nparent 0 7\n", 0, <<'EOF');
        my $coro = async { Native::take($gate->fd) };
        cede;
        my $pid = fork;
        if (!$pid) {
            $coro->join;
            print "child joined\n";
            exit;
        }
        waitpid $pid, 0;
        my $status = $?;
        $gate->open(7);
        print "parent $status ", $coro->join, "\n";
EOF
    check("fork in a coroutine, main in join$with", "child\nparent 0\n", 0, <<'EOF');
        async { Native::take($gate->fd) };
        async {
            Native::spin(100);
            my $pid = fork;
            if (!$pid) { Native::spin(100); print "child\n"; POSIX::_exit(0) }
            waitpid $pid, 0;
            print "parent $?\n";
        }->join;
        BEGIN { require POSIX }
EOF
    check("system and backticks beside a section$with", "system\nbackticks\n0 8\n", 0, <<'EOF');
        my $coro = async { Native::take($gate->fd) };
        cede;
        my $status = system 'echo system';
        print `echo backticks`;
        $gate->open(8);
        print "$status ", $coro->join, "\n";
EOF
    check("SIGALRM during sections$with", "alarm\n1\n", 0, <<'EOF');
        $SIG{ALRM} = sub { print "alarm\n"; $gate->open(1) };
        my $coro = async { Native::take($gate->fd) };
        my $other = async { Native::sum(fileno STDIN, '') };
        cede;
        alarm 1;
        print $coro->join, "\n";
EOF
    check("SIGINT in a loop of perl code$with", "int\n1\n", 0, <<'EOF');
        my $seen;
        $SIG{INT} = sub { print "int\n"; $seen = 1 };
        my $coro = async { Native::take($gate->fd) };
        cede;
        kill INT => $$;
        cede until $seen;
        $gate->open(1);
        print $coro->join, "\n";
EOF
    check("SIGCHLD$with", "child 3\n2\n", 0, <<'EOF');
        my $pid;
        $SIG{CHLD} = sub { waitpid $pid, 0; print "child ", $? >> 8, "\n"; $gate->open(2) };
        my $coro = async { Native::take($gate->fd) };
        my $go = Native::Gate->new;
        $pid = fork;
        if (!$pid) { require POSIX; sysread $$go[0], my $byte, 1; POSIX::_exit(3) }
        async { $go->open }; # has its turn once the other is in its section
        print $coro->join, "\n";
EOF
}

check('fork, then EV in the child', "child tick 6\nparent tick 0\n", 0, <<'EOF')
        BEGIN { require Coro::EV }
        my $coro = async { Native::take($gate->fd) };
        Coro::EV::timer_once 0.001;
        my $pid = fork;
        if (!$pid) {
            pipe my $reader, my $writer;
            my $timer = EV::timer 0.01, 0, sub { print "child tick "; syswrite $writer, 'x' };
            Coro::EV::timed_io_once $reader, EV::READ();
            $gate = Native::Gate->new;
            my $section = async { Native::take($gate->fd) };
            $gate->open(6);
            print $section->join, "\n";
            exit;
        }
        waitpid $pid, 0;
        my $status = $?;
        Coro::EV::timer_once 0.001;
        print "parent tick $status\n";
EOF
    if eval { require Coro::EV };

done_testing;
