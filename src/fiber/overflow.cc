// Telling an overflown C stack from other faults.
//
// The handler only reads: the owner's answer and the fault's address. It then puts the default action
// back and returns, so that the faulting instruction runs again and the process dies of the signal itself,
// with the core file and registers it would have had.
// SPDX-License-Identifier: BSL-1.0
#include "fiber/overflow.h"

#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <mutex>

namespace mc {
namespace {

constexpr int caught[] = {SIGSEGV, SIGBUS};
constexpr std::size_t caught_count = sizeof caught / sizeof *caught;
constexpr std::size_t alternate_size = std::size_t{64} << 10;

// Written once, before the handlers are installed.
constinit StackOwner stack_owner = nullptr;
constinit std::uintptr_t guard_reach = 0;  // how far below a stack a fault counts as its overflow

// What was found there. An entry is written by sigaction before the handler that reads it can run.
struct sigaction previous[caught_count];

// This thread's alternate stack, if it is ours.
thread_local void* alternate = nullptr;

// A line put together without the C library's help.
class Line {
public:
    void add(const char* text) noexcept {
        while (*text != '\0' && length_ < sizeof text_) text_[length_++] = *text++;
    }
    void add(std::size_t number) noexcept {
        char digits[21];
        char* first = digits + sizeof digits - 1;
        *first = '\0';
        do *--first = static_cast<char>('0' + number % 10);
        while ((number /= 10) != 0);
        add(first);
    }
    void print() const noexcept {
        std::size_t done = 0;
        while (done < length_) {
            const ssize_t written = write(STDERR_FILENO, text_ + done, length_ - done);
            if (written < 0 && errno == EINTR) continue;
            if (written <= 0) return;
            done += static_cast<std::size_t>(written);
        }
    }

private:
    char text_[512];
    std::size_t length_ = 0;
};

bool report(std::uintptr_t address) noexcept {
    Stack stack;
    const char* name = nullptr;
    if (!stack_owner(stack, name)) return false;
    const auto base = reinterpret_cast<std::uintptr_t>(stack.base);
    if (address >= base || address < base - guard_reach) return false;
    // A name may be long; what comes after it matters more.
    char shown[256] = "?";
    if (name != nullptr) {
        const std::size_t length = strnlen(name, sizeof shown - 1);
        std::memcpy(shown, name, length);
        shown[length] = '\0';
    }
    Line line;
    line.add("multicore: task '");
    line.add(shown);
    line.add("' overflowed its C stack of ");
    line.add(stack.size / 1024);
    line.add(" KiB (raise stack_size)\n");
    line.print();
    return true;
}

void die_by_default(int signal, const siginfo_t* info) noexcept {
    struct sigaction action = {};
    action.sa_handler = SIG_DFL;
    sigaction(signal, &action, nullptr);
    // A fault comes back by itself when the handler returns; a signal that was sent does not. It is
    // blocked until then.
    if (info->si_code <= 0) raise(signal);
}

void chain(const struct sigaction& to, int signal, siginfo_t* info, void* context) noexcept {
    const bool takes_info = (to.sa_flags & SA_SIGINFO) != 0;
    if (!takes_info && to.sa_handler == SIG_DFL) return die_by_default(signal, info);
    if (!takes_info && to.sa_handler == SIG_IGN) {
        // The kernel does not ignore a fault either.
        if (info->si_code > 0) die_by_default(signal, info);
        return;
    }
    // The mask it asked for. The one from before comes back when the handler returns.
    pthread_sigmask(SIG_BLOCK, &to.sa_mask, nullptr);
    if ((to.sa_flags & SA_NODEFER) != 0) {
        sigset_t only;
        sigemptyset(&only);
        sigaddset(&only, signal);
        pthread_sigmask(SIG_UNBLOCK, &only, nullptr);
    }
    if (takes_info)
        to.sa_sigaction(signal, info, context);
    else
        to.sa_handler(signal);
}

void on_fault(int signal, siginfo_t* info, void* context) {
    const int saved = errno;
    if (info->si_code > 0 && report(reinterpret_cast<std::uintptr_t>(info->si_addr)))
        die_by_default(signal, info);
    else
        chain(previous[signal == SIGSEGV ? 0 : 1], signal, info, context);
    errno = saved;
}

void install() noexcept {
    guard_reach = 2 * static_cast<std::uintptr_t>(sysconf(_SC_PAGESIZE));
    struct sigaction action = {};
    action.sa_sigaction = on_fault;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < caught_count; ++i) {
        sigaction(caught[i], nullptr, &previous[i]);
        sigaction(caught[i], &action, nullptr);
    }
}

}  // namespace

void overflow_install(StackOwner owner) noexcept {
    static std::once_flag once;
    std::call_once(once, [owner] {
        stack_owner = owner;
        install();
    });
}

void overflow_enter_thread() noexcept {
    stack_t now;
    if (alternate != nullptr || sigaltstack(nullptr, &now) != 0 || (now.ss_flags & SS_DISABLE) == 0) return;
    // The kernel saves the processor's whole state there, which grows with the processor.
    const std::size_t size = std::max(alternate_size, 4 * static_cast<std::size_t>(sysconf(_SC_MINSIGSTKSZ)));
    void* memory =
        mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    // Without it an overflow is a bare SIGSEGV: nothing worth failing for.
    if (memory == MAP_FAILED) return;
    const stack_t ours = {memory, 0, size};
    if (sigaltstack(&ours, nullptr) == 0)
        alternate = memory;
    else
        munmap(memory, size);
}

void overflow_leave_thread() noexcept {
    if (alternate == nullptr) return;
    stack_t now;
    // Somebody may have put another in its place, and may put ours back: then it is theirs.
    if (sigaltstack(nullptr, &now) == 0 && now.ss_sp == alternate) {
        const std::size_t size = now.ss_size;
        now.ss_flags = SS_DISABLE;
        if (sigaltstack(&now, nullptr) == 0) munmap(alternate, size);
    }
    alternate = nullptr;
}

}  // namespace mc
