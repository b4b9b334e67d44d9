/* SPDX-License-Identifier: BSL-1.0 */
#include "native.h"

#include <errno.h>
#include <mruby/array.h>
#include <mruby/class.h>
#include <mruby/data.h>
#include <mruby/error.h>
#include <mruby/string.h>
#include <sched.h>
#include <semaphore.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "multicore/extension.h"

static void busy(mrb_int us) {
    struct timespec start, now;
    clock_gettime(CLOCK_MONOTONIC, &start);
    do clock_gettime(CLOCK_MONOTONIC, &now);
    while ((now.tv_sec - start.tv_sec) * 1000000 + (now.tv_nsec - start.tv_nsec) / 1000 < us);
}

/* As a section that may move in every way has to be declared. */
static void open_section(void) {
    mc_section_options options = MC_SECTION_OPTIONS_INIT;
    options.flags = MC_SECTION_MIGRATABLE;
    mc_release_with(&options);
}

/* thread: of the caller */
static mrb_value n_thread(mrb_state *mrb, mrb_value self) {
    (void)self;
    return mrb_int_value(mrb, (mrb_int)syscall(SYS_gettid));
}

/* section([us]): the thread that it ran on */
static mrb_value n_section(mrb_state *mrb, mrb_value self) {
    (void)self;
    mrb_int us = 0;
    mrb_get_args(mrb, "|i", &us);
    open_section();
    if (us) busy(us);
    long thread = syscall(SYS_gettid);
    mc_acquire();
    return mrb_int_value(mrb, (mrb_int)thread);
}

/* plain_section([us]): the same without options */
static mrb_value n_plain_section(mrb_state *mrb, mrb_value self) {
    (void)self;
    mrb_int us = 0;
    mrb_get_args(mrb, "|i", &us);
    mc_release();
    if (us) busy(us);
    long thread = syscall(SYS_gettid);
    mc_acquire();
    return mrb_int_value(mrb, (mrb_int)thread);
}

/* call_back(x) { |x| }: calls the block from inside a section */
struct callback {
    mrb_value block, argument;
};
static mrb_value call_block(mrb_state *mrb, void *callback) {
    const struct callback *c = callback;
    return mrb_yield(mrb, c->block, c->argument);
}
static mrb_value n_call_back(mrb_state *mrb, mrb_value self) {
    (void)self;
    struct callback c;
    mrb_bool failed = FALSE;
    mrb_get_args(mrb, "o&!", &c.argument, &c.block);
    open_section();
    mc_enter();
    mrb_value result = mrb_protect_error(mrb, call_block, &c, &failed);
    mc_leave();
    mc_acquire();
    if (failed) mrb_exc_raise(mrb, result);
    return result;
}

/* sort(array) { |a, b| }: a new array; C frames and the arena hold values while the block runs */
static mrb_value n_sort(mrb_state *mrb, mrb_value self) {
    (void)self;
    mrb_value array, block;
    mrb_get_args(mrb, "A&!", &array, &block);
    mrb_value sorted = mrb_ary_new_from_values(mrb, RARRAY_LEN(array), RARRAY_PTR(array));
    for (mrb_int i = 1; i < RARRAY_LEN(sorted); i++) {
        mrb_value moving[2] = {RARRAY_PTR(sorted)[i], mrb_nil_value()};
        mrb_int to = i;
        for (; to > 0; to--) {
            int arena = mrb_gc_arena_save(mrb);
            moving[1] = RARRAY_PTR(sorted)[to - 1];
            mrb_int order = mrb_integer(mrb_yield_argv(mrb, block, 2, moving));
            mrb_gc_arena_restore(mrb, arena);
            if (order >= 0) break;
            mrb_ary_set(mrb, sorted, to, moving[1]);
        }
        mrb_ary_set(mrb, sorted, to, moving[0]);
    }
    return sorted;
}

