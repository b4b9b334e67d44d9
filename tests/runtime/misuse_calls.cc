// Calls that no correct program makes: answered or reported, and nothing is harmed. docs/misuse.md lists
// them all, those with a test elsewhere too.
// SPDX-License-Identifier: BSL-1.0
#include <thread>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Report;
using mctest::Runtime;

// All is as it should be in a section, then in a task.
void expect_open_then_close(Runtime& runtime) {
    EXPECT_EQ(MC_EPERM, mc_task_yield());
    Gate other_ran;
    runtime.spawn([&] { other_ran.open(); });
    other_ran.wait();
    mc_acquire();
    EXPECT_EQ(MC_OK, mc_task_yield());
}

class MisuseCalls : public mctest::InTask {};
MC_IN_EACH_KIND(MisuseCalls);

TEST_P(MisuseCalls, AReleaseNestedTooDeep) {
    Runtime runtime;
    unsigned line = 0;
    in_task(runtime, [&] {
        constexpr int deepest = 65535;
        for (int i = 0; i < deepest; ++i) mc_release();
        EXPECT_EQ(0u, runtime.reports());
        line = __LINE__ + 1;
        mc_release();
        for (int i = 1; i < deepest; ++i) mc_acquire();
        expect_open_then_close(runtime);
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ(MC_EPERM, reports[0].status);
    EXPECT_EQ(line, reports[0].line);
}

TEST_P(MisuseCalls, AnAcquireByAThreadThatRunsNoTask) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_release();
        std::thread([] { mc_acquire(); }).join();
        expect_open_then_close(runtime);
    });
    EXPECT_EQ(0u, runtime.reports());
}

TEST_P(MisuseCalls, AnAcquireByAnotherTask) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate acquired;
        runtime.spawn(
            [&] {
                mc_acquire();
                acquired.open();
            },
            "thief");
        mc_release();
        acquired.wait();
        expect_open_then_close(runtime);
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ("thief", reports[0].task);
}

TEST_P(MisuseCalls, ALeaveBeforeTheCallbacksAcquire) {
    Runtime runtime;
    unsigned line = 0;
    in_task(runtime, [&] {
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        line = __LINE__ + 1;
        mc_release();
        EXPECT_EQ(MC_EPERM, mc_leave());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_leave());
        expect_open_then_close(runtime);
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(1u, reports.size());
    EXPECT_EQ(line, reports[0].line);
}

TEST_P(MisuseCalls, BadSectionOptionsAreReported) {
    struct Larger {
        mc_section_options known;
        uint64_t tail;
    } bad[3] = {{MC_SECTION_OPTIONS_INIT, 0}, {MC_SECTION_OPTIONS_INIT, 0}, {MC_SECTION_OPTIONS_INIT, 1}};
    bad[0].known.size = 1;
    bad[1].known.flags = 0x80000000u;
    bad[2].known.size = sizeof(Larger);
    for (const Larger& options : bad) {
        Runtime runtime;
        unsigned line = 0;
        in_task(runtime, [&] {
            line = __LINE__ + 1;
            EXPECT_EQ(MC_EINVAL, mc_release_with(&options.known));
            expect_open_then_close(runtime);
        });
        const std::vector<Report> reports = runtime.take_reports();
        ASSERT_EQ(1u, reports.size());
        EXPECT_EQ(MC_EINVAL, reports[0].status);
        EXPECT_EQ(line, reports[0].line);
    }
}

TEST_P(MisuseCalls, ACancelModeThatThereIsNot) {
    Runtime runtime;
    in_task(runtime, [] {
        EXPECT_EQ(MC_EINVAL, mc_task_cancel(mc_task_current(), 2));
        EXPECT_EQ(MC_OK, mc_checkpoint());
    });
}

TEST_P(MisuseCalls, AnAttachInASectionOfTheSameRuntime) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_release();
        mc_task* out = nullptr;
        EXPECT_EQ(MC_EPERM, mc_attach(runtime, nullptr, MC_FOREVER, &out));
        EXPECT_EQ(nullptr, out);
        expect_open_then_close(runtime);
    });
}

TEST(MisuseAttach, ADetachByATaskThatNeverAttached) {
    Runtime runtime;
    runtime.run([] {
        EXPECT_EQ(MC_EPERM, mc_detach());
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

// It has the baton already, but no task that the attachment could count for.
TEST(MisuseAttach, InAHookThatRunsForNoTask) {
    struct Seen {
        mc_runtime* runtime = nullptr;
        mc_status attach = MC_OK, run = MC_OK, dispatch = MC_OK, shutdown = MC_OK;
    } seen;
    Runtime runtime;
    seen.runtime = runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &seen;
    options.destroy = [](void* data) {
        Seen* here = static_cast<Seen*>(data);
        here->attach = mc_attach(here->runtime, nullptr, MC_FOREVER, nullptr);
        here->run = mc_runtime_run(here->runtime);
        here->dispatch = mc_runtime_dispatch(here->runtime, 0);
        here->shutdown = mc_runtime_shutdown(here->runtime, 0);
    };
    mc_task* task = nullptr;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, &options, &task));
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_SAFE));  // it ends before it has begun
    runtime.run();
    EXPECT_EQ(MC_EPERM, seen.attach);
    EXPECT_EQ(MC_EPERM, seen.run);
    EXPECT_EQ(MC_EPERM, seen.dispatch);
    EXPECT_EQ(MC_EPERM, seen.shutdown);
    mc_task_unref(task);
    runtime.attached([] {});
}

