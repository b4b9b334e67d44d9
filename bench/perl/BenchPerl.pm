# SPDX-License-Identifier: BSL-1.0
package BenchPerl;

use strict;
use warnings;
use XSLoader ();

XSLoader::load(__PACKAGE__);

1;
