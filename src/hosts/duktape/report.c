/* Errors that nobody joined: never lost, told to multicore.onerror or to stderr. The caller is a
 * finaliser.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdio.h>

#include "host.h"

static void print(duk_context *ctx, const char *what, const char *name) {
    fprintf(stderr, "multicore: %s '%s', which nobody joined: %s\n", what, name,
            duk_safe_to_stacktrace(ctx, -1));
    fflush(stderr);
}

void mcd_report(duk_context *ctx, struct mcd_task *k) {
    const char *name = mc_task_name(k->task);
    k->observed = 1;
    duk_push_heapptr(ctx, k->host->module);
    duk_get_prop_string(ctx, -1, "onerror");
    if (!duk_is_function(ctx, -1)) {
        duk_pop_2(ctx);
        print(ctx, "error in task", name);
        return;
    }
    duk_dup(ctx, -3);
    duk_push_string(ctx, name);
    if (duk_pcall(ctx, 2) != DUK_EXEC_SUCCESS) {
        print(ctx, "multicore.onerror failed for task", name);
        duk_pop_2(ctx);
        print(ctx, "error in task", name);
        return;
    }
    duk_pop_2(ctx);
}
