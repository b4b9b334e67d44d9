// What every adapter of an event loop promises, run over each loop.
//
// A loop is a class that is made, used and destroyed with the baton:
//     void run();                                 until stop()
//     void stop();                                by any task
//     void wakeup();                              after another task has used the loop
//     void after(unsigned ms, std::function<void()>);          a timer
//     void readable(int fd, std::function<void()>);            calls back while fd is readable
//     void forget(int fd);                        also from its own callback
//     mc_status dispatch(mc_runtime*);            from now on, until the loop is destroyed
//     class Echo(Loop&, int listening, std::function<void()> closed)   echoes; tells of each connection's end
//     static constexpr bool sorts_timers;         late timers too are called in the order of their times
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <atomic>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include <unistd.h>

#include "echo.h"
#include "testing.h"

namespace looptest {

using mctest::Gate;
using mctest::Runtime;

class Pipe {
public:
    Pipe() { EXPECT_EQ(0, pipe(fds_)); }
    ~Pipe() {
        close(fds_[0]);
        close(fds_[1]);
    }
    Pipe(const Pipe&) = delete;
    Pipe& operator=(const Pipe&) = delete;
    int in() const { return fds_[0]; }
    void write() { EXPECT_EQ(1, ::write(fds_[1], "x", 1)); }
    void read() {
        char byte;
        EXPECT_EQ(1, ::read(fds_[0], &byte, 1));
    }

private:
    int fds_[2];
};

// A section with something in it.
inline void compute(std::uint64_t ns = 20 * mctest::us) {
    mc_release();
    mctest::spin(ns);
    mc_acquire();
}

template <class Loop>
class EventLoop : public ::testing::Test {};
TYPED_TEST_SUITE_P(EventLoop);

TYPED_TEST_P(EventLoop, LetsTasksRunWhileItWaits) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        TypeParam loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        bool ran = false;
        runtime.spawn([&] {
            for (int i = 0; i < 10; ++i) {
                compute();
                EXPECT_EQ(MC_OK, mc_task_yield());
            }
            ran = true;
            loop.stop();
            loop.wakeup();
        });
        loop.run();
        EXPECT_TRUE(ran);
    });
}

TYPED_TEST_P(EventLoop, LetsTasksRunWhenItIsBusy) {
    Runtime runtime;
    Pipe busy;
    busy.write();
    runtime.attached([&] {
        TypeParam loop;
        bool ran = false;
        loop.readable(busy.in(), [&] {
            if (ran) loop.stop();
        });
        runtime.spawn([&] {
            for (int i = 0; i < 10; ++i) EXPECT_EQ(MC_OK, mc_task_yield());
            ran = true;
        });
        loop.run();
        EXPECT_TRUE(ran);
    });
}

// The loop's clock counts milliseconds: a timer may be early by one.
TYPED_TEST_P(EventLoop, FiresTimersInOrderAndNotEarlyWhileSectionsRun) {
    Runtime runtime;
    std::vector<unsigned> fired;
    runtime.attached([&] {
        TypeParam loop;
        std::vector<unsigned> times = {2, 5, 9, 14, 20};
        if (TypeParam::sorts_timers) times = {14, 5, 20, 2, 9};
        for (const unsigned ms : times) {
            const std::uint64_t begun = mc_now();
            loop.after(ms, [&, ms, begun] {
                EXPECT_GE(mc_now() + mctest::ms, begun + ms * mctest::ms);
                fired.push_back(ms);
                compute(3 * mctest::ms);
                if (fired.size() == 5) loop.stop();
            });
        }
        for (int i = 0; i < 3; ++i)
            runtime.spawn([&] {
                while (fired.size() < 5) compute(100 * mctest::us);
            });
        loop.run();
    });
    runtime.run();
    EXPECT_EQ((std::vector<unsigned>{2, 5, 9, 14, 20}), fired);
}

