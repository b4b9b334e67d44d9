// multicore/multicore.hpp - the C++ forms of multicore/extension.h and of the handles in
// multicore/multicore.h.
//
//     {
//         mc::section parallel;          the interpreter is given up here
//         expensive();                   runs in parallel; must not touch the interpreter
//     }                                  and is back here, also when the body throws
//
//     auto digest = mc::release([&] { return expensive(data); });
//
// C++11 and later, header only. Sections link nothing, as in C, and -DMC_DISABLE removes them. What
// names a runtime or a task (scope, attached, task, spawn) needs the library, and only when it is used.
//
// Every form reports the place of its caller. Nothing here throws by itself.
//
// SPDX-License-Identifier: BSL-1.0
#ifndef MULTICORE_MULTICORE_HPP
#define MULTICORE_MULTICORE_HPP

#include <new>
#include <type_traits>
#include <utility>

#include "multicore.h"

namespace mc {

// A place in the source: as a default argument, the caller's.
struct place {
    const char* file;
    const char* func;
    uint32_t line;

    constexpr place(const char* file_name = __builtin_FILE(), const char* function = __builtin_FUNCTION(),
                    uint32_t line_number = static_cast<uint32_t>(__builtin_LINE())) noexcept
        : file(file_name), func(function), line(line_number) {}
};

namespace detail {

inline mc_site site_at(const place& where) noexcept {
    mc_site site = {where.file, where.func, where.line, 0, {nullptr, nullptr}};
    return site;
}

#if defined(MC_DISABLE)
inline void open_site(mc_site*) noexcept {}
inline mc_status open_site(mc_site*, const mc_section_options*) noexcept { return MC_OK; }
inline void close_site(mc_site*) noexcept {}
inline mc_status close_site_status(mc_site*) noexcept { return MC_OK; }
#else
inline void open_site(mc_site* site) noexcept { mc_ext_release_(site); }
inline mc_status open_site(mc_site* site, const mc_section_options* options) noexcept {
    return mc_ext_release_with_(site, options);
}
inline void close_site(mc_site* site) noexcept { mc_ext_acquire_(site); }
inline mc_status close_site_status(mc_site* site) noexcept { return mc_ext_acquire_status_(site); }
#endif

// The section of one call of release(): what the runtime learns about the place is kept for as long
// as the program runs, one site for each type of callable, and so for each lambda expression. A type
// that comes from a second place gets a site of its own for each call.
template <class Callable>
class call_section {
public:
    explicit call_section(const place& where) noexcept : own_(site_at(where)), site_(&own_) {
        static mc_site kept = site_at(where);
        if (kept.line == where.line && kept.file == where.file) site_ = &kept;
    }
    call_section(const call_section&) = delete;
    call_section& operator=(const call_section&) = delete;
    ~call_section() {
        if (site_) close_site(site_);
    }

    void open() noexcept { open_site(site_); }
    mc_status open(const mc_section_options& options) noexcept { return open_site(site_, &options); }
    mc_status close() noexcept {
        mc_site* site = site_;
        site_ = nullptr;
        return close_site_status(site);
    }

private:
    mc_site own_;
    mc_site* site_;
};

}  // namespace detail

// A section from here to the end of the block.
class section {
public:
    explicit section(const place& where = place()) noexcept : site_(detail::site_at(where)) {
        detail::open_site(&site_);
    }
    // With options: see status().
    explicit section(const mc_section_options& options, const place& where = place()) noexcept
        : site_(detail::site_at(where)), status_(detail::open_site(&site_, &options)) {}

    section(const section&) = delete;
    section& operator=(const section&) = delete;
    ~section() {
        if (open_) detail::close_site(&site_);
    }

    // What opening it said: after MC_EINTR and MC_ECANCELED skip the work.
    mc_status status() const noexcept { return status_; }

