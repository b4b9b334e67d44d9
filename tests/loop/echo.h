// Sockets for the tests of event loops: a listener, clients that check what comes back, an echo server for
// loops that only tell when a descriptor is readable.
// SPDX-License-Identifier: BSL-1.0
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <utility>

namespace looptest {

// Listens on the loopback interface.
class Listener {
public:
    Listener();
    ~Listener();
    Listener(const Listener&) = delete;
    Listener& operator=(const Listener&) = delete;
    int fd() const { return fd_; }
    std::uint16_t port() const { return port_; }

private:
    int fd_;
    std::uint16_t port_ = 0;
};

std::uint64_t hash(const std::string& data);

// By a task: a client that sends `chunk` bytes of its own `rounds` times, in sections, and expects each to
// come back. Returns how many bytes did.
constexpr unsigned rounds = 20;
std::uint64_t talk(std::uint16_t port, unsigned seed, std::size_t chunk);

int accept_connection(int listening);
bool echo_once(int fd);  // false: the peer has closed
void close_connection(int fd);

template <class Loop>
class ReadableEcho {
public:
    static constexpr std::size_t chunk = 2000;  // a socket takes as much without blocking
    ReadableEcho(Loop& loop, int listening, std::function<void()> closed)
        : loop_(loop), closed_(std::move(closed)) {
        loop.readable(listening, [this, listening] { serve(accept_connection(listening)); });
    }

private:
    void serve(int fd) {
        loop_.readable(fd, [this, fd] {
            if (echo_once(fd)) return;
            loop_.forget(fd);
            close_connection(fd);
            closed_();
        });
    }

    Loop& loop_;
    const std::function<void()> closed_;
};

}  // namespace looptest
