/* SPDX-License-Identifier: BSL-1.0 */
#include "straggler.h"

#include <mruby/array.h>
#include <mruby/data.h>
#include <stdlib.h>

#include "task.h"

/* Of one state. All of it stays reachable, so that leak checkers see that it is kept on purpose. */
struct keeper {
    mrb_allocf alloc;
    void *ud;
    mrb_state *mrb;
    void **blocks; /* that mrb_close has freed */
    size_t count, room;
    struct keeper *next;
};

static struct keeper *keepers;

static void keep_block(struct keeper *keeper, void *block) {
    if (keeper->count == keeper->room) {
        size_t room = keeper->room ? 2 * keeper->room : 1024;
        void **blocks = realloc(keeper->blocks, room * sizeof *blocks);
        if (!blocks) return; /* kept all the same */
        keeper->blocks = blocks;
        keeper->room = room;
    }
    keeper->blocks[keeper->count++] = block;
}

static void *keeping_alloc(mrb_state *mrb, void *block, size_t size, void *ud) {
    struct keeper *keeper = ud;
    if (size) return keeper->alloc(mrb, block, size, keeper->ud);
    if (block) keep_block(keeper, block);
    return NULL;
}

static void keep_memory(mrb_state *mrb) {
    struct keeper *keeper = calloc(1, sizeof *keeper);
    if (!keeper) abort();
    keeper->alloc = mrb->allocf;
    keeper->ud = mrb->allocf_ud;
    keeper->mrb = mrb;
    keeper->next = __atomic_load_n(&keepers, __ATOMIC_RELAXED); /* nobody reads what it points to */
    while (
        !__atomic_compare_exchange_n(&keepers, &keeper->next, keeper, 0, __ATOMIC_RELAXED, __ATOMIC_RELAXED))
        continue;
    mrb->allocf = keeping_alloc;
    mrb->allocf_ud = keeper;
}

static void drop_finalisers(const mrb_value *value, const mrb_value *end) {
    for (; value < end; value++)
        if (mrb_type(*value) == MRB_TT_DATA) DATA_TYPE(*value) = NULL;
}

static void drop_finalisers_of(const struct mcr_registers *r) {
    const mrb_value *held = ARY_PTR(r->held);
    drop_finalisers(held, held + ARY_LEN(r->held));
    for (struct mrb_context *c = r->c; c; c = c->prev) drop_finalisers(c->stbase, c->stend);
}

void mcr_leave_to_stragglers(struct mcr_host *h) {
    mrb_state *mrb = h->mrb;
    mrb_bool disabled = mrb->gc.disabled;
    mrb->gc.disabled = FALSE;
    mrb_full_gc(mrb); /* clears what is above the tops of the stacks */
    mrb->gc.disabled = disabled;
    keep_memory(mrb);
    for (mrb_int i = MCR_FIRST_ANCHOR; i < RARRAY_LEN(h->anchors); i++) {
        struct mcr_task *k = mcr_task_of_box(RARRAY(RARRAY_PTR(h->anchors)[i]));
        if (k != h->main) drop_finalisers_of(&k->registers);
    }
}
