# Several interpreters in a process, and their end with jobs at work. SPDX-License-Identifier: BSL-1.0
source [file join [file dirname [info script]] check.tcl]

proc child {} {
    set child [interp create]
    $child eval [list set auto_path $::auto_path]
    $child eval {package require multicore}
    $child eval [list load $::env(MULTICORE_TCL_NATIVE) Native]
    return $child
}

test "each has functions, tokens and callbacks of its own" {
    set one [child]
    set two [child]
    foreach i [list $one $two] {
        eq [$i eval {multicore::submit -command {apply {{result options} {set ::got $result}}} multiply 6 7}] job1
        eq [$i eval {multicore::jobs}] job1
    }
    eq [multicore::jobs] {}
    until {[$::one eval {info exists got}] && [$::two eval {info exists got}]}
    eq [$one eval {set got}] 42
    interp delete $one
    interp delete $two
}

test "deleted with jobs at work, waiting, over, and in coroutines" {
    native::disposed
    set child [child]
    $child eval {
        proc never args {error "called"}
        multicore::submit -command never pass 0 1
        multicore::submit -command never pass_or_unblock 0 2
        multicore::submit -command never multiply 1 2
        coroutine co apply {{} {multicore::submit pass 0 3}}
        for {set i 0} {$i < 100} {incr i} {multicore::submit -command never multiply 1 2}
    }
    foreach i {1 2 3} {native::pass 0}
    interp delete $child
    native::open 1
    native::open 3
    set freed 0
    until {[incr ::freed [native::disposed]] == 104}
    eq $check::background {}
}

test "deleted by its own callback, and by its own coroutine" {
    native::disposed
    set child [child]
    interp alias $child kill {} interp delete $child
    $child eval {
        multicore::submit -command {apply {args kill}} multiply 1 2
        multicore::submit -command {apply {args kill}} multiply 1 2
    }
    until {![interp exists $::child]}
    set child [child]
    interp alias $child kill {} interp delete $child
    $child eval {coroutine co apply {{} {multicore::submit multiply 1 2; kill; multicore::submit multiply 1 2}}}
    until {![interp exists $::child]}
    set freed 0
    until {[incr ::freed [native::disposed]] >= 3}
    eq $check::background {}
}

test "its errors are its own" {
    set child [child]
    $child eval {
        interp bgerror {} {apply {{message options} {set ::background $message}}}
        multicore::submit -command {error mine} multiply 1 2
    }
    until {[$::child eval {info exists background}]}
    eq [$child eval {set background}] mine
    interp delete $child
    eq $check::background {}
}

# Jobs at work when the process ends: nothing is waited for.
test "exit does not wait" {
    set script [open [set path [file join [pwd] exit_[pid].tcl]] w]
    puts $script [list set env(MULTICORE_TCL_PATH) $env(MULTICORE_TCL_PATH)]
    puts $script [list source [file join [file dirname [file normalize [info script]]] check.tcl]]
    puts $script {
        multicore::submit -command {error never} pass 0 1
        native::pass 0
        exit 7
    }
    close $script
    catch {exec [info nameofexecutable] $path 2>@1} output options
    file delete $path
    eq [lindex [dict get $options -errorcode] 2] 7
    eq $output "child process exited abnormally"
}

done
