// A host that must stay on its home thread: the tasks' sections move instead.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cerrno>
#include <stdexcept>
#include <thread>

#include "shipping.h"

namespace {

using mctest::Gate;
using mctest::release_migratable;
using mctest::Runtime;
using mctest::shipping;
using mctest::thread_id;

// Compilers keep the address of errno within a function, and it is another one after a move.
[[gnu::noinline]] int get_errno() { return errno; }
[[gnu::noinline]] void set_errno(int value) { errno = value; }

TEST(Ship, TheSectionMovesAndTheInterpreterStays) {
    Runtime runtime(shipping());
    const int home = thread_id();
    Gate gate;
    bool other = false;
    runtime.spawn([&] {
        EXPECT_EQ(home, thread_id());
        set_errno(17);
        release_migratable();
        EXPECT_EQ(17, get_errno());
        EXPECT_NE(home, thread_id());
        EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SECTION), mc_task_state(mc_task_current()));
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        gate.wait();  // until the other one has run
        set_errno(18);
        mc_acquire();
        EXPECT_EQ(18, get_errno());
        EXPECT_EQ(home, thread_id());
        EXPECT_TRUE(other);
    });
    runtime.spawn([&] {
        EXPECT_EQ(home, thread_id());
        other = true;
        gate.open();
    });
    runtime.run();
    EXPECT_EQ(1u, runtime.stats().sections);
    EXPECT_EQ(0u, runtime.stats().sections_inline);
    EXPECT_EQ(0u, runtime.stats().handoffs);
}

TEST(Ship, InlineUnlessDeclaredAndOnAThreadsOwnStack) {
    Runtime runtime(shipping());
    const int home = thread_id();
    runtime.spawn([&] {
        mc_release();  // not declared
        EXPECT_EQ(home, thread_id());
        mc_acquire();
    });
    runtime.spawn([] {});
    runtime.run();
    EXPECT_EQ(1u, runtime.stats().sections_inline);
    runtime.attached([&] {
        runtime.spawn([] {});
        release_migratable();
        EXPECT_EQ(home, thread_id());
        mc_acquire();
    });
    runtime.run();
    EXPECT_EQ(2u, runtime.stats().sections_inline);
}

// Somebody may become ready meanwhile: here the section sees to that itself, and then waits for it.
TEST(Ship, MovesThoughNobodyElseIsReadyYet) {
    Runtime runtime(shipping());
    Gate gate;
    mc_task* other = runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
        gate.open();
    });
    runtime.spawn([&] {
        release_migratable();
        EXPECT_EQ(MC_OK, mc_task_unpark(other));
        gate.wait();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
    });
    runtime.run();
    EXPECT_EQ(0u, runtime.stats().sections_inline);
}

TEST(Ship, ALoneTaskStaysAtHome) {
    Runtime runtime(shipping());
    const int home = thread_id();
    runtime.run([&] {
        release_migratable();
        EXPECT_EQ(home, thread_id());
        mc_acquire();
    });
    EXPECT_EQ(1u, runtime.stats().sections_inline);
    EXPECT_EQ(0u, runtime.stats().threads_peak);
}

TEST(Ship, DisabledAtomicAndRefusedSectionsAreInline) {
    mc_host host = shipping();
    bool may = true;
    host.self = &may;
    host.may_lend = [](void* self) { return static_cast<int>(*static_cast<bool*>(self)); };
    Runtime runtime(host);
    const int home = thread_id();
    runtime.spawn([&] {
        for (const uint32_t kind : {MC_SCOPE_DISABLE, MC_SCOPE_ATOMIC}) {
            const int token = mc_scope_enter(kind);
            release_migratable();
            EXPECT_EQ(home, thread_id());
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_scope_leave(token));
        }
        may = false;
        release_migratable();
        EXPECT_EQ(home, thread_id());
        mc_acquire();
        may = true;
        EXPECT_EQ(1, mc_enable(runtime, 0));
        release_migratable();
        EXPECT_EQ(home, thread_id());
        mc_acquire();
        EXPECT_EQ(0, mc_enable(runtime, 1));
        release_migratable();
        EXPECT_NE(home, thread_id());
        mc_acquire();
    });
    runtime.spawn([] {});
    runtime.run();
}

TEST(Ship, ExceptionsInFlightTravel) {
    Runtime runtime(shipping());
    for (int i = 0; i < 4; ++i)
        runtime.spawn([i] {
            try {
                throw std::runtime_error(std::to_string(i));
            } catch (...) {
                release_migratable();
                mc_acquire();
                try {
                    throw;
                } catch (const std::runtime_error& error) {
                    EXPECT_EQ(std::to_string(i), error.what());
                }
            }
        });
    runtime.run();
}

TEST(Ship, ACallbackRunsAtHome) {
    Runtime runtime(shipping());
    const int home = thread_id();
    for (int i = 0; i < 3; ++i)
        runtime.spawn([&] {
            release_migratable();
            for (int round = 0; round < 20; ++round) {
                EXPECT_EQ(MC_OK, mc_enter());
                EXPECT_EQ(home, thread_id());
                EXPECT_EQ(MC_OK, mc_task_yield());
                EXPECT_EQ(MC_OK, mc_leave());
            }
            mc_acquire();
            EXPECT_EQ(home, thread_id());
        });
    runtime.run();
}