/* hold(n) { }: n new strings that only the arena refers to while the block runs; their text, joined */
static mrb_value n_hold(mrb_state *mrb, mrb_value self) {
    (void)self;
    enum { MOST = 300 };
    mrb_value strings[MOST];
    mrb_int n;
    mrb_value block;
    mrb_get_args(mrb, "i&!", &n, &block);
    if (n > MOST) mrb_raise(mrb, E_ARGUMENT_ERROR, "too many");
    for (mrb_int i = 0; i < n; i++) strings[i] = mrb_format(mrb, "held string number %i", i);
    mrb_yield(mrb, block, mrb_nil_value());
    mrb_value text = mrb_str_new_lit(mrb, "");
    for (mrb_int i = 0; i < n; i++) mrb_str_concat(mrb, text, strings[i]);
    return text;
}

/* resume { }: in a fiber that only the running context refers to */
static mrb_value n_resume(mrb_state *mrb, mrb_value self) {
    (void)self;
    mrb_value block;
    mrb_get_args(mrb, "&!", &block);
    int arena = mrb_gc_arena_save(mrb);
    mrb_value class = mrb_obj_value(mrb_class_get(mrb, "Fiber"));
    mrb_value fiber = mrb_funcall_with_block(mrb, class, mrb_intern_lit(mrb, "new"), 0, NULL, block);
    mrb_gc_arena_restore(mrb, arena);
    return mrb_fiber_resume(mrb, fiber, 0, NULL);
}

/* ---- gates: counting semaphores that a section waits for ---- */

struct gate {
    sem_t sem;
    int users; /* sections that wait in it */
};

static void gate_free(mrb_state *mrb, void *data) {
    struct gate *gate = data;
    if (!gate) return;
    if (__atomic_load_n(&gate->users, __ATOMIC_SEQ_CST)) {
        fputs("error: a gate is finalised while a section waits in it\n", stderr);
        abort();
    }
    sem_destroy(&gate->sem);
    mrb_free(mrb, gate);
}

static const mrb_data_type gate_type = {"Native::Gate", gate_free};

static mrb_value gate_new(mrb_state *mrb, mrb_value class) {
    struct RData *object = mrb_data_object_alloc(mrb, mrb_class_ptr(class), NULL, &gate_type);
    struct gate *gate = object->data = mrb_malloc(mrb, sizeof *gate);
    sem_init(&gate->sem, 0, 0);
    gate->users = 0;
    return mrb_obj_value(object);
}

static mrb_value gate_open(mrb_state *mrb, mrb_value self) {
    struct gate *gate = mrb_data_get_ptr(mrb, self, &gate_type);
    sem_post(&gate->sem);
    return self;
}

/* pass(text = ""): waits in a section, and then reads the text, all of 'x', there */
static mrb_value gate_pass(mrb_state *mrb, mrb_value self) {
    struct gate *gate = mrb_data_get_ptr(mrb, self, &gate_type);
    const char *text = "";
    mrb_int size = 0;
    mrb_get_args(mrb, "|s", &text, &size);
    open_section();
    __atomic_add_fetch(&gate->users, 1, __ATOMIC_SEQ_CST);
    while (sem_wait(&gate->sem) != 0 && errno == EINTR) continue;
    for (mrb_int i = 0; i < size; i++)
        if (text[i] != 'x') abort();
    __atomic_sub_fetch(&gate->users, 1, __ATOMIC_SEQ_CST);
    mc_acquire();
    return self;
}

void native_open_gate(void *gate) { sem_post(&((struct gate *)gate)->sem); }

static int users(void *gate) { return __atomic_load_n(&((struct gate *)gate)->users, __ATOMIC_SEQ_CST); }

void native_await_user(void *gate) {
    while (!users(gate)) sched_yield();
}

void native_await_no_user(void *gate) {
    while (users(gate)) sched_yield();
}

