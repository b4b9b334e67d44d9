// SPDX-License-Identifier: BSL-1.0
#include <map>

#include <multicore/loop/glib.h>

#include "scenarios.h"

namespace looptest {
namespace {

void quit(gpointer loop) { g_main_loop_quit(static_cast<GMainLoop*>(loop)); }

class GlibLoop {
public:
    static constexpr bool sorts_timers = false;
    using Echo = ReadableEcho<GlibLoop>;

    GlibLoop()
        : context_(g_main_context_new()),
          loop_(g_main_loop_new(context_, FALSE)),
          hook_(mc_loop_glib_start(context_, quit, loop_)) {}
    ~GlibLoop() {
        if (dispatch_) {
            EXPECT_FALSE(g_source_is_destroyed(dispatch_));
            g_source_destroy(dispatch_);
            g_source_unref(dispatch_);
        }
        mc_loop_glib_stop(hook_);
        g_main_loop_unref(loop_);
        g_main_context_unref(context_);  // with its sources
    }

    GMainContext* context() { return context_; }
    void run() { g_main_loop_run(loop_); }
    void stop() { g_main_loop_quit(loop_); }
    void wakeup() { g_main_context_wakeup(context_); }
    void after(unsigned ms, std::function<void()> then) {
        attach(g_timeout_source_new(ms), G_SOURCE_FUNC(fired), std::move(then));
    }
    void readable(int fd, std::function<void()> then) {
        sources_[fd] = attach(g_unix_fd_source_new(fd, G_IO_IN), G_SOURCE_FUNC(is_readable), std::move(then));
    }
    mc_status dispatch(mc_runtime* runtime) {
        mc_status status = MC_OK;
        dispatch_ = mc_loop_glib_dispatch_source_new(runtime, &status);
        if (dispatch_) g_source_attach(dispatch_, context_);
        return status;
    }
    void forget(int fd) {
        g_source_destroy(sources_[fd]);
        sources_.erase(fd);
    }

private:
    using Function = std::function<void()>;
    GSource* attach(GSource* source, GSourceFunc callback, Function then) {
        g_source_set_callback(source, callback, new Function(std::move(then)),
                              [](gpointer done) { delete static_cast<Function*>(done); });
        g_source_attach(source, context_);
        g_source_unref(source);  // the context has it
        return source;
    }
    static gboolean fired(gpointer then) {
        (*static_cast<Function*>(then))();
        return G_SOURCE_REMOVE;
    }
    static gboolean is_readable(gint, GIOCondition, gpointer then) {
        (*static_cast<Function*>(then))();
        return G_SOURCE_CONTINUE;
    }

    GMainContext* context_;
    GMainLoop* loop_;
    GSource* hook_;
    GSource* dispatch_ = nullptr;
    std::map<int, GSource*> sources_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Glib, EventLoop, GlibLoop);

TEST(Glib, AnIterationThatMayNotWaitDoesNot) {
    Runtime runtime;
    Pipe pipe;
    runtime.attached([&] {
        GlibLoop loop;
        int calls = 0;
        loop.readable(pipe.in(), [&] {
            pipe.read();
            ++calls;
        });
        for (int i = 0; i < 3; ++i) EXPECT_FALSE(g_main_context_iteration(loop.context(), FALSE));
        runtime.spawn([&] { pipe.write(); });
        EXPECT_TRUE(g_main_context_iteration(loop.context(), TRUE));
        EXPECT_EQ(1, calls);
    });
}

// GLib wakes the context itself.
TEST(Glib, ATaskNeedsNoWakeup) {
    Runtime runtime;
    runtime.attached([&] {
        GlibLoop loop;
        mc_task* self = mc_task_current();
        runtime.spawn([&] {
            while (mc_task_state(self) != MC_TASK_SECTION) EXPECT_EQ(MC_OK, mc_task_yield());
            loop.after(0, [&] { loop.stop(); });
        });
        loop.run();
    });
}

TEST(Glib, ACallbackMayRunTheLoop) {
    Runtime runtime;
    runtime.attached([&] {
        GlibLoop loop;
        GMainLoop* inner = g_main_loop_new(loop.context(), FALSE);
        loop.after(0, [&] {
            runtime.spawn([&] { loop.after(0, [&] { g_main_loop_quit(inner); }); });
            g_main_loop_run(inner);
            loop.stop();
        });
        loop.run();
        g_main_loop_unref(inner);
    });
}

// As one that runs the default context in a callback of another.
TEST(Glib, ACallbackMayRunAnotherContext) {
    Runtime runtime;
    runtime.attached([&] {
        GlibLoop loop;
        loop.after(0, [&] {
            GlibLoop other;
            other.after(1, [&] { other.stop(); });
            other.run();
            loop.after(1, [&] { loop.stop(); });
        });
        loop.run();
    });
}

TEST(Glib, KeepsThePollFunctionThatWasThere) {
    static int polls;
    polls = 0;
    const GPollFunc own = [](GPollFD* fds, guint count, gint timeout) {
        ++polls;
        return g_poll(fds, count, timeout);
    };
    Runtime runtime;
    runtime.attached([&] {
        GMainContext* context = g_main_context_new();
        g_main_context_set_poll_func(context, own);
        GSource* hook = mc_loop_glib_start(context, quit, nullptr);
        EXPECT_FALSE(g_main_context_iteration(context, FALSE));
        EXPECT_EQ(1, polls);
        mc_loop_glib_stop(hook);
        EXPECT_EQ(own, g_main_context_get_poll_func(context));
        g_main_context_unref(context);
    });
}

}  // namespace
}  // namespace looptest
