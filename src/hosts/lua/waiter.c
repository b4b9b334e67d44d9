/* SPDX-License-Identifier: BSL-1.0 */
#include "waiter.h"

#include "host.h"
#include "raise.h"

static void append(struct mcl_line *line, struct mcl_waiter *w) {
    w->next = NULL;
    w->prev = line->last;
    if (line->last)
        line->last->next = w;
    else
        line->first = w;
    line->last = w;
}

static void take_out(struct mcl_line *line, struct mcl_waiter *w) {
    if (w->prev)
        w->prev->next = w->next;
    else
        line->first = w->next;
    if (w->next)
        w->next->prev = w->prev;
    else
        line->last = w->prev;
}

void mcl_line_forget(struct mcl_task *k) {
    struct mcl_waiter *w = k->waiter;
    k->waiter = NULL;
    if (w && w->done == MCL_WAITING) take_out(w->line, w);
}

struct mcl_waiter *mcl_line_first(struct mcl_line *line) {
    while (line->first && mc_task_result(line->first->task->task) != MC_EAGAIN)
        mcl_line_forget(line->first->task);
    return line->first;
}

void mcl_line_serve(struct mcl_line *line, enum mcl_done how) {
    struct mcl_waiter *w = line->first;
    take_out(line, w);
    w->done = how;
    mc_task_unpark(w->task->task);
}

enum mcl_done mcl_line_wait(lua_State *L, struct mcl_line *line, struct mcl_task *k, uint64_t timeout,
                            const char *what) {
    mcl_check_can_suspend(L, k, what);
    luaL_checkstack(L, 4, what); /* room for what is handed over */
    if (timeout == 0) return MCL_WAITING;
    struct mcl_waiter node = {line, NULL, NULL, k, L, MCL_WAITING};
    append(line, &node);
    k->waiter = &node;
    uint64_t start = mc_now();
    mc_status status = MC_OK;
    /* A permit may be left over from an earlier wait, so the node decides, not the return. */
    while (node.done == MCL_WAITING && status == MC_OK) status = mcl_park(k, mcl_time_left(start, timeout));
    k->waiter = NULL;
    if (node.done != MCL_WAITING) return node.done;
    take_out(line, &node);
    if (status != MC_ETIMEDOUT) mcl_raise(L, k, status, what);
    return MCL_WAITING;
}
