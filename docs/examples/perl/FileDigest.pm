# FileDigest::sha256($path): see digest.c.
# SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
package FileDigest;

use strict;
use warnings;
use XSLoader ();

XSLoader::load(__PACKAGE__);

1;
