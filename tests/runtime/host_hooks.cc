// What a host is told, in which order, and what it may do meanwhile.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

// A host that checks what every host relies on: the task whose registers are loaded is the one that
// runs, and the thread last named by `taken` is the one it runs on. All of it plain: the baton guards it.
class Host {
public:
    mc_host hooks() {
        mc_host host = MC_HOST_INIT;
        host.self = this;
        host.taken = on_taken;
        host.switched = on_switched;
        host.may_lend = on_may_lend;
        return host;
    }
    mc_host hooks_with_attention() {
        mc_host host = hooks();
        host.attention = [](void* self) { static_cast<Host*>(self)->somebody_waits.open(); };
        return host;
    }
    void check_running() const {
        EXPECT_EQ(loaded, mc_task_current());
        EXPECT_EQ(thread, mctest::thread_id());
    }

    std::string switches;  // "from>to," by name; '-' for NULL
    mc_task* loaded = nullptr;
    int thread = mctest::thread_id();  // the first thread takes it from nobody
    int takes = 0;
    std::atomic<int> lend_asks{0};
    int may_lend = 1;
    std::function<void()> in_switched, in_taken;
    Gate somebody_waits;  // with attention

private:
    static std::string name(mc_task* task) { return task ? mc_task_name(task) : "-"; }
    static void on_taken(void* self, mc_task*) {
        Host* host = static_cast<Host*>(self);
        host->takes += host->thread != mctest::thread_id();  // a thread that comes again may be named again
        host->thread = mctest::thread_id();
        if (host->in_taken) host->in_taken();
    }
    static void on_switched(void* self, mc_task* from, mc_task* to) {
        Host* host = static_cast<Host*>(self);
        EXPECT_NE(nullptr, to);
        EXPECT_NE(from, to);
        if (from) {
            EXPECT_EQ(host->loaded, from);
        }
        host->switches += name(from) + ">" + name(to) + ",";
        host->loaded = to;
        if (host->in_switched) host->in_switched();
    }
    static int on_may_lend(void* self) {
        Host* host = static_cast<Host*>(self);
        ++host->lend_asks;
        return host->may_lend;
    }
};

TEST(Switched, TellsEveryChangeOfTheRunningTask) {
    Host host;
    Runtime runtime(host.hooks());
    const auto body = [&] {
        for (int i = 0; i < 2; ++i) {
            host.check_running();
            EXPECT_EQ(MC_OK, mc_task_yield());
        }
        host.check_running();
    };
    runtime.spawn(body, "a");
    runtime.spawn(body, "b");
    runtime.run();
    EXPECT_EQ("->a,a>b,b>a,a>b,b>a,->b,", host.switches);
    EXPECT_EQ(0, host.takes);
}

TEST(Switched, IsSilentWhenTheSameTaskGoesOn) {
    Host host;
    Runtime runtime(host.hooks());
    runtime.spawn(
        [&] {
            for (int i = 0; i < 10; ++i) {
                EXPECT_EQ(MC_OK, mc_task_yield());
                EXPECT_EQ(MC_OK, mc_task_sleep(1));
                EXPECT_EQ(MC_OK, mc_checkpoint());
                mc_release();
                mc_acquire();
            }
        },
        "a");
    runtime.run();
    EXPECT_EQ("->a,", host.switches);
    runtime.spawn([] {}, "b");
    runtime.run();
    EXPECT_EQ("->a,->b,", host.switches);
    EXPECT_EQ(0, host.takes);
}

TEST(Switched, SeesASectionThatOthersUsed) {
    Host host;
    Runtime runtime(host.hooks());
    runtime.spawn(
        [&] {
            Gate other_done;
            runtime.spawn(
                [&] {
                    host.check_running();
                    other_done.open();
                },
                "b");
            mc_release();
            other_done.wait();
            mc_acquire();
            host.check_running();
        },
        "a");
    runtime.run();
    EXPECT_EQ("->a,a>b,->a,", host.switches);
    EXPECT_GE(host.takes, 2);
}

TEST(Switched, BoundTasksToo) {
    Host host;
    Runtime runtime(host.hooks());
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = "main";
    ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
    host.check_running();
    mc_task* b = runtime.spawn([&] { host.check_running(); }, "b");
    EXPECT_EQ(MC_OK, mc_task_join(b, MC_FOREVER));
    host.check_running();
    EXPECT_EQ(MC_OK, mc_detach());
    std::thread([&] {
        options.name = "other";
        ASSERT_EQ(MC_OK, mc_attach(runtime, &options, MC_FOREVER, nullptr));
        host.check_running();
        EXPECT_EQ(MC_OK, mc_detach());
    }).join();
    EXPECT_EQ("->main,main>b,->main,->other,", host.switches);
}

TEST(Hooks, AreRightInAMixOfEverything) {
    Host host;
    Runtime runtime(host.hooks());
    std::atomic<bool> stop{false};
    for (int i = 0; i < 8; ++i)
        runtime.spawn([&host, i] {
            for (int round = 0; round < 400; ++round) {
                host.check_running();
                mc_release();
                mctest::spin(static_cast<uint64_t>(round * i % 500) * 10);
                mc_acquire();
                host.check_running();
                if (round % 3 == 0) {
                    EXPECT_EQ(MC_OK, mc_task_yield());
                }
                host.check_running();
                if (round % 50 == 0) {
                    EXPECT_EQ(MC_OK, mc_task_sleep(1000));
                }
                host.check_running();
            }
        });
    std::thread other([&] {
        while (!stop.load()) runtime.attached([&] { host.check_running(); });
    });
    runtime.run();
    stop.store(true);
    other.join();
}