    // Ends the section before the block does: what mc_acquire_status says; MC_OK if it has ended.
    mc_status close() noexcept {
        if (!open_) return MC_OK;
        open_ = false;
        return detail::close_site_status(&site_);
    }

private:
    mc_site site_;
    mc_status status_ = MC_OK;
    bool open_ = true;
};

// body() in a section; returns what it returns.
template <class Body>
auto release(Body&& body, const place& where = place()) -> decltype(std::forward<Body>(body)()) {
    detail::call_section<typename std::decay<Body>::type> here(where);
    here.open();
    return std::forward<Body>(body)();
}

// body() in a section with options, unless something was pending already. Returns what is pending,
// before or after it.
template <class Body>
mc_status release_with(const mc_section_options& options, Body&& body, const place& where = place()) {
    detail::call_section<typename std::decay<Body>::type> here(where);
    const mc_status before = here.open(options);
    if (before == MC_OK) std::forward<Body>(body)();
    const mc_status after = here.close();
    return before != MC_OK ? before : after;
}

// Inside a section: the baton, for a callback into the interpreter, until the end of the block.
class entered {
public:
    entered() noexcept : status_(mc_enter()) {}
    entered(const entered&) = delete;
    entered& operator=(const entered&) = delete;
    ~entered() {
        if (status_ == MC_OK) (void)mc_leave();
    }

    // MC_OK, or why the interpreter must not be touched.
    mc_status status() const noexcept { return status_; }

private:
    mc_status status_;
};

// A scope (MC_SCOPE_*) of the current task until the end of the block.
class scope {
public:
    explicit scope(uint32_t kind) noexcept : token_(mc_scope_enter(kind)) {}
    scope(const scope&) = delete;
    scope& operator=(const scope&) = delete;
    ~scope() {
        if (token_ >= 0) (void)mc_scope_leave(token_);
    }

    mc_status status() const noexcept { return token_ >= 0 ? MC_OK : token_; }

private:
    int token_;
};

// This thread as a bound task with the baton until the end of the block.
class attached {
public:
    explicit attached(mc_runtime* runtime, uint64_t timeout = MC_FOREVER) noexcept
        : status_(mc_attach(runtime, nullptr, timeout, nullptr)) {}
    attached(mc_runtime* runtime, const mc_task_options& options, uint64_t timeout = MC_FOREVER) noexcept
        : status_(mc_attach(runtime, &options, timeout, nullptr)) {}
    attached(const attached&) = delete;
    attached& operator=(const attached&) = delete;
    ~attached() {
        if (status_ == MC_OK) (void)mc_detach();
    }

    mc_status status() const noexcept { return status_; }

private:
    mc_status status_;
};

// One reference to a task.
class task {
public:
    task() noexcept = default;
    explicit task(mc_task* owned) noexcept : task_(owned) {}  // takes over the reference
    task(const task& other) noexcept : task_(other.task_ ? mc_task_ref(other.task_) : nullptr) {}
    task(task&& other) noexcept : task_(other.task_) { other.task_ = nullptr; }
    task& operator=(task other) noexcept {
        std::swap(task_, other.task_);
        return *this;
    }
    ~task() {
        if (task_) mc_task_unref(task_);
    }

    mc_task* get() const noexcept { return task_; }
    explicit operator bool() const noexcept { return task_ != nullptr; }

private:
    mc_task* task_ = nullptr;
};

// A new task that calls body(). The task's data is the copy of body; it is destroyed with the baton
// when the task has ended, however it ended.
template <class Body>
mc_status spawn(mc_runtime* runtime, Body&& body, const char* name = nullptr, task* out = nullptr) {
    using Kept = typename std::decay<Body>::type;
    Kept* kept = new (std::nothrow) Kept(std::forward<Body>(body));
    if (!kept) return MC_ENOMEM;

    mc_task_options options = MC_TASK_OPTIONS_INIT;
    options.name = name;
    options.data = kept;
    options.destroy = [](void* data) { delete static_cast<Kept*>(data); };
    mc_task* handle = nullptr;
    const mc_status status = mc_task_spawn(
        runtime, [](void* arg) { (*static_cast<Kept*>(arg))(); }, kept, &options, out ? &handle : nullptr);
    if (status != MC_OK) {
        delete kept;
    } else if (out) {
        *out = task(handle);
    }
    return status;
}

}  // namespace mc

#endif  // MULTICORE_MULTICORE_HPP
