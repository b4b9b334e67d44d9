// Who may call what: without the baton, inside a section, on any thread.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Runtime;

void expect_all_refused(mc_task* task) {
    uint32_t ready = 77;
    void* payload = &ready;
    EXPECT_EQ(MC_EPERM, mc_task_yield());
    EXPECT_EQ(MC_EPERM, mc_task_sleep(0));
    EXPECT_EQ(MC_EPERM, mc_task_park(0));
    EXPECT_EQ(MC_EPERM, mc_task_wait_fd(0, MC_READABLE, 0, &ready));
    EXPECT_EQ(MC_EPERM, mc_task_join(task, 0));
    EXPECT_EQ(MC_EPERM, mc_task_take_interrupt(task, &payload));
    EXPECT_EQ(MC_EPERM, mc_scope_enter(MC_SCOPE_ENABLE));
    EXPECT_EQ(MC_EPERM, mc_scope_leave(0));
    EXPECT_EQ(MC_EPERM, mc_detach());
    EXPECT_EQ(MC_OK, mc_checkpoint());
    EXPECT_EQ(77u, ready);
    EXPECT_EQ(static_cast<void*>(&ready), payload);
}

void expect_all_allowed(Runtime& runtime, mc_task* task) {
    mc_stats stats = MC_STATS_INIT;
    EXPECT_EQ(MC_OK, mc_runtime_stats(runtime, &stats));
    EXPECT_EQ(1, mc_enable(runtime, -1));
    EXPECT_GT(mc_version(), 0u);
    EXPECT_GT(mc_now(), 0u);
    EXPECT_STREQ("MC_OK", mc_status_name(MC_OK));
    EXPECT_STREQ("success", mc_status_message(MC_OK));
    mc_runtime* another = nullptr;
    EXPECT_EQ(MC_OK, mc_runtime_create(nullptr, &another));
    EXPECT_EQ(0, mc_runtime_dispatch(another, 0));
    EXPECT_EQ(MC_OK, mc_attach(another, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_OK, mc_detach());
    mc_runtime_stop(another);
    EXPECT_EQ(MC_ECANCELED, mc_runtime_run(another));
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(another, 0));
    EXPECT_EQ(MC_OK, mc_runtime_destroy(another));
    EXPECT_GE(mc_runtime_event_fd(runtime), 0);
    const auto nothing = [](void*) {};
    mc_task* cancelled = nullptr;
    EXPECT_EQ(MC_OK, mc_task_spawn(runtime, nothing, nullptr, nullptr, &cancelled));
    EXPECT_EQ(MC_OK, mc_task_cancel(cancelled, MC_CANCEL_SAFE));
    EXPECT_EQ(MC_OK, mc_task_cancel(cancelled, MC_CANCEL_ABANDON));
    mc_task_unref(cancelled);
    mc_job* job = nullptr;
    EXPECT_EQ(MC_OK, mc_job_submit(runtime, nothing, nullptr, nullptr, nullptr, &job));
    EXPECT_EQ(MC_OK, mc_job_wait(job, MC_FOREVER));
    EXPECT_EQ(MC_OK, mc_job_cancel(job));
    EXPECT_EQ(job, mc_job_ref(job));
    mc_job_unref(job);
    mc_job_unref(job);
    EXPECT_EQ(MC_OK, mc_task_unpark(task));
    EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
    EXPECT_EQ(task, mc_task_ref(task));
    mc_task_unref(task);
    EXPECT_NE(nullptr, mc_task_name(task));
    EXPECT_NE(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(task));
    EXPECT_EQ(nullptr, mc_task_data(task));
    EXPECT_EQ(0u, mc_task_cpu_time(task));
    EXPECT_EQ(MC_OK, mc_task_interrupt(task, nullptr));
}

TEST(Permission, AThreadThatRunsNoTask) {
    Runtime runtime;
    mc_task* task = runtime.spawn([] {
        EXPECT_EQ(MC_EINTR, mc_task_park(MC_FOREVER));
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), nullptr));
    });
    expect_all_refused(task);
    expect_all_allowed(runtime, task);
    runtime.run();
}

class Permission : public mctest::InTask {};
MC_IN_EACH_KIND(Permission);

TEST_P(Permission, InsideASection) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] {
            EXPECT_EQ(MC_EINTR, mc_task_sleep(MC_FOREVER));
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), nullptr));
        });
        mc_task* self = mc_task_current();
        mc_release();
        EXPECT_EQ(self, mc_task_current());
        expect_all_refused(other);
        expect_all_allowed(runtime, other);
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Permission, AForeignThreadWhileATaskHolds) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* other = runtime.spawn([] {
            EXPECT_EQ(MC_EINTR, mc_task_sleep(MC_FOREVER));
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), nullptr));
        });
        std::thread([&] {
            EXPECT_EQ(nullptr, mc_task_current());
            expect_all_refused(other);
            expect_all_allowed(runtime, other);
        }).join();
    });
}

}  // namespace
