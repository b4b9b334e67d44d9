// The Linux backend: futexes, membarrier, threads.
//
// Keeps errno as it found it, so that callers between a release and its acquire need not care.
// Leaves signal masks alone: a new thread has its creator's.
// SPDX-License-Identifier: BSL-1.0
#include <linux/futex.h>
#include <linux/membarrier.h>
#include <pthread.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstring>
#include <ctime>
#include <new>

#include "fiber/annotate.h"
#include "platform/platform.h"

namespace mc {
namespace {

static_assert(sizeof(std::atomic<std::uint32_t>) == sizeof(std::uint32_t) &&
              std::atomic<std::uint32_t>::is_always_lock_free);

class KeepErrno {
public:
    KeepErrno() noexcept : saved_(errno) {}
    ~KeepErrno() { errno = saved_; }
    KeepErrno(const KeepErrno&) = delete;
    KeepErrno& operator=(const KeepErrno&) = delete;

private:
    int saved_;
};

unsigned count_cpus() noexcept {
    // The kernel answers EINVAL while the set is smaller than its own.
    for (unsigned bits = CPU_SETSIZE; bits <= 1u << 20; bits *= 2) {
        cpu_set_t* set = CPU_ALLOC(bits);
        if (set == nullptr) return 1;
        const std::size_t bytes = CPU_ALLOC_SIZE(bits);
        const int rc = sched_getaffinity(0, bytes, set);
        const bool too_small = rc != 0 && errno == EINVAL;
        const int count = rc == 0 ? CPU_COUNT_S(bytes, set) : 1;
        CPU_FREE(set);
        if (!too_small) return static_cast<unsigned>(std::max(count, 1));
    }
    return 1;
}

long membarrier_call(int command) noexcept { return syscall(SYS_membarrier, command, 0, 0); }

bool membarrier_register() noexcept {
    const long commands = membarrier_call(MEMBARRIER_CMD_QUERY);
    constexpr long needed = MEMBARRIER_CMD_PRIVATE_EXPEDITED | MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED;
    return commands > 0 && (commands & needed) == needed &&
           membarrier_call(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) == 0;
}

struct Start {
    void (*fn)(void*);
    void* arg;
};

void* thread_main(void* arg) {
    const Start start = *static_cast<Start*>(arg);
    delete static_cast<Start*>(arg);
    start.fn(start.arg);
    return nullptr;
}

}  // namespace

std::uint64_t now_ns() noexcept {
    timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return static_cast<std::uint64_t>(t.tv_sec) * 1'000'000'000u + static_cast<std::uint64_t>(t.tv_nsec);
}

unsigned cpus() noexcept {
    // Relaxed: a plain number; two threads that race here compute the same.
    static constinit std::atomic<unsigned> known{0};
    unsigned count = known.load(std::memory_order_relaxed);
    if (count == 0) {
        const KeepErrno keep;
        count = count_cpus();
        known.store(count, std::memory_order_relaxed);
    }
    return count;
}

void futex_wait(std::atomic<std::uint32_t>& word, std::uint32_t expected, std::uint64_t until) noexcept {
    const KeepErrno keep;
    timespec t;
    t.tv_sec = static_cast<time_t>(until / 1'000'000'000u);
    t.tv_nsec = static_cast<long>(until % 1'000'000'000u);
    // The bitset form, because only it takes an absolute time; by default one of CLOCK_MONOTONIC.
    syscall(SYS_futex, &word, FUTEX_WAIT_BITSET_PRIVATE, expected, until == UINT64_MAX ? nullptr : &t,
            nullptr, FUTEX_BITSET_MATCH_ANY);
}

void futex_wake_one(std::atomic<std::uint32_t>& word) noexcept {
    const KeepErrno keep;
    syscall(SYS_futex, &word, FUTEX_WAKE_PRIVATE, 1, nullptr, nullptr, 0);
}

bool membarrier_available() noexcept {
    // Registration is idempotent and a forked child inherits it. Relaxed: the system call orders itself.
    static constinit std::atomic<int> known{0};
    int answer = known.load(std::memory_order_relaxed);
    if (answer == 0) {
        const KeepErrno keep;
        answer = membarrier_register() ? 1 : -1;
        known.store(answer, std::memory_order_relaxed);
    }
    return answer > 0;
}

void membarrier() noexcept {
    const KeepErrno keep;
    membarrier_call(MEMBARRIER_CMD_PRIVATE_EXPEDITED);
}

int thread_start(void (*fn)(void*), void* arg, std::size_t stack_size) noexcept {
    const KeepErrno keep;
    if (fault_hits(Fault::thread)) return EAGAIN;
    Start* start = new (std::nothrow) Start{fn, arg};
    if (start == nullptr) return ENOMEM;

    pthread_attr_t attr;
    int rc = pthread_attr_init(&attr);
    if (rc == 0) {
        const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
        const auto least = static_cast<std::size_t>(sysconf(_SC_THREAD_STACK_MIN));
        // In whole pages: some systems refuse others.
        std::size_t size = std::max(stack_size * annotate::stack_factor, least);
        size = (size + page - 1) / page * page;
        rc = pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        if (rc == 0 && stack_size != 0) rc = pthread_attr_setstacksize(&attr, size);
        pthread_t thread;
        if (rc == 0) rc = pthread_create(&thread, &attr, thread_main, start);
        pthread_attr_destroy(&attr);
    }
    if (rc != 0) delete start;
    return rc;
}

void thread_name(const char* name) noexcept {
    const KeepErrno keep;
    char shown[16];  // the kernel's limit, with the zero
    const std::size_t length = std::min(std::strlen(name), sizeof shown - 1);
    std::memcpy(shown, name, length);
    shown[length] = '\0';
    pthread_setname_np(pthread_self(), shown);
}

}  // namespace mc
