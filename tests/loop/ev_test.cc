// SPDX-License-Identifier: BSL-1.0
#include <list>
#include <map>

#include <multicore/loop/ev.h>

#include "scenarios.h"

namespace looptest {
namespace {

class EvLoop {
public:
    static constexpr bool sorts_timers = true;
    using Echo = ReadableEcho<EvLoop>;

    explicit EvLoop(unsigned backend = EVFLAG_AUTO) : loop_(ev_loop_new(backend)) {
        mc_loop_ev_start(&hook_, loop_);
    }
    ~EvLoop() {
        while (!ios_.empty()) forget(ios_.begin()->first);
        for (Watcher<ev_timer>& timer : timers_) ev_timer_stop(loop_, &timer.ev);
        if (dispatches_) {
            EXPECT_EQ(MC_OK, dispatch_.status);
            ev_io_stop(loop_, &dispatch_.io);
        }
        mc_loop_ev_stop(&hook_);
        ev_loop_destroy(loop_);
    }

    operator struct ev_loop *() { return loop_; }
    mc_loop_ev* hook() { return &hook_; }
    void run() { ev_run(loop_, 0); }
    void stop() { mc_loop_ev_break(&hook_, EVBREAK_ALL); }
    void wakeup() { mc_loop_ev_wakeup(&hook_); }
    void after(unsigned ms, std::function<void()> then) {
        Watcher<ev_timer>& timer = timers_.emplace_back();
        timer.then = std::move(then);
        ev_timer_init(&timer.ev, call<ev_timer>, ms / 1e3, 0.);
        timer.ev.data = &timer;
        ev_now_update(loop_);
        ev_timer_start(loop_, &timer.ev);
    }
    void readable(int fd, std::function<void()> then) {
        Watcher<ev_io>& io = all_ios_.emplace_back();
        io.then = std::move(then);
        ev_io_init(&io.ev, call<ev_io>, fd, EV_READ);
        io.ev.data = &io;
        ios_[fd] = &io;
        ev_io_start(loop_, &io.ev);
    }
    mc_status dispatch(mc_runtime* runtime) {
        const mc_status status = mc_loop_ev_dispatch_start(&dispatch_, loop_, runtime);
        dispatches_ = status == MC_OK;
        return status;
    }
    void forget(int fd) {
        ev_io_stop(loop_, &ios_[fd]->ev);
        ios_.erase(fd);
    }

private:
    template <class Ev>
    struct Watcher {
        Ev ev;
        std::function<void()> then;
    };
    template <class Ev>
    static void call(struct ev_loop*, Ev* ev, int) {
        static_cast<Watcher<Ev>*>(ev->data)->then();
    }

    struct ev_loop* loop_;
    mc_loop_ev hook_;
    mc_loop_ev_dispatch dispatch_;
    bool dispatches_ = false;
    std::list<Watcher<ev_timer>> timers_;
    std::list<Watcher<ev_io>> all_ios_;  // forgotten ones too: one may be in its callback
    std::map<int, Watcher<ev_io>*> ios_;
};

template <unsigned backend>
struct EvLoopOn : EvLoop {
    EvLoopOn() : EvLoop(backend) {}
};
using Backends = ::testing::Types<EvLoop, EvLoopOn<EVBACKEND_SELECT>, EvLoopOn<EVBACKEND_POLL>>;
INSTANTIATE_TYPED_TEST_SUITE_P(Ev, EventLoop, Backends);

TEST(Ev, RunEndsWhenNothingIsLeft) {
    Runtime runtime;
    runtime.attached([] {
        EvLoop loop;
        EXPECT_FALSE(ev_run(loop, 0));
        int fired = 0;
        loop.after(1, [&] { ++fired; });
        EXPECT_FALSE(ev_run(loop, 0));
        EXPECT_EQ(1, fired);
    });
}

TEST(Ev, RunWithoutWaitingDoesNotWait) {
    Runtime runtime;
    Pipe pipe;
    runtime.attached([&] {
        EvLoop loop;
        int calls = 0;
        loop.readable(pipe.in(), [&] {
            pipe.read();
            ++calls;
        });
        for (int i = 0; i < 3; ++i) EXPECT_TRUE(ev_run(loop, EVRUN_NOWAIT));
        EXPECT_EQ(0, calls);
        runtime.spawn([&] { pipe.write(); });
        EXPECT_TRUE(ev_run(loop, EVRUN_ONCE));
        EXPECT_EQ(1, calls);
    });
}

TEST(Ev, ACallbackMayRunTheLoop) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        EvLoop loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        int inner = 0;
        loop.after(0, [&] {
            runtime.spawn([&] {
                loop.after(0, [&] {
                    ++inner;
                    ev_break(loop, EVBREAK_ONE);
                });
                loop.wakeup();
            });
            loop.run();
            EXPECT_EQ(1, inner);
            loop.stop();
        });
        loop.run();
    });
}

// Signals come as they do without the hook.
TEST(Ev, SignalsEndTheWait) {
    Runtime runtime;
    runtime.attached([&] {
        EvLoop loop;
        ev_signal signal;
        ev_signal_init(
            &signal, [](struct ev_loop* received, ev_signal*, int) { ev_break(received, EVBREAK_ALL); },
            SIGUSR1);
        ev_signal_start(loop, &signal);
        runtime.spawn([] { EXPECT_EQ(0, kill(getpid(), SIGUSR1)); });
        loop.run();
        ev_signal_stop(loop, &signal);
    });
}

TEST(Ev, StopGivesTheLoopBack) {
    Runtime runtime;
    runtime.attached([&] {
        struct ev_loop* loop = ev_loop_new(EVFLAG_AUTO);
        mc_loop_ev hook;
        mc_loop_ev_start(&hook, loop);
        mc_loop_ev_stop(&hook);
        EXPECT_EQ(nullptr, ev_userdata(loop));
        const std::uint64_t sections = runtime.stats().sections;
        EXPECT_FALSE(ev_run(loop, EVRUN_NOWAIT));
        EXPECT_EQ(sections, runtime.stats().sections);
        ev_loop_destroy(loop);
    });
}

}  // namespace
}  // namespace looptest
