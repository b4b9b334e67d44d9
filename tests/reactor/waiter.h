// What the reactor's tests share: waits that count their claims, fds that close themselves, a thread
// that polls, and gates.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <gtest/gtest.h>

#include <fcntl.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <fstream>
#include <semaphore>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "platform/platform.h"
#include "reactor/reactor.h"

namespace mc {

constexpr std::uint64_t kHour = 3'600'000'000'000;

using Fired = std::vector<const ReactorWait*>;

struct Waiter : ReactorWait {
    explicit Waiter(std::uint64_t when = UINT64_MAX) {
        deadline = when;
        claim = [](ReactorWait& self) {
            auto& waiter = static_cast<Waiter&>(self);
            ++waiter.claims;
            return waiter.accepts;
        };
    }
    Waiter(int on_fd, std::uint32_t wanted, std::uint64_t when = UINT64_MAX) : Waiter(when) {
        fd = on_fd;
        events = wanted;
    }
    Waiter(const Waiter&) = delete;
    Waiter& operator=(const Waiter&) = delete;
    ~Waiter() { reactor_cancel(*this); }

    bool accepts = true;
    int claims = 0;
};

// The poller's role for a test that polls itself.
struct Role {
    Role() : taken(reactor_take_role()) {}
    ~Role() {
        if (taken) reactor_drop_role();
    }
    Role(const Role&) = delete;
    Role& operator=(const Role&) = delete;
    const bool taken;
};

inline Fired listed(const ReactorWait* first) {
    Fired fired;
    for (; first != nullptr; first = first->next_fired) fired.push_back(first);
    return fired;
}

inline Fired poll_now() { return listed(reactor_poll(0)); }

// A file descriptor of the test's own.
class Fd {
public:
    explicit Fd(int fd = -1) : fd_(fd) {}
    Fd(Fd&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Fd& operator=(Fd&&) = delete;
    ~Fd() { close(); }
    int get() const { return fd_; }
    void close() {
        if (fd_ >= 0) ::close(fd_);
        fd_ = -1;
    }

private:
    int fd_;
};

struct SocketPair {
    SocketPair() : SocketPair(connected()) {}
    Fd near, far;

    void send() const { EXPECT_EQ(::send(far.get(), "x", 1, 0), 1); }
    void drain() const {
        char byte;
        while (::recv(near.get(), &byte, 1, MSG_DONTWAIT) > 0) {
        }
    }
    // Until near has no room: then it is not writable before far has read all of it.
    void fill() const {
        const std::vector<char> block(1 << 16);
        while (::send(near.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
        }
    }
    void make_room() const {
        std::vector<char> block(1 << 16);
        while (::recv(far.get(), block.data(), block.size(), MSG_DONTWAIT) > 0) {
        }
    }

private:
    static std::pair<int, int> connected() {
        int fds[2] = {-1, -1};
        EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
        return {fds[0], fds[1]};
    }
    explicit SocketPair(std::pair<int, int> fds) : near(fds.first), far(fds.second) {}
};

inline std::set<int> open_descriptors() {
    std::set<int> fds;
    for (int fd = 0; fd < 256; ++fd) {
        if (fcntl(fd, F_GETFD) >= 0) fds.insert(fd);
    }
    return fds;
}

// Returns when the thread sleeps in the kernel. A gate, if it can sleep in one place only.
inline void await_asleep(pid_t thread) {
    for (;;) {
        std::ifstream file("/proc/self/task/" + std::to_string(thread) + "/stat");
        std::string text;
        std::getline(file, text);
        const std::size_t name_end = text.rfind(')');
        if (name_end != std::string::npos && name_end + 2 < text.size() && text[name_end + 2] == 'S') return;
        std::this_thread::yield();
    }
}

// A thread that takes the role and polls once.
class OnePoll {
public:
    explicit OnePoll(std::uint64_t until = UINT64_MAX)
        : thread_([this, until] {
              const Role role;
              id_ = static_cast<pid_t>(syscall(SYS_gettid));
              taken_ = role.taken;
              started_.release();
              if (taken_) fired_ = listed(reactor_poll(until));
          }) {
        started_.acquire();
        EXPECT_TRUE(taken_);
    }
    ~OnePoll() {
        if (thread_.joinable()) thread_.join();
    }
    OnePoll(const OnePoll&) = delete;
    OnePoll& operator=(const OnePoll&) = delete;

    void await_asleep() const { mc::await_asleep(id_); }
    Fired result() {
        thread_.join();
        return fired_;
    }

private:
    std::binary_semaphore started_{0};
    pid_t id_ = 0;
    bool taken_ = false;
    Fired fired_;
    std::thread thread_;
};

}  // namespace mc
