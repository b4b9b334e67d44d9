// SPDX-License-Identifier: BSL-1.0
#include "fiber/fiber.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <cfenv>
#include <condition_variable>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <string>
#include <thread>
#include <vector>

namespace {

using mc::Fiber;
using mc::Stack;

// The code under test may move a function between threads: no compiler may keep &errno in it.
[[gnu::noinline]] void set_errno(int value) { errno = value; }
[[gnu::noinline]] int get_errno() { return errno; }

// A fiber with a pooled stack, and where it goes when it has nothing more to do.
struct Coroutine {
    explicit Coroutine(void (*fn)(Coroutine&), void* arg = nullptr) : body(fn), data(arg) {
        if (!mc::stack_allocate(64 << 10, stack)) throw std::bad_alloc();
        fiber.prepare(stack, &Coroutine::main, this);
    }
    ~Coroutine() {
        fiber.finish();
        mc::stack_release(stack);
    }
    Coroutine(const Coroutine&) = delete;
    Coroutine& operator=(const Coroutine&) = delete;

    static void main(void* self) {
        auto& me = *static_cast<Coroutine*>(self);
        me.body(me);
        me.ended = true;
        Fiber::exit_to(me.fiber, *me.home);
    }
    void run(Fiber& from) {
        home = &from;
        Fiber::switch_to(from, fiber);
    }
    void pause() { Fiber::switch_to(fiber, *home); }

