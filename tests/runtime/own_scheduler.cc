// Hosts with coroutines of their own: sections, deputies, and who runs where.
// SPDX-License-Identifier: BSL-1.0
#include <cerrno>
#include <csetjmp>
#include <stdexcept>
#include <thread>

#include "coro_host.h"

namespace {

using mctest::CoroHost;
using mctest::Coroutine;
using mctest::Gate;
using mctest::Runtime;
using mctest::thread_id;

class OwnScheduler : public ::testing::Test {
protected:
    CoroHost host;
    Runtime runtime{host.hooks()};

    void main(const std::function<void()>& body) { host.main(runtime, body); }
    Coroutine* start(std::string name, std::function<void()> body) {
        return host.start(std::move(name), std::move(body));
    }
    // A section that lasts until `end` opens; says where it began and ended.
    void section(Gate& begun, Gate& end) {
        const int thread = thread_id();
        mc_task* task = mc_task_current();
        errno = 42;
        mc_release();
        EXPECT_EQ(task, mc_task_current());
        EXPECT_EQ(MC_TASK_SECTION, static_cast<int>(mc_task_state(task)));
        begun.open();
        end.wait();
        errno = 43;
        mc_acquire();
        EXPECT_EQ(43, errno);
        EXPECT_EQ(thread, thread_id());
        EXPECT_EQ(task, mc_task_current());
        EXPECT_EQ(task, host.current()->task);
    }
};

TEST_F(OwnScheduler, APairThatNobodyWantsChangesNothing) {
    main([&] {
        for (int i = 0; i < 10; ++i) {
            mc_release();
            mc_acquire();
        }
    });
    EXPECT_EQ(0, host.runs);
    EXPECT_EQ(0, host.wakes);
    EXPECT_EQ(10u, runtime.stats().sections);
    EXPECT_EQ(0u, runtime.stats().sections_inline);
    EXPECT_EQ(0u, runtime.stats().threads);
}

TEST_F(OwnScheduler, ASectionLetsTheOthersRun) {
    main([&] {
        Gate done;
        bool ran = false;
        start("other", [&] {
            EXPECT_EQ(host.current()->task, mc_task_current());
            ran = true;
            done.open();
        });
        mc_release();
        done.wait();
        mc_acquire();
        EXPECT_TRUE(ran);
        host.join_all();
    });
    EXPECT_GE(host.runs, 1);
}

TEST_F(OwnScheduler, WhoKnowsWhoRunsNeedNotAsk) {
    static mc_site site = {__FILE__, __func__, __LINE__, 0, {}};
    main([&] {
        mc_task* self = host.current()->task;
        const int asked = host.asked;
        EXPECT_EQ(1, mc_can_release_as());
        mc_release_as(self, 0, &site);
        EXPECT_EQ(0, mc_can_release_as());
        EXPECT_EQ(MC_TASK_SECTION, static_cast<int>(mc_task_state(self)));
        mc_release_as(self, 0, &site);  // nested
        mc_acquire();
        EXPECT_EQ(MC_TASK_SECTION, static_cast<int>(mc_task_state(self)));
        mc_acquire();
        EXPECT_EQ(MC_TASK_RUNNING, static_cast<int>(mc_task_state(self)));
        EXPECT_EQ(asked, host.asked);

        Gate done;
        start("other", [&] { done.open(); });
        mc_release_as(self, 1, &site);
        done.wait();
        mc_acquire();
        EXPECT_EQ(self, mc_task_current());

        // Special: as mc_release.
        mc_release_as(nullptr, 0, &site);
        EXPECT_EQ(MC_TASK_SECTION, static_cast<int>(mc_task_state(self)));
        mc_acquire();
        const int token = mc_scope_enter(MC_SCOPE_DISABLE);
        mc_release_as(self, 0, &site);
        EXPECT_EQ(MC_TASK_RUNNING, static_cast<int>(mc_task_state(self)));
        mc_acquire();
        mc_scope_leave(token);
        host.join_all();
    });
    EXPECT_EQ(4u, runtime.stats().sections);
    EXPECT_EQ(1u, runtime.stats().sections_inline);
    EXPECT_EQ(0, mc_can_release_as());
    mc_release_as(nullptr, 0, &site);  // where there is no task nothing happens
    mc_acquire();
}

// a, b, c and main are in sections at once, each on a thread of its own; the oldest ends first.
TEST_F(OwnScheduler, SectionsEndInAnotherOrderThanTheyBegan) {
    std::string ended;
    main([&] {
        Gate begun[3], end[3];
        for (int i = 0; i < 3; ++i)
            start(std::string(1, static_cast<char>('a' + i)), [&, i] {
                section(begun[i], end[i]);
                ended += host.current()->name;
                if (i < 2) end[i + 1].open();
            });
        Gate main_begun, all_begun;
        mc_release();
        for (Gate& gate : begun) gate.wait();
        end[0].open();
        mc_acquire();
        host.join_all();
    });
    EXPECT_EQ("abc", ended);
    EXPECT_GE(host.most_runs_open, 3);
    EXPECT_EQ(0u, runtime.stats().sections_inline);
}

TEST_F(OwnScheduler, TheNewestMayEndFirst) {
    std::string ended;
    main([&] {
        Gate begun[3], end[3];
        for (int i = 0; i < 3; ++i)
            start(std::string(1, static_cast<char>('a' + i)), [&, i] {
                section(begun[i], end[i]);
                ended += host.current()->name;
                if (i > 0) end[i - 1].open();
            });
        mc_release();
        for (Gate& gate : begun) gate.wait();
        end[2].open();
        mc_acquire();
        host.join_all();
    });
    EXPECT_EQ("cba", ended);
}

// main's section is lent to a first carrier, whose coroutine opens another; a second carrier's coroutine,
// which never does, switches to main when that is due: there `run` returns, for main's thread to go on.
TEST_F(OwnScheduler, RunMayReturnOnAnotherThread) {
    main([&] {
        const int home = thread_id();
        Gate begun, end;
        int computing = 0;
        start("section", [&] { section(begun, end); });
        start("computes", [&] {
            computing = thread_id();
            begun.open();
            while (host.wakes == 0) host.cede();
            host.cede();
            end.open();
        });
        mc_release();
        begun.wait();
        begun.wait();
        mc_acquire();
        EXPECT_EQ(home, thread_id());
        EXPECT_NE(0, computing);
        EXPECT_NE(home, computing);
        host.join_all();
    });
    EXPECT_GE(host.moved_runs, 1);
}

TEST_F(OwnScheduler, WakeIsCalledOncePerDueSection) {
    main([&] {
        Gate begun, end;
        start("holds", [&] {
            begun.open();
            while (host.wakes == 0) {
            }
            EXPECT_EQ(1, host.wakes);
            end.open();
            host.cede();
        });
        mc_release();
        begun.wait();
        mc_acquire();
        EXPECT_EQ(1, host.wakes);
        end.wait();
        host.join_all();
    });
}

TEST_F(OwnScheduler, WithoutACurrentCoroutineASectionIsInline) {
    main([&] {
        start("other", [] {});
        host.hide_current = true;
        mc_release();
        mc_release();
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(MC_OK, mc_leave());
        mc_acquire();
        host.hide_current = false;
        EXPECT_EQ(0, host.runs);
    });
    EXPECT_GE(runtime.stats().sections_inline, 1u);
}

TEST_F(OwnScheduler, CurrentIsTheCoroutineAndElseTheAttachedThread) {
    main([&] {
        EXPECT_EQ(host.current()->task, mc_task_current());
        EXPECT_STREQ("main", mc_task_name(mc_task_current()));
        host.hide_current = true;
        EXPECT_NE(nullptr, mc_task_current());  // the thread's own
        EXPECT_NE(host.current()->task, mc_task_current());
        host.hide_current = false;
    });
    EXPECT_EQ(nullptr, mc_task_current());
}

// The sections' threads take the baton themselves: nobody else has anything to do, so no carrier is needed.
TEST_F(OwnScheduler, AnIdleInterpreterIsTakenFromItsPoll) {
    main([&] {
        Gate begun, end, proceed;
        bool after = false;
        start("section", [&] {
            section(begun, end);
            after = true;
            proceed.open();
        });
        mc_release();  // the poll
        begun.wait();
        end.open();
        proceed.wait();  // the baton went from this poll to the section and to its coroutine
        mc_acquire();
        EXPECT_TRUE(after);
        host.join_all();
    });
}

TEST_F(OwnScheduler, ACallbackMayContinueOnAnotherThread) {
    main([&] {
        start("calls back", [&] {
            for (int i = 0; i < 100; ++i) {
                mc_task* task = mc_task_current();
                mc_release();
                ASSERT_EQ(MC_OK, mc_enter());
                EXPECT_EQ(task, mc_task_current());
                host.cede();
                mc_release();
                mc_acquire();
                EXPECT_EQ(task, mc_task_current());
                ASSERT_EQ(MC_OK, mc_leave());
                EXPECT_EQ(task, mc_task_current());
                mc_acquire();
            }
        });
        for (int i = 0; i < 3; ++i)
            start("other", [&] {
                for (int k = 0; k < 100; ++k) {
                    mc_release();
                    mctest::spin(5000);
                    mc_acquire();
                    host.cede();
                }
            });
    });
    EXPECT_EQ(0u, runtime.reports());
}

void throw_and_catch(int own) {
    try {
        mc_release();
        mctest::spin(2000);
        try {
            throw std::runtime_error("in a section");
        } catch (const std::runtime_error& error) {
            EXPECT_STREQ("in a section", error.what());
        }
        mc_acquire();
        throw own;
    } catch (int number) {
        EXPECT_EQ(own, number);
    }
}

void jump_back() {
    std::jmp_buf place;
    volatile bool jumped = false;
    if (setjmp(place) == 0) {
        mc_release();
        mctest::spin(2000);
        mc_acquire();
        jumped = true;
        std::longjmp(place, 1);
    }
    EXPECT_TRUE(jumped);
}

TEST_F(OwnScheduler, ExceptionsAndLongJumpsStayWithinTheirCoroutines) {
    main([&] {
        for (int i = 0; i < 4; ++i)
            start("throws", [&, i] {
                for (int k = 0; k < 50; ++k) {
                    throw_and_catch(i);
                    jump_back();
                    host.cede();
                }
            });
    });
}

// Nothing but pairs: its interpreter code never looks, and each is shorter than a carrier's grace.
TEST_F(OwnScheduler, PairsWithoutEndDoNotStarveADueSection) {
    main([&] {
        std::atomic<bool> back{false};
        Gate begun;
        start("pairs", [&] {
            begun.open();
            while (!back) {
                mc_release();
                mc_acquire();
            }
        });
        mc_release();
        begun.wait();
        mc_acquire();
        back = true;
        host.join_all();
    });
}

TEST_F(OwnScheduler, ACheckpointTellsOfTheCoroutinesOwnInterrupt) {
    main([&] {
        Gate begun, end;
        Coroutine* section = start("section", [&] {
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
            options.unblock_arg = &end;
            EXPECT_EQ(MC_OK, mc_release_with(&options));
            begun.open();
            end.wait();
            EXPECT_EQ(MC_EINTR, mc_cancelled());
            EXPECT_EQ(MC_EINTR, mc_acquire_status());
            EXPECT_EQ(MC_EINTR, mc_checkpoint());
            void* payload = nullptr;
            EXPECT_EQ(MC_OK, mc_task_take_interrupt(mc_task_current(), &payload));
            EXPECT_EQ(&begun, payload);
            EXPECT_EQ(MC_OK, mc_checkpoint());
        });
        mc_task* task = mc_task_ref(section->task);
        mc_release();
        begun.wait();
        EXPECT_EQ(MC_OK, mc_task_interrupt(task, &begun));
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_checkpoint());
        mc_task_unref(task);
        host.join_all();
    });
}

