# Sections for the tests: native.c.
package Native;

use strict;
use warnings;
use XSLoader ();

XSLoader::load(__PACKAGE__);

# A section that is open until the gate is: Native::take($gate->fd), $gate->open.
package Native::Gate;

sub new {
    pipe my $reader, my $writer or die "pipe: $!";
    return bless [$reader, $writer], shift;
}
sub fd { fileno $_[0][0] }
sub open { syswrite $_[0][1], chr($_[1] // 1) or die "write: $!" }

1;
