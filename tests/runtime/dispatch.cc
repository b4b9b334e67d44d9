// SPDX-License-Identifier: BSL-1.0
#include <poll.h>

#include <atomic>
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

bool readable(int fd, int timeout_ms) {
    pollfd query{fd, POLLIN, 0};
    return poll(&query, 1, timeout_ms) == 1;
}

// As an event loop does: waits for the descriptor, dispatches, until the condition holds.
void loop_until(mc_runtime* runtime, const std::function<bool()>& over) {
    const int fd = mc_runtime_event_fd(runtime);
    ASSERT_GE(fd, 0);
    while (!over()) {
        ASSERT_TRUE(readable(fd, static_cast<int>(mctest::hang_seconds() * 1000)));
        ASSERT_GE(mc_runtime_dispatch(runtime, 0), 0);
    }
}

mc_host host_of_way(uint32_t way) {
    mc_host host = MC_HOST_INIT;
    host.way = way;
    return host;
}

TEST(Dispatch, TheDescriptorIsReadableWhileThereIsSomethingToDo) {
    Runtime runtime;
    const int fd = mc_runtime_event_fd(runtime);
    ASSERT_GE(fd, 0);
    EXPECT_EQ(fd, mc_runtime_event_fd(runtime));
    EXPECT_EQ(0, mc_runtime_dispatch(runtime, 0));
    EXPECT_FALSE(readable(fd, 0));
    int turns = 0;
    for (int i = 0; i < 3; ++i)
        runtime.spawn([&] {
            ++turns;
            mc_task_yield();
            ++turns;
        });
    EXPECT_TRUE(readable(fd, 0));
    EXPECT_EQ(0, turns);
    EXPECT_EQ(2, mc_runtime_dispatch(runtime, 2));
    EXPECT_EQ(2, turns);
    EXPECT_TRUE(readable(fd, 0));
    EXPECT_EQ(4, mc_runtime_dispatch(runtime, 100));
    EXPECT_EQ(6, turns);
    EXPECT_FALSE(readable(fd, 0));
    EXPECT_EQ(0, mc_runtime_dispatch(runtime, 100));
}

// 0: what is ready now, so that a task which yields for ever does not keep the loop.
TEST(Dispatch, OneRoundByDefault) {
    Runtime runtime;
    bool quit = false;
    runtime.spawn([&] {
        while (!quit) mc_task_yield();
    });
    EXPECT_EQ(1, mc_runtime_dispatch(runtime, 0));
    EXPECT_TRUE(readable(mc_runtime_event_fd(runtime), 0));
    quit = true;
    EXPECT_EQ(1, mc_runtime_dispatch(runtime, 0));
}

TEST(Dispatch, DrivesSleepsAndSectionsWithoutAnyDriver) {
    Runtime runtime;
    bool over = false;
    runtime.spawn([&] {
        for (int i = 0; i < 3; ++i) {
            EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
            mc_release();
            mctest::spin(100 * mctest::us);
            mc_acquire();
        }
        over = true;
    });
    loop_until(runtime, [&] { return over; });
}

class DispatchWay : public ::testing::TestWithParam<uint32_t> {};
INSTANTIATE_TEST_SUITE_P(Way, DispatchWay, ::testing::Values(MC_WAY_LEND, MC_WAY_JOB));

TEST_P(DispatchWay, CallsDoneOfJobs) {
    Runtime runtime(host_of_way(GetParam()));
    struct State {
        int home = mctest::thread_id();
        std::atomic<int> elsewhere{0};
        int dones = 0;
    } state;
    constexpr int count = 50;
    for (int i = 0; i < count; ++i)
        EXPECT_EQ(MC_OK, mc_job_submit(
                             runtime,
                             [](void* arg) {
                                 auto& its = *static_cast<State*>(arg);
                                 its.elsewhere += mctest::thread_id() != its.home;
                             },
                             [](void* arg, mc_status status) {
                                 auto& its = *static_cast<State*>(arg);
                                 its.dones += status == MC_OK && mctest::thread_id() == its.home;
                             },
                             &state, nullptr, nullptr));
    loop_until(runtime, [&] { return state.dones == count; });
    EXPECT_EQ(count, state.elsewhere);
}

TEST_P(DispatchWay, ByAnAttachedThreadThatKeepsTheBaton) {
    Runtime runtime(host_of_way(GetParam()));
    runtime.attached([&] {
        mc_task* self = mc_task_current();
        int dones = 0;
        EXPECT_EQ(MC_OK, mc_job_submit(
                             runtime, [](void*) {}, [](void* arg, mc_status) { ++*static_cast<int*>(arg); },
                             &dones, nullptr, nullptr));
        loop_until(runtime, [&] { return dones == 1; });
        EXPECT_EQ(self, mc_task_current());
        EXPECT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST(Dispatch, OnlyAtHomeWhereTheHostCannotLend) {
    Runtime runtime(host_of_way(MC_WAY_JOB));
    EXPECT_EQ(0, mc_runtime_dispatch(runtime, 0));  // this thread is its home now
    std::thread other([&] { EXPECT_EQ(MC_ENOTSUP, mc_runtime_dispatch(runtime, 0)); });
    other.join();
}

TEST(Dispatch, IsRefusedWhereItWouldWaitForItself) {
    Runtime runtime, second;
    runtime.spawn([&] {
        EXPECT_EQ(MC_EDEADLK, mc_runtime_dispatch(runtime, 0));
        EXPECT_EQ(MC_EPERM, mc_runtime_dispatch(second, 0));
    });
    runtime.run();
    EXPECT_EQ(MC_EINVAL, mc_runtime_dispatch(nullptr, 0));
    EXPECT_EQ(MC_EINVAL, mc_runtime_event_fd(nullptr));
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(second, 0));
    EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_dispatch(second, 0));
}

// Its loop's wait is a section; what is ready runs meanwhile, here or elsewhere.
TEST(Dispatch, InASectionOfAnAttachedThread) {
    Runtime runtime;
    runtime.attached([&] {
        bool ran = false;
        mc_release();
        runtime.spawn([&] { ran = true; });
        EXPECT_GE(mc_runtime_dispatch(runtime, 10), 0);
        mc_acquire();
        while (!ran) mc_task_yield();
    });
}

}  // namespace
