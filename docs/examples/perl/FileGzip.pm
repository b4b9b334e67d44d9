# FileGzip::compress($from, $to): see gzip.c.
# SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
package FileGzip;

use strict;
use warnings;
use XSLoader ();

XSLoader::load(__PACKAGE__);

1;
