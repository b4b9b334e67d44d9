/* Sections on other threads, while Lua stays on one (MC_LUA_SHIP).
 *
 * A task that is in such a section has left this thread without a call of ours, so the thread still takes it
 * for its current one. Whoever runs next puts that right, and again when the task comes back.
 * SPDX-License-Identifier: BSL-1.0
 */
#include "host.h"
#include "luajit.h"
#include "preempt.h"

static struct mcl_task **find(struct mcl_host *h, const mc_task *task) {
    struct mcl_task **at = &h->shipped;
    while (*at && (*at)->task != task) at = &(*at)->next_shipped;
    return at;
}

void mcl_ship_switched(void *self, mc_task *from, mc_task *to) {
    struct mcl_host *h = self;
    struct mcl_task *left = mcl_current();
    (void)from;
    if (left && left->host == h && left->task != to) {
        left->next_shipped = h->shipped;
        h->shipped = left;
        mcl_set_current(NULL);
    }
    struct mcl_task **at = find(h, to), *k = *at;
    if (!k) return; /* it sets itself */
    *at = k->next_shipped;
    mcl_set_current(k);
    /* seq_cst: see mcl_preempt_attention. */
    if (__atomic_load_n(&h->attention, __ATOMIC_SEQ_CST)) mcl_preempt_hook_now(k);
    mcl_jit_loaded(k);
}

void mcl_ship_forget(struct mcl_task *k) {
    struct mcl_task **at = find(k->host, k->task);
    if (*at) *at = k->next_shipped;
}
