# digest.tcl LIBRARY FILE...: hashes files, all at once, and prints the digests in the files' order.
# SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
package require multicore
load [lindex $argv 0] Digest

# In a coroutine the call returns when the work is done; the event loop goes on meanwhile.
proc hash {i path} {
    try {
        set ::line($i) "[multicore::submit sha256 $path]  $path"
    } on error message {
        set ::line($i) "failed: $message"
    }
    incr ::done
}

set done 0
set paths [lrange $argv 1 end]
foreach path $paths {
    incr n
    coroutine hash$n hash $n $path
}
while {$done < [llength $paths]} {vwait done}
for {set i 1} {$i <= [llength $paths]} {incr i} {puts $line($i)}
