// Release and acquire: what runs meanwhile, nesting, pairs across functions, errno, inline sections.
// SPDX-License-Identifier: BSL-1.0
#include <cerrno>
#include <thread>
#include <vector>

#include "testing.h"

namespace {

using mctest::Gate;
using mctest::Runtime;

class Section : public mctest::InTask {};
MC_IN_EACH_KIND(Section);

__attribute__((noinline)) void opens() { mc_release(); }
__attribute__((noinline)) void closes() { mc_acquire(); }

TEST_P(Section, OtherTasksRunMeanwhile) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        mc_release();
        other_ran.wait();
        mc_acquire();
    });
    EXPECT_EQ(1u, runtime.stats().sections);
    EXPECT_EQ(0u, runtime.stats().sections_inline);
}

TEST_P(Section, SectionsRunBesideEachOther) {
    Runtime runtime;
    constexpr int count = 6;
    in_task(runtime, [&] { mctest::sections_at_once(runtime, count); });
    EXPECT_EQ(count + 1u, runtime.stats().sections);
    EXPECT_GE(runtime.stats().threads_peak, static_cast<uint64_t>(count - 1));
}

TEST_P(Section, StaysOnItsThread) {
    Runtime runtime;
    in_task(runtime, [&] {
        for (int i = 0; i < 50; ++i) {
            Gate other_ran;
            runtime.spawn([&] { other_ran.open(); });
            const int here = mctest::thread_id();
            mc_release();
            other_ran.wait();
            EXPECT_EQ(here, mctest::thread_id());
            mc_acquire();
            EXPECT_EQ(here, mctest::thread_id());
        }
    });
}

// Such as OpenSSL's queue of errors. Not inlined: the address may not outlive a suspension.
__attribute__((noinline)) std::vector<int>& errors_of_the_thread() {
    thread_local std::vector<int> errors;
    return errors;
}

TEST_P(Section, FindsTheThreadsDataAsItLeftThemAfterItsAcquire) {
    for (std::uint32_t max_threads : {1u, 64u}) {
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        options.max_threads = max_threads;
        Runtime runtime(options);
        const auto fails_again_and_again = [](int self) {
            for (int round = 0; round < 100; ++round) {
                mc_release();
                errors_of_the_thread().push_back(self);
                mctest::spin(static_cast<unsigned>(round % 5) * 5 * mctest::us);
                mc_acquire();
                EXPECT_EQ(std::vector<int>{self}, errors_of_the_thread());
                errors_of_the_thread().clear();
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
        };
        in_task(runtime, [&] {
            for (int other = 1; other < 6; ++other) runtime.spawn([=] { fails_again_and_again(other); });
            fails_again_and_again(0);
        });
    }
}

TEST_P(Section, IsSeenInTheState) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Gate looked;
        runtime.spawn([&] {
            EXPECT_EQ(static_cast<uint32_t>(MC_TASK_SECTION), mc_task_state(self));
            looked.open();
        });
        mc_release();
        looked.wait();
        mc_acquire();
        EXPECT_EQ(static_cast<uint32_t>(MC_TASK_RUNNING), mc_task_state(self));
    });
}

TEST_P(Section, AReturningOneIsDue) {
    Runtime runtime;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        Gate holding;
        runtime.spawn([&] {
            holding.open();
            while (mc_task_state(self) != MC_TASK_DUE) {
            }  // with the baton: the other cannot have it
        });
        mc_release();
        holding.wait();
        mc_acquire();
    });
}

TEST_P(Section, PairsNest) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate first, second;
        runtime.spawn([&] { first.open(); });
        mc_release();
        mc_release();
        mc_release();
        first.wait();
        mc_acquire();
        mc_acquire();
        // Still open: others may run.
        runtime.spawn([&] { second.open(); });
        second.wait();
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Section, PairsNestDeeply) {
    Runtime runtime;
    in_task(runtime, [] {
        for (int i = 0; i < 1000; ++i) mc_release();
        for (int i = 0; i < 999; ++i) mc_acquire();
        EXPECT_EQ(MC_EPERM, mc_task_yield());
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Section, ThePairMaySitInDifferentFunctions) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        opens();
        other_ran.wait();
        closes();
        EXPECT_EQ(MC_OK, mc_task_yield());
    });
}

TEST_P(Section, TheFunctionsBehindTheMacrosDoTheSame) {
    Runtime runtime;
    in_task(runtime, [&] {
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        (mc_release)();
        other_ran.wait();
        EXPECT_EQ(MC_OK, (mc_cancelled)());
        (mc_acquire)();
        EXPECT_EQ(MC_OK, (mc_release_with)(nullptr));
        EXPECT_EQ(MC_OK, (mc_enter)());
        EXPECT_EQ(MC_OK, (mc_leave)());
        EXPECT_EQ(MC_OK, (mc_acquire_status)());
        (mc_support)(0);
    });
    EXPECT_EQ(2u, runtime.stats().sections);
}

