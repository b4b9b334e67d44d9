/* perlmulticore.h - lets an XS function run beside perl. To be bundled with the module that uses it.
 *
 *     perlmulticore_support();     in BOOT: finds the backend
 *     perlinterp_release();        gives up the interpreter
 *     ...                          must not touch perl
 *     perlinterp_acquire();        takes it back
 *
 * Without a backend (Coro::Multicore) the two do nothing. Source-compatible with the header of that name that
 * other modules bundle, and they find the same backend: two function pointers, release first, in the string
 * of $PL_modglobal{"perl_multicore_api"}.
 *
 * SPDX-License-Identifier: BSL-1.0 OR CC0-1.0
 */
#ifndef PERL_MULTICORE_H
#define PERL_MULTICORE_H

struct perl_multicore_api {
    void (*pmapi_release)(void);
    void (*pmapi_acquire)(void);
};

static void perl_multicore_nothing(void) {}
static const struct perl_multicore_api perl_multicore_none = {perl_multicore_nothing, perl_multicore_nothing};
static const struct perl_multicore_api *perl_multicore_api = &perl_multicore_none;

/* The first user makes the entry; a backend writes into it, so it must not be constant. */
static void perl_multicore_find(pTHX) {
    static struct perl_multicore_api entry;
    SV *sv = *hv_fetchs(PL_modglobal, "perl_multicore_api", 1);
    if (!SvPOK(sv)) {
        entry = perl_multicore_none;
        SvUPGRADE(sv, SVt_PV);
        SvPV_set(sv, (char *)&entry);
        SvCUR_set(sv, sizeof entry);
        SvLEN_set(sv, 0); /* not perl's to free */
        SvPOK_only(sv);
    }
    perl_multicore_api = (const struct perl_multicore_api *)SvPVX(sv);
}

/* Also says so to scripts, in $Module::PERLMULTICORE_SUPPORT. */
#define perlmulticore_support_for(package) \
    (perl_multicore_find(aTHX), sv_setiv(get_sv(package "::PERLMULTICORE_SUPPORT", GV_ADD), 1))
#define perlinterp_release() perl_multicore_api->pmapi_release()
#define perlinterp_acquire() perl_multicore_api->pmapi_acquire()

#endif
