// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Runtime;

TEST(Enable, ReturnsThePreviousValue) {
    Runtime runtime;
    EXPECT_EQ(1, mc_enable(runtime, 0));
    EXPECT_EQ(0, mc_enable(runtime, 0));
    EXPECT_EQ(0, mc_enable(runtime, 42));
    EXPECT_EQ(1, mc_enable(runtime, 1));
}

TEST(Enable, ANegativeNumberOnlyAsks) {
    Runtime runtime;
    EXPECT_EQ(1, mc_enable(runtime, -1));
    EXPECT_EQ(1, mc_enable(runtime, 0));
    EXPECT_EQ(0, mc_enable(runtime, -1));
    EXPECT_EQ(0, mc_enable(runtime, -1));
}

TEST(Enable, IsAskedAtEachRelease) {
    Runtime runtime;
    runtime.run([&] {
        const auto pair = [] {
            mc_release();
            mc_acquire();
        };
        pair();
        mc_enable(runtime, 0);
        pair();
        pair();
        mc_enable(runtime, 1);
        pair();
    });
    EXPECT_EQ(4u, runtime.stats().sections);
    EXPECT_EQ(2u, runtime.stats().sections_inline);
}

TEST(Enable, AnyThreadMay) {
    Runtime runtime;
    runtime.run([&] {
        std::thread([&] { EXPECT_EQ(1, mc_enable(runtime, 0)); }).join();
        EXPECT_EQ(0, mc_enable(runtime, -1));
        mc_release();
        mc_acquire();
    });
    EXPECT_EQ(1u, runtime.stats().sections_inline);
}

}  // namespace
