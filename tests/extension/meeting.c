/* How an extension finds the runtime: one child program per way of loading, one scenario per run.
 *
 *     meeting SCENARIO MODULE RUNTIME [COPY]
 *
 * Built without the library (it loads RUNTIME itself), likewise but with an extension inside
 * (MEETING_EXTENDED), linked with the shared library, and with the static one (MEETING_LINKED in both). Exit
 * status 0: the scenario held; else it says what did not. SPDX-License-Identifier: BSL-1.0 */
#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <multicore/multicore.h>

#include "module.h"

#define CHECK(condition) \
    ((condition) ? (void)0 : (fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition), exit(1)))

/* The part of the library a host needs here, whether linked or loaded. */
struct library {
    mc_status (*create)(const mc_runtime_options *, mc_runtime **);
    mc_status (*destroy)(mc_runtime *);
    mc_status (*attach)(mc_runtime *, const mc_task_options *, uint64_t, mc_task **);
    mc_status (*detach)(void);
    mc_status (*stats)(mc_runtime *, mc_stats *);
};

static void *open_library(const char *path, int flags) {
    void *handle = dlopen(path, RTLD_NOW | flags);
    if (!handle) fprintf(stderr, "%s\n", dlerror());
    CHECK(handle);
    return handle;
}

static void *symbol(void *handle, const char *name) {
    void *address = dlsym(handle, name);
    if (!address) fprintf(stderr, "%s\n", dlerror());
    CHECK(address);
    return address;
}

#define LOAD(handle, member, name) (*(void **)(&library.member) = symbol(handle, name))

static struct library load(const char *path) {
    struct library library;
    void *handle = open_library(path, RTLD_LOCAL);
    LOAD(handle, create, "mc_runtime_create");
    LOAD(handle, destroy, "mc_runtime_destroy");
    LOAD(handle, attach, "mc_attach");
    LOAD(handle, detach, "mc_detach");
    LOAD(handle, stats, "mc_runtime_stats");
    return library;
}

#ifdef MEETING_LINKED
static struct library linked(void) {
    struct library library = {mc_runtime_create, mc_runtime_destroy, mc_attach, mc_detach, mc_runtime_stats};
    return library;
}
#endif

static const struct module *module_at(void *handle, const char *entry) {
    module_entry get;
    *(void **)(&get) = symbol(handle, entry);
    return get();
}

static uint64_t sections(const struct library *library, mc_runtime *runtime) {
    mc_stats stats = MC_STATS_INIT;
    CHECK(library->stats(runtime, &stats) == MC_OK);
    return stats.sections;
}

/* With a runtime attached: the object's sections reach it. */
static void check_effective(const struct library *library, mc_runtime *runtime, const struct module *object) {
    uint64_t before = sections(library, runtime);
    CHECK(object->has_runtime());
    errno = EDOM;
    object->pair();
    CHECK(errno == EDOM);
    CHECK(sections(library, runtime) == before + 1);
    CHECK(object->all() == 0);
    CHECK(sections(library, runtime) > before + 1);
}

static void check_meets(const struct library *library, const struct module *first,
                        const struct module *second) {
    mc_runtime *runtime = NULL;
    CHECK(library->create(NULL, &runtime) == MC_OK);
    CHECK(library->attach(runtime, NULL, MC_FOREVER, NULL) == MC_OK);
    check_effective(library, runtime, first);
    check_effective(library, runtime, second);
    CHECK(first->slot() == second->slot());
    CHECK(library->detach() == MC_OK);
    /* Attached no more, the calls do nothing. */
    first->pair();
    CHECK(library->destroy(runtime) == MC_OK);
    /* The runtime is gone, the library is not. */
    first->pair();
    CHECK(first->has_runtime());
}

static void check_absent(const struct module *object) {
    CHECK(!object->has_runtime());
    errno = ERANGE;
    object->pair();
    CHECK(object->all() == 0);
    CHECK(errno == ERANGE);
}

static void never(const char *module) {
    void *handle = open_library(module, RTLD_LOCAL);
    check_absent(module_at(handle, "module_first"));
    check_absent(module_at(handle, "module_second"));
}

static void runtime_first(const char *module, const char *runtime) {
    struct library library = load(runtime);
    void *handle = open_library(module, RTLD_LOCAL);
    check_meets(&library, module_at(handle, "module_first"), module_at(handle, "module_second"));
}

static void module_first_then_runtime(const char *module, const char *runtime) {
    void *handle = open_library(module, RTLD_LOCAL);
    struct library library;
    check_absent(module_at(handle, "module_first"));
    library = load(runtime);
    check_meets(&library, module_at(handle, "module_first"), module_at(handle, "module_second"));
}

static void module_dlclosed(const char *module, const char *runtime) {
    void *handle = open_library(module, RTLD_LOCAL);
    const struct module *object = module_at(handle, "module_first");
    const void *slot = object->slot();
    struct library library = load(runtime);
    CHECK(dlclose(handle) == 0);
    /* An object that defines the slot stays: these calls would crash otherwise. */
    check_meets(&library, object, object);
    handle = open_library(module, RTLD_LOCAL);
    CHECK(module_at(handle, "module_first")->slot() == slot);
    check_meets(&library, module_at(handle, "module_first"), object);
}

