// What needs a process of its own: fork, a used-up descriptor table, a kernel without epoll_pwait2.
// SPDX-License-Identifier: BSL-1.0
#include <gtest/gtest.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include <cerrno>
#include <cstddef>
#include <functional>
#include <set>

#include "waiter.h"

namespace mc {
namespace {

#define MC_CHECK(condition)                \
    do {                                   \
        if (!(condition)) return __LINE__; \
    } while (0)

// Runs body in a forked child and returns what it returned: 0 or the line of its first failure. -1: it
// died. The child kills itself at the end: a leak checker would miss what only its lost threads knew.
int in_child(const std::function<int()>& body) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    const pid_t child = fork();  // the library's handlers see to the reactor
    if (child == 0) {
        alarm(60);
        const int result = body();
        if (write(ends[1], &result, sizeof result) == sizeof result) raise(SIGKILL);
        _exit(1);
    }
    ::close(ends[1]);
    int result = -1;
    if (read(ends[0], &result, sizeof result) != sizeof result) result = -1;
    ::close(ends[0]);
    while (waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
    }
    return result;
}

TEST(ReactorFork, TheChildHasTheWaitsAndAReactorOfItsOwn) {
    const SocketPair pair;
    Waiter reader(pair.near.get(), MC_READABLE), timer(1);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    ASSERT_EQ(reactor_add(timer), MC_OK);
    EXPECT_EQ(in_child([&] {
                  MC_CHECK(reactor_take_role());
                  MC_CHECK(reactor_waits() == 2);
                  MC_CHECK(listed(reactor_poll(UINT64_MAX)) == Fired{&timer});
                  reactor_cancel(reader);  // must not reach the parent's set
                  MC_CHECK(reactor_waits() == 0);
                  Waiter writer(pair.near.get(), MC_WRITABLE);
                  MC_CHECK(reactor_add(writer) == MC_OK);
                  MC_CHECK(listed(reactor_poll(UINT64_MAX)) == Fired{&writer});
                  return 0;
              }),
              0);
    const Role role;
    EXPECT_EQ(poll_now(), Fired{&timer});
    pair.send();
    EXPECT_EQ(listed(reactor_poll(UINT64_MAX)), Fired{&reader});
}

TEST(ReactorFork, WaitsOfTheChildAreArmedAnewEvenIfItTakesSeveralAttempts) {
    const SocketPair pair;
    Waiter reader(pair.near.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    pair.send();
    EXPECT_EQ(in_child([&] {
                  MC_CHECK(reactor_take_role());
                  fault_fail_next(Fault::epoll, 0, 2);
                  MC_CHECK(listed(reactor_poll(0)).empty());
                  Fired fired;  // one more failure, a pause, and then it works
                  while (fired.empty()) fired = listed(reactor_poll(UINT64_MAX));
                  MC_CHECK(fired == Fired{&reader});
                  return 0;
              }),
              0);
}

TEST(ReactorFork, TheChildHasNoPollerAndItsKicksDoNotTouchTheParents) {
    const SocketPair pair;
    Waiter reader(pair.near.get(), MC_READABLE);
    ASSERT_EQ(reactor_add(reader), MC_OK);
    OnePoll poller;
    poller.await_asleep();
    EXPECT_EQ(in_child([] {
                  MC_CHECK(!reactor_has_poller());
                  reactor_kick();
                  MC_CHECK(reactor_take_role());
                  MC_CHECK(reactor_poll(UINT64_MAX) == nullptr);
                  return 0;
              }),
              0);
    pair.send();
    EXPECT_EQ(poller.result(), Fired{&reader});
}

TEST(ReactorLimits, TimersAndKicksNeedNoDescriptors) {
    EXPECT_EQ(in_child([] {
                  const SocketPair pair;
                  rlimit files{};
                  MC_CHECK(getrlimit(RLIMIT_NOFILE, &files) == 0);
                  files.rlim_cur = 0;
                  MC_CHECK(setrlimit(RLIMIT_NOFILE, &files) == 0);
                  MC_CHECK(reactor_take_role());
                  Waiter timer(now_ns() + 100'000), reader(pair.near.get(), MC_READABLE);
                  MC_CHECK(reactor_add(timer) == MC_OK);
                  MC_CHECK(reactor_add(reader) == MC_ENOMEM);
                  MC_CHECK(listed(reactor_poll(UINT64_MAX)) == Fired{&timer});
                  reactor_kick();
                  MC_CHECK(reactor_poll(UINT64_MAX) == nullptr);
                  return 0;
              }),
              0);
}

TEST(ReactorLost, ASetClosedBehindItsBackIsMadeAnew) {
    EXPECT_EQ(in_child([] {
                  int fds[2];
                  MC_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
                  Waiter reader(fds[0], MC_READABLE);
                  MC_CHECK(reactor_take_role());
                  const std::set<int> before = open_descriptors();
                  MC_CHECK(reactor_add(reader) == MC_OK);
                  for (const int fd : open_descriptors()) {
                      if (!before.contains(fd)) close(fd);
                  }
                  MC_CHECK(send(fds[1], "x", 1, 0) == 1);
                  Fired fired;
                  while (fired.empty()) fired = listed(reactor_poll(UINT64_MAX));
                  MC_CHECK(fired == Fired{&reader});
                  return 0;
              }),
              0);
}

// Makes a system call fail with that error from now on, in this process.
bool forbid(unsigned call, unsigned error) {
    sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const sock_fprog program{sizeof code / sizeof code[0], code};
    return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
           prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

class ReactorOldKernel : public testing::TestWithParam<int> {};

TEST_P(ReactorOldKernel, WaitsInMillisecondsAndNeverReturnsEarly) {
    constexpr int kSkip = -2;
    const int result = in_child([] {
        const SocketPair pair;
        Waiter reader(pair.near.get(), MC_READABLE);
        MC_CHECK(reactor_take_role());
        MC_CHECK(reactor_add(reader) == MC_OK);
        if (!forbid(SYS_epoll_pwait2, static_cast<unsigned>(GetParam()))) return kSkip;
        for (int round = 0; round < 5; ++round) {
            const std::uint64_t deadline = now_ns() + 300'000;
            Waiter timer(deadline);
            MC_CHECK(reactor_add(timer) == MC_OK);
            MC_CHECK(listed(reactor_poll(UINT64_MAX)) == Fired{&timer});
            MC_CHECK(now_ns() >= deadline);
        }
        pair.send();
        MC_CHECK(listed(reactor_poll(now_ns() + 100'000 * kHour)) == Fired{&reader});
        return 0;
    });
    if (result == kSkip) GTEST_SKIP() << "no seccomp filters here";
    EXPECT_EQ(result, 0);
}

INSTANTIATE_TEST_SUITE_P(, ReactorOldKernel, testing::Values(ENOSYS, EPERM));

}  // namespace
}  // namespace mc
