// Shutdown with stragglers: sections that do not end in time are parked for good. Child processes,
// since a parked thread stays.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <thread>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;

struct Seen {
    std::atomic<int> reports{0}, destroyed{0};
    std::string message;
};

void on_misuse(void* arg, const mc_misuse* report) {
    Seen* seen = static_cast<Seen*>(arg);
    seen->message = report->message;
    seen->reports.fetch_add(1);
}

Gate& in_section = *new Gate;  // leaked: what is parked refers to them
Gate& go_on = *new Gate;
Gate& over = *new Gate;
std::atomic<bool> returned{false};

void straggle(void*) {
    mc_release();
    in_section.open();
    go_on.wait();
    over.open();
    mc_acquire();
    returned.store(true);  // must never happen
}

void straggle_with_deadline(void*) {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.deadline = 200 * mctest::ms;
    mc_release_with(&options);
    in_section.open();
    go_on.wait();
    over.open();
    mc_acquire();
    returned.store(true);  // must never happen
}

void stragglers(int count, bool attached_shutdown, void (*body)(void*) = straggle) {
    static Seen seen;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.misuse = on_misuse;
    options.arg = &seen;
    mc_runtime* runtime = nullptr;
    ASSERT_EQ(MC_OK, mc_runtime_create(&options, &runtime));
    mc_task_options task = MC_TASK_OPTIONS_INIT;
    task.data = &seen;
    task.destroy = [](void* data) { static_cast<Seen*>(data)->destroyed.fetch_add(1); };

    std::thread runner;
    if (attached_shutdown) {
        ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    }
    for (int i = 0; i < count; ++i) ASSERT_EQ(MC_OK, mc_task_spawn(runtime, body, nullptr, &task, nullptr));
    if (attached_shutdown)
        mc_release();
    else
        runner = std::thread([runtime] { mc_runtime_run(runtime); });
    for (int i = 0; i < count; ++i) in_section.wait();
    if (attached_shutdown) mc_acquire();

    EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, mctest::ms));
    EXPECT_EQ(1, seen.reports.load());
    EXPECT_NE(std::string::npos, seen.message.find(std::to_string(count))) << seen.message;
    // Their C code may still use what their data stands for.
    EXPECT_EQ(0, seen.destroyed.load());
    if (attached_shutdown) {
        EXPECT_EQ(MC_OK, mc_detach());
    }
    // The runner's own thread may be among the stragglers.
    if (runner.joinable()) runner.detach();
    mc_status status = mc_runtime_destroy(runtime);
    while (status == MC_EBUSY) {  // the runner is on its way out
        std::this_thread::yield();
        status = mc_runtime_destroy(runtime);
    }
    EXPECT_EQ(MC_OK, status);

    // Their C code ends after everything is gone: the acquire must not return.
    go_on.open(static_cast<unsigned>(count));
    for (int i = 0; i < count; ++i) over.wait();
    std::this_thread::sleep_for(std::chrono::milliseconds(20));  // occasions to do the wrong thing
    EXPECT_FALSE(returned.load());
}

TEST(StragglersDeathTest, AreParkedAndCounted) {
    EXPECT_EXIT(child([] { stragglers(3, true); }), ::testing::ExitedWithCode(0), "");
}

TEST(StragglersDeathTest, OnTheRunnersThreadToo) {
    EXPECT_EXIT(child([] { stragglers(3, false); }), ::testing::ExitedWithCode(0), "");
}

TEST(StragglersDeathTest, TakeTheirDeadlinesAlong) {
    EXPECT_EXIT(
        child([] {
            stragglers(3, true, straggle_with_deadline);
            mctest::Runtime another;
            another.run([] { EXPECT_EQ(MC_OK, mc_task_sleep(210 * mctest::ms)); });  // the later timer
        }),
        ::testing::ExitedWithCode(0), "");
}

TEST(StragglersDeathTest, OneThatEndsInTimeIsNone) {
    EXPECT_EXIT(child([] {
                    mctest::Runtime runtime;
                    runtime.attached([&] {
                        Gate inside, finish;
                        bool ended = false, went_on = false;
                        mc_task* task = runtime.spawn([&] {
                            mc_release();
                            inside.open();
                            finish.wait();
                            while (mc_cancelled() == MC_OK) std::this_thread::yield();  // shutdown has come
                            ended = true;
                            mc_acquire();
                            went_on = true;
                        });
                        mc_release();
                        inside.wait();
                        mc_acquire();
                        std::thread other([&] { finish.open(); });
                        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
                        EXPECT_TRUE(ended);
                        EXPECT_FALSE(went_on);
                        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
                        other.join();
                    });
                }),
                ::testing::ExitedWithCode(0), "");
}

// Its task is dropped at once, while shutdown still goes through the tasks.
TEST(StragglersDeathTest, MayEndDuringTheShutdown) {
    EXPECT_EXIT(child([] {
                    mc_runtime* runtime = nullptr;
                    ASSERT_EQ(MC_OK, mc_runtime_create(nullptr, &runtime));
                    ASSERT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
                    ASSERT_EQ(MC_OK, mc_task_spawn(runtime, straggle, nullptr, nullptr, nullptr));
                    mc_task_options options = MC_TASK_OPTIONS_INIT;
                    options.destroy = [](void*) {  // of one that waits in the line, when that is emptied
                        go_on.open();
                        over.wait();
                        mctest::spin(10 * mctest::ms);  // the section's acquire follows
                    };
                    const auto yield = [](void*) {
                        for (;;) (void)mc_task_yield();
                    };
                    ASSERT_EQ(MC_OK, mc_task_spawn(runtime, yield, nullptr, &options, nullptr));
                    EXPECT_EQ(MC_OK, mc_task_yield());
                    mc_release();
                    in_section.wait();
                    mc_acquire();
                    EXPECT_EQ(MC_OK, mc_detach());
                    const mc_status status = mc_runtime_shutdown(runtime, 10 * mctest::ms);
                    EXPECT_TRUE(status == MC_OK || status == MC_ETIMEDOUT) << mc_status_name(status);
                    EXPECT_EQ(MC_OK, mc_runtime_destroy(runtime));
                    EXPECT_FALSE(returned.load());
                }),
                ::testing::ExitedWithCode(0), "");
}

}  // namespace