TEST_F(OwnScheduler, ScopesBelongToTheCoroutine) {
    main([&] {
        Coroutine* disabled = start("disabled", [&] {
            const int token = mc_scope_enter(MC_SCOPE_DISABLE);
            EXPECT_EQ(0, token);
            host.park();
            const std::uint64_t before = runtime.stats().sections_inline;
            mc_release();
            mc_acquire();
            EXPECT_EQ(before + 1, runtime.stats().sections_inline);
            EXPECT_EQ(MC_OK, mc_scope_leave(token));
        });
        host.cede();
        mc_release();
        mc_acquire();
        EXPECT_EQ(0u, runtime.stats().sections_inline);
        EXPECT_EQ(MC_EINVAL, mc_scope_leave(0));
        host.make_ready(disabled);
    });
    EXPECT_EQ(1u, runtime.stats().sections_inline);
}

TEST_F(OwnScheduler, SchedulingIsTheHosts) {
    EXPECT_EQ(MC_ENOTSUP, mc_task_spawn(
                              runtime, [](void*) {}, nullptr, nullptr, nullptr));
    EXPECT_EQ(MC_ENOTSUP, mc_runtime_run(runtime));
    main([&] {
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        EXPECT_EQ(MC_EPERM, mc_task_sleep(1));
        EXPECT_EQ(MC_EPERM, mc_task_park(1));
        EXPECT_EQ(MC_EPERM, mc_task_join(mc_task_current(), 0));
        EXPECT_EQ(MC_ENOTSUP, mc_runtime_event_fd(runtime));
        EXPECT_EQ(MC_ENOTSUP, mc_job_submit(
                                  runtime, [](void*) {}, nullptr, nullptr, nullptr, nullptr));
        mc_status other = MC_OK;
        std::thread([&] { other = mc_attach(runtime, nullptr, MC_FOREVER, nullptr); }).join();
        EXPECT_EQ(MC_ENOTSUP, other);
        EXPECT_EQ(MC_ENOTSUP, mc_task_cancel(mc_task_current(), MC_CANCEL_ABANDON));
    });
}

