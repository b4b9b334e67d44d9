/* An extension of Tcl whose function `sha256` hashes files on other cores.
 *
 *     cc -shared -fPIC -DUSE_TCL_STUBS digest.c -o libdigest.so $(pkg-config --cflags --libs multicore tcl
 * libcrypto) tclsh digest.tcl ./libdigest.so FILE...
 *
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#include <errno.h>
#include <multicore/tcl.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <string.h>

/* What one call needs, without Tcl. */
struct digest {
    int error; /* an errno */
    unsigned size;
    unsigned char bytes[EVP_MAX_MD_SIZE];
    char path[];
};

/* On the interpreter's thread: sha256 path */
static int prepare(ClientData unused, Tcl_Interp *interp, int objc, Tcl_Obj *const objv[], void **data) {
    (void)unused;
    if (objc != 1) {
        Tcl_SetObjResult(interp, Tcl_NewStringObj("sha256: wanted a path", -1));
        return TCL_ERROR;
    }
    Tcl_DString native;
    const char *path = Tcl_TranslateFileName(interp, Tcl_GetString(objv[0]), &native);
    if (!path) return TCL_ERROR;
    struct digest *digest = (struct digest *)ckalloc(sizeof *digest + strlen(path) + 1);
    strcpy(digest->path, path);
    Tcl_DStringFree(&native);
    *data = digest;
    return TCL_OK;
}

/* On a thread of the pool: nothing of Tcl here. */
static void work(void *data) {
    struct digest *digest = data;
    char buffer[64 * 1024];
    size_t got;
    digest->error = 0;
    FILE *file = fopen(digest->path, "rb");
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    if (!file) {
        digest->error = errno;
    } else {
        int good = context && EVP_DigestInit_ex(context, EVP_sha256(), NULL);
        while (good && (got = fread(buffer, 1, sizeof buffer, file)) > 0)
            good = EVP_DigestUpdate(context, buffer, got);
        if (ferror(file))
            digest->error = errno;
        else if (!good || !EVP_DigestFinal_ex(context, digest->bytes, &digest->size))
            digest->error = EIO;
        fclose(file);
    }
    EVP_MD_CTX_free(context);
}

/* On the interpreter's thread again: the result. */
static int finish(void *data, Tcl_Interp *interp) {
    struct digest *digest = data;
    if (digest->error) {
        Tcl_SetErrno(digest->error);
        Tcl_SetObjResult(interp, Tcl_ObjPrintf("%s: %s", digest->path, Tcl_PosixError(interp)));
        return TCL_ERROR;
    }
    char hex[2 * EVP_MAX_MD_SIZE + 1];
    for (unsigned i = 0; i < digest->size; i++) sprintf(hex + 2 * i, "%02x", digest->bytes[i]);
    Tcl_SetObjResult(interp, Tcl_NewStringObj(hex, -1));
    return TCL_OK;
}

static void dispose(void *data) { ckfree(data); }

int Digest_Init(Tcl_Interp *interp) {
    if (!Tcl_InitStubs(interp, "8.6", 0)) return TCL_ERROR;
    mc_tcl_function sha256 = MC_TCL_FUNCTION_INIT;
    sha256.prepare = prepare;
    sha256.work = work;
    sha256.finish = finish;
    sha256.dispose = dispose;
    if (mc_tcl_register(interp, "sha256", &sha256) != TCL_OK) return TCL_ERROR;
    return Tcl_PkgProvide(interp, "digest", "1.0");
}
