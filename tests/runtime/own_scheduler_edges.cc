// A host with coroutines of its own, where two things meet: who waits on whose stack, who polls, what ends.
// SPDX-License-Identifier: BSL-1.0
#include <thread>
#include <utility>

#include "coro_host.h"

namespace {

using mctest::CoroHost;
using mctest::Coroutine;
using mctest::Gate;
using mctest::ms;
using mctest::Runtime;
using mctest::thread_id;

mc_runtime_options limited(const mc_host& hooks, std::uint32_t max_threads) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = max_threads;
    return options;
}

// Main's section has ended, and waits on the attached thread, below the coroutine that wants to detach it.
TEST(OwnSchedulerEdges, AThreadOnWhichASectionWaitsIsNotDetached) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    Runtime runtime(limited(hooks, 1));
    host.main(runtime, [&] {
        const int home = thread_id();
        Gate begun, end;
        bool other = false;
        host.due_first = false;
        host.start("section", [&] {
            mc_release();
            begun.open();
            end.wait();
            mc_acquire();
        });
        host.start("other", [&] {
            other = true;
            EXPECT_EQ(home, thread_id());
            EXPECT_EQ(MC_EBUSY, mc_detach());
        });
        mc_release();
        begun.wait();
        mc_acquire();
        EXPECT_TRUE(other);
        end.open();
        host.join_all();
    });
}

// The section of main takes the baton from y's, and there the host finds x due, and prefers it.
TEST(OwnSchedulerEdges, ASectionThatGivesItsTurnAwayGetsAnother) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    Runtime runtime(limited(hooks, 2));  // no carrier is left to help
    host.main(runtime, [&] {
        Gate x_begun, x_end, y_begun, main_back;
        bool x_first = false;
        host.start("x", [&] {
            mc_release();
            x_begun.open();
            x_end.wait();
            mc_acquire();
            x_first = true;
            mc_release();
            main_back.wait();
            mc_acquire();
        });
        Coroutine* y = host.start("y", [&] {
            y_begun.open();
            while (host.wakes < 1) {
            }
            mc_release();
            main_back.wait();
            mc_acquire();
        });
        host.on_run = [&](mc_task* lender) {
            if (lender != y->task || x_first) return;
            x_end.open();
            while (host.wakes < 2) {
            }
        };
        mc_release();
        x_begun.wait();
        y_begun.wait();
        mc_acquire();
        EXPECT_TRUE(x_first);
        host.on_run = nullptr;
        main_back.open(2);
        host.join_all();
    });
}

// A section of main's with a deadline, beside a coroutine that does `step` until it is over.
void meet_deadline(CoroHost& host, const std::function<void()>& step) {
    Gate begun, end;
    std::atomic<bool> over{false};
    host.start("goes on", [&] {
        begun.open();
        while (!over) step();
    });
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.deadline = 10 * ms;
    options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
    options.unblock_arg = &end;
    EXPECT_EQ(MC_OK, mc_release_with(&options));
    begun.wait();
    end.wait();
    over = true;
    EXPECT_EQ(MC_ECANCELED, mc_acquire_status());
    host.join_all();
}

// The only carrier computes: it looks after the timers at its checkpoints.
TEST(OwnSchedulerEdges, ADeadlineIsMetBesideACoroutineThatComputes) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    Runtime runtime(limited(hooks, 1));
    host.main(runtime, [&] { meet_deadline(host, [] { mc_checkpoint(); }); });
}

// The library hears nothing of a switch. So another thread polls from when this one begins: a new one the
// first time, later one that slept.
TEST(OwnSchedulerEdges, ADeadlineIsMetBesideACoroutineThatCedes) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    Runtime runtime(limited(hooks, 4));
    host.main(runtime, [&] {
        for (int i = 0; i < 15; ++i) {
            meet_deadline(host, [&] { host.cede(); });
            mctest::spin(5 * ms);  // most likely the carriers sleep now
        }
    });
}

