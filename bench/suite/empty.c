/* A shared library with a function that does nothing: what a call into one costs.
 * SPDX-License-Identifier: BSL-1.0 */
void bench_empty(void);
void bench_empty(void) {}
