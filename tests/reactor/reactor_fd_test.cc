// Waiting for file descriptors.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <cerrno>
#include <cstdlib>
#include <deque>
#include <memory>

#include "waiter.h"

namespace mc {
namespace {

struct ReactorFdTest : testing::Test {
    ReactorFdTest() {
        EXPECT_TRUE(role.taken);
        reactor_poll(1);  // answers a kick that another test left
    }
    ~ReactorFdTest() override { EXPECT_EQ(reactor_waits(), 0u); }
    const Role role;
};

TEST_F(ReactorFdTest, Readable) {
    const SocketPair pair;
    Waiter wait(pair.near.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(poll_now(), Fired{});
    pair.send();
    EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{&wait});
    EXPECT_EQ(wait.ready, std::uint32_t{MC_READABLE});
    EXPECT_EQ(poll_now(), Fired{}) << "once";
    ASSERT_EQ(reactor_add(wait), MC_OK) << "and again";
    EXPECT_EQ(poll_now(), Fired{&wait});
}

TEST_F(ReactorFdTest, Writable) {
    const SocketPair pair;
    pair.fill();
    Waiter wait(pair.near.get(), MC_WRITABLE);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(poll_now(), Fired{});
    pair.make_room();
    EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{&wait});
    EXPECT_EQ(wait.ready, std::uint32_t{MC_WRITABLE});
}

TEST_F(ReactorFdTest, EitherDirectionForOneWaiter) {
    const SocketPair pair;
    Waiter wait(pair.near.get(), MC_READABLE | MC_WRITABLE);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(poll_now(), Fired{&wait});
    EXPECT_EQ(wait.ready, std::uint32_t{MC_WRITABLE});
}

TEST_F(ReactorFdTest, TwoWaitersEachGetsItsOwn) {
    const SocketPair pair;
    pair.fill();
    Waiter reader(pair.near.get(), MC_READABLE), writer(pair.near.get(), MC_WRITABLE);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    ASSERT_EQ(reactor_add(writer), MC_OK);
    EXPECT_EQ(poll_now(), Fired{});
    pair.make_room();
    EXPECT_EQ(poll_now(), Fired{&writer});
    EXPECT_EQ(poll_now(), Fired{});
    pair.send();
    EXPECT_EQ(poll_now(), Fired{&reader});
}

TEST_F(ReactorFdTest, TwoReadersBothWakeInOrder) {
    const SocketPair pair;
    Waiter first(pair.near.get(), MC_READABLE), second(pair.near.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(first), MC_OK);
    ASSERT_EQ(reactor_add(second), MC_OK);
    pair.send();
    EXPECT_EQ(poll_now(), (Fired{&first, &second}));
}

TEST_F(ReactorFdTest, AThirdWaiterIsRefused) {
    const SocketPair pair;
    Waiter first(pair.near.get(), MC_READABLE), second(pair.near.get(), MC_READABLE);
    Waiter third(pair.near.get(), MC_WRITABLE, now_ns() + kHour);
    ASSERT_EQ(reactor_add(first), MC_OK);
    ASSERT_EQ(reactor_add(second), MC_OK);
    EXPECT_EQ(reactor_add(third), MC_EBUSY);
    EXPECT_EQ(reactor_waits(), 2u);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
    reactor_cancel(first);
    EXPECT_EQ(reactor_add(third), MC_OK);
    EXPECT_EQ(poll_now(), Fired{&third});
}

TEST_F(ReactorFdTest, CancelDisarmsTheFd) {
    const SocketPair pair;
    Waiter first(pair.near.get(), MC_READABLE), second(pair.near.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(first), MC_OK);
    ASSERT_EQ(reactor_add(second), MC_OK);
    reactor_cancel(first);
    reactor_cancel(first);
    pair.send();
    EXPECT_EQ(poll_now(), Fired{&second});
    EXPECT_EQ(first.claims, 0);
    ASSERT_EQ(reactor_add(second), MC_OK);
    reactor_cancel(second);
    EXPECT_EQ(poll_now(), Fired{});
}

TEST_F(ReactorFdTest, ARefusedClaimLeavesTheOtherWaiterArmed) {
    const SocketPair pair;
    Waiter refused(pair.near.get(), MC_READABLE), writer(pair.near.get(), MC_WRITABLE);
    refused.accepts = false;
    pair.fill();
    ASSERT_EQ(reactor_add(refused), MC_OK);
    ASSERT_EQ(reactor_add(writer), MC_OK);
    pair.send();
    EXPECT_EQ(poll_now(), Fired{});
    EXPECT_EQ(refused.claims, 1);
    pair.make_room();
    EXPECT_EQ(poll_now(), Fired{&writer});
}

TEST_F(ReactorFdTest, TheDeadlineEndsTheWait) {
    const SocketPair pair;
    Waiter wait(pair.near.get(), MC_READABLE, now_ns() + 100'000);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{&wait});
    EXPECT_EQ(wait.ready, 0u);
    pair.send();
    EXPECT_EQ(poll_now(), Fired{});
    EXPECT_EQ(wait.claims, 1);
}

TEST_F(ReactorFdTest, ReadyAndOverIsReady) {
    const SocketPair pair;
    pair.send();
    Waiter wait(pair.near.get(), MC_READABLE, 1);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    EXPECT_EQ(poll_now(), Fired{&wait});
    EXPECT_EQ(wait.ready, std::uint32_t{MC_READABLE});
    EXPECT_EQ(wait.claims, 1);
}

TEST_F(ReactorFdTest, HangupMakesBothDirectionsReady) {
    SocketPair pair;
    pair.fill();
    Waiter reader(pair.near.get(), MC_READABLE), writer(pair.near.get(), MC_WRITABLE);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    ASSERT_EQ(reactor_add(writer), MC_OK);
    pair.far.close();
    EXPECT_EQ(poll_now(), (Fired{&reader, &writer}));
    EXPECT_EQ(reader.ready, std::uint32_t{MC_READABLE});
    EXPECT_EQ(writer.ready, std::uint32_t{MC_WRITABLE});
}

// The kernel says only that in a pipe: not readable, not writable.
TEST_F(ReactorFdTest, ABareHangupMakesAReaderReady) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const Fd in(ends[0]);
    Fd out(ends[1]);
    Waiter reader(in.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    EXPECT_EQ(poll_now(), Fired{});
    out.close();
    EXPECT_EQ(poll_now(), Fired{&reader});
    EXPECT_EQ(reader.ready, std::uint32_t{MC_READABLE});
}

TEST_F(ReactorFdTest, ABareErrorMakesAWriterReady) {
    int ends[2];
    ASSERT_EQ(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    Fd in(ends[0]);
    const Fd out(ends[1]);
    const std::vector<char> block(1 << 16);
    while (write(out.get(), block.data(), block.size()) > 0) {
    }
    Waiter writer(out.get(), MC_WRITABLE);
    ASSERT_EQ(reactor_add(writer), MC_OK);
    EXPECT_EQ(poll_now(), Fired{});
    in.close();
    EXPECT_EQ(poll_now(), Fired{&writer});
}

TEST_F(ReactorFdTest, ARegularFileIsReadyAtOnce) {
    char path[] = "/tmp/multicore_reactor_XXXXXX";
    const Fd file(mkstemp(path));
    ASSERT_GE(file.get(), 0);
    unlink(path);
    Waiter wait(file.get(), MC_READABLE | MC_WRITABLE, now_ns() + kHour);
    EXPECT_EQ(reactor_add(wait), MC_EAGAIN);
    EXPECT_EQ(wait.ready, std::uint32_t{MC_READABLE | MC_WRITABLE});
    EXPECT_EQ(reactor_waits(), 0u);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
}

TEST_F(ReactorFdTest, AClosedFdIsRefused) {
    SocketPair pair;
    const int fd = pair.near.get();
    pair.near.close();
    Waiter wait(fd, MC_READABLE, now_ns() + kHour), high(1 << 28, MC_READABLE);
    EXPECT_EQ(reactor_add(wait), MC_EINVAL);
    EXPECT_EQ(reactor_add(high), MC_EINVAL);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
}

TEST_F(ReactorFdTest, AnFdClosedMeanwhileCanBeWaitedForUnderItsNewFile) {
    SocketPair old;
    const int fd = old.near.get();
    Waiter stray(fd, MC_READABLE, 1), forgotten(fd, MC_READABLE);
    ASSERT_EQ(reactor_add(stray), MC_OK);
    ASSERT_EQ(reactor_add(forgotten), MC_OK);
    const SocketPair fresh;
    ASSERT_EQ(dup2(fresh.near.get(), fd), fd);
    Waiter wait(fd, MC_READABLE);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    fresh.send();
    EXPECT_EQ(poll_now(), (Fired{&wait, &stray}));
    EXPECT_EQ(stray.ready, 0u) << "its deadline has ended it";
    reactor_cancel(forgotten);
    EXPECT_EQ(forgotten.claims, 0);
}

TEST_F(ReactorFdTest, WithoutRoomInTheKernelAddFailsAndChangesNothing) {
    const SocketPair pair;
    Waiter wait(pair.near.get(), MC_READABLE, now_ns() + kHour);
    fault_fail_next(Fault::epoll, 0, 1);
    EXPECT_EQ(reactor_add(wait), MC_ENOMEM);
    EXPECT_EQ(reactor_waits(), 0u);
    EXPECT_EQ(reactor_next_deadline(), UINT64_MAX);
    ASSERT_EQ(reactor_add(wait), MC_OK);
    pair.send();
    EXPECT_EQ(poll_now(), Fired{&wait});
}

TEST_F(ReactorFdTest, MoreReadyFdsThanOneBatch) {
    constexpr std::size_t kFds = 400;
    std::deque<Fd> fds;
    std::deque<Waiter> waits;
    for (std::size_t i = 0; i < kFds; ++i) {
        fds.emplace_back(eventfd(1, EFD_CLOEXEC));
        ASSERT_GE(fds.back().get(), 0);
        ASSERT_EQ(reactor_add(waits.emplace_back(fds.back().get(), MC_READABLE)), MC_OK);
    }
    std::size_t fired = 0;
    while (reactor_waits() != 0) {
        const Fired batch = listed(reactor_poll(UINT64_MAX));
        ASSERT_FALSE(batch.empty());
        fired += batch.size();
    }
    EXPECT_EQ(fired, kFds);
    for (const Waiter& wait : waits) EXPECT_EQ(wait.claims, 1);
}

}  // namespace
}  // namespace mc