TEST(Hooks, ASectionInsideIsInline) {
    Host host;
    Runtime runtime(host.hooks());
    int calls = 0;
    host.in_switched = [&] {
        ++calls;
        mc_release();
        mc_acquire();
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
        EXPECT_EQ(MC_EPERM, mc_task_park(1));
    };
    runtime.spawn([] {}, "a");
    runtime.spawn([] {}, "b");
    runtime.run();
    EXPECT_EQ(2, calls);
    EXPECT_EQ("->a,->b,", host.switches);
    EXPECT_EQ(0u, runtime.stats().sections - runtime.stats().sections_inline);
}

TEST(Hooks, HaveTheBatonWhileASectionReturns) {
    Host host;
    Runtime runtime(host.hooks());
    int switched = 0, taken = 0;
    const auto use_the_baton = [](int& calls) {
        mc_task* self = mc_task_current();
        if (!self) return;
        ++calls;
        mc_task_set_data(self, &calls);
        EXPECT_EQ(&calls, mc_task_data(self));
        const int token = mc_scope_enter(MC_SCOPE_DISABLE);
        EXPECT_GE(token, 0);
        EXPECT_EQ(MC_OK, mc_scope_leave(token));
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_OK, mc_checkpoint());
        mc_release();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
    };
    host.in_switched = [&] { use_the_baton(switched); };
    host.in_taken = [&] { use_the_baton(taken); };
    runtime.spawn(
        [&] {
            Gate other_ran;
            runtime.spawn([&] { other_ran.open(); }, "b");
            mc_release();
            mc_release();
            other_ran.wait();
            mc_acquire();
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_task_yield());  // the section is closed, at every depth
            EXPECT_EQ(MC_EPERM, mc_leave());
        },
        "a");
    runtime.run();
    EXPECT_EQ(3, switched);
    EXPECT_GE(taken, 2);
}

TEST(MayLend, NoKeepsTheBaton) {
    Host host;
    host.may_lend = 0;
    Runtime runtime(host.hooks());
    std::atomic<bool> ran{false};
    runtime.spawn(
        [&] {
            runtime.spawn([&] { ran.store(true); }, "b");
            mc_release();
            // Nothing can be waited for: what must not happen has many occasions to happen.
            const uint64_t end = mc_now() + 20 * mctest::ms;
            while (mc_now() < end || host.lend_asks == 0) EXPECT_FALSE(ran.load());
            mc_acquire();
            EXPECT_FALSE(ran.load());
            host.may_lend = 1;
        },
        "a");
    runtime.run();
    EXPECT_TRUE(ran.load());
    EXPECT_GE(host.lend_asks, 1);
}

// By the holder: what must not happen in its sections has many occasions to happen.
void open_sections_alone(const std::atomic<int>& others) {
    for (int i = 0; i < 4; ++i) {
        mc_release();
        const uint64_t end = mc_now() + 5 * mctest::ms;
        while (mc_now() < end && others.load() == 0) {
        }
        mc_acquire();
    }
    EXPECT_EQ(0, others.load());
}

TEST(MayLend, NoIsForAThreadThatWaitsTooLongToo) {
    Host host;
    host.may_lend = 0;
    Runtime runtime(host.hooks_with_attention());
    std::atomic<int> others{0};
    std::thread other;
    runtime.attached([&] {
        other = std::thread([&] { runtime.attached([&] { ++others; }); });
        host.somebody_waits.wait();
        open_sections_alone(others);
        EXPECT_GE(host.lend_asks, 1);
        host.may_lend = 1;
        mc_release();
        other.join();
        mc_acquire();
    });
    EXPECT_EQ(1, others.load());
}

TEST(MayLend, NoIsForReturningSectionsAndReadyTasksToo) {
    Host host;
    Runtime runtime(host.hooks_with_attention());
    std::atomic<int> others{0};
    runtime.attached([&] {
        Gate inside, finish;
        std::vector<mc_task*> sections;
        for (int i = 0; i < 2; ++i)
            sections.push_back(runtime.spawn([&] {
                mc_release();
                inside.open();
                finish.wait();
                mc_acquire();
                ++others;
            }));
        mc_release();
        for (int i = 0; i < 2; ++i) inside.wait();
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_checkpoint());
        host.may_lend = 0;
        while (host.somebody_waits.opened()) {
        }
        finish.open(2);
        for (mc_task* section : sections)
            while (mc_task_state(section) != MC_TASK_DUE) std::this_thread::yield();
        runtime.spawn([&] { ++others; });
        host.somebody_waits.wait();
        open_sections_alone(others);
        host.may_lend = 1;
    });
    runtime.run();
    EXPECT_EQ(3, others.load());
}

TEST(MayLend, IsNotAskedWhileNobodyWaits) {
    Host host;
    Runtime runtime(host.hooks());
    runtime.run([] {
        for (int i = 0; i < 1000; ++i) {
            mc_release();
            mc_acquire();
        }
    });
    EXPECT_EQ(0, host.lend_asks);
}

}  // namespace
