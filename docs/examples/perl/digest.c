/* FileDigest: an XS module whose function hashes files, beside perl where there is a backend.
 *
 * Written out as xsubpp would: a module with an .xs file has the same calls in its CODE.
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#define PERL_NO_GET_CONTEXT
#include <errno.h>
#include <openssl/evp.h>
#include <stdio.h>

#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

#include "perlmulticore.h"

/* Nothing of perl here. An errno, or 0. */
static int hash(FILE *file, unsigned char *bytes, unsigned *size) {
    char buffer[16 * 1024]; /* a coroutine's C stack has 128 KiB in all */
    size_t got;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
    while (good && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
        good = EVP_DigestUpdate(context, buffer, got);
    good = good && !ferror(file) && EVP_DigestFinal_ex(context, bytes, size);
    EVP_MD_CTX_free(context);
    return good ? 0 : EIO;
}

/* sha256(path): in hexadecimal; croaks. */
XS_INTERNAL(xs_sha256) {
    dXSARGS;
    if (items != 1) croak("Usage: FileDigest::sha256 ($path)");
    const char *path = SvPV_nolen(ST(0));
    unsigned char bytes[EVP_MAX_MD_SIZE];
    unsigned size = 0;
    int error = 0;

    perlinterp_release();
    FILE *file = fopen(path, "rb");
    if (file) {
        error = hash(file, bytes, &size);
        fclose(file);
    } else {
        error = errno;
    }
    perlinterp_acquire();

    if (error) croak("%s: %s", path, Strerror(error));
    SV *hex = sv_2mortal(newSVpvs(""));
    for (unsigned i = 0; i < size; i++) sv_catpvf(hex, "%02x", bytes[i]);
    ST(0) = hex;
    XSRETURN(1);
}

XS_EXTERNAL(boot_FileDigest);
__attribute__((visibility("default"))) XS_EXTERNAL(boot_FileDigest) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    perlmulticore_support_for("FileDigest");
    newXS("FileDigest::sha256", xs_sha256, __FILE__);
    XSRETURN_YES;
}
