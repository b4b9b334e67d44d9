/* A program with a Duktape of its own, whose scripts hash files in parallel.
 *
 *     cc hash.c $(pkg-config --cflags --libs multicore libcrypto) -lmulticore_duktape -lduktape -lm
 *     ./a.out hash.js FILE...
 *
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#include <errno.h>
#include <multicore/duktape.h>
#include <multicore/extension.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Fetched once: each implicit fetch takes locks of OpenSSL's. */
static EVP_MD *method;

/* 0 or an errno. Does not touch the interpreter. */
static int hash_file(const char *path, unsigned char *digest, unsigned *size) {
    char buffer[64 * 1024];
    size_t got;
    FILE *file = fopen(path, "rb");
    if (!file) return errno;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, method, NULL);
    while (good && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
        good = EVP_DigestUpdate(context, buffer, got);
    int error = ferror(file) ? errno : 0;
    if (!error && (!good || !EVP_DigestFinal_ex(context, digest, size))) error = EIO;
    EVP_MD_CTX_free(context);
    fclose(file);
    return error;
}

/* sha256(path) -> hex digest */
static duk_ret_t sha256(duk_context *ctx) {
    const char *path = duk_require_string(ctx, 0); /* stays valid: it is an argument of this call */
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned size = 0;

    mc_release(); /* from here on other tasks of the script run */
    int error = hash_file(path, digest, &size);
    mc_acquire();

    if (error) return duk_error(ctx, DUK_ERR_ERROR, "%s: %s", path, strerror(error));
    memcpy(duk_push_fixed_buffer(ctx, size), digest, size);
    duk_hex_encode(ctx, -1);
    return 1;
}

static duk_ret_t print(duk_context *ctx) {
    puts(duk_to_string(ctx, 0));
    return 0;
}

static char *read_file(const char *path, size_t *size) {
    FILE *file = fopen(path, "rb");
    char *text = malloc(1 << 20);
    *size = file && text ? fread(text, 1, 1 << 20, file) : 0;
    if (file) fclose(file);
    return text;
}

int main(int argc, char **argv) {
    duk_context *heap = duk_create_heap_default(), *js;
    method = EVP_MD_fetch(NULL, "SHA256", NULL);
    if (!heap || !method || argc < 2) return EXIT_FAILURE;
    mc_status status = mc_duktape_open(heap, NULL, MC_WAY_LEND, &js);
    if (status != MC_OK) {
        fprintf(stderr, "mc_duktape_open: %s\n", mc_status_message(status));
        return EXIT_FAILURE;
    }
    mc_duktape_push_c_function(js, sha256, 1);
    duk_put_global_string(js, "sha256");
    duk_push_c_function(js, print, 1);
    duk_put_global_string(js, "print");
    duk_push_array(js);
    for (int i = 2; i < argc; i++) {
        duk_push_string(js, argv[i]);
        duk_put_prop_index(js, -2, (duk_uarridx_t)(i - 2));
    }
    duk_put_global_string(js, "args");

    size_t size;
    char *script = read_file(argv[1], &size);
    int failed = duk_peval_lstring(js, script, size) != DUK_EXEC_SUCCESS;
    if (failed) fprintf(stderr, "%s\n", duk_safe_to_stacktrace(js, -1));
    free(script);

    mc_duktape_close(js, MC_FOREVER); /* ends the tasks that are left */
    duk_destroy_heap(heap);
    return failed ? EXIT_FAILURE : EXIT_SUCCESS;
}
