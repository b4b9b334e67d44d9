// Death tests start their children by running this program again: threads of the parent do not matter.
// SPDX-License-Identifier: BSL-1.0
#include <pthread.h>

#include "testing.h"

// The children end with tasks alive, or where no thread can be started: neither suits a leak check at exit.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
// Some tests fork with threads alive, and start others in the child. There the thread sanitizer ignores what
// the forking thread does, its atomics and mutexes, too: what it then says of others is wrong. So those
// children are not checked for races, only for what they do; their parents are.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

static bool forked_child = false;
static const int at_fork = pthread_atfork(nullptr, nullptr, [] { forked_child = true; });

namespace __tsan {
class ReportDesc;
bool OnReport(const ReportDesc*, bool suppressed);
bool OnReport(const ReportDesc*, bool suppressed) { return suppressed || (at_fork == 0 && forked_child); }
}  // namespace __tsan
#endif

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    return RUN_ALL_TESTS();
}
