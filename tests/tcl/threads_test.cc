// Interpreters on threads of a program's, and the end of those threads.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>
#include <tcl.h>

#include <cstdlib>
#include <future>
#include <string>
#include <thread>
#include <utility>
#include <vector>

// Tcl makes its mutexes at first use, behind a look without a lock (Tcl_MutexLock), and is not instrumented:
// what orders the two is not seen.
extern "C" const char* __tsan_default_suppressions() { return "race:Tcl_MutexLock\n"; }

namespace {

class Interp {
public:
    Interp() : interp_(Tcl_CreateInterp()) {
        eval("load " MC_TEST_TCL_PACKAGE " Multicore; load " MC_TEST_TCL_NATIVE " Native");
    }
    ~Interp() {
        if (interp_) Tcl_DeleteInterp(interp_);
    }
    std::string eval(const std::string& script) {
        EXPECT_EQ(TCL_OK, Tcl_EvalEx(interp_, script.c_str(), -1, TCL_EVAL_GLOBAL))
            << Tcl_GetStringResult(interp_);
        return Tcl_GetStringResult(interp_);
    }
    Tcl_Interp* leave_to_thread() { return std::exchange(interp_, nullptr); }

private:
    Tcl_Interp* interp_;
};

// A thread with Tcl, from its first interpreter to its end.
template <typename F>
std::thread tcl_thread(F body) {
    return std::thread([body] {
        body();
        Tcl_FinalizeThread();
    });
}

class TclThreads : public ::testing::Test {
protected:
    static void SetUpTestSuite() { Tcl_FindExecutable(nullptr); }
};

TEST_F(TclThreads, EachHasARuntimeOfItsOwn) {
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i)
        threads.push_back(tcl_thread([i] {
            Interp interp;
            interp.eval(
                "set ended 0; proc f {n i} { for {set k 0} {$k < 50} {incr k} {"
                "    incr ::sum [multicore::submit multiply $n $i] }; incr ::ended }");
            for (int n = 0; n < 20; ++n)
                interp.eval("coroutine co" + std::to_string(n) + " f " + std::to_string(n) + " " +
                            std::to_string(i + 1));
            interp.eval("while {$ended < 20} {vwait ended}");
            EXPECT_EQ(std::to_string(190 * 50 * (i + 1)), interp.eval("set sum"));
        }));
    for (std::thread& thread : threads) thread.join();
}

// Its end waits for work that cannot be told to end, and ends the rest.
TEST_F(TclThreads, AThreadEndsWithJobsAtWork) {
    Interp here;
    here.eval("native::disposed");
    std::promise<void> at_work;  // those that have not begun would never
    std::thread thread = tcl_thread([begun = at_work.get_future().share()] {
        Interp interp;
        interp.eval("proc never args {puts stderr called; exit 3}");
        interp.eval("multicore::submit -command never pass 0 1");
        interp.eval("multicore::submit -command never pass_or_unblock 0 2");
        interp.eval("coroutine co multicore::submit pass_or_unblock 0 3");
        begun.wait();
        interp.eval("for {set i 0} {$i < 50} {incr i} {multicore::submit -command never multiply 1 1}");
    });
    here.eval("native::pass 0; native::pass 0; native::pass 0");
    at_work.set_value();
    here.eval("native::open 1");
    thread.join();
    EXPECT_EQ("53", here.eval("native::disposed"));
}

// Its interpreter is alive when the thread's exit handlers run, as that of tclsh is.
TEST_F(TclThreads, AThreadEndsBeforeItsInterpreter) {
    Interp here;
    here.eval("native::disposed");
    std::thread thread([] {
        Interp interp;
        interp.eval("proc never args {puts stderr called; exit 3}");
        interp.eval("multicore::submit -command never pass_or_unblock 0 1; native::pass 0");
        interp.eval("for {set i 0} {$i < 50} {incr i} {multicore::submit -command never multiply 1 1}");
        Tcl_CreateThreadExitHandler([](ClientData data) { Tcl_DeleteInterp(static_cast<Tcl_Interp*>(data)); },
                                    interp.leave_to_thread());
        Tcl_FinalizeThread();
    });
    thread.join();
    EXPECT_EQ("51", here.eval("native::disposed"));
}

TEST_F(TclThreads, AnInterpreterIsDeletedAndAnotherFollows) {
    for (int i = 0; i < 3; ++i) {
        Interp interp;
        interp.eval("multicore::submit -command {set result} -token t multiply 6 7");
        EXPECT_EQ("job1", interp.eval("set t"));
        interp.eval("coroutine co apply {{} {set ::got [multicore::submit multiply 6 7]}}; vwait got");
        EXPECT_EQ("42", interp.eval("set got"));
    }
}

}  // namespace
