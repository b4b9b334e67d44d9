// Hosts that cannot lend.
// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

namespace {

using mctest::Runtime;

TEST(JobOnly, SpawnsNoTasksAndRunsSectionsInline) {
    mc_host host = MC_HOST_INIT;
    host.way = MC_WAY_JOB;
    Runtime runtime(host);
    mc_task* task = nullptr;
    EXPECT_EQ(MC_ENOTSUP, mc_task_spawn(
                              runtime, [](void*) {}, nullptr, nullptr, &task));
    EXPECT_EQ(nullptr, task);
    runtime.attached([] {
        mc_release();
        mc_acquire();
    });
    EXPECT_EQ(1u, runtime.stats().sections_inline);
}

}  // namespace
