/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_WORKSPACE_H
#define PROVE_WORKSPACE_H

#include "prove/lookup.h"
#include "prove/prove.h"
#include "torch/kernels/gemm.h"

#include <stdatomic.h>

typedef enum pv_use { PV_USE_LEAVES, PV_USE_TABLE, PV_USE_P0, PV_USE_B0, PV_USE_P1, PV_USE_B1, PV_USES } pv_use;

/* Memory that is kept from proof to proof. */
typedef struct pv_block {
    void  *data;
    size_t size;
} pv_block;

/* At least `size` bytes, 64-byte aligned, with anything in them. NULL: no memory. */
void *pv_block_take(pv_block *b, size_t size);

/* What one thread works with. */
typedef struct pv_scratch {
    pv_lookup_room *room;
    unsigned        room_bits;
    bt_gemm_ws     *gemm;
    size_t          gemm_depth;
    uint64_t        dense_max; /* bytes of the arrays of a product; larger ones are not made (token_rounds_int.h) */
    pv_block        block[PV_USES];
} pv_scratch;

struct pv_workspace {
    unsigned       threads;
    pv_scratch    *scratch;
    pv_progress_fn progress; /* may be NULL */
    void          *progress_ctx;
    atomic_uint    done;     /* parts of the proof under way */
    uint32_t       parts;
    pv_block       symbols; /* parity symbols */
    uint64_t       symbols_max; /* bytes of them; more are made twice */
    uint64_t       bytes_most;
};

/* Gives up what the threads work with: the end of a proof needs other memory. */
void pv_workspace_drop(pv_workspace *ws);

/* At least `size` bytes, 64-byte aligned, with anything in them; valid until the next call for the same use. NULL: no memory. */
void *pv_scratch_take(pv_scratch *s, pv_use use, size_t size);

/* n elements, zero. */
fxv *pv_scratch_vector(pv_scratch *s, pv_use use, size_t n);

/* s->gemm for sums of up to `depth` products. ERR_MEMORY. */
err pv_scratch_gemm(pv_scratch *s, size_t depth) MUST_USE;

/* A room for instances of up to 2^bits leaves. ERR_MEMORY. */
err pv_scratch_room(pv_scratch *s, unsigned bits) MUST_USE;

#endif
