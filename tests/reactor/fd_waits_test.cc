// The orders of events that need two threads in the reactor, one step at a time.
// SPDX-License-Identifier: BSL-1.0
#include "reactor/fd_waits.h"

#include <gtest/gtest.h>

#include "waiter.h"

namespace mc {
namespace {

struct FdWaitsTest : testing::Test {
    ~FdWaitsTest() override {
        if (waits.is_open()) waits.lose(true);
    }
    Fired fire(int events) {
        Fired fired;
        waits.fire(events, [&](ReactorWait& wait) { fired.push_back(&wait); });
        return fired;
    }
    Fired poll() { return fire(waits.wait(0)); }

    FdWaits waits;
    SocketPair pair;
};

TEST_F(FdWaitsTest, AnEventTakenBeforeTheWaitCameDoesNotEndIt) {
    Waiter first(pair.near.get(), MC_READABLE), second(pair.near.get(), MC_READABLE);
    ASSERT_EQ(waits.add(first), MC_OK);
    pair.send();
    const int events = waits.wait(0);
    ASSERT_EQ(events, 1);
    waits.remove(first);
    pair.drain();
    ASSERT_EQ(waits.add(second), MC_OK);
    EXPECT_EQ(fire(events), Fired{});
    EXPECT_EQ(poll(), Fired{});
    pair.send();
    EXPECT_EQ(poll(), Fired{&second});
    EXPECT_EQ(waits.size(), 0u);
}

TEST_F(FdWaitsTest, AnEventDroppedForARearmingComesAgain) {
    Waiter reader(pair.near.get(), MC_READABLE), writer(pair.near.get(), MC_WRITABLE);
    pair.fill();
    ASSERT_EQ(waits.add(reader), MC_OK);
    ASSERT_EQ(waits.add(writer), MC_OK);
    pair.send();
    const int events = waits.wait(0);
    ASSERT_EQ(events, 1);
    waits.remove(writer);
    EXPECT_EQ(fire(events), Fired{});
    EXPECT_EQ(poll(), Fired{&reader});
    EXPECT_EQ(reader.ready, std::uint32_t{MC_READABLE});
}

TEST_F(FdWaitsTest, AnEventForNobodyIsDropped) {
    Waiter reader(pair.near.get(), MC_READABLE);
    ASSERT_EQ(waits.add(reader), MC_OK);
    pair.send();
    const int events = waits.wait(0);
    ASSERT_EQ(events, 1);
    waits.remove(reader);
    EXPECT_EQ(fire(events), Fired{});
    EXPECT_EQ(poll(), Fired{});
}

TEST_F(FdWaitsTest, TheOtherWaitIsRearmedAfterAnEvent) {
    Waiter reader(pair.near.get(), MC_READABLE), writer(pair.near.get(), MC_WRITABLE);
    ASSERT_EQ(waits.add(reader), MC_OK);
    ASSERT_EQ(waits.add(writer), MC_OK);
    EXPECT_EQ(poll(), Fired{&writer});
    EXPECT_EQ(poll(), Fired{});
    pair.send();
    EXPECT_EQ(poll(), Fired{&reader});
}

TEST_F(FdWaitsTest, WaitsForAFileThatWentAwayBecomeStrays) {
    const int fd = pair.near.get();
    Waiter first(fd, MC_READABLE), second(fd, MC_READABLE);
    ASSERT_EQ(waits.add(first), MC_OK);
    ASSERT_EQ(waits.add(second), MC_OK);
    SocketPair other;
    ASSERT_EQ(dup2(other.near.get(), fd), fd);
    Waiter third(fd, MC_READABLE);
    ASSERT_EQ(waits.add(third), MC_OK);
    EXPECT_EQ(waits.size(), 1u);
    other.send();
    EXPECT_EQ(poll(), Fired{&third});
    waits.remove(first);
    waits.remove(second);
    EXPECT_EQ(waits.size(), 0u);
}

TEST_F(FdWaitsTest, AFileThatLivesOnUnderAnotherNumberDoesNotEndANewWait) {
    const int fd = pair.near.get();
    const Fd elsewhere(dup(fd));
    Waiter old(fd, MC_READABLE);
    ASSERT_EQ(waits.add(old), MC_OK);
    SocketPair other;
    ASSERT_EQ(dup2(other.near.get(), fd), fd);  // the kernel keeps the interest in the old file
    Waiter fresh(fd, MC_READABLE);
    ASSERT_EQ(waits.add(fresh), MC_OK);
    pair.send();
    EXPECT_EQ(poll(), Fired{});
    other.send();
    EXPECT_EQ(poll(), Fired{&fresh});
    waits.remove(old);
}

TEST_F(FdWaitsTest, ANumberThatComesBackToItsFileWorks) {
    const int fd = pair.near.get();
    const Fd elsewhere(dup(fd));
    Waiter old(fd, MC_READABLE);
    ASSERT_EQ(waits.add(old), MC_OK);
    close(fd);
    waits.remove(old);  // cannot reach the kernel's interest
    ASSERT_EQ(dup2(elsewhere.get(), fd), fd);
    Waiter fresh(fd, MC_READABLE);
    ASSERT_EQ(waits.add(fresh), MC_OK);
    pair.send();
    EXPECT_EQ(poll(), Fired{&fresh});
}

TEST_F(FdWaitsTest, CancellingOneOfTwoOnAClosedFdLeavesAStray) {
    Waiter first(pair.near.get(), MC_READABLE), second(pair.near.get(), MC_WRITABLE);
    pair.fill();
    ASSERT_EQ(waits.add(first), MC_OK);
    ASSERT_EQ(waits.add(second), MC_OK);
    pair.near.close();
    waits.remove(first);
    EXPECT_EQ(waits.size(), 0u);
    waits.remove(second);
    EXPECT_EQ(waits.size(), 0u);
}

TEST_F(FdWaitsTest, AFailedAddChangesNothing) {
    Waiter first(pair.near.get(), MC_READABLE);
    fault_fail_next(Fault::memory, 0, 1);
    EXPECT_EQ(waits.add(first), MC_ENOMEM);
    fault_fail_next(Fault::epoll, 0, 1);
    EXPECT_EQ(waits.add(first), MC_ENOMEM);
    EXPECT_EQ(waits.size(), 0u);
    ASSERT_EQ(waits.add(first), MC_OK);
    pair.send();
    EXPECT_EQ(poll(), Fired{&first});
}

TEST_F(FdWaitsTest, ALostSetIsMadeAnewWithItsWaits) {
    Waiter reader(pair.near.get(), MC_READABLE), gone(pair.far.get(), MC_READABLE);
    ASSERT_EQ(waits.add(reader), MC_OK);
    ASSERT_EQ(waits.add(gone), MC_OK);
    pair.send();
    waits.lose(true);
    EXPECT_FALSE(waits.is_open());
    EXPECT_EQ(waits.size(), 2u);
    for (unsigned step = 0; step < 5; ++step) {  // three calls to open, then one for each fd
        fault_fail_next(Fault::epoll, step, 1);
        EXPECT_FALSE(waits.open()) << step;
        EXPECT_EQ(waits.size(), 2u);
    }
    pair.far.close();  // the set gets its number
    ASSERT_TRUE(waits.open());
    EXPECT_EQ(waits.size(), 1u);
    EXPECT_EQ(poll(), Fired{&reader});
}

TEST_F(FdWaitsTest, DescriptorsOfTheSetItselfAreRefused) {
    ASSERT_TRUE(waits.open());
    int refused = 0;
    for (int fd = 0; fd < 256; ++fd) {
        if (fcntl(fd, F_GETFD) < 0) continue;
        Waiter wait(fd, MC_READABLE);
        const mc_status status = waits.add(wait);
        if (status == MC_EINVAL) ++refused;
        if (status == MC_OK) waits.remove(wait);
    }
    EXPECT_EQ(refused, 2);
}

}  // namespace
}  // namespace mc
