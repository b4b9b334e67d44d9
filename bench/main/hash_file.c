/* SPDX-License-Identifier: BSL-1.0 */
#define _GNU_SOURCE
#include "hash_file.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <unistd.h>

enum { CHUNK = 128 * 1024 };

/* Fetched once: each implicit fetch takes OpenSSL's locks. */
static EVP_MD *sha256;

int hash_prepare(void) {
    if (!sha256) sha256 = EVP_MD_fetch(NULL, "SHA256", NULL);
    return sha256 ? 0 : -1;
}

static int hash_descriptor(int fd, EVP_MD_CTX *context, char *buffer, unsigned long long *bytes) {
    for (;;) {
        ssize_t got = read(fd, buffer, CHUNK);
        if (got == 0) return 0;
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) return errno;
        if (!EVP_DigestUpdate(context, buffer, (size_t)got)) return EIO;
        *bytes += (unsigned long long)got;
    }
}

int hash_file(const char *path, unsigned char digest[HASH_BYTES], unsigned long long *bytes) {
    int status = 0;
    EVP_MD_CTX *context = NULL;
    char *buffer = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0) return errno;

    context = EVP_MD_CTX_new();
    buffer = malloc(CHUNK);
    if (!context || !buffer) {
        status = ENOMEM;
    } else if (!EVP_DigestInit_ex2(context, sha256, NULL)) {
        status = EIO;
    } else {
        status = hash_descriptor(fd, context, buffer, bytes);
        if (!status && !EVP_DigestFinal_ex(context, digest, NULL)) status = EIO;
    }
    free(buffer);
    EVP_MD_CTX_free(context);
    close(fd);
    return status;
}
