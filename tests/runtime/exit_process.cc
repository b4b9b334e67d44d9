// exit with sections, jobs and tasks that do not end: prompt, with its status, and nobody runs on.
// SPDX-License-Identifier: BSL-1.0
#include <atomic>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "testing.h"

namespace {

using mctest::child;
using mctest::Gate;
using mctest::Runtime;

// ---- from wherever, in whichever way ----

void say(const char* what) { (void)!write(STDERR_FILENO, what, std::char_traits<char>::length(what)); }

struct Way {
    const char* name;
    void (*leave)(int status);
    const char* says;  // by the handlers that run
};

const Way all_ways[] = {
    {"exit", std::exit, "^<after><before>$"},
    {"quick_exit", std::quick_exit, "^<quick>$"},
    {"_exit", _exit, "^$"},
};

// What goes on meanwhile, and does not end: leaked, with what it refers to.
struct Busy {
    Gate in_section, never;
    Runtime runtime, another;
    std::function<void()> leave;

    void section() {
        mc_release();
        in_section.open();
        never.wait();
        mc_acquire();
    }
    void begin() {
        for (Runtime* each : {&runtime, &another}) {
            for (int i = 0; i < 3; ++i) each->spawn([this] { section(); });
            each->spawn([] { (void)mc_task_sleep(MC_FOREVER); });
            each->spawn([] { (void)mc_task_park(MC_FOREVER); });
        }
        std::thread([this] { another.attached([this] { section(); }); }).detach();
        std::thread([this] { (void)mc_runtime_run(another); }).detach();
        submit(
            [](void* self) {
                static_cast<Busy*>(self)->in_section.open();
                static_cast<Busy*>(self)->never.wait();
            },
            nullptr);
    }
    void submit(void (*work)(void*), void (*done)(void*, mc_status)) {
        mc_job_options options = MC_JOB_OPTIONS_INIT;
        options.work_class = MC_WORK_IO;
        EXPECT_EQ(MC_OK, mc_job_submit(runtime, work, done, this, &options, nullptr));
    }
    void wait() {  // without the baton
        for (int i = 0; i < 3 + 3 + 1 + 1; ++i) in_section.wait();
    }
    void run_in_background() {
        std::thread([this] { (void)mc_runtime_run(runtime); }).detach();
    }
    void run_for_ever() {
        run_in_background();
        for (;;) pause();
    }
};

struct Place {
    const char* name;
    void (*leave_from)(Busy& busy);
};

const Place places[] = {
    {"a thread of the program's",
     [](Busy& busy) {
         busy.begin();
         busy.run_in_background();
         busy.wait();
         busy.leave();
     }},
    {"a task on the runner's thread",
     [](Busy& busy) {
         busy.runtime.run([&] {
             busy.begin();
             mc_release();
             busy.wait();
             mc_acquire();
             busy.leave();
         });
     }},
    {"a section on the runner's thread",
     [](Busy& busy) {
         busy.runtime.run([&] {
             busy.begin();
             mc_release();
             busy.wait();
             busy.leave();
         });
     }},
    {"a callback in a section",
     [](Busy& busy) {
         busy.runtime.run([&] {
             busy.begin();
             mc_release();
             busy.wait();
             EXPECT_EQ(MC_OK, mc_enter());
             busy.leave();
         });
     }},
    {"a task on a carrier",
     [](Busy& busy) {
         busy.runtime.attached([&] {
             busy.runtime.spawn([&] {
                 busy.begin();
                 mc_release();
                 busy.wait();
                 mc_acquire();
                 busy.leave();
             });
             (void)mc_task_park(MC_FOREVER);
         });
     }},
    {"a section on a carrier",
     [](Busy& busy) {
         busy.runtime.attached([&] {
             busy.runtime.spawn([&] {
                 busy.begin();
                 mc_release();
                 busy.wait();
                 busy.leave();
             });
             (void)mc_task_park(MC_FOREVER);
         });
     }},
    {"a job's work",
     [](Busy& busy) {
         busy.begin();
         busy.submit(
             [](void* self) {
                 static_cast<Busy*>(self)->wait();
                 static_cast<Busy*>(self)->leave();
             },
             nullptr);
         busy.run_for_ever();
     }},
    {"a job's done",
     [](Busy& busy) {
         busy.begin();
         busy.submit([](void* self) { static_cast<Busy*>(self)->wait(); },
                     [](void* self, mc_status) { static_cast<Busy*>(self)->leave(); });
         busy.run_for_ever();
     }},
    {"an attached thread",
     [](Busy& busy) {
         busy.begin();
         busy.run_in_background();
         busy.wait();
         busy.runtime.attached(busy.leave);
     }},
    {"an attached thread's section",
     [](Busy& busy) {
         busy.runtime.attached([&] {
             busy.begin();
             mc_release();
             busy.wait();
             busy.leave();
         });
     }},
};

TEST(ExitDeathTest, FromAnywhereInAnyWay) {
    for (const Place& place : places)
        for (const Way& way : all_ways)
            EXPECT_EXIT(child([&] {
                            std::atexit([] { say("<before>"); });
                            Busy& busy = *new Busy;
                            std::atexit([] { say("<after>"); });
                            std::at_quick_exit([] { say("<quick>"); });
                            busy.leave = [&way] { way.leave(47); };
                            place.leave_from(busy);
                        }),
                        ::testing::ExitedWithCode(47), way.says)
                << way.name << " from " << place.name;
}

// ---- what handlers and destructors may do ----

mc_runtime* served;

// They run before the library's own, which the first runtime has registered.
TEST(ExitDeathTest, HandlersThatAreYoungerThanTheRuntimeMayEndIt) {
    EXPECT_EXIT(child([] {
                    Busy& busy = *new Busy;
                    served = busy.runtime;
                    std::atexit([] {
                        mc_status status = mc_runtime_shutdown(served, mctest::ms);
                        say(mc_status_name(status));  // the sections go on
                        do status = mc_runtime_destroy(served);
                        while (status == MC_EBUSY);  // the runner is on its way out
                        say(mc_status_name(status));
                    });
                    std::exit((busy.begin(), busy.run_in_background(), busy.wait(), 48));
                }),
                ::testing::ExitedWithCode(48), "^MC_ETIMEDOUTMC_OK$");
}

// The library's handler has taken the batons, for good: a wait for one would be for ever.
void say_who_waits(const std::vector<mc_status>& answers) {
    for (const mc_status answer : answers)
        if (answer != MC_ESHUTDOWN) say(mc_status_name(answer));
}

TEST(ExitDeathTest, HandlersThatAreOlderAreToldThatItIsOver) {
    EXPECT_EXIT(
        child([] {
            std::atexit([] {
                say_who_waits({mc_attach(served, nullptr, MC_FOREVER, nullptr), mc_runtime_run(served),
                               mc_runtime_dispatch(served, 0), mc_runtime_shutdown(served, MC_FOREVER)});
            });
            Busy& busy = *new Busy;
            served = busy.runtime;
            std::exit((busy.begin(), busy.run_in_background(), busy.wait(), 49));
        }),
        ::testing::ExitedWithCode(49), "^$");
}

TEST(ExitDeathTest, AfterASectionTheyAreToldToo) {
    EXPECT_EXIT(child([] {
                    std::atexit([] { say_who_waits({mc_enter(), mc_runtime_shutdown(served, MC_FOREVER)}); });
                    Busy& busy = *new Busy;
                    served = busy.runtime;
                    busy.runtime.attached([&] {
                        busy.begin();
                        mc_release();
                        busy.wait();
                        std::exit(50);
                    });
                }),
                ::testing::ExitedWithCode(50), "^$");
}

std::atomic<long>& steps = *new std::atomic<long>{0};

// One that has the baton keeps it in all that the handlers call.
void keep_the_baton() {
    const long before = steps.load();
    const mc_status refused[] = {mc_task_yield(), mc_task_sleep(mctest::ms), mc_task_park(mctest::ms),
                                 mc_detach()};
    for (const mc_status answer : refused)
        if (answer != MC_EPERM) say(mc_status_name(answer));
    if (mc_runtime_dispatch(served, 0) >= 0) say("dispatched");
    if (mc_runtime_shutdown(served, MC_FOREVER) == MC_OK) say("shut down");
    mc_release();
    mctest::spin(5 * mctest::ms);  // occasions to do the wrong thing
    mc_acquire();
    (void)mc_checkpoint();
    if (steps.load() != before) say("went on");
}

TEST(ExitDeathTest, ATaskThatExitsKeepsTheBaton) {
    const auto exit_beside_another = [](void (*in_task)(Busy&, const std::function<void()>&)) {
        std::atexit(keep_the_baton);
        Busy& busy = *new Busy;
        served = busy.runtime;
        busy.runtime.spawn([] {
            for (;;) {
                steps.fetch_add(1);
                (void)mc_task_yield();
            }
        });
        in_task(busy, [] {
            EXPECT_EQ(MC_OK, mc_task_yield());
            std::exit(51);
        });
    };
    EXPECT_EXIT(child([&] { exit_beside_another([](Busy& busy, auto& body) { busy.runtime.run(body); }); }),
                ::testing::ExitedWithCode(51), "^$");
    EXPECT_EXIT(
        child([&] { exit_beside_another([](Busy& busy, auto& body) { busy.runtime.attached(body); }); }),
        ::testing::ExitedWithCode(51), "^$");
}

// ---- beside tasks that run ----

TEST(ExitDeathTest, FromASectionKeepsItsStatus) {
    EXPECT_EXIT(child([] {
                    static Runtime* runtime = new Runtime;
                    runtime->spawn([] {
                        for (;;) EXPECT_EQ(MC_OK, mc_task_yield());
                    });
                    runtime->run([] {
                        mc_release();
                        std::exit(43);
                    });
                }),
                ::testing::ExitedWithCode(43), "");
}

TEST(ExitDeathTest, FromAForeignThreadWhileTasksRun) {
    EXPECT_EXIT(child([] {
                    static Gate& running = *new Gate;
                    static Runtime* runtime = new Runtime;
                    for (int i = 0; i < 4; ++i)
                        runtime->spawn([] {
                            running.open();
                            for (;;) {
                                mc_release();
                                mc_acquire();
                                EXPECT_EQ(MC_OK, mc_task_yield());
                            }
                        });
                    std::thread([] {
                        running.wait();
                        std::exit(44);
                    }).detach();
                    runtime->run();
                }),
                ::testing::ExitedWithCode(44), "");
}

// The exiting thread polls for the sleeper while it waits for the baton, which it does not get.
TEST(ExitDeathTest, BesideATaskThatSleepsAndOneThatComputes) {
    EXPECT_EXIT(child([] {
                    static Gate& computes = *new Gate;
                    static Runtime* runtime = new Runtime;
                    runtime->spawn([] { (void)mc_task_sleep(mctest::hang_seconds() * 1000 * mctest::ms); });
                    runtime->spawn([] {
                        EXPECT_EQ(MC_OK, mc_task_yield());  // the other sleeps now
                        computes.open();
                        for (volatile bool forever = true; forever;) {
                        }
                    });
                    std::thread([] {
                        computes.wait();
                        std::exit(46);
                    }).detach();
                    runtime->run();
                }),
                ::testing::ExitedWithCode(46), "");
}

// Constructed before the runtime: what its destructor sees happens after the library's exit handler.
struct AtExit {
    std::atomic<long> steps{0};

    AtExit() = default;
    ~AtExit() {
        const long before = steps.load();
        mctest::spin(20 * mctest::ms);  // occasions to do the wrong thing
        _exit(steps.load() == before ? 45 : 46);
    }
};

TEST(ExitDeathTest, NoTaskGoesOnWhileTheProcessIsTornDown) {
    const std::function<void()> ways[] = {
        [] { mc_task_yield(); },
        [] { mc_checkpoint(); },
        [] { mc_task_sleep(10 * mctest::us); },
        [] {
            mc_release();
            mc_acquire();
        },
    };
    for (const auto& go_on : ways)
        EXPECT_EXIT(child([&go_on] {
                        static Gate& running = *new Gate;
                        static AtExit at_exit;
                        static Runtime* runtime = new Runtime;
                        for (int i = 0; i < 2; ++i)
                            runtime->spawn([&go_on] {
                                running.open();
                                for (;;) {
                                    at_exit.steps.fetch_add(1);
                                    go_on();
                                }
                            });
                        std::thread([] { mc_runtime_run(*runtime); }).detach();
                        for (int i = 0; i < 2; ++i) running.wait();
                    }),
                    ::testing::ExitedWithCode(45), "");
}

}  // namespace
