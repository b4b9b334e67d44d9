/* SHA-256 of one file: the work of the main job, for the Lua module and for the plain threads.
 * SPDX-License-Identifier: BSL-1.0 */
#ifndef BENCH_HASH_FILE_H
#define BENCH_HASH_FILE_H

enum { HASH_BYTES = 32 };

/* Once, before the first hash. 0, or -1 where OpenSSL has no SHA-256. */
int hash_prepare(void);

/* Thread-safe. Fills the digest and adds to *bytes what was read; 0 or an errno value. */
int hash_file(const char *path, unsigned char digest[HASH_BYTES], unsigned long long *bytes);

#endif
