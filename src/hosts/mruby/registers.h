/* What an mrb_state knows about the C stack that runs it, saved and loaded at every switch.
 *
 * Invariants. I1: while registers are saved, `held` refers to all that only they referred to: the arena,
 * the exception, the fibers of the contexts. I2: the arena comes back in the same order at the same
 * indices, because frames of the interpreter have kept these. I3: each task is a root context of its own
 * (mrb->root_c), so that no Fiber#transfer and no end of a fiber leads into the context of another.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_HOSTS_MRUBY_REGISTERS_H
#define MULTICORE_HOSTS_MRUBY_REGISTERS_H

#include <mruby.h>

struct mcr_registers {
    struct mrb_context *root; /* the task's own; kept alive by its fiber */
    struct mrb_context *c;
    struct mrb_jmpbuf *jmp;
    struct RObject *exc;
    struct RArray *held; /* kept alive by whoever owns the registers */
    mrb_int arena;       /* of `held`: this many are of the arena */
    mrb_bool saved;
};

/* For the context that runs now: gives it a fiber and room for what is to be held. Returns the objects to
 * keep alive as an array. May raise. */
mrb_value mcr_registers_adopt(mrb_state *mrb, struct mcr_registers *r);

/* The same with a new context, whose execution is to begin on a C stack of its own. */
mrb_value mcr_registers_new(mrb_state *mrb, struct mcr_registers *r);

/* Without memory both end the process, as mruby does when it cannot raise. */
void mcr_registers_save(mrb_state *mrb, struct mcr_registers *r);
void mcr_registers_load(mrb_state *mrb, struct mcr_registers *r);

/* Its code has returned: nothing in the context is marked any more. */
void mcr_registers_end(struct mcr_registers *r);

/* An array that no script can find. */
mrb_value mcr_hidden_array(mrb_state *mrb, mrb_int capacity);

/* Makes it shorter. Allocates nothing. */
void mcr_hidden_cut(struct RArray *array, mrb_int length);

/* Stores where the hidden array has an element already. Allocates nothing, raises nothing. */
void mcr_hidden_set(mrb_state *mrb, struct RArray *array, mrb_int index, mrb_value value);

#endif
