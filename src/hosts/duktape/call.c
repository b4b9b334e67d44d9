/* Native functions after which what is pending is thrown.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <string.h>

#include "multicore/duktape.h"
#include "raise.h"

#define FUNCTION DUK_HIDDEN_SYMBOL("multicore.function")

void mc_duktape_checkpoint(duk_context *js) {
    struct mcd_host *h = mcd_host_of(js);
    if (!h || !h->runtime || !h->current || mcd_in_finaliser(h)) return;
    mc_status status = mc_checkpoint();
    if (status == MC_EINTR || status == MC_ECANCELED) mcd_raise(js, h->current, status, "native function");
}

static duk_ret_t call(duk_context *ctx) {
    duk_push_current_function(ctx);
    duk_get_prop_string(ctx, -1, FUNCTION);
    const duk_c_function *function = duk_get_buffer(ctx, -1, NULL);
    duk_pop_2(ctx);
    duk_ret_t result = (*function)(ctx);
    if (result >= 0) mc_duktape_checkpoint(ctx);
    return result;
}

duk_idx_t mc_duktape_push_c_function(duk_context *js, duk_c_function function, duk_idx_t nargs) {
    duk_idx_t index = duk_push_c_function(js, call, nargs);
    /* ISO C has no conversion between pointers to functions and to objects. */
    memcpy(duk_push_fixed_buffer(js, sizeof function), &function, sizeof function);
    duk_put_prop_string(js, index, FUNCTION);
    return index;
}
