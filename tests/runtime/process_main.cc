// Death tests start their children by running this program again: threads of the parent do not matter.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

// The children end with tasks alive, or where no thread can be started: neither suits a leak check at exit.
extern "C" const char* __asan_default_options() { return "detect_leaks=0"; }

// Some tests fork with threads alive, and start others in the child.
extern "C" const char* __tsan_default_options() { return "die_after_fork=0"; }

int main(int argc, char** argv) {
    ::testing::InitGoogleTest(&argc, argv);
    GTEST_FLAG_SET(death_test_style, "threadsafe");
    return RUN_ALL_TESTS();
}
