// SPDX-License-Identifier: BSL-1.0
#include <map>
#include <memory>

#include <multicore/loop/uv.h>

#include "scenarios.h"

namespace looptest {
namespace {

template <class Handle>
uv_handle_t* handle(Handle* any) {
    return reinterpret_cast<uv_handle_t*>(any);
}

// Streams of libuv, which write what the socket does not take at once later.
class UvEcho {
public:
    static constexpr std::size_t chunk = 50000;
    UvEcho(uv_loop_t* loop, int listening, std::function<void()> closed) : closed_(std::move(closed)) {
        EXPECT_EQ(0, uv_tcp_init(loop, &server_));
        EXPECT_EQ(0, uv_tcp_open(&server_, dup(listening)));
        server_.data = this;
        EXPECT_EQ(0, uv_listen(reinterpret_cast<uv_stream_t*>(&server_), 200, connected));
    }
    ~UvEcho() {
        uv_close(handle(&server_), nullptr);
        uv_run(server_.loop, UV_RUN_NOWAIT);
    }

private:
    struct Write {
        uv_write_t request;
        uv_buf_t buffer;
    };

    static void connected(uv_stream_t* server, int status) {
        EXPECT_EQ(0, status);
        auto* client = new uv_tcp_t;
        EXPECT_EQ(0, uv_tcp_init(server->loop, client));
        client->data = server->data;
        auto* stream = reinterpret_cast<uv_stream_t*>(client);
        EXPECT_EQ(0, uv_accept(server, stream));
        EXPECT_EQ(0, uv_read_start(stream, allocate, came));
    }
    static void allocate(uv_handle_t*, std::size_t size, uv_buf_t* buffer) {
        *buffer = uv_buf_init(new char[size], static_cast<unsigned>(size));
    }
    static void came(uv_stream_t* client, ssize_t size, const uv_buf_t* buffer) {
        if (size <= 0) {
            delete[] buffer->base;
            if (size == 0) return;
            EXPECT_EQ(UV_EOF, size);
            uv_close(handle(client), closed);
            return;
        }
        auto* write = new Write{{}, uv_buf_init(buffer->base, static_cast<unsigned>(size))};
        write->request.data = write;
        EXPECT_EQ(0, uv_write(&write->request, client, &write->buffer, 1, written));
    }
    static void written(uv_write_t* request, int status) {
        EXPECT_EQ(0, status);
        std::unique_ptr<Write> write(static_cast<Write*>(request->data));
        delete[] write->buffer.base;
    }
    static void closed(uv_handle_t* client) {
        static_cast<UvEcho*>(client->data)->closed_();
        delete reinterpret_cast<uv_tcp_t*>(client);
    }

    uv_tcp_t server_;
    const std::function<void()> closed_;
};

class UvLoop {
public:
    static constexpr bool sorts_timers = true;
    struct Echo : UvEcho {
        Echo(UvLoop& loop, int listening, std::function<void()> closed)
            : UvEcho(loop, listening, std::move(closed)) {}
    };

    UvLoop() {
        EXPECT_EQ(0, uv_loop_init(&loop_));
        EXPECT_EQ(0, mc_loop_uv_start(&hook_, &loop_));
    }
    ~UvLoop() {
        while (!polls_.empty()) forget(polls_.begin()->first);
        for (Timer* timer : timers_) uv_close(handle(timer), free_timer);
        if (dispatches_) {
            EXPECT_EQ(MC_OK, dispatch_.status);
            uv_close(handle(&dispatch_.poll), nullptr);
        }
        bool closed = false;
        hook_.data = &closed;
        mc_loop_uv_close(&hook_, [](mc_loop_uv* hook) { *static_cast<bool*>(hook->data) = true; });
        EXPECT_EQ(0, uv_run(&loop_, UV_RUN_DEFAULT));
        EXPECT_TRUE(closed);
        EXPECT_EQ(0, uv_loop_close(&loop_));
    }

    operator uv_loop_t*() { return &loop_; }
    mc_loop_uv* hook() { return &hook_; }
    void run() { uv_run(&loop_, UV_RUN_DEFAULT); }
    void stop() { uv_stop(&loop_); }
    void wakeup() { mc_loop_uv_wakeup(&hook_); }
    void after(unsigned ms, std::function<void()> then) {
        auto* timer = new Timer{{}, std::move(then)};
        timers_.push_back(timer);
        uv_timer_init(&loop_, &timer->handle);
        uv_update_time(&loop_);
        uv_timer_start(
            &timer->handle, [](uv_timer_t* fired) { reinterpret_cast<Timer*>(fired)->then(); }, ms, 0);
    }
    void readable(int fd, std::function<void()> then) {
        auto* poll = new Poll{{}, std::move(then)};
        polls_[fd] = poll;
        EXPECT_EQ(0, uv_poll_init(&loop_, &poll->handle, fd));
        uv_poll_start(&poll->handle, UV_READABLE, [](uv_poll_t* ready, int error, int) {
            EXPECT_EQ(0, error);
            reinterpret_cast<Poll*>(ready)->then();
        });
    }
    mc_status dispatch(mc_runtime* runtime) {
        const mc_status status = mc_loop_uv_dispatch_start(&dispatch_, &loop_, runtime);
        dispatches_ = status == MC_OK;
        return status;
    }
    void forget(int fd) {
        uv_close(handle(polls_[fd]), [](uv_handle_t* closed) { delete reinterpret_cast<Poll*>(closed); });
        polls_.erase(fd);
    }

private:
    struct Timer {
        uv_timer_t handle;
        std::function<void()> then;
    };
    struct Poll {
        uv_poll_t handle;
        std::function<void()> then;
    };
    static void free_timer(uv_handle_t* closed) { delete reinterpret_cast<Timer*>(closed); }

