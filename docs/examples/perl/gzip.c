/* FileGzip: an XS module whose function compresses files, beside perl where there is a backend.
 *
 * As digest.c: written out as xsubpp would.
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#define PERL_NO_GET_CONTEXT
#include <errno.h>
#include <stdio.h>
#include <zlib.h>

#include <EXTERN.h>
#include <perl.h>

#include <XSUB.h>

#include "perlmulticore.h"

/* Nothing of perl here: this one has no context of it at hand. */
static int deflate_all(z_stream *stream, FILE *from, FILE *to) {
    unsigned char in[16 * 1024], out[16 * 1024]; /* a coroutine's C stack has 128 KiB in all */
    int end;
    do {
        stream->next_in = in;
        stream->avail_in = (uInt)fread(in, 1, sizeof in, from);
        if (ferror(from)) return errno;
        end = feof(from);
        do {
            stream->next_out = out;
            stream->avail_out = sizeof out;
            deflate(stream, end ? Z_FINISH : Z_NO_FLUSH);
            const size_t made = sizeof out - stream->avail_out;
            if (fwrite(out, 1, made, to) != made) return errno;
        } while (stream->avail_out == 0);
    } while (!end);
    return 0;
}

/* An errno, or 0 and the compressed size. */
static int compress_file(const char *from_path, const char *to_path, unsigned long *size) {
    int error = 0;
    z_stream stream = {0};
    FILE *from = fopen(from_path, "rb");
    if (!from) return errno;
    FILE *to = fopen(to_path, "wb");
    if (!to) {
        error = errno;
    } else {
        /* 16: with gzip's header */
        if (deflateInit2(&stream, Z_DEFAULT_COMPRESSION, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY) ==
            Z_OK) {
            error = deflate_all(&stream, from, to);
            *size = stream.total_out;
            deflateEnd(&stream);
        } else {
            error = ENOMEM;
        }
        if (fclose(to) && !error) error = errno;
    }
    fclose(from);
    return error;
}

/* compress(from, to): bytes written; croaks. */
XS_INTERNAL(xs_compress) {
    dXSARGS;
    if (items != 2) croak("Usage: FileGzip::compress ($from, $to)");
    const char *from = SvPV_nolen(ST(0)), *to = SvPV_nolen(ST(1));
    unsigned long size = 0;

    perlinterp_release();
    const int error = compress_file(from, to, &size);
    perlinterp_acquire();

    if (error) croak("%s to %s: %s", from, to, Strerror(error));
    ST(0) = sv_2mortal(newSVuv(size));
    XSRETURN(1);
}

XS_EXTERNAL(boot_FileGzip);
__attribute__((visibility("default"))) XS_EXTERNAL(boot_FileGzip) {
    dXSARGS;
    PERL_UNUSED_VAR(items);
    perlmulticore_support_for("FileGzip");
    newXS("FileGzip::compress", xs_compress, __FILE__);
    XSRETURN_YES;
}
