/* SPDX-License-Identifier: BSL-1.0 */
#include "registers.h"

#include <mruby/array.h>
#include <mruby/class.h>

#define STACK_VALUES 128 /* as many as mruby gives to its first context; both grow */
#define CALL_RECORDS 32

mrb_value mcr_hidden_array(mrb_state *mrb, mrb_int capacity) {
    const mrb_int least = MRB_ARY_EMBED_LEN_MAX + 1; /* so that the elements are never in the object */
    mrb_value array = mrb_ary_new_capa(mrb, capacity < least ? least : capacity);
    mrb_ary_ptr(array)->c = NULL; /* how mruby marks what ObjectSpace must not show */
    return array;
}

void mcr_hidden_cut(struct RArray *array, mrb_int length) { array->as.heap.len = length; }

void mcr_hidden_set(mrb_state *mrb, struct RArray *array, mrb_int index, mrb_value value) {
    ARY_PTR(array)[index] = value;
    mrb_write_barrier(mrb, (struct RBasic *)array);
}

static struct RFiber *new_fiber(mrb_state *mrb) {
    struct RClass *class = mrb_class_defined(mrb, "Fiber") ? mrb_class_get(mrb, "Fiber") : NULL;
    return MRB_OBJ_ALLOC(mrb, MRB_TT_FIBER, class); /* a script sees it as Fiber.current */
}

static mrb_value keep(mrb_state *mrb, struct mcr_registers *r, struct RFiber *fiber) {
    mrb_value held = mcr_hidden_array(mrb, 16);
    mrb_value kept[] = {mrb_obj_value(fiber), held};
    mrb_value array = mcr_hidden_array(mrb, 2);
    mrb_ary_push(mrb, array, kept[0]);
    mrb_ary_push(mrb, array, kept[1]);
    r->held = mrb_ary_ptr(held);
    return array;
}

mrb_value mcr_registers_adopt(mrb_state *mrb, struct mcr_registers *r) {
    struct mrb_context *root = mrb->root_c;
    if (!root->fib) {
        struct RFiber *fiber = new_fiber(mrb);
        fiber->cxt = root;
        root->fib = fiber;
    }
    /* mruby leaves it at CREATED, and then a resume by another task goes wrong half-way. */
    if (root->status == MRB_FIBER_CREATED) root->status = MRB_FIBER_RUNNING;
    r->root = root;
    return keep(mrb, r, root->fib);
}

mrb_value mcr_registers_new(mrb_state *mrb, struct mcr_registers *r) {
    struct RFiber *fiber = new_fiber(mrb);
    struct mrb_context *c = mrb_calloc(mrb, 1, sizeof *c);
    c->status = MRB_FIBER_TERMINATED; /* so the collector does not look into what is not complete */
    c->fib = fiber;
    fiber->cxt = c;
    c->stbase = mrb_calloc(mrb, STACK_VALUES, sizeof *c->stbase);
    c->stend = c->stbase + STACK_VALUES;
    for (mrb_value *value = c->stbase; value < c->stend; value++) *value = mrb_nil_value();
    c->cibase = mrb_calloc(mrb, CALL_RECORDS, sizeof *c->cibase);
    c->ciend = c->cibase + CALL_RECORDS;
    c->ci = c->cibase;
    c->ci->stack = c->stbase;
    c->ci->u.target_class = mrb->object_class;
    c->status = MRB_FIBER_RUNNING; /* so nobody can resume it; and without `prev` it cannot yield */
    r->root = r->c = c;
    mrb_value kept = keep(mrb, r, fiber);
    r->saved = TRUE;
    return kept;
}

void mcr_registers_end(struct mcr_registers *r) { r->root->status = MRB_FIBER_TERMINATED; }

void mcr_registers_save(mrb_state *mrb, struct mcr_registers *r) {
    r->c = mrb->c;
    r->jmp = mrb->jmp;
    r->exc = mrb->exc;
    r->arena = mrb->gc.arena_idx;
    r->saved = TRUE;
    mrb->jmp = NULL; /* this is a hook: an exception must not leave it */

    mrb_int size = r->arena + 1;
    for (struct mrb_context *c = r->c; c; c = c->prev) size++;
    mrb_ary_resize(mrb, mrb_obj_value(r->held), size);
    mrb_value *to = ARY_PTR(r->held);
    for (mrb_int i = 0; i < r->arena; i++) *to++ = mrb_obj_value(mrb->gc.arena[i]);
    if (r->exc) *to++ = mrb_obj_value(r->exc);
    for (struct mrb_context *c = r->c; c; c = c->prev) {
        if (!c->fib) continue;
        *to++ = mrb_obj_value(c->fib);
        /* Its stack has changed without barriers, as long as it was the running context. */
        mrb_write_barrier(mrb, (struct RBasic *)c->fib);
    }
    mcr_hidden_cut(r->held, to - ARY_PTR(r->held));
    mrb_write_barrier(mrb, (struct RBasic *)r->held);
}

void mcr_registers_load(mrb_state *mrb, struct mcr_registers *r) {
    if (!r->saved) return;
    r->saved = FALSE;
    mrb->jmp = NULL;
    mrb->c = r->c;
    mrb->root_c = r->root;
    mrb->gc.arena_idx = 0;
    for (mrb_int i = 0; i < r->arena; i++) mrb_gc_protect(mrb, ARY_PTR(r->held)[i]);
    mcr_hidden_cut(r->held, 0);
    mrb->exc = r->exc;
    mrb->jmp = r->jmp;
}