// Whoever attaches in a hook, where that counts, can take it back there.
TEST(MisuseAttach, InAHookCountsAndIsTakenBackThere) {
    static mc_runtime* attach_to = nullptr;
    mc_host host = MC_HOST_INIT;
    host.switched = [](void*, mc_task*, mc_task*) {
        EXPECT_EQ(MC_OK, mc_attach(attach_to, nullptr, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_OK, mc_detach());
        EXPECT_EQ(MC_EPERM, mc_detach());
    };
    Runtime runtime(host);
    attach_to = runtime;
    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_OK, mc_detach());
    EXPECT_EQ(MC_EPERM, mc_detach());
}

TEST(MisuseHandles, NoTask) {
    Runtime runtime;
    runtime.run([] {
        void* payload = nullptr;
        EXPECT_EQ(nullptr, mc_task_ref(nullptr));
        mc_task_unref(nullptr);
        EXPECT_EQ(MC_EINVAL, mc_task_unpark(nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_join(nullptr, 0));
        EXPECT_EQ(MC_EINVAL, mc_task_result(nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_interrupt(nullptr, nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_take_interrupt(nullptr, &payload));
        EXPECT_EQ(MC_EINVAL, mc_task_cancel(nullptr, MC_CANCEL_SAFE));
        EXPECT_EQ(nullptr, mc_task_data(nullptr));
        mc_task_set_data(nullptr, &payload);
        EXPECT_EQ(nullptr, mc_task_name(nullptr));
        EXPECT_EQ(static_cast<uint32_t>(MC_TASK_ENDED), mc_task_state(nullptr));
        EXPECT_EQ(0u, mc_task_cpu_time(nullptr));
    });
}

TEST(MisuseHandles, ThePendingInterruptOfAnotherRuntimesTask) {
    Runtime one, two;
    int sent = 0;
    mc_task* in_one = one.spawn([&] {
        void* payload = nullptr;
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), &payload));
        EXPECT_EQ(&sent, payload);
    });
    EXPECT_EQ(MC_OK, mc_task_interrupt(in_one, &sent));
    two.run([&] {
        void* payload = nullptr;
        EXPECT_EQ(MC_EPERM, mc_task_take_interrupt(in_one, &payload));
        EXPECT_EQ(nullptr, payload);
    });
    one.run();
}

TEST(MisuseJobs, AWaitWithTheBatonOfAnotherRuntime) {
    Runtime one, two;
    mc_job* in_one = nullptr;
    ASSERT_EQ(MC_OK, mc_job_submit(
                         one, [](void*) {}, nullptr, nullptr, nullptr, &in_one));
    two.run([&] {
        EXPECT_EQ(MC_EPERM, mc_job_wait(in_one, MC_FOREVER));
        mc_release();
        EXPECT_EQ(MC_OK, mc_job_wait(in_one, MC_FOREVER));
        mc_acquire();
    });
    mc_job_unref(in_one);
}

// It has the baton that `done` needs.
TEST(MisuseJobs, AWaitInAHookThatRunsForNoTask) {
    struct Seen {
        mc_job* job = nullptr;
        mc_status wait = MC_OK;
    } seen;
    Runtime runtime;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.data = &seen;
    options.destroy = [](void* data) {
        Seen* here = static_cast<Seen*>(data);
        here->wait = mc_job_wait(here->job, 0);
    };
    mc_task* task = nullptr;
    ASSERT_EQ(MC_OK, mc_task_spawn(
                         runtime, [](void*) {}, nullptr, &options, &task));
    EXPECT_EQ(MC_OK, mc_task_cancel(task, MC_CANCEL_SAFE));  // it ends before it has begun
    ASSERT_EQ(MC_OK, mc_job_submit(
                         runtime, [](void*) {}, [](void*, mc_status) {}, nullptr, nullptr, &seen.job));
    runtime.run();
    EXPECT_EQ(MC_EPERM, seen.wait);
    EXPECT_EQ(MC_OK, mc_job_wait(seen.job, 0));
    mc_task_unref(task);
    mc_job_unref(seen.job);
}

TEST(MisuseData, IsNotWrittenWithoutTheBaton) {
    Runtime runtime;
    runtime.run([&] {
        mc_task* self = mc_task_current();
        int data = 0;
        mc_task_set_data(self, &data);
        mc_release();
        mc_task_set_data(self, nullptr);
        mc_acquire();
        std::thread([&] { mc_task_set_data(self, nullptr); }).join();
        EXPECT_EQ(&data, mc_task_data(self));
    });
    const std::vector<Report> reports = runtime.take_reports();
    ASSERT_EQ(2u, reports.size());
    EXPECT_EQ(MC_EPERM, reports[0].status);
    EXPECT_EQ("main", reports[0].task);
}

}  // namespace
