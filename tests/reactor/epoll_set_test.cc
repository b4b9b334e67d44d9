// SPDX-License-Identifier: BSL-1.0
#include "reactor/epoll_set.h"

#include <gtest/gtest.h>

#include <cerrno>

#include "waiter.h"

namespace mc {
namespace {

struct EpollSetTest : testing::Test {
    EpollSetTest() { EXPECT_EQ(set.open(), 0); }
    ~EpollSetTest() override { set.close(); }
    EpollSet set;
    const SocketPair pair;
};

TEST(EpollSetOpen, LeavesNoDescriptorBehind) {
    const std::set<int> before = open_descriptors();
    EpollSet set;
    for (unsigned step = 0; step < 3; ++step) {
        fault_fail_next(Fault::epoll, step, 1);
        EXPECT_NE(set.open(), 0) << step;
        EXPECT_FALSE(set.is_open());
        EXPECT_EQ(open_descriptors(), before) << step;
    }
    EXPECT_EQ(set.open(), 0);
    EXPECT_TRUE(set.is_open());
    EXPECT_EQ(open_descriptors().size(), before.size() + 2);
    set.close();
    EXPECT_EQ(open_descriptors(), before);
}

std::vector<int> descriptors_of(const EpollSet& set) {
    std::vector<int> fds;
    for (int fd = 0; fd < 256; ++fd) {
        if (set.owns(fd)) fds.push_back(fd);
    }
    return fds;
}

TEST(EpollSetOpen, DescriptorsDoNotSurviveExec) {
    EpollSet set;
    EXPECT_EQ(descriptors_of(set).size(), 0u);
    ASSERT_EQ(set.open(), 0);
    const std::vector<int> fds = descriptors_of(set);
    EXPECT_EQ(fds.size(), 2u);
    for (const int fd : fds) EXPECT_EQ(fcntl(fd, F_GETFD), FD_CLOEXEC);
    set.close();
    EXPECT_EQ(descriptors_of(set).size(), 0u);
}

TEST_F(EpollSetTest, ReportsWhatIsReadyOnce) {
    ASSERT_EQ(set.insert(pair.near.get(), MC_READABLE | MC_WRITABLE, 17), 0);
    ASSERT_EQ(set.wait(UINT64_MAX), 1);
    EXPECT_EQ(set.event(0).fd, pair.near.get());
    EXPECT_EQ(set.event(0).arming, 17u);
    EXPECT_EQ(set.event(0).ready, std::uint32_t{MC_WRITABLE});
    EXPECT_EQ(set.wait(0), 0);
    pair.send();
    EXPECT_EQ(set.wait(0), 0);
    ASSERT_EQ(set.modify(pair.near.get(), MC_READABLE, 18), 0);
    ASSERT_EQ(set.wait(UINT64_MAX), 1);
    EXPECT_EQ(set.event(0).arming, 18u);
    EXPECT_EQ(set.event(0).ready, std::uint32_t{MC_READABLE});
}

TEST_F(EpollSetTest, SaysWhyNot) {
    EXPECT_EQ(set.modify(pair.near.get(), MC_READABLE, 1), ENOENT);
    EXPECT_EQ(set.insert(-1, MC_READABLE, 1), EBADF);
    fault_fail_next(Fault::epoll, 0, 1);
    EXPECT_EQ(set.insert(pair.near.get(), MC_READABLE, 1), ENOSPC);
    EXPECT_EQ(set.insert(pair.near.get(), MC_READABLE, 1), 0);
    EXPECT_EQ(set.insert(pair.near.get(), MC_READABLE, 1), EEXIST);
    set.remove(pair.near.get());
    EXPECT_EQ(set.insert(pair.near.get(), MC_READABLE, 1), 0);
}

TEST_F(EpollSetTest, EveryKickEndsOneWait) {
    for (int round = 0; round < 3; ++round) {
        errno = 77;
        set.kick();
        EXPECT_EQ(errno, 77);
        ASSERT_EQ(set.wait(UINT64_MAX), 1);
        EXPECT_EQ(set.event(0).fd, -1);
        EXPECT_EQ(set.wait(0), 0);
    }
}

TEST_F(EpollSetTest, NeverReturnsEarly) {
    for (int round = 0; round < 20; ++round) {
        const std::uint64_t until = now_ns() + 300'000;
        EXPECT_EQ(set.wait(until), 0);
        EXPECT_GE(now_ns(), until);
    }
    EXPECT_EQ(set.wait(now_ns() - 1), 0);
}

TEST(EpollSetLost, IsNoticed) {
    EpollSet set;
    ASSERT_EQ(set.open(), 0);
    for (const int fd : descriptors_of(set)) close(fd);
    EXPECT_EQ(set.wait(0), EpollSet::kLost);
    set.forget();
    EXPECT_FALSE(set.is_open());
}

}  // namespace
}  // namespace mc
