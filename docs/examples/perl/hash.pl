# hash.pl FILE...: hashes files, several at once, and prints the digests in the files' order.
# SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
use strict;
use warnings;
use Coro;
use Coro::Multicore;
use Coro::Semaphore;
use FileDigest;

my $limit = Coro::Semaphore->new(8);
my @coros = map {
    my $path = $_;
    async {
        my $guard = $limit->guard;
        my $digest = eval { FileDigest::sha256($path) };
        return defined $digest ? "$digest  $path\n" : "failed: $@";
    }
} @ARGV;
print $_->join for @coros;
