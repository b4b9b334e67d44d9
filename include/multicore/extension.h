/* multicore/extension.h - let native code run beside the interpreter.
 *
 *     #include <multicore/extension.h>
 *
 *     mc_release();            give up the interpreter
 *     rc = expensive_c(...);   runs in parallel; must not touch the interpreter
 *     mc_acquire();            take the interpreter back
 *
 * This header is all an extension needs: nothing to link, no initialisation, no knowledge of the
 * interpreter. Where no multicore runtime is present the calls do nothing. Compile with
 * -DMC_DISABLE to remove them altogether.
 *
 * All calls are made on the thread that runs the native function. None unwinds, none calls longjmp,
 * all preserve errno.
 *
 * This file may be used under the Boost Software License 1.0 or, at your option, under CC0 1.0, so
 * that anybody may bundle it.
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#ifndef MULTICORE_EXTENSION_H
#define MULTICORE_EXTENSION_H

#include <stddef.h>
#include <stdint.h>

#define MC_EXTENSION_VERSION 0x010000u /* 1.0.0: major << 16 | minor << 8 | patch */

/* Every status of the library: 0 or negative, a name and a message. */
#define MC_STATUS_TABLE(X)                                                 \
    X(MC_OK, 0, "success")                                                 \
    X(MC_EINVAL, -1, "invalid argument")                                   \
    X(MC_ENOMEM, -2, "out of memory")                                      \
    X(MC_EAGAIN, -3, "not now: a limit is reached or it is still running") \
    X(MC_EBUSY, -4, "in use")                                              \
    X(MC_EPERM, -5, "not allowed on this thread or in this state")         \
    X(MC_EINTR, -6, "an interrupt is pending")                             \
    X(MC_ECANCELED, -7, "cancelled, stopped or past its deadline")         \
    X(MC_ETIMEDOUT, -8, "the time is over")                                \
    X(MC_ENOTSUP, -9, "not supported here")                                \
    X(MC_EDEADLK, -10, "would wait for itself")                            \
    X(MC_ESHUTDOWN, -11, "the runtime is shutting down")                   \
    X(MC_EFORK, -12, "lost in a fork")

typedef int mc_status;
enum {
#define MC_STATUS_ENUM_(name, value, text) name = value,
    MC_STATUS_TABLE(MC_STATUS_ENUM_)
#undef MC_STATUS_ENUM_
        MC_STATUS_END_ = 1
};

/* In options: zero means the default, MC_NONE (all ones in any width) none or unlimited. */
#define MC_NONE (-1)

/* Flags of a section, per call. */
#define MC_SECTION_MIGRATABLE 1u /* the C code may continue on another OS thread */

/* Flags of mc_support. */
#define MC_SUPPORT_MIGRATABLE 1u /* every section of this module is migratable */

/* One place in the source that opens or closes sections: a writable static per macro use. The
 * runtime keeps what it learns about the place in `reserved`; it holds no pointer to it after the
 * section. */
struct mc_site {
    const char *file, *func;
    uint32_t line, flags;
    void *reserved[2];
};

/* How mc_release_with opens a section. Start from MC_SECTION_OPTIONS_INIT. */
typedef struct mc_section_options {
    uint32_t size;
    uint32_t flags;          /* MC_SECTION_* */
    void (*unblock)(void *); /* called from another thread, at most once, to make the C code return
                                early, e.g. shutdown(fd). It must not block, fork, call this library,
                                or take a lock that is held across the acquire. The acquire waits for
                                a running unblock. */
    void *unblock_arg;
    uint64_t deadline;  /* nanoseconds from the call; 0 or MC_NONE: none */
    const void *handle; /* the object the section works on, or NULL; for a checked mode to come */
} mc_section_options;

#define MC_SECTION_OPTIONS_INIT \
    { sizeof(mc_section_options), 0, NULL, NULL, 0, NULL }

