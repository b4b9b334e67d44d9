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

#ifdef __cplusplus
}
#endif
#endif