TEST(Ship, WithAnAttachedThreadOnly) {
    Runtime runtime(shipping());
    const int home = thread_id();
    std::atomic<int> moved{0};
    runtime.attached([&] {
        std::vector<mc_task*> tasks;
        for (int i = 0; i < 5; ++i)
            tasks.push_back(runtime.spawn([&] {
                for (int round = 0; round < 50; ++round) {
                    release_migratable();
                    moved += thread_id() != home;
                    mc_acquire();
                    EXPECT_EQ(home, thread_id());
                }
            }));
        EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
        for (mc_task* task : tasks) EXPECT_EQ(MC_OK, mc_task_join(task, MC_FOREVER));
        EXPECT_EQ(home, thread_id());
    });
    EXPECT_GT(moved, 0);
}

TEST(Ship, AttachingIsForTheHomeThread) {
    Runtime runtime(shipping());
    runtime.run();  // this thread is it now
    std::thread other([&] { EXPECT_EQ(MC_ENOTSUP, mc_attach(runtime, nullptr, MC_FOREVER, nullptr)); });
    other.join();
}

TEST(Ship, CancelledAndAbandonedSections) {
    Runtime runtime(shipping());
    Gate in_section, unblocked, go_on;
    bool told = false, went_on = false;
    mc_task* safe = runtime.spawn([&] {
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.flags = MC_SECTION_MIGRATABLE;
        options.unblock = [](void* arg) { static_cast<Gate*>(arg)->open(); };
        options.unblock_arg = &unblocked;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
        in_section.open();
        unblocked.wait();
        told = mc_acquire_status() == MC_ECANCELED;
    });
    mc_task* abandoned = runtime.spawn([&] {
        release_migratable();
        in_section.open();
        go_on.wait();
        mc_acquire();
        went_on = true;
    });
    runtime.spawn([&] {
        while (mc_task_state(safe) != MC_TASK_SECTION || mc_task_state(abandoned) != MC_TASK_SECTION)
            mc_task_yield();
        in_section.wait();
        in_section.wait();
        EXPECT_EQ(MC_EBUSY, mc_task_cancel(abandoned, MC_CANCEL_SAFE));
        EXPECT_EQ(MC_OK, mc_task_cancel(abandoned, MC_CANCEL_ABANDON));
        EXPECT_EQ(MC_OK, mc_task_join(abandoned, MC_FOREVER));
        go_on.open();
        EXPECT_EQ(MC_OK, mc_task_cancel(safe, MC_CANCEL_SAFE));
        EXPECT_EQ(MC_OK, mc_task_join(safe, MC_FOREVER));
    });
    runtime.run();
    EXPECT_TRUE(told);
    EXPECT_FALSE(went_on);
    EXPECT_EQ(MC_ECANCELED, mc_task_result(abandoned));
}

TEST(Ship, AStragglerIsParkedAndItsStackDropped) {
    int with_its_thread = 0;
    Runtime runtime(shipping());
    Gate in_section, go_on;
    bool went_on = false;
    mc_task* task = nullptr;
    runtime.attached([&] {
        task = runtime.spawn([&] {
            release_migratable();
            in_section.open();
            go_on.wait();
            mc_acquire();
            went_on = true;
        });
        runtime.spawn([] {});
        EXPECT_EQ(MC_OK, mc_task_sleep(0));
        in_section.wait();
        with_its_thread = mctest::process_threads();
        EXPECT_EQ(MC_ETIMEDOUT, mc_runtime_shutdown(runtime, 0));
        EXPECT_EQ(1u, runtime.take_reports().size());
    });
    EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    runtime.destroy();
    go_on.open();
    while (mctest::process_threads() >= with_its_thread) std::this_thread::yield();
    EXPECT_FALSE(went_on);
}

// They run on the thread that shuts down, and never leave it to itself: the time counts all the same.
TEST(Ship, TasksThatDoNotEndAreDroppedWhenTheTimeIsOver) {
    for (const int count : {1, 3}) {
        Runtime runtime(shipping());
        mc_task* task = nullptr;
        runtime.attached([&] {
            for (int i = 0; i < count; ++i)
                task = runtime.spawn([] {
                    for (;;) mc_task_sleep(mctest::ms);
                });
            EXPECT_EQ(MC_OK, mc_task_sleep(0));
            EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, mctest::ms));
        });
        EXPECT_EQ(MC_ECANCELED, mc_task_result(task));
    }
}

TEST(Ship, ManyMoves) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    const mc_host host = shipping();
    options.host = &host;
    options.max_threads = 4;
    Runtime runtime(options);
    const int home = thread_id();
    std::atomic<int> moved{0};
    int total = 0;
    constexpr int tasks = 20, rounds = 500;
    mc_task* company = runtime.spawn([] { mc_task_park(MC_FOREVER); });  // else the last one stays at home
    for (int i = 0; i < tasks; ++i)
        runtime.spawn([&] {
            for (int round = 0; round < rounds; ++round) {
                const int before = total;
                release_migratable();
                moved += thread_id() != home;
                mc_acquire();
                total += 1;
                EXPECT_LE(before, total);
                if (round % 7 == 0) mc_task_yield();
                if (round % 50 == 0) mc_task_sleep(1);
            }
            if (total == tasks * rounds) {
                EXPECT_EQ(MC_OK, mc_task_unpark(company));
            }
        });
    runtime.run();
    EXPECT_EQ(tasks * rounds, total);
    EXPECT_EQ(tasks * rounds, moved);
}

}  // namespace
