// Many coroutines of a host that schedules, in sections on few threads.
// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <random>

#include "coro_host.h"

namespace {

using mctest::CoroHost;
using mctest::Runtime;

TEST(OwnSchedulerStress, Sections) {
    constexpr int coroutines = 32;
    const int sections = (mctest::sanitized ? 20'000 : 100'000) / coroutines;
    CoroHost host;
    const mc_host hooks = host.hooks();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = 4;
    Runtime runtime(options);
    std::uint64_t total = 0;  // guarded by the baton
    host.main(runtime, [&] {
        for (int i = 0; i < coroutines; ++i)
            host.start("worker", [&, i] {
                std::minstd_rand random(static_cast<unsigned>(i) + 1);
                for (int k = 0; k < sections; ++k) {
                    const unsigned kind = random() % 16;
                    mc_task* task = mc_task_current();
                    const int thread = mctest::thread_id();
                    mc_release();
                    if (kind < 8) mctest::spin(random() % 20'000);
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
    EXPECT_LE(stats.threads_peak, 4u);
    std::printf(
        "%llu sections, %llu inline, %llu handoffs, %d runs, %d returned elsewhere, %d early, %d wakes\n",
        static_cast<unsigned long long>(stats.sections),
        static_cast<unsigned long long>(stats.sections_inline),
        static_cast<unsigned long long>(stats.handoffs), host.runs, host.moved_runs, host.early_runs,
        host.wakes.load());
}

}  // namespace
