/* SPDX-License-Identifier: BSL-1.0 */
#define MODULE_ENTRY module_second
#include "module.inc"
