/* AnyEvent's loop in pure perl waits in select. That one op of it, and no other select, is changed: it first
 * waits in a section for the same descriptors, and then looks without blocking.
 * SPDX-License-Identifier: BSL-1.0
 */
#include <errno.h>
#include <math.h>
#include <poll.h>
#include <stdlib.h>

#include "host.h"

static OP *(*original)(pTHX);

static bool has_bit(SV *sv, int fd) {
    return SvPOK(sv) && (STRLEN)fd / 8 < SvCUR(sv) && (SvPVX_const(sv)[fd / 8] >> fd % 8 & 1);
}

static int width(SV *sv) { return SvPOK(sv) ? (int)SvCUR(sv) * 8 : 0; }

/* The descriptors of both vectors, and this host's; NULL: no memory. */
static struct pollfd *watched(SV *readable, SV *writable, nfds_t *count) {
    const int end = width(readable) > width(writable) ? width(readable) : width(writable);
    struct pollfd *fds = malloc(sizeof *fds * ((size_t)end + 1));
    if (!fds) return NULL;
    *count = 0;
    fds[(*count)++] = (struct pollfd){mcp_wake_fd(), POLLIN, 0};
    for (int fd = 0; fd < end; fd++) {
        const short events =
            (short)((has_bit(readable, fd) ? POLLIN : 0) | (has_bit(writable, fd) ? POLLOUT : 0));
        if (events) fds[(*count)++] = (struct pollfd){fd, events, 0};
    }
    return fds;
}

static OP *pp_select(pTHX) {
    dSP;
    SV *timeout = SP[0];
    const NV seconds = SvOK(timeout) ? SvNV(timeout) : -1;
    nfds_t count = 0;
    struct pollfd *fds = seconds == 0 || !mcp.runtime ? NULL : watched(SP[-3], SP[-2], &count);
    if (!fds) return original(aTHX);
    const bool stale = mcp_poll_begin(aTHX_ MCP_WAIT_SELECT);
    const NV ms = ceil(seconds * 1e3);
    poll(fds, count, stale ? 0 : seconds < 0 ? -1 : ms > 1e9 ? 1000000000 : (int)ms);
    mcp_poll_end();
    mcp_drain_wake();
    free(fds);
    SPAGAIN;
    SP[0] = sv_2mortal(newSViv(0));
    return original(aTHX);
}

/* The sselect ops below `op`. */
static void change(OP *op) {
    if (op->op_type == OP_SSELECT) {
        original = op->op_ppaddr;
        op->op_ppaddr = pp_select;
    }
    if (op->op_flags & OPf_KIDS)
        for (OP *kid = cUNOPx(op)->op_first; kid; kid = OpSIBLING(kid)) change(kid);
}

void mcp_find_select(pTHX) {
    if (original) return;
    CV *loop = get_cv("AnyEvent::Loop::one_event", 0);
    if (loop && !CvISXSUB(loop) && CvROOT(loop)) change(CvROOT(loop));
}

void mcp_find_loops(pTHX) {
    mcp_find_libev(aTHX);
    mcp_find_select(aTHX);
}
