# multicore::submit with a callback. SPDX-License-Identifier: BSL-1.0
source [file join [file dirname [info script]] check.tcl]

proc keep {name result options} {
    lappend ::kept($name) $result
    set ::options($name) $options
}

test "the result comes to the callback, from the event loop" {
    set token [multicore::submit -command {keep a} multiply 6 7]
    eq $token job1
    eq [multicore::jobs] job1
    eq [info exists kept(a)] 0
    vwait kept(a)
    eq $kept(a) 42
    eq [dict get $options(a) -code] 0
    eq [multicore::jobs] {}
    eq [native::disposed] 1
}

test "many at once" {
    set kept(many) {}
    for {set i 0} {$i < 1000} {incr i} {multicore::submit -command {keep many} multiply $i 2}
    until {[llength $::kept(many)] == 1000}
    eq [tcl::mathop::+ {*}$kept(many)] 999000
    eq [native::disposed] 1000
}

test "jobs run beside each other, and timers and the script beside them" {
    multicore::submit -command {keep first} pass 0 1
    multicore::submit -command {keep second} pass 0 2
    native::pass 0
    native::pass 0
    after 0 {set timer 1}
    vwait timer
    eq [lsort [multicore::jobs]] [lsort {job1002 job1003}]
    native::open 2
    vwait kept(second)
    eq [info exists kept(first)] 0
    native::open 1
    vwait kept(first)
}

test "update serves the end of jobs" {
    multicore::submit -command {keep update} multiply 2 3
    while {![info exists kept(update)]} {update}
    eq $kept(update) 6
}

test "a callback may enter the event loop" {
    proc nested {result options} {
        multicore::submit -command {keep inner} multiply $result 10
        vwait ::kept(inner)
        set ::nested done
    }
    multicore::submit -command nested multiply 3 4
    vwait nested
    eq $kept(inner) 120
}

test "an error of finish comes with its options" {
    multicore::submit -command {keep error} fail 1 1
    vwait kept(error)
    eq $kept(error) {{failed in finish}}
    eq [dict get $options(error) -code] 1
    eq [dict get $options(error) -errorcode] {NATIVE FAILED}
    raises "failed in finish" {NATIVE FAILED} {return -options $::options(error) [lindex $::kept(error) 0]}
}

test "a callback that fails is a background error" {
    multicore::submit -command {error mine} multiply 1 1
    until {[llength $::check::background] == 1}
    eq $check::background mine
    set check::background {}
    multicore::submit -command {no such command} multiply 1 1
    until {[llength $::check::background] == 1}
    eq [lindex $check::background 0] {invalid command name "no"}
    set check::background {}
}

test "cancel: one that can be unblocked, one that cannot, one that is over" {
    set token [multicore::submit -command {keep unblocked} pass_or_unblock 0 3]
    native::pass 0
    eq [multicore::cancel $token] 1
    vwait kept(unblocked)
    eq [dict get $options(unblocked) -errorcode] {MULTICORE MC_ECANCELED {cancelled, stopped or past its deadline}}
    eq [multicore::cancel $token] 0

    set token [multicore::submit -command {keep blocked} pass 0 4]
    native::pass 0
    eq [multicore::cancel $token] 0
    native::open 4
    vwait kept(blocked)
    eq $kept(blocked) 4
    eq [multicore::cancel "no token"] 0
}

test "-timeout" {
    multicore::submit -command {keep late} -timeout 2 pass_or_unblock 0 5
    vwait kept(late)
    eq [lindex [dict get $options(late) -errorcode] 1] MC_ETIMEDOUT
}

test "-token" {
    set token [multicore::submit -command {keep token} -token variable multiply 1 1]
    eq $variable $token
    vwait kept(token)
    set kept(never) {}
    raises "can't set*" * {multicore::submit -command {keep never} -token kept multiply 1 1}
    eq [multicore::jobs] {}
    eq $kept(never) {}
}

test "mistakes are errors of the call" {
    raises "wrong # args*" {TCL WRONGARGS} {multicore::submit}
    raises "wrong # args*" {TCL WRONGARGS} {multicore::submit -command x}
    raises {bad option "-x"*} * {multicore::submit -x y}
    raises "submit: -token needs a value" * {multicore::submit -token}
    raises "submit: no function \"nosuch\"*" {TCL LOOKUP *} {multicore::submit -command x -- nosuch}
    raises "wanted 2 numbers, not 1" * {multicore::submit -command x multiply 1}
    raises "expected integer*" * {multicore::submit -command x multiply 1 y}
    raises "submit: -timeout must be*" * {multicore::submit -command x -timeout 0 multiply 1 1}
    raises "*unmatched*" * {multicore::submit -command "a \"b" multiply 1 1}
    raises "submit: only a coroutine*" {MULTICORE MC_EPERM *} {multicore::submit multiply 1 1}
    eq [multicore::jobs] {}
    eq [lsort [multicore::functions]] {fail multiply pass pass_or_unblock}
}

done