// Its section outlasts the thread that was attached when it began, and ends while none is.
TEST(OwnSchedulerEdges, ACoroutineInASectionIsLeftToTheNextThreadThatAttaches) {
    for (const bool due_first : {true, false}) {
        CoroHost host;
        Runtime runtime(host.hooks());
        host.due_first = due_first;
        Gate end;
        bool over = false;
        std::thread([&] {
            host.main_for_now(runtime, [&] {
                Gate begun;
                host.start("section", [&] {
                    mc_release();
                    begun.open();
                    end.wait();
                    mc_acquire();
                    mc_release();
                    mc_acquire();
                    over = true;
                });
                mc_release();
                begun.wait();
                mc_acquire();
            });
        }).join();
        const int wakes = host.wakes;
        end.open();
        while (host.wakes == wakes) {
        }
        EXPECT_FALSE(over);
        std::thread([&] { host.main(runtime, [] {}); }).join();
        EXPECT_TRUE(over);
    }
}

TEST(OwnSchedulerEdges, AThreadThatEndsAttachedIsReportedAndAnotherMayAttach) {
    CoroHost host;
    Runtime runtime(host.hooks());
    std::thread([&] { EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr)); }).join();
    EXPECT_EQ(1u, runtime.take_reports().size());
    std::thread([&] {
        EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_OK, mc_detach());
    }).join();
}

struct OneCoroutine {
    mc_task* task = nullptr;
    int says_ready = 0;
    std::atomic<int> runs{0};
    Gate ran;
    mc_host hooks() {
        mc_host host = MC_HOST_INIT;
        host.flags = MC_HOST_OWN_SCHEDULER;
        host.self = this;
        host.current = [](void* self) { return static_cast<OneCoroutine*>(self)->task; };
        host.ready = [](void* self) { return static_cast<OneCoroutine*>(self)->says_ready; };
        host.run = [](void* self, mc_task*) {
            ++static_cast<OneCoroutine*>(self)->runs;
            static_cast<OneCoroutine*>(self)->ran.open();
        };
        host.wake = [](void*) {};
        return host;
    }
};

// `run` had nothing to do: until the next lend nothing changes, whatever `ready` says.
TEST(OwnSchedulerEdges, AHostThatIsMistakenAboutItsWorkIsAskedOnce) {
    OneCoroutine host;
    host.says_ready = 1;
    Runtime runtime(host.hooks());
    EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
    EXPECT_EQ(MC_OK, mc_task_adopt(runtime, nullptr, &host.task));
    mc_release();
    host.ran.wait();
    mctest::spin(20 * ms);
    EXPECT_EQ(1, host.runs);
    mc_acquire();
    mc_task_unref(std::exchange(host.task, nullptr));
    EXPECT_EQ(MC_OK, mc_detach());
}

TEST(OwnSchedulerEdges, ItMayEndInASectionOfACoroutine) {
    OneCoroutine host;
    Runtime runtime(host.hooks());
    std::thread([&] {
        EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_OK, mc_task_adopt(runtime, nullptr, &host.task));
        mc_section_options options = MC_SECTION_OPTIONS_INIT;
        options.deadline = 3600'000 * ms;
        EXPECT_EQ(MC_OK, mc_release_with(&options));
    }).join();
    EXPECT_EQ(1u, runtime.take_reports().size());
    EXPECT_EQ(MC_TASK_RUNNING, static_cast<int>(mc_task_state(host.task)));
    std::thread([&] {
        EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, MC_FOREVER, nullptr));
        mc_release();
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_detach());
    }).join();
    mc_task_unref(host.task);
}

// Whoever was given up could take the baton otherwise.
TEST(OwnSchedulerEdges, AfterAShutdownInASectionTheBatonStays) {
    CoroHost host;
    Runtime runtime(host.hooks());
    host.main(runtime, [&] {
        mc_release();
        EXPECT_EQ(MC_TASK_SECTION, static_cast<int>(mc_task_state(host.current()->task)));
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, 0));
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_NE(MC_TASK_SECTION, static_cast<int>(mc_task_state(host.current()->task)));
        mc_acquire();
    });
}

}  // namespace
