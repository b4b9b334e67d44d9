// Ten thousand sections, again and again: afterwards the process has the threads and the memory of before.
// SPDX-License-Identifier: BSL-1.0
#include <fstream>
#include <string>
#include <thread>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::Runtime;

// As many threads as these need are to be had in most containers.
constexpr int at_once = mctest::sanitized ? 200 : 2000;
constexpr int waves = mctest::sanitized ? 2 : 5;

struct Memory {
    long kilobytes = 0;
    long mappings = 0;
};

Memory memory() {
    Memory now;
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;)
        if (word == "VmRSS:") status >> now.kilobytes;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) ++now.mappings;
    return now;
}

struct Wave {
    Gate arrived, all;
};

void section(void* argument) {
    Wave& wave = *static_cast<Wave*>(argument);
    mc_release();
    wave.arrived.open();
    wave.all.wait();
    mc_acquire();
}

Memory after_a_burst(Runtime& runtime, int idle_threads) {
    for (int i = 0; i < waves; ++i) {
        Wave wave;
        runtime.attached([&] {
            for (int j = 0; j < at_once; ++j)
                ASSERT_EQ(MC_OK, mc_task_spawn(runtime, section, &wave, nullptr, nullptr));
            mc_release();
            for (int j = 0; j < at_once; ++j) wave.arrived.wait();
            wave.all.open(at_once);
            mc_acquire();
        });
        runtime.run();
    }
    while (mctest::process_threads() > idle_threads) std::this_thread::yield();
    return memory();
}

TEST(BurstDeathTest, OfTenThousandSectionsLeavesNothing) {
    EXPECT_EXIT(
        child(
            [] {
                std::thread([] {}).join();  // a sanitizer may start a thread of its own beside the first
                constexpr int keep = 2;
                const int idle = mctest::process_threads() + keep;
                mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
                options.max_threads = static_cast<std::uint32_t>(MC_NONE);
                options.keep_idle_threads = keep;
                options.idle_timeout = mctest::ms;
                Runtime runtime(options);
                after_a_burst(runtime, idle);  // what is kept for the next one is made
                const Memory second = after_a_burst(runtime, idle);
                const Memory third = after_a_burst(runtime, idle);
                EXPECT_GE(runtime.stats().threads_peak, static_cast<uint64_t>(at_once));
                EXPECT_GE(idle, mctest::process_threads());
                if (mctest::sanitized) return;  // their memory is not ours
                // A little is the allocator's; one thing left by each section would be more.
                EXPECT_LE(third.kilobytes, second.kilobytes + 2048);
                EXPECT_LE(third.mappings, second.mappings + 100);
            },
            2),
        ::testing::ExitedWithCode(0), "");
}

}  // namespace
