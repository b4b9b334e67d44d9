// A host with coroutines of its own, forked.
// SPDX-License-Identifier: BSL-1.0
#include <sys/wait.h>

#include "coro_host.h"
#include "forking.h"

namespace {

using mctest::CoroHost;
using mctest::Coroutine;
using mctest::forked;
using mctest::Gate;
using mctest::Runtime;
using mctest::Signal;

// The other coroutines run on; the one in a section on another thread does not come back.
void fork_beside_a_section() {
    CoroHost host;
    Runtime runtime(host.hooks());
    host.main(runtime, [&] {
        Gate begun, end;
        int turns = 0;
        host.start("section", [&] {
            mc_release();
            begun.open();
            end.wait();
            mc_acquire();
        });
        Coroutine* other = host.start("other", [&] {
            host.park();
            mc_release();
            mc_acquire();
            ++turns;
        });
        host.cede();  // until both have begun: one in its section, the other parked
        mc_release();
        begun.wait();
        mc_acquire();
        EXPECT_EQ(0, turns);
        host.make_ready(other);
        EXPECT_EQ(0, forked([&] {
                      const std::uint64_t before = runtime.stats().sections_inline;
                      host.cede();
                      EXPECT_EQ(1, turns);
                      mc_release();
                      mc_acquire();
                      EXPECT_EQ(before + 2, runtime.stats().sections_inline);
                  }));
        end.open();
        host.join_all();
        EXPECT_EQ(1, turns);
    });
}

// By a callback in a section, on a carrier: the section goes on in the child, inline.
void fork_in_a_callback() {
    CoroHost host;
    Runtime runtime(host.hooks());
    host.main(runtime, [&] {
        Gate done;
        host.start("calls back", [&] {
            mc_task* task = mc_task_current();
            mc_release();
            EXPECT_EQ(MC_OK, mc_enter());
            EXPECT_EQ(0, forked([&] {
                          EXPECT_EQ(MC_OK, mc_leave());
                          EXPECT_EQ(MC_OK, mc_enter());
                          EXPECT_EQ(MC_OK, mc_leave());
                          mc_acquire();
                          EXPECT_EQ(task, mc_task_current());
                          mc_release();
                          mc_acquire();
                          EXPECT_EQ(MC_EFORK, mc_detach());
                      }));
            EXPECT_EQ(MC_OK, mc_leave());
            mc_acquire();
            done.open();
        });
        mc_release();
        done.wait();
        mc_acquire();
    });
}

// By a coroutine on top of main's section, which waits on the same thread: that one comes back in the child.
void fork_on_top_of_a_due_section() {
    CoroHost host;
    const mc_host hooks = host.hooks();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = 1;
    Runtime runtime(options);
    pid_t child = -1;
    host.main(runtime, [&] {
        Gate begun, end;
        host.due_first = false;
        host.start("section", [&] {
            mc_release();
            begun.open();
            end.wait();
            mc_acquire();
        });
        host.start("forks", [&] { child = mctest::fork_at_rest(); });
        mc_release();
        begun.wait();
        mc_acquire();
        if (child == 0) {
            mc_release();
            mc_acquire();
            EXPECT_EQ(MC_OK, mc_checkpoint());
            mctest::leave_fork();
        }
        end.open();
        host.join_all();
    });
    int status = -1;
    EXPECT_EQ(child, waitpid(child, &status, 0));
    EXPECT_EQ(0, status);
}

// The host's code runs elsewhere just then: nobody knows what about.
void fork_in_a_section() {
    CoroHost host;
    Runtime runtime(host.hooks());
    host.main(runtime, [&] {
        Gate begun;
        Signal done;
        host.start("keeps the baton", [&] {
            begun.open();
            done.wait();
        });
        mc_release();
        begun.wait();
        EXPECT_EQ(0, forked([&] {
                      mc_task* task = nullptr;
                      EXPECT_EQ(MC_EFORK, mc_task_adopt(runtime, nullptr, &task));
                      EXPECT_EQ(MC_EFORK, mc_enter());
                  }));
        done.post();
        mc_acquire();
        host.join_all();
    });
}

// One whose section had ended, but on a thread that the child lacks: its turn must not come.
void fork_beside_a_due_section() {
    CoroHost host;
    Runtime runtime(host.hooks());
    host.main(runtime, [&] {
        Gate begun, end;
        bool over = false;
        Coroutine* section = host.start("section", [&] {
            mc_release();
            begun.open();
            end.wait();
            mc_acquire();
            over = true;
        });
        mc_task* task = mc_task_ref(section->task);
        mc_release();
        begun.wait();
        mc_acquire();
        const int before = host.wakes;
        end.open();
        while (host.wakes == before) {
        }
        EXPECT_EQ(MC_TASK_DUE, static_cast<int>(mc_task_state(task)));
        EXPECT_EQ(0, forked([&] {
                      EXPECT_EQ(MC_TASK_ENDED, static_cast<int>(mc_task_state(task)));
                      EXPECT_EQ(MC_EFORK, mc_task_result(task));
                      host.cede();
                      EXPECT_FALSE(over);
                      mc_release();
                      mc_acquire();
                  }));
        EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
        mc_task_unref(task);
        host.join_all();
        EXPECT_TRUE(over);
    });
}

TEST(OwnSchedulerForkDeathTest, TheChildOfTheHolderGoesOnAlone) { EXPECT_CHILD(fork_beside_a_section); }
TEST(OwnSchedulerForkDeathTest, ACallbackAndItsSectionGoOn) { EXPECT_CHILD(fork_in_a_callback); }
TEST(OwnSchedulerForkDeathTest, ASectionBelowComesBack) { EXPECT_CHILD(fork_on_top_of_a_due_section); }
TEST(OwnSchedulerForkDeathTest, BesideTheHolderTheRuntimeIsLost) { EXPECT_CHILD(fork_in_a_section); }

TEST(OwnSchedulerForkDeathTest, OneThatIsDueElsewhereIsLeftBehind) {
    EXPECT_CHILD(fork_beside_a_due_section);
}

}  // namespace
