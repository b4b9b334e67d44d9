# multicore::submit in coroutines: as if it returned when the work is done. SPDX-License-Identifier: BSL-1.0
source [file join [file dirname [info script]] check.tcl]

test "the value of the call is the result" {
    coroutine co apply {{} {set ::sum [expr {[multicore::submit multiply 2 3] + [multicore::submit multiply 4 5]}]}}
    eq [info exists sum] 0
    vwait sum
    eq $sum 26
    eq [info commands co] {}
    eq [native::disposed] 2
}

test "an error is raised there, and can be caught" {
    coroutine co apply {{} {
        catch {multicore::submit fail 1 1} ::message ::options
        set ::caught [multicore::submit multiply 1 9]
    }}
    vwait caught
    eq $message {failed in finish}
    eq [dict get $options -errorcode] {NATIVE FAILED}
    eq $caught 9
}

test "one that nobody catches is a background error" {
    coroutine co apply {{} {multicore::submit fail 1 1}}
    until {[llength $::check::background] == 1}
    eq $check::background {{failed in finish}}
    set check::background {}
}

test "many coroutines, each with jobs of its own" {
    set ended 0
    for {set i 0} {$i < 50} {incr i} {
        coroutine co$i apply {i {
            for {set n 0} {$n < 20} {incr n} {incr ::total [multicore::submit multiply $i $n]}
            incr ::ended
        }} $i
    }
    until {$::ended == 50}
    eq $total 232750
}

test "in a procedure of a procedure, in a namespace, and renamed meanwhile" {
    namespace eval inner {
        proc square {n} {multicore::submit multiply $n $n}
        proc both {a b} {list [square $a] [square $b]}
        coroutine co apply {{} {set ::both [::inner::both 3 4]}}
    }
    rename inner::co moved
    vwait both
    eq $both {9 16}
}

test "resumed by others, it goes on waiting" {
    coroutine co apply {{} {set ::passed [multicore::submit pass 0 1]}}
    native::pass 0
    co
    co
    eq [info exists passed] 0
    native::open 1
    vwait passed
    eq $passed 1
}

# Some of the callbacks come between the end of its job and its own turn.
test "resumed by others after the end, the result is there already" {
    native::disposed
    set poked 0
    proc poke args {
        if {[info commands ::co] ne ""} co
        incr ::poked
    }
    for {set i 0} {$i < 50} {incr i} {multicore::submit -command poke multiply 1 1}
    coroutine co apply {{} {set ::early [multicore::submit multiply 5 5]}}
    for {set i 0} {$i < 50} {incr i} {multicore::submit -command poke multiply 1 1}
    set freed 0
    until {[incr ::freed [native::disposed]] == 101}
    eq $early 25
    eq $poked 100
    eq [multicore::jobs] {}
}

test "deleted while it waits: the job is cancelled, and freed" {
    native::disposed
    coroutine co apply {{} {multicore::submit pass_or_unblock 0 2; set ::went_on 1}}
    native::pass 0
    rename co {}
    eq [multicore::jobs] {}
    until {[native::disposed] == 1}
    eq [info exists went_on] 0
}

test "deleted while it waits for what cannot be unblocked" {
    native::disposed
    coroutine co apply {{} {
        try {multicore::submit pass 0 3} on ok {} {set ::went_on 1}
    }}
    native::pass 0
    rename co {}
    native::open 3
    until {[native::disposed] == 1}
    eq [info exists went_on] 0
    eq $check::background {}
}

test "cancelled by its token" {
    coroutine co apply {{} {catch {multicore::submit -token ::token pass_or_unblock 0 4} message ::options; set ::over 1}}
    native::pass 0
    eq [multicore::cancel $token] 1
    vwait over
    eq [lindex [dict get $options -errorcode] 1] MC_ECANCELED
}

test "where the C stack is busy it cannot wait, and says so" {
    native::disposed
    coroutine co apply {{} {catch {lsort -command {apply {{a b} {multicore::submit multiply 1 1}}} {2 1}} ::message}}
    eq $message {cannot yield: C stack busy}
    until {[native::disposed] == 1}
    eq [multicore::jobs] {}
}

done
