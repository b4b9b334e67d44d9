/* A record for every coroutine that has used a section.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <stdlib.h>

#include "host.h"

static int forget(pTHX_ SV *sv, MAGIC *magic) {
    (void)sv;
    struct mcp_coroutine *self = (struct mcp_coroutine *)magic->mg_ptr;
    mcp_never_due(self);
    if (mcp.last == self) mcp.last_hv = NULL, mcp.last = NULL;
    if (self->cancelled) --mcp.cancelled;
    SvREFCNT_dec((SV *)self->cancelled);
    mc_task_unref(self->task);
    free(self);
    return 0;
}

static const MGVTBL record_magic = {NULL, NULL, NULL, NULL, forget, NULL, NULL, NULL};

struct mcp_coroutine *mcp_find(pTHX_ HV *hv) {
    for (MAGIC *magic = SvMAGIC((SV *)hv); magic; magic = magic->mg_moremagic)
        if (magic->mg_virtual == &record_magic) return (struct mcp_coroutine *)magic->mg_ptr;
    return NULL;
}

/* At the end of the chain: Coro takes the first of this type for its own. */
static void attach_record(pTHX_ HV *hv, struct mcp_coroutine *record) {
    MAGIC *fresh = sv_magicext((SV *)hv, NULL, PERL_MAGIC_ext, &record_magic, (char *)record, 0);
    MAGIC **link = &fresh->mg_moremagic;
    if (!*link) return;
    SvMAGIC_set((SV *)hv, *link);
    while (*link) link = &(*link)->mg_moremagic;
    *link = fresh;
    fresh->mg_moremagic = NULL;
}

static struct mcp_coroutine *new_record(pTHX_ HV *hv) {
    struct mcp_coroutine *record = calloc(1, sizeof *record);
    if (!record) return NULL;
    record->hv = hv;
    record->scope_kind = -1;
    mc_task_options options = MC_TASK_OPTIONS_INIT;
    SV **desc = hv_fetchs(hv, "desc", 0);
    if (desc && SvPOK(*desc)) options.name = SvPVX(*desc);
    options.data = record;
    if (mc_task_adopt(mcp.runtime, &options, &record->task) != MC_OK) {
        free(record);
        return NULL;
    }
    attach_record(aTHX_ hv, record);
    return record;
}

struct mcp_coroutine *mcp_look_up(pTHX_ HV *hv) {
    struct mcp_coroutine *record = mcp_find(aTHX_ hv);
    if (!record) record = new_record(aTHX_ hv);
    if (record) mcp.last_hv = hv, mcp.last = record;
    return record;
}

void mcp_ready(pTHX_ HV *hv) { mcp.coro->ready(aTHX_(SV *) hv); }

void mcp_ready_quietly(pTHX_ HV *hv) {
    ++mcp.coro->nready; /* Coro calls its hook when the first becomes ready */
    mcp.coro->ready(aTHX_(SV *) hv);
    --mcp.coro->nready;
}
