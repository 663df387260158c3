/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/workspace.h"

#include "base/port/pages.h"

#include <stdlib.h>
#include <string.h>

enum { SYMBOL_BYTES_MAX = 16 << 20, DENSE_BYTES_MAX = 4 << 20 };

err pv_workspace_new(pv_workspace **out, base_pool *pool)
{
    pv_workspace *ws = calloc(1, sizeof *ws);
    if (!ws)
        return ERR_MEMORY;
    ws->threads = base_pool_threads(pool);
    ws->symbols_max = SYMBOL_BYTES_MAX;
    ws->scratch = calloc(ws->threads, sizeof *ws->scratch);
    if (!ws->scratch) {
        free(ws);
        return ERR_MEMORY;
    }
    for (unsigned i = 0; i < ws->threads; i++)
        ws->scratch[i].dense_max = DENSE_BYTES_MAX;
    *out = ws;
    return OK;
}

static uint64_t bytes_now(const pv_workspace *ws)
{
    uint64_t sum = ws->symbols.size;
    for (unsigned i = 0; i < ws->threads; i++) {
        sum += pv_lookup_room_bytes(ws->scratch[i].room) + (ws->scratch[i].gemm ? bt_gemm_ws_bytes(ws->scratch[i].gemm) : 0);
        for (int k = 0; k < PV_USES; k++)
            sum += ws->scratch[i].block[k].size;
    }
    return sum;
}

uint64_t pv_workspace_bytes(const pv_workspace *ws)
{
    return ws->bytes_most;
}

void pv_workspace_drop(pv_workspace *ws)
{
    const uint64_t held = bytes_now(ws);
    ws->bytes_most = held > ws->bytes_most ? held : ws->bytes_most;
    for (unsigned i = 0; i < ws->threads; i++) {
        pv_scratch *s = &ws->scratch[i];
        pv_lookup_room_free(s->room);
        bt_gemm_ws_free(s->gemm);
        for (int k = 0; k < PV_USES; k++)
            free(s->block[k].data);
        *s = (pv_scratch){ .dense_max = s->dense_max };
    }
    base_pages_trim();
}

void pv_workspace_free(pv_workspace *ws)
{
    if (!ws)
        return;
    pv_workspace_drop(ws);
    free(ws->scratch);
    free(ws->symbols.data);
    free(ws);
}

void pv_workspace_watch(pv_workspace *ws, pv_progress_fn fn, void *ctx)
{
    ws->progress = fn;
    ws->progress_ctx = ctx;
}

void *pv_block_take(pv_block *b, size_t size)
{
    if (size > b->size) {
        free(b->data);
        b->data = base_pages_alloc(size);
        b->size = b->data ? size : 0;
    }
    return b->data;
}

void *pv_scratch_take(pv_scratch *s, pv_use use, size_t size)
{
    return pv_block_take(&s->block[use], size);
}

fxv *pv_scratch_vector(pv_scratch *s, pv_use use, size_t n)
{
    size_t size = fxv_blocks(n) * sizeof(fxv);
    fxv *v = pv_scratch_take(s, use, size);
    if (v)
        memset(v, 0, size);
    return v;
}

err pv_scratch_room(pv_scratch *s, unsigned bits)
{
    if (s->room && bits <= s->room_bits)
        return OK;
    pv_lookup_room_free(s->room);
    s->room = NULL;
    TRY(pv_lookup_room_new(&s->room, bits));
    s->room_bits = bits;
    return OK;
}

err pv_scratch_gemm(pv_scratch *s, size_t depth)
{
    if (s->gemm && depth <= s->gemm_depth)
        return OK;
    bt_gemm_ws_free(s->gemm);
    s->gemm = NULL;
    TRY(bt_gemm_ws_new(&s->gemm, NULL, depth));
    s->gemm_depth = depth;
    return OK;
}