    void (*body)(Coroutine&);
    void* data;
    Stack stack;
    Fiber fiber;
    Fiber* home = nullptr;
    bool ended = false;
};

struct ThreadFiber : Fiber {
    ThreadFiber() { adopt_thread(); }
    ~ThreadFiber() { forget_thread(); }
};

class FiberTest : public testing::Test {
protected:
    ThreadFiber here;
};

TEST_F(FiberTest, RunsOnItsOwnStackAndComesBack) {
    const char* where = nullptr;
    Coroutine c(
        [](Coroutine& me) {
            volatile char local = 0;
            *static_cast<const char**>(me.data) = const_cast<const char*>(&local);
            me.pause();
            *static_cast<const char**>(me.data) = nullptr;
        },
        &where);
    c.run(here);
    if (mc::annotate::stack_factor == 1) {  // a sanitizer may keep locals elsewhere
        EXPECT_GE(where, c.stack.base);
        EXPECT_LT(where, c.stack.base + c.stack.size);
    }
    EXPECT_NE(where, nullptr);
    EXPECT_FALSE(c.ended);
    c.run(here);
    EXPECT_EQ(where, nullptr);
    EXPECT_TRUE(c.ended);
}

struct Ring {
    static constexpr int members = 10;
    static constexpr int switches = 100'000;
    std::vector<std::unique_ptr<Coroutine>> all;
    std::vector<int> visits = std::vector<int>(members);
    int left = switches;
    bool in_turn = true;
    int expected = 0;
};

TEST_F(FiberTest, HundredThousandSwitchesInARing) {
    Ring ring;
    struct Member {
        Ring* ring;
        int index;
    };
    std::vector<Member> members;
    for (int i = 0; i < Ring::members; ++i) members.push_back({&ring, i});
    for (int i = 0; i < Ring::members; ++i)
        ring.all.push_back(std::make_unique<Coroutine>(
            [](Coroutine& me) {
                auto& [shared, index] = *static_cast<Member*>(me.data);
                while (shared->left-- > 0) {
                    shared->in_turn &= shared->expected == index;
                    shared->expected = (index + 1) % Ring::members;
                    ++shared->visits[static_cast<std::size_t>(index)];
                    Coroutine& next = *shared->all[static_cast<std::size_t>(shared->expected)];
                    next.home = me.home;
                    Fiber::switch_to(me.fiber, next.fiber);
                }
                me.pause();
            },
            &members[static_cast<std::size_t>(i)]));
    ring.all[0]->run(here);
    EXPECT_TRUE(ring.in_turn);
    for (int visits : ring.visits) EXPECT_EQ(visits, Ring::switches / Ring::members);
}

TEST_F(FiberTest, EachHasItsOwnErrno) {
    int seen[2] = {-1, -1};
    Coroutine c(
        [](Coroutine& me) {
            auto* out = static_cast<int*>(me.data);
            out[0] = get_errno();
            set_errno(EDOM);
            me.pause();
            out[1] = get_errno();
        },
        seen);
    set_errno(ERANGE);
    c.run(here);
    EXPECT_EQ(get_errno(), ERANGE);
    set_errno(EILSEQ);
    c.run(here);
    EXPECT_EQ(get_errno(), EILSEQ);
    EXPECT_EQ(seen[0], 0);
    EXPECT_EQ(seen[1], EDOM);
}

std::string current_message() {
    try {
        throw;
    } catch (const std::exception& e) {
        return e.what();
    }
}

// Catches, lets others run inside the handler, then rethrows.
void rethrow_later(Coroutine& me) {
    auto& log = *static_cast<std::vector<std::string>*>(me.data);
    EXPECT_EQ(std::current_exception(), nullptr);
    try {
        try {
            throw std::runtime_error(std::to_string(log.size()));
        } catch (const std::exception&) {
            me.pause();
            log.push_back(current_message());
            throw;
        }
    } catch (const std::runtime_error& e) {
        log.push_back(e.what());
    }
    EXPECT_EQ(std::current_exception(), nullptr);
}

TEST_F(FiberTest, AnExceptionInFlightStaysWithItsStack) {
    std::vector<std::string> a, b(1, "b");
    Coroutine first(rethrow_later, &a);
    Coroutine second(rethrow_later, &b);
    try {
        throw std::logic_error("here");
    } catch (...) {
        first.run(here);
        second.run(here);
        EXPECT_EQ(current_message(), "here");
        first.run(here);  // not in the order of nesting
        second.run(here);
        EXPECT_EQ(current_message(), "here");
    }
    EXPECT_EQ(std::current_exception(), nullptr);
    EXPECT_EQ(a, (std::vector<std::string>{"0", "0"}));
    EXPECT_EQ(b, (std::vector<std::string>{"b", "1", "1"}));
}

TEST_F(FiberTest, UnwindingGoesOnAfterASwitchInADestructor) {
    struct Pauses {
        Coroutine& me;
        ~Pauses() { me.pause(); }
    };
    Coroutine c([](Coroutine& me) {
        try {
            const Pauses pauses{me};
            throw 7;
        } catch (int value) {
            EXPECT_EQ(value, 7);
        }
    });
    c.run(here);
    EXPECT_EQ(std::uncaught_exceptions(), 0);
    c.run(here);
    EXPECT_TRUE(c.ended);
}

TEST_F(FiberTest, WakesOnAnotherThreadWithErrnoAndException) {
    std::vector<std::string> log;
    Coroutine c(
        [](Coroutine& me) {
            set_errno(EDOM);
            rethrow_later(me);
            EXPECT_EQ(get_errno(), EDOM);
        },
        &log);
    c.run(here);
    std::thread([&] {
        ThreadFiber other;
        set_errno(ERANGE);
        try {
            throw std::logic_error("other");
        } catch (...) {
            c.run(other);
            EXPECT_EQ(get_errno(), ERANGE);
            EXPECT_EQ(current_message(), "other");
        }
    }).join();
    EXPECT_TRUE(c.ended);
    EXPECT_EQ(log, (std::vector<std::string>{"0", "0"}));
}

TEST_F(FiberTest, RoundingModeStaysWithItsStack) {
    int seen = -1;
    Coroutine c(
        [](Coroutine& me) {
            std::fesetround(FE_UPWARD);
            me.pause();
            *static_cast<int*>(me.data) = std::fegetround();
        },
        &seen);
    c.run(here);
    EXPECT_EQ(std::fegetround(), FE_TONEAREST);
    std::fesetround(FE_DOWNWARD);
    c.run(here);
    EXPECT_EQ(std::fegetround(), FE_DOWNWARD);
    std::fesetround(FE_TONEAREST);
    EXPECT_EQ(seen, FE_UPWARD);
}

[[gnu::noinline]] int deep(int levels) {
    volatile char frame[512];
    frame[0] = static_cast<char>(levels);
    if (levels == 0) throw 1;
    return deep(levels - 1) + frame[0];
}

TEST_F(FiberTest, StacksAreReusedAfterExit) {
    const char* base = nullptr;
    for (int i = 0; i < 5'000; ++i) {
        Coroutine c([](Coroutine&) {
            try {
                deep(40);
            } catch (int) {
            }
        });
        if (base == nullptr) base = c.stack.base;
        ASSERT_EQ(c.stack.base, base);
        c.run(here);
        ASSERT_TRUE(c.ended);
    }
}

TEST_F(FiberTest, OneThatIsSuspendedMayBeDroppedWithoutUnwinding) {
    int unwound = 0;
    const char* base = nullptr;
    for (int i = 0; i < 100; ++i) {
        struct Guard {
            int& count;
            ~Guard() { ++count; }
        };
        Coroutine c(
            [](Coroutine& me) {
                const Guard guard{*static_cast<int*>(me.data)};
                me.pause();
            },
            &unwound);
        if (base == nullptr) base = c.stack.base;
        ASSERT_EQ(c.stack.base, base);
        c.run(here);
    }
    Coroutine never_run([](Coroutine&) { ADD_FAILURE(); });
    EXPECT_EQ(unwound, 0);
}

// Fibers that any thread may run, each with errno and a caught exception of its own.
struct Crowd {
    static constexpr int fibers = 16;
    static constexpr int rounds = mc::annotate::stack_factor > 1 ? 100 : 1'000;