/* What a runtime publishes. Append-only: callers check `size` before they use a later member. */
struct mc_api_1 {
    uint32_t size, abi;
    void (*release)(struct mc_site *);
    void (*acquire)(struct mc_site *);
    mc_status (*enter)(void);
    mc_status (*leave)(void);
    mc_status (*release_with)(struct mc_site *, const mc_section_options *);
    mc_status (*acquire_status)(struct mc_site *);
    mc_status (*cancelled)(void);
    void (*support)(struct mc_site *, uint32_t version, uint32_t flags);
};

#if defined(__GNUC__)
#pragma GCC visibility push(default) /* also in modules built with -fvisibility=hidden */
#endif
#ifdef __cplusplus
extern "C" {
#endif

/* The functions behind the macros, for callers that cannot use macros (FFI, dlsym). They are
 * exported by the runtime library; using them by name needs linking with it. */
void(mc_release)(void);
void(mc_acquire)(void);
mc_status(mc_enter)(void);
mc_status(mc_leave)(void);
mc_status(mc_release_with)(const mc_section_options *options);
mc_status(mc_acquire_status)(void);
mc_status(mc_cancelled)(void);
void(mc_support)(uint32_t flags);

#ifdef __cplusplus
}
#endif
#if defined(__GNUC__)
#pragma GCC visibility pop
#endif

#if defined(__GNUC__)
#define MC_EXT_INLINE_ static __inline__ __attribute__((unused, always_inline))
#else
#define MC_EXT_INLINE_ static
#endif

#if defined(MC_DISABLE)

MC_EXT_INLINE_ mc_status mc_ext_ok_(void) { return MC_OK; }

#define mc_release() ((void)0)
#define mc_acquire() ((void)0)
#define mc_enter() mc_ext_ok_()
#define mc_leave() mc_ext_ok_()
#define mc_release_with(options) ((void)(options), mc_ext_ok_())
#define mc_acquire_status() mc_ext_ok_()
#define mc_cancelled() mc_ext_ok_()
#define mc_support(flags) ((void)(flags))

#else

/* The meeting point. Every object that includes this header defines the symbol; COMDAT merges the
 * definitions within a link, STB_GNU_UNIQUE makes the dynamic linker use one of them in the whole
 * process, whatever the order of loading and even under RTLD_LOCAL. It is NULL until a runtime
 * stores its table there, and never becomes NULL again. */
#if defined(__ELF__) && defined(__GNUC__)
#if defined(__LP64__)
#define MC_EXT_SLOT_BYTES_ "8"
#else
#define MC_EXT_SLOT_BYTES_ "4"
#endif
#if defined(__arm__)
#define MC_EXT_AT_ "%"
#else
#define MC_EXT_AT_ "@"
#endif
/* clang-format off */
__asm__(".pushsection .bss.mc_ext_slot_1,\"awG\"," MC_EXT_AT_ "nobits,mc_ext_slot_1,comdat\n\t"
        ".globl mc_ext_slot_1\n\t"
        ".type mc_ext_slot_1, " MC_EXT_AT_ "gnu_unique_object\n\t"
        ".size mc_ext_slot_1, " MC_EXT_SLOT_BYTES_ "\n\t"
        ".balign " MC_EXT_SLOT_BYTES_ "\n"
        "mc_ext_slot_1:\n\t"
        ".zero " MC_EXT_SLOT_BYTES_ "\n\t"
        ".popsection");
/* clang-format on */
#else
#error "multicore/extension.h: this platform has no STB_GNU_UNIQUE (ELF, gcc or clang); use -DMC_DISABLE"
#endif

#ifdef __cplusplus
extern "C"
#else
extern
#endif
    __attribute__((visibility("default"))) const struct mc_api_1 *mc_ext_slot_1;

