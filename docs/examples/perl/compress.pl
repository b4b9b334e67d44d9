# compress.pl FOLDER FILE...: writes FOLDER/NAME.gz for each file, several at once, while EV's loop shows how far
# it is.
# SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
use strict;
use warnings;
use Coro;
use Coro::EV;
use Coro::Multicore;
use File::Basename;
use FileGzip;

my ($folder, @files) = @ARGV;
die "usage: compress.pl FOLDER FILE...\n" unless @files;

my ($done, $failed, $saved) = (0, 0, 0);
my $progress = -t STDERR && EV::timer(0.1, 0.1, sub { printf STDERR "\r%d of %d ", $done, scalar @ARGV - 1 });
my @workers = map {
    async {
        while (defined(my $file = shift @files)) {
            my $size = eval { FileGzip::compress($file, "$folder/" . basename($file) . '.gz') };
            defined $size ? ($saved += (-s $file) - $size) : do { $failed++; warn "failed: $@" };
            $done++;
        }
    }
} 1 .. 8;
async { $_->join for @workers; EV::break() };
EV::run();
printf "%d files, %d failed, %d bytes saved\n", $done, $failed, $saved;
exit 1 if $failed;
