// SPDX-License-Identifier: BSL-1.0
#include <cstdio>
#include <thread>

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "testing.h"

namespace {

using mctest::Runtime;

class Pipe {
public:
    Pipe() { EXPECT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends_)); }
    ~Pipe() {
        close(ends_[0]);
        hang_up();
    }
    int reader() const { return ends_[0]; }
    int writer() const { return ends_[1]; }
    void put() { EXPECT_EQ(1, write(ends_[1], "x", 1)); }
    void take() {
        char c;
        EXPECT_EQ(1, read(ends_[0], &c, 1));
    }
    void fill() {
        const char block[4096] = {};
        while (write(ends_[1], block, sizeof block) > 0) {
        }
    }
    void hang_up() {
        if (ends_[1] >= 0) close(ends_[1]);
        ends_[1] = -1;
    }

private:
    int ends_[2] = {-1, -1};
};

class WaitFd : public mctest::InTask {};
MC_IN_EACH_KIND(WaitFd);

constexpr uint32_t both = MC_READABLE | MC_WRITABLE;

TEST_P(WaitFd, WhatIsReadyIsToldAtOnce) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        uint32_t ready = 77;
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.writer(), both, MC_FOREVER, &ready));
        EXPECT_EQ(static_cast<uint32_t>(MC_WRITABLE), ready);
        pipe.put();
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, &ready));
        EXPECT_EQ(static_cast<uint32_t>(MC_READABLE), ready);
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), both, MC_FOREVER, &ready));
        EXPECT_EQ(both, ready);
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, 0, nullptr));
    });
}

TEST_P(WaitFd, ATimeoutLeavesTheAnswerUntouched) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        uint32_t ready = 77;
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_wait_fd(pipe.reader(), MC_READABLE, 0, &ready));
        const uint64_t start = mc_now();
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_wait_fd(pipe.reader(), MC_READABLE, 2 * mctest::ms, &ready));
        EXPECT_GE(mc_now() - start, 2 * mctest::ms);
        EXPECT_EQ(77u, ready);
    });
}

TEST_P(WaitFd, AnotherTaskMakesItReady) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        runtime.spawn([&] { pipe.put(); });
        uint32_t ready = 0;
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, &ready));
        EXPECT_EQ(static_cast<uint32_t>(MC_READABLE), ready);
        pipe.take();
    });
}

TEST_P(WaitFd, AForeignThreadMakesItReady) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        std::thread other([&] {
            while (mc_task_state(self) != MC_TASK_SUSPENDED) std::this_thread::yield();
            pipe.put();
        });
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, nullptr));
        other.join();
    });
}

TEST_P(WaitFd, BecomesWritableWhenDrained) {
    Runtime runtime;
    Pipe pipe;
    pipe.fill();
    in_task(runtime, [&] {
        EXPECT_EQ(MC_ETIMEDOUT, mc_task_wait_fd(pipe.writer(), MC_WRITABLE, 0, nullptr));
        runtime.spawn([&] {
            char block[4096];
            while (read(pipe.reader(), block, sizeof block) > 0) {
            }
        });
        uint32_t ready = 0;
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.writer(), MC_WRITABLE, MC_FOREVER, &ready));
        EXPECT_EQ(static_cast<uint32_t>(MC_WRITABLE), ready);
    });
}

TEST_P(WaitFd, AHangUpIsReadable) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        runtime.spawn([&] { pipe.hang_up(); });
        uint32_t ready = 0;
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, &ready));
        EXPECT_EQ(static_cast<uint32_t>(MC_READABLE), ready);
    });
}

TEST_P(WaitFd, ARegularFileIsReadyAtOnce) {
    Runtime runtime;
    std::FILE* file = std::tmpfile();
    ASSERT_NE(nullptr, file);
    in_task(runtime, [&] {
        uint32_t ready = 0;
        EXPECT_EQ(MC_OK, mc_task_wait_fd(fileno(file), both, MC_FOREVER, &ready));
        EXPECT_EQ(both, ready);
    });
    std::fclose(file);
}

TEST_P(WaitFd, BadArgumentsAreRefused) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        EXPECT_EQ(MC_EINVAL, mc_task_wait_fd(-1, MC_READABLE, 0, nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_wait_fd(99999, MC_READABLE, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_wait_fd(pipe.reader(), 0, 0, nullptr));
        EXPECT_EQ(MC_EINVAL, mc_task_wait_fd(pipe.reader(), 0x80, 0, nullptr));
    });
}

TEST_P(WaitFd, AnInterruptEndsIt) {
    Runtime runtime;
    Pipe pipe;
    in_task(runtime, [&] {
        mc_task* self = mc_task_current();
        runtime.spawn([self] { EXPECT_EQ(MC_OK, mc_task_interrupt(self, nullptr)); });
        EXPECT_EQ(MC_EINTR, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, nullptr));
        EXPECT_EQ(MC_OK, mc_task_take_interrupt(self, nullptr));
        pipe.put();
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, nullptr));
    });
}

TEST(WaitFdPair, AReaderAndAWriterShareADescriptor) {
    Runtime runtime;
    Pipe pipe;
    pipe.fill();
    int done = 0;
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.writer(), MC_WRITABLE, MC_FOREVER, nullptr));
        ++done;
    });
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.writer(), MC_READABLE, MC_FOREVER, nullptr));
        ++done;
    });
    runtime.spawn([&] {
        EXPECT_EQ(MC_OK, mc_task_yield());
        EXPECT_EQ(MC_EBUSY, mc_task_wait_fd(pipe.writer(), MC_READABLE, MC_FOREVER, nullptr));
        char block[4096];
        while (read(pipe.reader(), block, sizeof block) > 0) {
        }
        EXPECT_EQ(1, write(pipe.reader(), "x", 1));
    });
    runtime.run();
    EXPECT_EQ(2, done);
}

TEST(WaitFdMany, WaitersNeedNoThreadEach) {
    Runtime runtime;
    constexpr int count = 500;
    std::vector<Pipe> pipes(count);
    int woken = 0;
    for (Pipe& pipe : pipes)
        runtime.spawn([&] {
            EXPECT_EQ(MC_OK, mc_task_wait_fd(pipe.reader(), MC_READABLE, MC_FOREVER, nullptr));
            ++woken;
        });
    runtime.spawn([&] {
        for (Pipe& pipe : pipes) pipe.put();
    });
    runtime.run();
    EXPECT_EQ(count, woken);
    EXPECT_EQ(0u, runtime.stats().threads_peak);
}

}  // namespace