static void runtime_dlclosed(const char *module, const char *runtime) {
    struct library library = load(runtime);
    void *again = open_library(runtime, RTLD_LOCAL);
    void *handle = open_library(module, RTLD_LOCAL);
    CHECK(dlclose(again) == 0);
    CHECK(dlclose(again) == 0); /* the reference that load() took */
    check_meets(&library, module_at(handle, "module_first"), module_at(handle, "module_second"));
}

/* FFI: the functions behind the macros, found by name. */
static void ffi(const char *runtime) {
    struct library library = load(runtime);
    void *handle = open_library(runtime, RTLD_LOCAL);
    void (*release)(void);
    void (*acquire)(void);
    mc_status (*status)(void);
    mc_status (*release_with)(const mc_section_options *);
    mc_runtime *instance = NULL;
    *(void **)(&release) = symbol(handle, "mc_release");
    *(void **)(&acquire) = symbol(handle, "mc_acquire");
    *(void **)(&release_with) = symbol(handle, "mc_release_with");
    release(); /* no runtime yet: nothing happens */
    acquire();
    CHECK(library.create(NULL, &instance) == MC_OK);
    CHECK(library.attach(instance, NULL, MC_FOREVER, NULL) == MC_OK);
    release();
    *(void **)(&status) = symbol(handle, "mc_cancelled");
    CHECK(status() == MC_OK);
    *(void **)(&status) = symbol(handle, "mc_enter");
    CHECK(status() == MC_OK);
    *(void **)(&status) = symbol(handle, "mc_leave");
    CHECK(status() == MC_OK);
    acquire();
    CHECK(sections(&library, instance) == 1);
    CHECK(release_with(NULL) == MC_OK);
    *(void **)(&status) = symbol(handle, "mc_acquire_status");
    CHECK(status() == MC_OK);
    CHECK(sections(&library, instance) == 2);
    symbol(handle, "mc_support");
    CHECK(library.detach() == MC_OK);
    CHECK(library.destroy(instance) == MC_OK);
}

static char refusal[4096];
static mc_status refusal_status;

static void on_misuse(void *arg, const mc_misuse *report) {
    (void)arg;
    refusal_status = report->status;
    snprintf(refusal, sizeof refusal, "%s", report->message ? report->message : "");
}

static void second_copy(const char *runtime, const char *copy) {
    struct library original = load(runtime);
    struct library second;
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_runtime *first = NULL;
    mc_runtime *refused = NULL;
    CHECK(original.create(NULL, &first) == MC_OK);
    second = load(copy);
    CHECK(second.create != original.create);
    options.misuse = on_misuse;
    CHECK(second.create(&options, &refused) == MC_EBUSY);
    CHECK(refused == NULL);
    fprintf(stderr, "reported: %s\n", refusal);
    CHECK(refusal_status == MC_EBUSY);
    CHECK(strstr(refusal, runtime));
    CHECK(strstr(refusal, copy));
    /* The first one works on. */
    CHECK(original.attach(first, NULL, MC_FOREVER, NULL) == MC_OK);
    CHECK(original.detach() == MC_OK);
    CHECK(original.destroy(first) == MC_OK);
    CHECK(second.create(&options, &refused) == MC_EBUSY);
    CHECK(original.create(&options, &first) == MC_OK);
    CHECK(original.destroy(first) == MC_OK);
}

int main(int argc, char **argv) {
    const char *scenario = argc > 1 ? argv[1] : "";
    const char *module = argc > 2 ? argv[2] : "";
    const char *runtime = argc > 3 ? argv[3] : "";
    const char *copy = argc > 4 ? argv[4] : "";
    alarm(60); /* a hang ends by itself */
    if (!strcmp(scenario, "never")) {
        never(module);
    } else if (!strcmp(scenario, "runtime_first")) {
        runtime_first(module, runtime);
    } else if (!strcmp(scenario, "module_first")) {
        module_first_then_runtime(module, runtime);
    } else if (!strcmp(scenario, "module_dlclosed")) {
        module_dlclosed(module, runtime);
    } else if (!strcmp(scenario, "runtime_dlclosed")) {
        runtime_dlclosed(module, runtime);
    } else if (!strcmp(scenario, "ffi")) {
        ffi(runtime);
    } else if (!strcmp(scenario, "second_copy")) {
        second_copy(runtime, copy);
#ifdef MEETING_LINKED
    } else if (!strcmp(scenario, "linked")) {
        struct library library = linked();
        void *handle = open_library(module, RTLD_LOCAL);
        check_meets(&library, module_at(handle, "module_first"), module_at(handle, "module_second"));
    } else if (!strcmp(scenario, "linked_second_copy")) {
        mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
        mc_runtime *first = NULL, *refused = NULL;
        struct library library = linked(), second;
        CHECK(library.create(NULL, &first) == MC_OK);
        second = load(runtime);
        options.misuse = on_misuse;
        CHECK(second.create(&options, &refused) == MC_EBUSY);
        CHECK(strstr(refusal, runtime));
        CHECK(strstr(refusal, argv[0]));
        CHECK(library.destroy(first) == MC_OK);
#endif
#ifdef MEETING_EXTENDED
    } else if (!strcmp(scenario, "in_program")) {
        /* The extension is part of the program, the runtime is loaded later. */
        extern const struct module *module_first(void);
        extern const struct module *module_second(void);
        struct library library;
        check_absent(module_first());
        library = load(runtime);
        check_meets(&library, module_first(), module_second());
#endif
    } else {
        fprintf(stderr, "no scenario \"%s\"\n", scenario);
        return 2;
    }
    return 0;
}
