/* Many tasks that wait: what they cost in time and threads.
 *
 *     many [SLEEPERS] [SECTIONS]      default 10,000 tasks in a sleep of 1 s, then 1,000 in a section
 *                                     that blocks for 100 ms
 * SPDX-License-Identifier: BSL-1.0 */
#define _GNU_SOURCE
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <multicore/multicore.h>

static void must(mc_status status) {
    if (status == MC_OK) return;
    fprintf(stderr, "many: %s: %s\n", mc_status_name(status), mc_status_message(status));
    exit(1);
}

static unsigned threads_seen;

/* Called with the baton. */
static void look_at_threads(void) {
    unsigned now = 0;
    struct dirent *entry;
    DIR *tasks = opendir("/proc/self/task");
    if (!tasks) return;
    while ((entry = readdir(tasks))) now += entry->d_name[0] != '.';
    closedir(tasks);
    if (now > threads_seen) threads_seen = now;
}

static unsigned long ended;

static void sleeper(void *arg) {
    must(mc_task_sleep(*(const uint64_t *)arg));
    if (ended++ % 1000 == 0) look_at_threads();
}

static void blocker(void *arg) {
    const struct timespec duration = {0, (long)*(const uint64_t *)arg};
    mc_release();
    nanosleep(&duration, NULL);
    mc_acquire();
    if (ended++ % 1000 == 0) look_at_threads();
}

static void measure(const char *what, void (*fn)(void *), uint64_t duration, unsigned long count) {
    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    mc_stats stats = MC_STATS_INIT;
    mc_runtime *runtime = NULL;
    uint64_t start;
    unsigned long i;

    options.max_threads = (uint32_t)MC_NONE;
    must(mc_runtime_create(&options, &runtime));
    ended = threads_seen = 0;
    start = mc_now();
    for (i = 0; i < count; ++i) must(mc_task_spawn(runtime, fn, &duration, NULL, NULL));
    must(mc_runtime_run(runtime));
    must(mc_runtime_stats(runtime, &stats));
    printf("%6lu tasks %s of %4.0f ms: %7.1f ms wall, %4llu carriers at most, %4u OS threads seen\n", ended,
           what, (double)duration / 1e6, (double)(mc_now() - start) / 1e6,
           (unsigned long long)stats.threads_peak, threads_seen);
    must(mc_runtime_destroy(runtime));
}

int main(int argc, char **argv) {
    const unsigned long sleepers = argc > 1 ? strtoul(argv[1], NULL, 10) : 10000;
    const unsigned long sections = argc > 2 ? strtoul(argv[2], NULL, 10) : 1000;
    measure("in a sleep           ", sleeper, 1000000000, sleepers);
    measure("in a blocking section", blocker, 100000000, sections);
    return 0;
}
