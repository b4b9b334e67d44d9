// When OS threads start and end. Each test counts the threads of a child process.
// SPDX-License-Identifier: BSL-1.0
#include <fstream>
#include <string>
#include <thread>

#include <dirent.h>
#include <signal.h>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::process_threads;
using mctest::Runtime;

int threads_at_start;

void count_threads() {
    std::thread([] {}).join();  // a sanitizer may start a thread of its own beside the first
    threads_at_start = process_threads();
}

#define MC_CHILD(...)                \
    EXPECT_EXIT(child([&] {          \
                    count_threads(); \
                    __VA_ARGS__      \
                }),                  \
                ::testing::ExitedWithCode(0), "")

int started() { return process_threads() - threads_at_start; }

TEST(ThreadsDeathTest, NoneBeforeTheFirstReleaseThatNeedsOne) {
    MC_CHILD({
        Runtime runtime;
        EXPECT_EQ(0, started());
        mc_task* parked = runtime.spawn([] { EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER)); });
        runtime.run([&] {
            for (int i = 0; i < 100; ++i) {
                EXPECT_EQ(MC_OK, mc_task_yield());
                EXPECT_EQ(MC_OK, mc_checkpoint());
            }
            EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
            EXPECT_EQ(MC_OK, mc_task_unpark(parked));
            EXPECT_EQ(MC_OK, mc_task_join(parked, MC_FOREVER));
            // Nobody else is ready: the section needs no thread.
            for (int i = 0; i < 1000; ++i) {
                mc_release();
                mc_acquire();
            }
            EXPECT_EQ(0, started());
            EXPECT_EQ(0u, runtime.stats().threads_peak);

            Gate other_ran;
            runtime.spawn([&] { other_ran.open(); });
            mc_release();
            other_ran.wait();
            EXPECT_GE(started(), 1);
            mc_acquire();
        });
        EXPECT_GE(runtime.stats().threads_peak, 1u);
    });
}

TEST(ThreadsDeathTest, AnAttachedThreadAloneNeedsNone) {
    MC_CHILD({
        Runtime runtime;
        runtime.attached([] {
            for (int i = 0; i < 100; ++i) {
                mc_release();
                mc_acquire();
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
            EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
        });
        EXPECT_EQ(0, started());
    });
}

// So many sections at once that `count` threads are needed.
void widen(Runtime& runtime, int count) {
    runtime.run([&runtime, count] { mctest::sections_at_once(runtime, count); });
}

TEST(ThreadsDeathTest, IdleOnesBeyondTheKeptEndAfterTheTimeout) {
    MC_CHILD({
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.keep_idle_threads = 1;
        options.idle_timeout = mctest::ms;
        Runtime runtime(options);
        widen(runtime, 8);
        EXPECT_GE(runtime.stats().threads_peak, 8u);
        while (runtime.stats().threads > 1 || started() > 1) std::this_thread::yield();
        widen(runtime, 8);
        while (runtime.stats().threads > 1 || started() > 1) std::this_thread::yield();
    });
}

TEST(ThreadsDeathTest, TheKeptOnesStay) {
    MC_CHILD({
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.keep_idle_threads = 64;  // more than there are
        options.idle_timeout = 1;
        Runtime runtime(options);
        widen(runtime, 6);
        const uint64_t threads = runtime.stats().threads;
        EXPECT_GE(threads, 6u);
        std::this_thread::sleep_for(std::chrono::milliseconds(20));  // many timeouts
        EXPECT_LE(threads, runtime.stats().threads);                 // one may have been on its way
    });
}

TEST(ThreadsDeathTest, TheLimitIsKept) {
    MC_CHILD({
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.max_threads = 3;
        Runtime runtime(options);
        int ran = 0;
        for (int i = 0; i < 50; ++i)
            runtime.spawn([&] {
                ++ran;
                mc_release();
                EXPECT_LE(started(), 3);
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
                mc_acquire();
            });
        runtime.run();
        EXPECT_EQ(50, ran);
        EXPECT_LE(runtime.stats().threads_peak, 3u);
    });
}

TEST(ThreadsDeathTest, DestroyLeavesNone) {
    MC_CHILD({
        {
            Runtime runtime;
            widen(runtime, 4);
        }
        while (started() > 0) std::this_thread::yield();
    });
}

struct Hooks {
    Gate started, stopped;
};

TEST(ThreadsDeathTest, TheHooksRunOnEveryCarrier) {
    MC_CHILD({
        Hooks hooks;
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.arg = &hooks;
        options.thread_start = [](void* arg) { static_cast<Hooks*>(arg)->started.open(); };
        options.thread_stop = [](void* arg) { static_cast<Hooks*>(arg)->stopped.open(); };
        uint64_t peak = 0;
        {
            Runtime runtime([&options] {
                options.misuse = [](void*, const mc_misuse* report) { ADD_FAILURE() << report->message; };
                return options;
            }());
            widen(runtime, 4);
            peak = runtime.stats().threads_peak;
        }
        for (uint64_t i = 0; i < peak; ++i) {
            hooks.started.wait();
            hooks.stopped.wait();
        }
    });
}

TEST(ThreadsDeathTest, CarriersHaveTheSignalMaskOfTheCreatorWhileTheyWork) {
    MC_CHILD({
        sigset_t mask;
        sigemptyset(&mask);
        sigaddset(&mask, SIGUSR2);
        ASSERT_EQ(0, pthread_sigmask(SIG_SETMASK, &mask, nullptr));
        Runtime runtime;
        runtime.attached([&] {
            mc_task* other = runtime.spawn([] {
                sigset_t now;
                EXPECT_EQ(0, pthread_sigmask(SIG_SETMASK, nullptr, &now));
                EXPECT_EQ(1, sigismember(&now, SIGUSR2));
                EXPECT_EQ(0, sigismember(&now, SIGUSR1));
                EXPECT_EQ(0, sigismember(&now, SIGINT));
            });
            EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        });
    });
}

struct Carriers {
    unsigned all = 0;
    unsigned blocking = 0;  // of these: block the signal
};

// They are known by their names.
Carriers carriers(int signal) {
    Carriers count;
    DIR* threads = opendir("/proc/self/task");
    while (const dirent* entry = readdir(threads)) {
        std::ifstream status(std::string("/proc/self/task/") + entry->d_name + "/status");
        bool carrier = false;
        for (std::string word; status >> word;) {
            if (word == "Name:" && status >> word) carrier = word.rfind("multicore/", 0) == 0;
            if (!carrier || word != "SigBlk:" || !(status >> word)) continue;
            ++count.all;
            if (std::stoull(word, nullptr, 16) >> (signal - 1) & 1) ++count.blocking;
        }
    }
    closedir(threads);
    return count;
}

bool all_block(int signal) {
    const Carriers count = carriers(signal);
    return count.all > 0 && count.blocking == count.all;
}

TEST(ThreadsDeathTest, IdleCarriersBlockAllButSynchronousSignals) {
    MC_CHILD({
        Runtime runtime;
        widen(runtime, 2);
        while (!all_block(SIGUSR1) || !all_block(SIGINT)) std::this_thread::yield();
        for (const int synchronous : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT})
            EXPECT_EQ(0u, carriers(synchronous).blocking);
    });
}

}  // namespace