TEST_P(Section, ErrnoIsPreserved) {
    Runtime runtime;
    in_task(runtime, [&] {
        errno = EDOM;
        mc_release();
        EXPECT_EQ(EDOM, errno);
        errno = ERANGE;
        mc_acquire();
        EXPECT_EQ(ERANGE, errno);

        // Also when another thread has used the baton, and errno, in between.
        Gate other_ran;
        runtime.spawn([&] {
            errno = ENOENT;
            other_ran.open();
            for (int i = 0; i < 10; ++i) EXPECT_EQ(MC_OK, mc_task_yield());
        });
        errno = EDOM;
        mc_release();
        const int after_release = errno;
        other_ran.wait();
        errno = EILSEQ;
        mc_acquire();
        EXPECT_EQ(EILSEQ, errno);
        EXPECT_EQ(EDOM, after_release);

        EXPECT_EQ(MC_OK, mc_release_with(nullptr));
        EXPECT_EQ(EILSEQ, errno);
        EXPECT_EQ(MC_OK, mc_enter());
        EXPECT_EQ(EILSEQ, errno);
        EXPECT_EQ(MC_OK, mc_leave());
        EXPECT_EQ(EILSEQ, errno);
        EXPECT_EQ(MC_OK, mc_acquire_status());
        EXPECT_EQ(EILSEQ, errno);
    });
}

TEST_P(Section, ErrnoBelongsToTheTask) {
    Runtime runtime;
    in_task(runtime, [&] {
        errno = EDOM;
        mc_task* other = runtime.spawn([] {
            errno = ENOENT;
            EXPECT_EQ(MC_OK, mc_task_yield());
            EXPECT_EQ(ENOENT, errno);
        });
        EXPECT_EQ(MC_OK, mc_task_yield());
        const int after_yield = errno;
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_EQ(EDOM, after_yield);
        EXPECT_EQ(EDOM, errno);
    });
}

TEST_P(Section, EnablingHalfwayChangesNothing) {
    Runtime runtime;
    in_task(runtime, [&] {
        // Inline at its release, inline to its end.
        EXPECT_EQ(1, mc_enable(runtime, 0));
        mc_release();
        EXPECT_EQ(0, mc_enable(runtime, 1));
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(1u, runtime.stats().sections_inline);

        // Lent at its release, taken back at its end.
        Gate other_ran;
        runtime.spawn([&] { other_ran.open(); });
        mc_release();
        other_ran.wait();
        EXPECT_EQ(1, mc_enable(runtime, 0));
        mc_acquire();
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(1u, runtime.stats().sections_inline);
        EXPECT_EQ(0, mc_enable(runtime, 1));
    });
}

TEST_P(Section, ManyShortOnes) {
    Runtime runtime;
    constexpr uint64_t count = 100000;
    in_task(runtime, [] {
        for (uint64_t i = 0; i < count; ++i) {
            mc_release();
            mc_acquire();
        }
    });
    EXPECT_EQ(count, runtime.stats().sections);
    EXPECT_EQ(0u, runtime.stats().threads_peak);  // nobody needed one
}

TEST(SectionOutside, OnAThreadThatRunsNoTaskThePairDoesNothing) {
    Runtime runtime;
    errno = EDOM;
    mc_release();
    EXPECT_EQ(MC_OK, mc_cancelled());
    mc_acquire();
    mc_acquire();  // not even unpaired: there is nothing to harm
    EXPECT_EQ(MC_OK, mc_release_with(nullptr));
    EXPECT_EQ(MC_OK, mc_acquire_status());
    EXPECT_EQ(EDOM, errno);
    EXPECT_EQ(0u, runtime.stats().sections);
    EXPECT_EQ(0u, runtime.reports());
}

TEST(SectionCxx, AnExceptionInFlightSurvives) {
    Runtime runtime;
    runtime.run([&] {
        Gate other_ran;
        const auto throws_and_catches = [&](int value) {
            try {
                throw value;
            } catch (int) {
                Gate& gate = other_ran;
                runtime.spawn([&gate] {
                    try {
                        throw 'x';
                    } catch (char) {
                        EXPECT_EQ(MC_OK, mc_task_yield());
                        gate.open();
                    }
                });
                mc_release();
                gate.wait();
                mc_acquire();
                EXPECT_EQ(MC_OK, mc_task_yield());
                try {
                    throw;  // the one of this task
                } catch (int again) {
                    EXPECT_EQ(value, again);
                }
            }
        };
        mc_task* other = runtime.spawn([&] { throws_and_catches(2); });
        throws_and_catches(1);
        EXPECT_EQ(MC_OK, mc_task_join(other, MC_FOREVER));
        EXPECT_EQ(nullptr, std::current_exception());
    });
}

}  // namespace