    uv_loop_t loop_;
    mc_loop_uv hook_;
    mc_loop_uv_dispatch dispatch_;
    bool dispatches_ = false;
    std::map<int, Poll*> polls_;
    std::vector<Timer*> timers_;
};

INSTANTIATE_TYPED_TEST_SUITE_P(Uv, EventLoop, UvLoop);

// Each as uv_run would without the hook.

TEST(Uv, RunEndsWhenStoppedOrWhenNothingIsLeft) {
    Runtime runtime;
    runtime.attached([] {
        UvLoop loop;
        EXPECT_EQ(0, uv_run(loop, UV_RUN_DEFAULT));
        int fired = 0;
        loop.after(1, [&] { ++fired; });
        EXPECT_EQ(0, uv_run(loop, UV_RUN_DEFAULT));
        EXPECT_EQ(1, fired);
        loop.after(1, [&] { loop.stop(); });
        loop.after(1000000, [] {});
        EXPECT_NE(0, uv_run(loop, UV_RUN_DEFAULT));
    });
}

TEST(Uv, RunWithoutWaitingDoesNotWait) {
    Runtime runtime;
    Pipe pipe;
    runtime.attached([&] {
        UvLoop loop;
        int calls = 0;
        loop.readable(pipe.in(), [&] {
            pipe.read();
            ++calls;
        });
        for (int i = 0; i < 3; ++i) EXPECT_NE(0, mc_loop_uv_run(loop.hook(), UV_RUN_NOWAIT));
        EXPECT_EQ(0, calls);
        pipe.write();
        EXPECT_NE(0, mc_loop_uv_run(loop.hook(), UV_RUN_NOWAIT));
        EXPECT_EQ(1, calls);
    });
}

TEST(Uv, RunOnceWaitsForOneEvent) {
    Runtime runtime;
    Pipe pipe;
    runtime.attached([&] {
        UvLoop loop;
        int calls = 0;
        loop.readable(pipe.in(), [&] {
            pipe.read();
            ++calls;
        });
        mc_loop_uv_run(loop.hook(), UV_RUN_NOWAIT);  // from here on the loop knows its descriptors
        runtime.spawn([&] { pipe.write(); });
        EXPECT_NE(0, mc_loop_uv_run(loop.hook(), UV_RUN_ONCE));
        EXPECT_EQ(1, calls);
        loop.after(2, [&] { ++calls; });
        EXPECT_NE(0, mc_loop_uv_run(loop.hook(), UV_RUN_ONCE));
        EXPECT_EQ(2, calls);
    });
}

// A callback that libuv has pending for the next iteration is an event too.
TEST(Uv, RunOnceDoesNotWaitAfterAPendingCallback) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        UvLoop loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        mc_loop_uv_run(loop.hook(), UV_RUN_NOWAIT);

        uv_pipe_t nowhere;
        uv_connect_t request;
        int result = 0;
        request.data = &result;
        EXPECT_EQ(0, uv_pipe_init(loop, &nowhere, 0));
        uv_pipe_connect(&request, &nowhere, "/nonexistent/socket",
                        [](uv_connect_t* failed, int status) { *static_cast<int*>(failed->data) = status; });
        EXPECT_NE(0, mc_loop_uv_run(loop.hook(), UV_RUN_ONCE));
        EXPECT_EQ(UV_ENOENT, result);
        uv_close(handle(&nowhere), nullptr);
        mc_loop_uv_run(loop.hook(), UV_RUN_NOWAIT);
    });
}

TEST(Uv, AnIdleHandleKeepsTheLoopTurningAndLetsTasksRun) {
    Runtime runtime;
    runtime.attached([&] {
        UvLoop loop;
        bool ran = false;
        uv_idle_t idle;
        uv_idle_init(loop, &idle);
        idle.data = &ran;
        uv_idle_start(&idle, [](uv_idle_t* turning) {
            if (*static_cast<bool*>(turning->data)) uv_idle_stop(turning);
        });
        runtime.spawn([&] {
            for (int i = 0; i < 10; ++i) EXPECT_EQ(MC_OK, mc_task_yield());
            ran = true;
        });
        EXPECT_EQ(0, uv_run(loop, UV_RUN_DEFAULT));
        EXPECT_TRUE(ran);
        uv_close(handle(&idle), nullptr);
        EXPECT_EQ(0, uv_run(loop, UV_RUN_DEFAULT));
    });
}

TEST(Uv, ThreadsOfLibuvWakeTheLoop) {
    Runtime runtime;
    Pipe silent;
    runtime.attached([&] {
        UvLoop loop;
        loop.readable(silent.in(), [] { ADD_FAILURE() << "nothing was written"; });
        uv_work_t work;
        mc_task* self = mc_task_current();
        work.data = self;
        EXPECT_EQ(0, uv_queue_work(
                         loop, &work, [](uv_work_t*) { EXPECT_EQ(nullptr, mc_task_current()); },
                         [](uv_work_t* done, int status) {
                             EXPECT_EQ(0, status);
                             EXPECT_EQ(done->data, mc_task_current());
                             uv_stop(done->loop);
                         }));
        loop.run();
    });
}

}  // namespace
}  // namespace looptest
