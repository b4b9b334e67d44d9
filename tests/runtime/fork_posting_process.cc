// fork() while another thread is amid waking several tasks.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include <sys/eventfd.h>
#include <unistd.h>

#include "forking.h"

namespace {

using mctest::forked;
using mctest::Gate;
using mctest::Runtime;

// Between the claim of a wait and the post another thread can be stopped where it writes to the descriptor.
std::atomic<bool> stop_at_write{false};
Gate writes, go_on_writing;

TEST(ForkDeathTest, WhoIsClaimedAndNotYetPostedGoesOn) {
    EXPECT_CHILD([] {
        Runtime runtime;
        EXPECT_LE(0, mc_runtime_event_fd(runtime));
        std::atomic<int> joined{0};
        mc_task* target = runtime.spawn([] { (void)mc_task_park(MC_FOREVER); });
        for (int i = 0; i < 3; ++i)
            runtime.spawn([&] {
                EXPECT_EQ(MC_OK, mc_task_join(target, MC_FOREVER));
                ++joined;
            });
        while (mc_runtime_dispatch(runtime, 0) > 0) {
        }
        stop_at_write.store(true);
        // Claims them all, and posts one after the other.
        std::thread other([&] { EXPECT_EQ(MC_OK, mc_task_cancel(target, MC_CANCEL_ABANDON)); });
        writes.wait();
        EXPECT_EQ(0, forked([&] {
                      runtime.run();
                      EXPECT_EQ(3, joined.load());
                      other.detach();  // not here
                      runtime.destroy();
                  }));
        go_on_writing.open();
        other.join();
        runtime.run();
        EXPECT_EQ(3, joined.load());
    });
}

}  // namespace

// In the place of the C library's.
extern "C" int eventfd_write(int fd, eventfd_t value) {
    if (stop_at_write.exchange(false)) {
        writes.open();
        go_on_writing.wait();
    }
    return write(fd, &value, sizeof value) == sizeof value ? 0 : -1;
}
