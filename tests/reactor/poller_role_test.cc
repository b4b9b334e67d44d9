// SPDX-License-Identifier: BSL-1.0
#include "reactor/poller_role.h"

#include <gtest/gtest.h>

#include <thread>

namespace mc {
namespace {

TEST(PollerRole, IsForOne) {
    PollerRole role;
    EXPECT_FALSE(role.taken());
    EXPECT_TRUE(role.take());
    EXPECT_TRUE(role.taken());
    EXPECT_FALSE(role.take());
    role.drop();
    EXPECT_FALSE(role.taken());
    EXPECT_TRUE(role.take());
}

TEST(PollerRole, ExcludesThreads) {
    PollerRole role;
    int counter = 0;  // guarded by the role
    const auto count = [&] {
        for (int done = 0; done < 20'000;) {
            if (!role.take()) continue;
            ++counter;
            ++done;
            role.drop();
        }
    };
    std::thread other(count);
    count();
    other.join();
    EXPECT_EQ(counter, 40'000);
}

TEST(PollerRole, KickTellsHowToWake) {
    PollerRole role;
    ASSERT_TRUE(role.take());
    ASSERT_TRUE(role.fall_asleep(PollerRole::kInEpoll));
    EXPECT_EQ(role.kick(), PollerRole::kInEpoll);
    EXPECT_EQ(role.kick(), PollerRole::kAwake) << "the first kick wakes";
    role.wake_up();
    ASSERT_TRUE(role.fall_asleep(PollerRole::kInFutex));
    EXPECT_EQ(role.kick(), PollerRole::kInFutex);
}

TEST(PollerRole, KickBeforeTheSleepPreventsIt) {
    PollerRole role;
    ASSERT_TRUE(role.take());
    EXPECT_EQ(role.kick(), PollerRole::kAwake);
    EXPECT_FALSE(role.fall_asleep(PollerRole::kInFutex));
    EXPECT_TRUE(role.fall_asleep(PollerRole::kInFutex)) << "answered once";
}

TEST(PollerRole, KickWithoutAPollerMeetsTheNextOne) {
    PollerRole role;
    EXPECT_EQ(role.kick(), PollerRole::kAwake);
    ASSERT_TRUE(role.take());
    role.drop();
    ASSERT_TRUE(role.take());
    EXPECT_FALSE(role.fall_asleep(PollerRole::kInEpoll));
}

TEST(PollerRole, KickBetweenTheAnnouncementAndTheFutexIsNotLost) {
    PollerRole role;
    ASSERT_TRUE(role.take());
    ASSERT_TRUE(role.fall_asleep(PollerRole::kInFutex));
    EXPECT_EQ(role.kick(), PollerRole::kInFutex);
    role.wake_futex();                // nobody is there yet
    role.sleep_in_futex(UINT64_MAX);  // returns
}

TEST(PollerRole, ResetForgetsAll) {
    PollerRole role;
    ASSERT_TRUE(role.take());
    role.kick();
    role.reset();
    EXPECT_FALSE(role.taken());
    ASSERT_TRUE(role.take());
    EXPECT_TRUE(role.fall_asleep(PollerRole::kInEpoll));
}

}  // namespace
}  // namespace mc
