/* libuv: empty work requests per second, with so many in flight: peer jobs IN_FLIGHT; prints one JSON object.
 * SPDX-License-Identifier: BSL-1.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <uv.h>

#include "../../suite/work.h"

static unsigned long left;

static void work(uv_work_t *request) { (void)request; }

static void done(uv_work_t *request, int status);

static void submit(uv_work_t *request) {
    if (left == 0) return;
    --left;
    if (uv_queue_work(uv_default_loop(), request, work, done) != 0) abort();
}

static void done(uv_work_t *request, int status) {
    if (status != 0) abort();
    submit(request);
}

int main(int argc, char **argv) {
    const unsigned long in_flight = argc == 3 && !strcmp(argv[1], "jobs") ? strtoul(argv[2], NULL, 10) : 0;
    const unsigned long count = in_flight < 2 ? 30000 : 500000;
    uv_work_t *requests = calloc(in_flight ? in_flight : 1, sizeof *requests);
    uint64_t start;
    unsigned long i;
    if (!in_flight || !requests) {
        fputs("usage: peer jobs IN_FLIGHT\n", stderr);
        return 2;
    }
    left = count;
    start = bench_now();
    for (i = 0; i < in_flight; ++i) submit(&requests[i]);
    uv_run(uv_default_loop(), UV_RUN_DEFAULT);
    printf("{\"per_second\": %.6g}\n", (double)count * 1e9 / (double)(bench_now() - start));
    free(requests);
    return 0;
}
