/* The end of a heap's runtime.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"
#include "multicore/duktape.h"

mc_status mc_duktape_close(duk_context *js, uint64_t timeout) {
    struct mcd_host *h = mcd_host_of(js);
    if (!h || !h->runtime) return MC_OK;
    if (h->current != h->main || mc_task_current() != h->main->task || mcd_in_finaliser(h)) return MC_EPERM;
    mc_status status = mc_runtime_shutdown(h->runtime, timeout);
    if (status != MC_OK && status != MC_ETIMEDOUT) return status;
    mc_runtime *runtime = h->runtime;
    h->runtime = NULL;
    h->current = NULL;
    mc_detach();
    mc_runtime_destroy(runtime);
    return status;
}
