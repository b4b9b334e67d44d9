// What this version does not have says so.
// SPDX-License-Identifier: BSL-1.0
#include "testing.h"

namespace {

using mctest::Runtime;

TEST(NotSupported, Adopt) {
    Runtime runtime;
    mc_task* task = nullptr;
    EXPECT_EQ(MC_ENOTSUP, mc_task_adopt(runtime, nullptr, &task));
    EXPECT_EQ(nullptr, task);
}

mc_status create(const mc_host& host) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &host;
    mc_runtime* runtime = nullptr;
    const mc_status status = mc_runtime_create(&options, &runtime);
    if (status == MC_OK) {
        EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
    }
    return status;
}

TEST(NotSupported, OwnSchedulers) {
    mc_host host = MC_HOST_INIT;
    host.flags = MC_HOST_OWN_SCHEDULER;
    EXPECT_EQ(MC_ENOTSUP, create(host));
}

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
