// Many coroutines of a host that schedules, in sections on few threads.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <random>
#include <string>
#include <thread>

#include "coro_host.h"

namespace {

using mctest::CoroHost;
using mctest::Runtime;

struct Case {
    std::uint32_t max_threads;
    bool due_first;
};

class OwnSchedulerStress : public ::testing::TestWithParam<Case> {};

TEST_P(OwnSchedulerStress, Sections) {
    constexpr int coroutines = 32;
    const int sections = (mctest::sanitized ? 10'000 : 100'000) / coroutines;
    CoroHost host;
    host.due_first = GetParam().due_first;
    const mc_host hooks = host.hooks();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = GetParam().max_threads;
    Runtime runtime(options);
    static mc_site site = {__FILE__, __func__, __LINE__, 0, {}};
    std::uint64_t total = 0;  // guarded by the baton
    host.main(runtime, [&] {
        for (int i = 0; i < coroutines; ++i)
            host.start("worker", [&, i] {
                std::minstd_rand random(static_cast<unsigned>(i) + 1);
                for (int k = 0; k < sections; ++k) {
                    const unsigned kind = random() % 16;
                    mc_task* task = mc_task_current();
                    const int thread = mctest::thread_id();
                    random() % 2 ? mc_release() : mc_release_as(task, host.is_ready(), &site);
                    if (kind < 8) mctest::spin(random() % 20'000);
                    if (kind < 4) std::this_thread::yield();
                    if (kind == 0) {
                        ASSERT_EQ(MC_OK, mc_enter());
                        ++total;
                        host.cede();
                        --total;
                        ASSERT_EQ(MC_OK, mc_leave());
                    }
                    mc_acquire();
                    ASSERT_EQ(task, mc_task_current());
                    if (kind != 0) {
                        ASSERT_EQ(thread, mctest::thread_id());
                    }
                    ++total;
                    if (kind >= 12) host.cede();
                    mc_checkpoint();
                }
            });
    });
    EXPECT_EQ(static_cast<std::uint64_t>(sections) * coroutines, total);
    const mc_stats stats = runtime.stats();
    EXPECT_LE(stats.threads_peak, GetParam().max_threads);
    std::printf(
        "%llu sections, %llu inline, %llu handoffs, %d runs, %d returned elsewhere, %d early, %d wakes\n",
        static_cast<unsigned long long>(stats.sections),
        static_cast<unsigned long long>(stats.sections_inline),
        static_cast<unsigned long long>(stats.handoffs), host.runs, host.moved_runs, host.early_runs,
        host.wakes.load());
}

INSTANTIATE_TEST_SUITE_P(Threads, OwnSchedulerStress,
                         ::testing::Values(Case{1, true}, Case{1, false}, Case{2, true}, Case{4, true},
                                           Case{4, false}, Case{64, true}),
                         [](const auto& each) {
                             return std::to_string(each.param.max_threads) +
                                    (each.param.due_first ? "DueFirst" : "InOrder");
                         });

// What other threads may do to adopted tasks, while their coroutines are in sections, callbacks and neither.
TEST(OwnSchedulerStress, OtherThreadsMeddle) {
    constexpr int coroutines = 8;
    const int sections = (mctest::sanitized ? 4'000 : 40'000) / coroutines;
    CoroHost host;
    Runtime runtime(host.hooks());
    std::uint64_t told = 0, destroyed = 0, adopted = 0;  // guarded by the baton
    std::atomic<bool> over{false};
    std::atomic<std::uint64_t> sent{0};
    host.main(runtime, [&] {
        std::vector<mc_task*> tasks;
        int left = coroutines;
        for (int i = 0; i < coroutines; ++i)
            tasks.push_back(mc_task_ref(
                host.start("worker",
                           [&, i] {
                               std::minstd_rand random(static_cast<unsigned>(i) + 1);
                               const auto take = [&] {
                                   told += mc_task_take_interrupt(mc_task_current(), nullptr) == MC_OK;
                               };
                               for (int k = 0; k < sections; ++k) {
                                   mctest::Gate end;
                                   mc_section_options section = MC_SECTION_OPTIONS_INIT;
                                   section.unblock = [](void* gate) {
                                       static_cast<mctest::Gate*>(gate)->open();
                                   };
                                   section.unblock_arg = &end;
                                   section.deadline = random() % 16 ? MC_FOREVER : 1 + random() % 200'000;
                                   const bool waits = section.deadline != MC_FOREVER;
                                   if (mc_release_with(&section) == MC_OK && waits) end.wait();
                                   if (random() % 8 == 0) {
                                       ASSERT_EQ(MC_OK, mc_enter());
                                       take();
                                       host.cede();
                                       mc_task_options options = MC_TASK_OPTIONS_INIT;
                                       options.data = &destroyed;
                                       options.destroy = [](void* count) {
                                           ++*static_cast<std::uint64_t*>(count);
                                       };
                                       mc_task* fresh = nullptr;
                                       ASSERT_EQ(MC_OK, mc_task_adopt(runtime, &options, &fresh));
                                       ++adopted;
                                       ASSERT_EQ(MC_OK, mc_leave());
                                       mc_task_unref(fresh);  // without the baton
                                   }
                                   mc_acquire();
                                   if (mc_checkpoint() == MC_EINTR) take();
                                   if (random() % 4 == 0) host.cede();
                               }
                               if (--left == 0) over = true;
                           })
                    ->task));
        std::thread meddler([&] {
            while (!over)
                for (mc_task* task : tasks) {
                    sent += mc_task_interrupt(task, nullptr) == MC_OK;
                    (void)mc_task_state(task);
                    (void)mc_task_unpark(task);
                    mc_task_unref(mc_task_ref(task));
                    mctest::spin(20'000);
                }
        });
        mc_release();
        meddler.join();
        mc_acquire();
        host.join_all();
        for (mc_task* task : tasks) mc_task_unref(task);
    });
    EXPECT_LE(told, sent);
    runtime.destroy();
    EXPECT_EQ(adopted, destroyed);
}

}  // namespace
