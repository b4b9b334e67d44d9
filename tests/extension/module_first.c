/* SPDX-License-Identifier: BSL-1.0 */
#define MODULE_ENTRY module_first
#include "module.inc"