    std::mutex mutex;
    std::deque<Coroutine*> ready;
    int alive = fibers;
    std::condition_variable changed;
    std::atomic<int> wrong{0};

    void work() {
        ThreadFiber self;
        std::unique_lock hold(mutex);
        for (;;) {
            changed.wait(hold, [&] { return !ready.empty() || alive == 0; });
            if (ready.empty()) return;
            Coroutine& c = *ready.front();
            ready.pop_front();
            hold.unlock();
            c.run(self);
            hold.lock();
            // Only now, with the switch complete, may another thread have it.
            if (!c.ended)
                ready.push_back(&c);
            else
                --alive;
            changed.notify_all();
        }
    }
};

TEST(FiberThreads, FibersMoveAmongThreads) {
    Crowd crowd;
    std::vector<std::unique_ptr<Coroutine>> fibers;
    for (int i = 0; i < Crowd::fibers; ++i) {
        fibers.push_back(std::make_unique<Coroutine>(
            [](Coroutine& me) {
                auto& shared = *static_cast<Crowd*>(me.data);
                const int id = static_cast<int>(reinterpret_cast<std::uintptr_t>(&me) % 1'000) + 1;
                try {
                    throw id;
                } catch (int& value) {
                    for (int round = 0; round < Crowd::rounds; ++round) {
                        set_errno(id + round);
                        me.pause();
                        if (get_errno() != id + round || value != id) ++shared.wrong;
                        try {
                            throw;
                        } catch (int again) {
                            if (again != id) ++shared.wrong;
                        }
                    }
                }
            },
            &crowd));
        crowd.ready.push_back(fibers.back().get());
    }
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) threads.emplace_back([&] { crowd.work(); });
    for (auto& thread : threads) thread.join();
    EXPECT_EQ(crowd.alive, 0);
    EXPECT_EQ(crowd.wrong, 0);
}

TEST_F(FiberTest, ThousandsMayBeAliveAtOnce) {
    // The thread sanitizer takes milliseconds for each, and at most 8,128.
    constexpr int count = mc::annotate::stack_factor > 1 ? 500 : 10'000;
    std::vector<std::unique_ptr<Coroutine>> all;
    int ended = 0;
    for (int i = 0; i < count; ++i) {
        all.push_back(std::make_unique<Coroutine>(
            [](Coroutine& me) {
                me.pause();
                ++*static_cast<int*>(me.data);
            },
            &ended));
        all.back()->run(here);
    }
    for (auto& c : all) c->run(here);
    EXPECT_EQ(ended, count);
}

}  // namespace
