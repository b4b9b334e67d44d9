/* A host in C, and below it an extension that the program loads: both must meet one runtime.
 * Usage: main PLUGIN. SPDX-License-Identifier: BSL-1.0 */
#include <dlfcn.h>
#include <multicore/multicore.h>
#include <stdio.h>

static void (*plugin_section)(void);
static int sections;

static void body(void *arg) {
    (void)arg;
    mc_release();
    sections = 1;
    mc_acquire();
    if (plugin_section) plugin_section();
}

static int fail(const char *what, mc_status status) {
    fprintf(stderr, "%s: %s\n", what, mc_status_name(status));
    return 1;
}

int main(int argc, char **argv) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_stats stats = MC_STATS_INIT;
    mc_runtime *runtime = NULL;
    mc_task *task = NULL;
    mc_status status;
    uint64_t expected = 1;

    if (argc > 1) {
        void *plugin = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
        if (!plugin) {
            fprintf(stderr, "%s\n", dlerror());
            return 1;
        }
        *(void **)&plugin_section = dlsym(plugin, "plugin_section");
        if (!plugin_section) return fail("no plugin_section", MC_EINVAL);
        expected = 2;
    }
    options.name = "installed";
    if ((status = mc_runtime_create(&options, &runtime)) != MC_OK) return fail("create", status);
    if ((status = mc_task_spawn(runtime, body, NULL, NULL, &task)) != MC_OK) return fail("spawn", status);
    if ((status = mc_runtime_run(runtime)) != MC_OK) return fail("run", status);
    if ((status = mc_task_result(task)) != MC_OK) return fail("result", status);
    mc_task_unref(task);
    if ((status = mc_runtime_stats(runtime, &stats)) != MC_OK) return fail("stats", status);
    if ((status = mc_runtime_destroy(runtime)) != MC_OK) return fail("destroy", status);
    if (!sections || stats.sections != expected) {
        fprintf(stderr, "%llu sections instead of %llu: the extension did not meet the runtime\n",
                (unsigned long long)stats.sections, (unsigned long long)expected);
        return 1;
    }
    printf("multicore %u.%u: %llu sections\n", (unsigned)(mc_version() >> 16),
           (unsigned)(mc_version() >> 8 & 255), (unsigned long long)stats.sections);
    return 0;
}
