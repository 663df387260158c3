/* SPDX-License-Identifier: Apache-2.0
 *
 * How long a lease may be so that evidence about its gradient fits its file. */
#include "train/dispute.h"

enum {
    HEAD_MAX = 2 * 1024 + 512, /* lease, attestation and model header as they are in practice, and the frame */
    OPENING_HEAD = 16,         /* first leaf and the lengths */
};

/* Siblings of one leaf among `leaves`, at most. */
static uint64_t depth(uint64_t leaves)
{
    uint64_t d = 0;
    while (d < 63 && (uint64_t)1 << d < leaves)
        d++;
    return d;
}

/* A sum over positions reads one tile of 16 x 16 operands of each of two tensors for every 16 of them, each in an opening of its own. */
static uint64_t tiles_of(const num_shape *s, uint64_t sequences)
{
    return 2 * sequences * num_tiles(s->context);
}

uint64_t tr_dispute_bytes_max(const num_shape *s, uint64_t sequences)
{
    uint64_t leaf = 2 * NUM_TILE_ELEMENTS + sizeof(hash256) * depth(num_trace_leaves(s, sequences)) + OPENING_HEAD;
    uint64_t own = 8 * NUM_TILE_ELEMENTS + sizeof(hash256) * depth(num_weight_leaves(s)) + OPENING_HEAD;
    return HEAD_MAX + own + tiles_of(s, sequences) * leaf;
}

uint32_t tr_dispute_sequences_max(const num_shape *s)
{
    uint32_t n = 0;
    while (n < LIMIT_LEASE_SEQUENCES && tiles_of(s, n + 1) <= PF_OPENINGS_MAX && tr_dispute_bytes_max(s, n + 1) <= LIMIT_EVIDENCE_BYTES)
        n++;
    return n;
}
