// SPDX-License-Identifier: BSL-1.0
#include "echo.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include <multicore/extension.h>

namespace looptest {
namespace {

sockaddr_in loopback(std::uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
}

// Another text for every client and round.
std::string text(unsigned seed, unsigned round, std::size_t size) {
    std::string made(size, '\0');
    std::uint64_t state = (std::uint64_t{seed} << 32 | round) * 0x9e3779b97f4a7c15u + 1;
    for (char& byte : made) {
        state = state * 6364136223846793005u + 1442695040888963407u;
        byte = static_cast<char>(state >> 56);
    }
    return made;
}

bool read_all(int fd, std::string& into) {
    for (std::size_t have = 0; have < into.size();) {
        const ssize_t more = read(fd, into.data() + have, into.size() - have);
        if (more <= 0) return false;
        have += static_cast<std::size_t>(more);
    }
    return true;
}

bool write_all(int fd, const std::string& data) {
    return send(fd, data.data(), data.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(data.size());
}

}  // namespace

Listener::Listener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0)) {
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    sockaddr* generic = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(0, bind(fd_, generic, size));
    EXPECT_EQ(0, listen(fd_, 200));
    EXPECT_EQ(0, getsockname(fd_, generic, &size));
    port_ = ntohs(address.sin_port);
}

Listener::~Listener() { close(fd_); }

std::uint64_t hash(const std::string& data) {
    std::uint64_t sum = 14695981039346656037u;
    for (const char byte : data) sum = (sum ^ static_cast<unsigned char>(byte)) * 1099511628211u;
    return sum;
}

std::uint64_t talk(std::uint16_t port, unsigned seed, std::size_t chunk) {
    const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const sockaddr_in address = loopback(port);
    std::uint64_t came_back = 0;
    mc_release();
    bool good = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
    mc_acquire();
    for (unsigned round = 0; good && round < rounds; ++round) {
        const std::string sent = text(seed, round, chunk);
        std::string received(chunk, '\0');
        mc_release();
        good = write_all(fd, sent) && read_all(fd, received);
        mc_acquire();
        EXPECT_TRUE(good) << "client " << seed << ", round " << round;
        EXPECT_TRUE(sent == received) << "client " << seed << ", round " << round;
        if (good && sent == received) came_back += chunk;
    }
    close(fd);
    return came_back;
}

int accept_connection(int listening) {
    const int fd = accept4(listening, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    EXPECT_LE(0, fd);
    return fd;
}

bool echo_once(int fd) {
    char buffer[4096];
    const ssize_t size = read(fd, buffer, sizeof buffer);
    EXPECT_LE(0, size);
    if (size <= 0) return false;
    EXPECT_EQ(size, send(fd, buffer, static_cast<std::size_t>(size), MSG_NOSIGNAL));
    return true;
}

void close_connection(int fd) { close(fd); }

}  // namespace looptest
