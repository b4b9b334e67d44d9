# The test programs' harness: named tests, each of which must pass; a line each, then the count.
# SPDX-License-Identifier: BSL-1.0
lappend auto_path {*}[split $env(MULTICORE_TCL_PATH) :]
package require multicore
load $env(MULTICORE_TCL_NATIVE) Native

namespace eval check {
    variable passed 0 failed 0
    variable background {} ;# errors that reached bgerror
}

interp bgerror {} {apply {{message options} {lappend ::check::background $message}}}

proc test {name body} {
    if {[catch {uplevel #0 $body} message options]} {
        incr ::check::failed
        puts "FAILED  $name\n[dict get $options -errorinfo]"
    } else {
        incr ::check::passed
        puts "ok      $name"
    }
    flush stdout
}

proc eq {got wanted} {
    if {$got ne $wanted} {error "got \"$got\", wanted \"$wanted\""}
}

# The body must raise an error like the pattern (glob), with an errorCode like the other.
proc raises {pattern code body} {
    if {![catch {uplevel 1 $body} message options]} {error "raised nothing, wanted \"$pattern\""}
    if {![string match $pattern $message]} {error "raised \"$message\", wanted \"$pattern\""}
    if {![string match $code [dict get $options -errorcode]]} {
        error "errorcode \"[dict get $options -errorcode]\", wanted \"$code\""
    }
}

# Enters the event loop until the condition holds.
proc until {condition} {
    while {![uplevel 1 [list expr $condition]]} {vwait ::check::tick}
}
proc check::tock {} {
    incr ::check::tick
    after 1 check::tock
}
check::tock

proc done {} {
    puts "$::check::passed passed, $::check::failed failed"
    exit [expr {$::check::failed > 0 || $::check::passed == 0}]
}
