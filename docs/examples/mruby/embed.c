/* A program that owns its mrb_state: scripts in it have tasks, and its C functions run beside them.
 *
 *     cc embed.c -lmulticore_mruby $(pkg-config --cflags --libs multicore) -lmruby -lm
 *     ./a.out [script.rb]
 *
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#include <mruby.h>
#include <mruby/compile.h>
#include <multicore/extension.h>
#include <multicore/mruby.h>
#include <stdio.h>
#include <stdlib.h>

/* collatz(n): the number of steps. Expensive C that does not touch the interpreter. */
static mrb_value collatz(mrb_state *mrb, mrb_value self) {
    mrb_int from, steps = 0;
    (void)self;
    mrb_get_args(mrb, "i", &from);
    if (from < 1) mrb_raise(mrb, mrb_class_get(mrb, "ArgumentError"), "collatz: must be positive");
    mc_release();
    for (unsigned long long n = (unsigned long long)from; n != 1; steps++) n = n % 2 ? 3 * n + 1 : n / 2;
    mc_acquire();
    return mrb_int_value(mrb, steps);
}

static const char default_script[] =
    "tasks = (1..1000).map { |n| Multicore.spawn { collatz n } }\n"
    "steps = tasks.map { |task| task.value }\n"
    "puts \"#{steps.index(steps.max) + 1} takes #{steps.max} steps\"\n";

int main(int argc, char **argv) {
    mrb_state *mrb = mrb_open();
    if (!mrb) return EXIT_FAILURE;

    mc_runtime_options options = MC_RUNTIME_OPTIONS_INIT;
    options.max_threads = 16;
    mc_status status = mc_mruby_open(mrb, &options, MC_WAY_LEND);
    if (status != MC_OK) {
        fprintf(stderr, "no tasks: %s\n", mc_status_message(status));
        mrb_close(mrb);
        return EXIT_FAILURE;
    }
    mrb_define_method(mrb, mrb->kernel_module, "collatz", collatz, MRB_ARGS_REQ(1));

    FILE *file = argc > 1 ? fopen(argv[1], "r") : NULL;
    if (argc > 1 && !file) {
        perror(argv[1]);
    } else if (file) {
        mrb_load_file(mrb, file);
        fclose(file);
    } else {
        mrb_load_string(mrb, default_script);
    }
    int failed = mrb->exc || (argc > 1 && !file);
    if (mrb->exc) mrb_print_error(mrb);

    mrb_close(mrb); /* ends the tasks that are left */
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