TEST_F(OwnScheduler, AttachNestsPerCoroutine) {
    main([&] {
        EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, 0, nullptr));
        start("other", [&] {
            EXPECT_EQ(MC_OK, mc_attach(runtime, nullptr, 0, nullptr));
            host.cede();
            EXPECT_EQ(MC_OK, mc_detach());
        });
        host.cede();
        EXPECT_EQ(MC_OK, mc_detach());
        EXPECT_EQ(host.current()->task, mc_task_current());
    });
}

TEST_F(OwnScheduler, ShutdownWaitsForSectionsAndTellsTheirCoroutines) {
    mc_task* kept = nullptr;
    main([&] {
        Gate begun, end;
        mc_status told = MC_OK;
        Coroutine* section = start("section", [&] {
            mc_section_options options = MC_SECTION_OPTIONS_INIT;
            options.unblock = [](void* gate) { static_cast<Gate*>(gate)->open(); };
            options.unblock_arg = &end;
            mc_release_with(&options);
            begun.open();
            end.wait();
            told = mc_acquire_status();
        });
        kept = mc_task_ref(section->task);
        mc_release();
        begun.wait();
        EXPECT_EQ(MC_EPERM, [&] {
            mc_status elsewhere = MC_OK;
            std::thread([&] { elsewhere = mc_runtime_shutdown(runtime, 0); }).join();
            return elsewhere;
        }());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
        EXPECT_EQ(MC_ECANCELED, told);
        EXPECT_EQ(MC_ESHUTDOWN, mc_runtime_shutdown(runtime, 0));
        mc_task* none = nullptr;
        EXPECT_EQ(MC_ESHUTDOWN, mc_task_adopt(runtime, nullptr, &none));
        mc_release();  // inline from now on
        mc_acquire();
    });
    EXPECT_EQ(1u, runtime.stats().sections_inline);
    mc_task_unref(kept);
}