/* pass_with_exception: the same while an exception that nothing else refers to is pending; its text */
static mrb_value gate_pass_with_exception(mrb_state *mrb, mrb_value self) {
    int arena = mrb_gc_arena_save(mrb);
    mrb_value text = mrb_str_new_lit(mrb, "pending");
    mrb->exc = mrb_obj_ptr(mrb_exc_new_str(mrb, E_INDEX_ERROR, text));
    mrb_gc_arena_restore(mrb, arena);
    gate_pass(mrb, self);
    mrb_value exception = mrb_obj_value(mrb->exc);
    mrb->exc = NULL;
    return mrb_inspect(mrb, exception);
}

/* ---- handles, whose finaliser opens a section ---- */

static int in_finaliser, entered; /* atomic: states of several threads */

static void handle_free(mrb_state *mrb, void *data) {
    (void)mrb;
    __atomic_add_fetch(&in_finaliser, 1, __ATOMIC_SEQ_CST);
    open_section();
    busy((mrb_int)(intptr_t)data);
    mc_acquire();
    __atomic_sub_fetch(&in_finaliser, 1, __ATOMIC_SEQ_CST);
}

static const mrb_data_type handle_type = {"Native::Handle", handle_free};

/* new(us): how long the finaliser takes */
static mrb_value handle_new(mrb_state *mrb, mrb_value class) {
    mrb_int us;
    mrb_get_args(mrb, "i", &us);
    void *data = (void *)(intptr_t)us;
    return mrb_obj_value(mrb_data_object_alloc(mrb, mrb_class_ptr(class), data, &handle_type));
}

/* look: counts calls that come amid a finaliser */
static mrb_value n_look(mrb_state *mrb, mrb_value self) {
    (void)mrb;
    if (__atomic_load_n(&in_finaliser, __ATOMIC_SEQ_CST)) __atomic_add_fetch(&entered, 1, __ATOMIC_SEQ_CST);
    return self;
}
static mrb_value n_entered(mrb_state *mrb, mrb_value self) {
    (void)self;
    return mrb_int_value(mrb, __atomic_load_n(&entered, __ATOMIC_SEQ_CST));
}

void native_define(mrb_state *mrb) {
    struct RClass *native = mrb_define_module(mrb, "Native");
    mrb_define_module_function(mrb, native, "section", n_section, MRB_ARGS_OPT(1));
    mrb_define_module_function(mrb, native, "plain_section", n_plain_section, MRB_ARGS_OPT(1));
    mrb_define_module_function(mrb, native, "thread", n_thread, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, native, "call_back", n_call_back, MRB_ARGS_REQ(1) | MRB_ARGS_BLOCK());
    mrb_define_module_function(mrb, native, "sort", n_sort, MRB_ARGS_REQ(1) | MRB_ARGS_BLOCK());
    mrb_define_module_function(mrb, native, "hold", n_hold, MRB_ARGS_REQ(1) | MRB_ARGS_BLOCK());
    mrb_define_module_function(mrb, native, "resume", n_resume, MRB_ARGS_BLOCK());
    mrb_define_module_function(mrb, native, "look", n_look, MRB_ARGS_NONE());
    mrb_define_module_function(mrb, native, "entered", n_entered, MRB_ARGS_NONE());

    struct RClass *gate = mrb_define_class_under(mrb, native, "Gate", mrb->object_class);
    mrb_define_class_method(mrb, gate, "new", gate_new, MRB_ARGS_NONE());
    mrb_define_method(mrb, gate, "open", gate_open, MRB_ARGS_NONE());
    mrb_define_method(mrb, gate, "pass", gate_pass, MRB_ARGS_OPT(1));
    mrb_define_method(mrb, gate, "pass_with_exception", gate_pass_with_exception, MRB_ARGS_NONE());

    struct RClass *handle = mrb_define_class_under(mrb, native, "Handle", mrb->object_class);
    mrb_define_class_method(mrb, handle, "new", handle_new, MRB_ARGS_REQ(1));
}
