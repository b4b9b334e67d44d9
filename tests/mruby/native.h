/* Native functions for the scripts of the tests. They know multicore/extension.h only, and no host.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_TESTS_MRUBY_NATIVE_H
#define MULTICORE_TESTS_MRUBY_NATIVE_H

#include <mruby.h>

#ifdef __cplusplus
extern "C" {
#endif

void native_define(mrb_state *mrb);

/* Of a Native::Gate, by its data; any thread. */
void native_open_gate(void *gate);
void native_await_user(void *gate);
void native_await_no_user(void *gate);

#ifdef __cplusplus
}
#endif
#endif