TYPED_TEST_P(EventLoop, StaysInACallbackThatOpensASection) {
    Runtime runtime;
    constexpr int fds = 3;
    Pipe pipes[fds];
    runtime.attached([&] {
        TypeParam loop;
        int inside = 0, calls = 0, timers = 0;
        Gate worked;
        mc_task* other = nullptr;
        for (Pipe& pipe : pipes) {
            pipe.write();
            loop.readable(pipe.in(), [&] {
                EXPECT_EQ(0, inside++);
                pipe.read();
                EXPECT_EQ(MC_OK, mc_task_unpark(other));
                mc_release();
                worked.wait();  // others have the baton meanwhile, and would run the loop if they could
                mc_acquire();
                EXPECT_EQ(1, inside--);
                ++calls;
            });
        }
        other = runtime.spawn([&] {
            for (int i = 0; i < fds; ++i) {
                EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
                EXPECT_EQ(1, inside);
                loop.after(0, [&] {
                    EXPECT_EQ(0, inside);
                    if (++timers == fds) loop.stop();
                });
                loop.wakeup();
                for (int turn = 0; turn < 10; ++turn) EXPECT_EQ(MC_OK, mc_task_yield());
                worked.open();
            }
        });
        loop.run();
        EXPECT_EQ(fds, calls);
        EXPECT_EQ(fds, timers);
    });
}

TYPED_TEST_P(EventLoop, NoticesWhatTasksDoWhileItWaits) {
    Runtime runtime;
    Pipe silent, spoken;
    runtime.attached([&] {
        TypeParam loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        loop.after(1000000, [] { ADD_FAILURE() << "the loop did not notice an earlier timer"; });
        mc_task* self = mc_task_current();
        runtime.spawn([&] {
            mc_task* task = mc_task_current();
            for (int i = 0; i < 20; ++i) {
                while (mc_task_state(self) != MC_TASK_SECTION) EXPECT_EQ(MC_OK, mc_task_yield());
                const std::uint64_t begun = mc_now();
                loop.after(2, [&, begun, task] {
                    EXPECT_GE(mc_now() + mctest::ms, begun + 2 * mctest::ms);
                    EXPECT_EQ(self, mc_task_current());
                    EXPECT_EQ(MC_OK, mc_task_unpark(task));
                });
                loop.wakeup();
                EXPECT_EQ(MC_OK, mc_task_park(MC_FOREVER));
            }
            spoken.write();
            loop.readable(spoken.in(), [&] { loop.stop(); });
            loop.wakeup();
        });
        loop.run();
    });
}

TYPED_TEST_P(EventLoop, IsWokenByAThreadWithoutTheBaton) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        TypeParam loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        std::thread other;
        runtime.spawn([&] {
            loop.after(0, [&] { loop.stop(); });  // which the loop does not see yet
            other = std::thread([&] { loop.wakeup(); });
        });
        loop.run();
        other.join();
    });
}

TYPED_TEST_P(EventLoop, EndsWhenItsTaskIsInterrupted) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        TypeParam loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        mc_task* self = mc_task_current();
        int payload = 0;
        void* got = nullptr;
        std::thread other;
        loop.after(1, [&] {
            other = std::thread([&] {  // while it waits
                while (mc_task_state(self) != MC_TASK_SECTION) std::this_thread::yield();
                EXPECT_EQ(MC_OK, mc_task_interrupt(self, &payload));
            });
        });
        loop.run();
        EXPECT_EQ(MC_EINTR, mc_checkpoint());
        other.join();
        loop.run();  // it is pending still
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &got));
        EXPECT_EQ(&payload, got);

        loop.after(0, [&] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, &payload)); });
        loop.run();  // by a callback
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, &got));
        EXPECT_EQ(MC_OK, mc_checkpoint());

        loop.after(0, [&] { loop.stop(); });
        loop.run();  // and it still works
    });
}

TYPED_TEST_P(EventLoop, EndsWhenItsRuntimeIsShutDown) {
    Runtime runtime;
    Pipe silent;
    Gate running;
    std::thread other([&] {
        runtime.attached([&] {
            TypeParam loop;
            loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
            loop.after(0, [&] { running.open(); });
            loop.run();
            EXPECT_EQ(MC_ECANCELED, mc_checkpoint());
        });
    });
    running.wait();
    EXPECT_EQ(MC_OK, mc_runtime_shutdown(runtime, MC_FOREVER));
    other.join();
}

TYPED_TEST_P(EventLoop, RunsInAnUnboundTask) {
    Runtime runtime;
    Pipe silent;
    runtime.run([&] {
        TypeParam loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        runtime.spawn([&] {
            compute();
            loop.after(1, [&] {
                compute();
                loop.stop();
            });
            loop.wakeup();
        });
        loop.run();
    });
}

