/* Threads that others attached.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"
#include "multicore/duktape.h"

struct entering {
    struct mcd_host *host;
    struct mcd_task *made;
};

static duk_ret_t prepare(duk_context *ctx, void *arg) {
    struct entering *entering = arg;
    struct mcd_task *k = mcd_push_new_task(ctx, entering->host);
    mcd_anchor(ctx, k);
    entering->made = k;
    return 0;
}

mc_status mc_duktape_enter(duk_context *js, duk_context **out) {
    mc_task *task = mc_task_current();
    if (!js || !out) return MC_EINVAL;
    if (!task || mc_task_data(task)) return MC_EPERM;
    struct mcd_host *h = mcd_host_of(js);
    if (!h || !h->runtime) return MC_ESHUTDOWN;
    struct entering entering = {h, NULL};
    int made = duk_safe_call(h->service, prepare, &entering, 0, 1) == DUK_EXEC_SUCCESS;
    duk_pop(h->service);
    if (!made) return MC_ENOMEM;
    struct mcd_task *k = entering.made;
    k->task = mc_task_ref(task);
    mc_task_set_data(task, k);
    h->current = k;
    *out = k->ctx;
    return MC_OK;
}

mc_status mc_duktape_leave(duk_context *out) {
    mc_task *task = mc_task_current();
    struct mcd_task *k = task ? mc_task_data(task) : NULL;
    if (!k || k->ctx != out || k == k->host->main || k->task != task) return MC_EPERM;
    mc_task_set_data(task, NULL);
    k->ended = 1;
    mcd_task_drop(k);
    return MC_OK;
}