/* Acquire: pairs with the release store by which a runtime publishes its table. */
MC_EXT_INLINE_ const struct mc_api_1 *mc_ext_api_(void) {
    return __atomic_load_n(&mc_ext_slot_1, __ATOMIC_ACQUIRE);
}
MC_EXT_INLINE_ void mc_ext_release_(struct mc_site *site) {
    const struct mc_api_1 *api = mc_ext_api_();
    if (api) api->release(site);
}
MC_EXT_INLINE_ void mc_ext_acquire_(struct mc_site *site) {
    const struct mc_api_1 *api = mc_ext_api_();
    if (api) api->acquire(site);
}
MC_EXT_INLINE_ mc_status mc_ext_enter_(void) {
    const struct mc_api_1 *api = mc_ext_api_();
    return api ? api->enter() : MC_OK;
}
MC_EXT_INLINE_ mc_status mc_ext_leave_(void) {
    const struct mc_api_1 *api = mc_ext_api_();
    return api ? api->leave() : MC_OK;
}
MC_EXT_INLINE_ mc_status mc_ext_release_with_(struct mc_site *site, const mc_section_options *options) {
    const struct mc_api_1 *api = mc_ext_api_();
    return api ? api->release_with(site, options) : MC_OK;
}
MC_EXT_INLINE_ mc_status mc_ext_acquire_status_(struct mc_site *site) {
    const struct mc_api_1 *api = mc_ext_api_();
    return api ? api->acquire_status(site) : MC_OK;
}
MC_EXT_INLINE_ mc_status mc_ext_cancelled_(void) {
    const struct mc_api_1 *api = mc_ext_api_();
    return api ? api->cancelled() : MC_OK;
}
MC_EXT_INLINE_ void mc_ext_support_(struct mc_site *site, uint32_t flags) {
    const struct mc_api_1 *api = mc_ext_api_();
    if (api) api->support(site, MC_EXTENSION_VERSION, flags);
}

/* clang-format off */
#define MC_SITE_                                                                    \
    static struct mc_site mc_site_here_ = {__FILE__, __extension__ __FUNCTION__,    \
                                           __LINE__, 0, {NULL, NULL}}

/* Gives up the interpreter, takes it back. Pairs nest (an inner pair does nothing) and may sit in
 * different functions. A release that does nothing is legal, and its acquire then does nothing. */
#define mc_release() __extension__({ MC_SITE_; mc_ext_release_(&mc_site_here_); })
#define mc_acquire() __extension__({ MC_SITE_; mc_ext_acquire_(&mc_site_here_); })

/* Inside a section of any depth: takes the baton for a callback into the interpreter; mc_leave
 * restores the section and its depth. MC_EPERM outside a section, or without a matching mc_enter;
 * mc_enter: MC_ECANCELED when the task was abandoned, and the script is not to be called any more;
 * MC_ESHUTDOWN when the process exits.
 * The callback may open sections of its own; while one of those is opened by mc_release_with, the
 * options of the outer one rest. */
#define mc_enter() mc_ext_enter_()
#define mc_leave() mc_ext_leave_()

/* mc_release with options (NULL: defaults). MC_EINTR or MC_ECANCELED when one was already pending:
 * skip the work. MC_EINVAL, MC_ENOMEM: the options are bad or find no room, and do not count. The
 * section is open in every case: still acquire. */
#define mc_release_with(options) \
    __extension__({ MC_SITE_; mc_ext_release_with_(&mc_site_here_, (options)); })

/* mc_acquire that reports, without consuming it, a pending interrupt (MC_EINTR), a cancellation or
 * a passed deadline (MC_ECANCELED). */
#define mc_acquire_status() __extension__({ MC_SITE_; mc_ext_acquire_status_(&mc_site_here_); })

/* Inside a section: what mc_acquire_status would report now. One load; poll it as often as you like. */
#define mc_cancelled() mc_ext_cancelled_()

/* Once per module, when it is loaded: it is multicore-enabled (MC_SUPPORT_*), built with this version. */
#define mc_support(flags) __extension__({ MC_SITE_; mc_ext_support_(&mc_site_here_, (flags)); })
/* clang-format on */

#endif /* MC_DISABLE */
#endif /* MULTICORE_EXTENSION_H */