struct Adopted : OwnScheduler {
    static void count(void* data) {
        ++*static_cast<int*>(data);
        mc_release();  // a hook: inline
        mc_acquire();
    }
    mc_task* adopt(int& destroyed) {
        mc_task_options options = MC_TASK_OPTIONS_INIT;
        options.data = &destroyed;
        options.destroy = count;
        mc_task* task = nullptr;
        EXPECT_EQ(MC_OK, mc_task_adopt(runtime, &options, &task));
        return task;
    }
};

TEST_F(Adopted, EndsWithItsLastHandle) {
    int destroyed = 0;
    main([&] {
        mc_task* task = adopt(destroyed);
        EXPECT_EQ(MC_EAGAIN, mc_task_result(task));
        mc_task_ref(task);
        mc_task_unref(task);
        EXPECT_EQ(0, destroyed);
        const std::uint64_t alive = runtime.stats().tasks_alive;
        mc_task_unref(task);
        EXPECT_EQ(1, destroyed);
        EXPECT_EQ(alive - 1, runtime.stats().tasks_alive);
    });
    EXPECT_EQ(1, destroyed);
}

TEST_F(Adopted, IsDestroyedWithTheBatonWhoeverDropsIt) {
    int destroyed = 0;
    main([&] {
        mc_task* task = adopt(destroyed);
        std::thread([&] { mc_task_unref(task); }).join();
        EXPECT_EQ(0, destroyed);
        mc_release();
        mc_acquire();
        EXPECT_EQ(1, destroyed);
    });
}