// No thread has attached and none runs the runtime: the loop does it all.
TYPED_TEST_P(EventLoop, DispatchesTasks) {
    Runtime runtime;
    TypeParam loop;
    ASSERT_EQ(MC_OK, loop.dispatch(runtime));
    constexpr int tasks = 20;
    int ended = 0;
    bool fired = false;
    for (int i = 0; i < tasks; ++i)
        runtime.spawn([&] {
            compute();
            EXPECT_EQ(MC_OK, mc_task_sleep(mctest::ms));
            while (!fired) EXPECT_EQ(MC_OK, mc_task_yield());  // the loop has its turn meanwhile
            if (++ended == tasks) loop.stop();
        });
    loop.after(5, [&] { fired = true; });
    loop.run();
    EXPECT_EQ(tasks, ended);
}

// A host that cannot lend: the interpreter stays on the thread of the loop, the work does not.
TYPED_TEST_P(EventLoop, DispatchesJobsOfAHostThatCannotLend) {
    mc_host host = MC_HOST_INIT;
    host.way = MC_WAY_JOB;
    Runtime runtime(host);
    TypeParam loop;
    ASSERT_EQ(MC_OK, loop.dispatch(runtime));
    struct State {
        TypeParam& loop;
        const int home = mctest::thread_id();
        std::atomic<int> away{0};
        int done = 0;
    } state{loop};
    constexpr int jobs = 50;
    for (int i = 0; i < jobs; ++i)
        ASSERT_EQ(MC_OK, mc_job_submit(
                             runtime,
                             [](void* arg) {
                                 auto& its = *static_cast<State*>(arg);
                                 // Relaxed: read after the `done` that follows.
                                 if (mctest::thread_id() != its.home)
                                     its.away.fetch_add(1, std::memory_order_relaxed);
                             },
                             [](void* arg, mc_status status) {
                                 auto& its = *static_cast<State*>(arg);
                                 EXPECT_EQ(MC_OK, status);
                                 EXPECT_EQ(its.home, mctest::thread_id());
                                 if (++its.done == jobs) its.loop.stop();
                             },
                             &state, nullptr, nullptr));
    loop.run();
    EXPECT_EQ(jobs, state.done);
    EXPECT_EQ(jobs, state.away.load(std::memory_order_relaxed));
}

TYPED_TEST_P(EventLoop, EchoesForManyClientsWhileTasksHash) {
    constexpr unsigned clients = 100;
    Runtime runtime;
    Listener listener;
    unsigned gone = 0;
    std::uint64_t bytes = 0, hashed = 0;
    runtime.attached([&] {
        TypeParam loop;
        typename TypeParam::Echo echo(loop, listener.fd(), [&] {
            if (++gone == clients) loop.stop();
        });
        for (unsigned i = 0; i < clients; ++i)
            runtime.spawn([&, i] { bytes += talk(listener.port(), i, TypeParam::Echo::chunk); });
        for (int i = 0; i < 4; ++i)
            runtime.spawn([&] {
                const std::string data(20000, 'm');
                const std::uint64_t right = hash(data);
                do {
                    mc_release();
                    const std::uint64_t sum = hash(data);
                    mc_acquire();
                    EXPECT_EQ(right, sum);
                    ++hashed;
                } while (gone < clients);
            });
        loop.run();
    });
    runtime.run();
    EXPECT_EQ(clients, gone);
    EXPECT_EQ(std::uint64_t{clients} * rounds * TypeParam::Echo::chunk, bytes);
    EXPECT_GE(hashed, 4u);
}

REGISTER_TYPED_TEST_SUITE_P(EventLoop, LetsTasksRunWhileItWaits, LetsTasksRunWhenItIsBusy,
                            FiresTimersInOrderAndNotEarlyWhileSectionsRun, StaysInACallbackThatOpensASection,
                            NoticesWhatTasksDoWhileItWaits, IsWokenByAThreadWithoutTheBaton,
                            EndsWhenItsTaskIsInterrupted, EndsWhenItsRuntimeIsShutDown, RunsInAnUnboundTask,
                            DispatchesTasks, DispatchesJobsOfAHostThatCannotLend,
                            EchoesForManyClientsWhileTasksHash);

}  // namespace looptest
