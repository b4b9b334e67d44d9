/* The global object `native`: functions that open sections, as an extension for Duktape would have them.
 * SPDX-License-Identifier: BSL-1.0
 */
#ifndef MULTICORE_TESTS_DUKTAPE_NATIVE_H
#define MULTICORE_TESTS_DUKTAPE_NATIVE_H

#include <duktape.h>

#ifdef __cplusplus
extern "C" {
#endif
void native_install(duk_context *ctx);
#ifdef __cplusplus
}
#endif
#endif