TEST_F(Adopted, NeedsNoThreadToBeMadeOrDropped) {
    int destroyed = 0;
    mc_task* task = adopt(destroyed);
    EXPECT_EQ(MC_EBUSY, mc_runtime_destroy(runtime));
    mc_task_unref(task);
    runtime.destroy();
    EXPECT_EQ(1, destroyed);
}

TEST_F(Adopted, AnswersWhatIsWrong) {
    mc_task* task = nullptr;
    EXPECT_EQ(MC_EINVAL, mc_task_adopt(runtime, nullptr, nullptr));
    EXPECT_EQ(MC_EINVAL, mc_task_adopt(nullptr, nullptr, &task));
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.stack_size = 65536;
    EXPECT_EQ(MC_EINVAL, mc_task_adopt(runtime, &options, &task));
    Runtime ordinary;
    EXPECT_EQ(MC_ENOTSUP, mc_task_adopt(ordinary, nullptr, &task));
    EXPECT_EQ(nullptr, task);
}

TEST(OwnSchedulerHost, NeedsItsHooks) {
    CoroHost host;
    for (int missing = 0; missing < 4; ++missing) {
        mc_host hooks = host.hooks();
        if (missing == 0) hooks.current = nullptr;
        if (missing == 1) hooks.ready = nullptr;
        if (missing == 2) hooks.run = nullptr;
        if (missing == 3) hooks.wake = nullptr;
        std::string said;
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.host = &hooks;
        options.arg = &said;
        options.misuse = [](void* text, const mc_misuse* report) {
            *static_cast<std::string*>(text) = report->message;
        };
        mc_runtime* runtime = nullptr;
        EXPECT_EQ(MC_EINVAL, mc_runtime_create(&options, &runtime));
        EXPECT_NE(std::string::npos, said.find("current, ready, run and wake")) << said;
    }
}

// With the one carrier in a section of its own, the section that is due is served by its own thread.
TEST(OwnSchedulerLimit, ADueSectionNeedsNoCarrier) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = 1;
    Runtime runtime(options);
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
            const int thread = thread_id();
            mc_release();  // inline, since main's section waits for this thread
            mc_acquire();
            EXPECT_EQ(home, thread);
            EXPECT_EQ(1u, runtime.stats().sections_inline);
        });
        mc_release();
        begun.wait();
        mc_acquire();
        EXPECT_TRUE(other);
        end.open();
        host.join_all();
    });
    EXPECT_EQ(1u, runtime.stats().threads_peak);
}

// The same, but it was due before that: it sleeps already, unless this machine is slow.
TEST(OwnSchedulerLimit, ADueSectionIsWokenWhenTheLastCarrierEntersASection) {
    CoroHost host;
    const mc_host hooks = host.hooks();
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.host = &hooks;
    options.max_threads = 1;
    Runtime runtime(options);
    host.main(runtime, [&] {
        Gate begun, end;
        host.start("section", [&] {
            begun.open();
            while (host.wakes == 0) {
            }
            mctest::spin(5 * mctest::ms);
            mc_release();
            end.wait();
            mc_acquire();
        });
        mc_release();
        begun.wait();
        mc_acquire();
        end.open();
        host.join_all();
    });
    EXPECT_EQ(1u, runtime.stats().threads_peak);
}

}  // namespace
