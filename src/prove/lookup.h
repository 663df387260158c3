/* SPDX-License-Identifier: Apache-2.0
 *
 * The prover's side of proof/lookup.h: one instance of 2^k leaves, from the sums of its fractions down to a claim on its leaves.
 * `w` holds the fork of the instance. `out` is what the verifier will find. ERR_MEMORY, ERR_LIMIT of the writer; ERR_UNPROVED if a
 * denominator at the root or a challenge that is divided by is 0, or a challenge of a round is 1, which squeezing never gives in practice. */
#ifndef PROVE_LOOKUP_H
#define PROVE_LOOKUP_H

#include "field/vec.h"
#include "proof/lookup.h"
#include "prove/writer.h"

/* Room for the layers of one instance at a time, of 2^k_max leaves, 24 bytes for each; a thread keeps its own from instance to instance. */
typedef struct pv_lookup_room pv_lookup_room;
err  pv_lookup_room_new(pv_lookup_room **out, unsigned k_max) MUST_USE;
void pv_lookup_room_free(pv_lookup_room *room); /* NULL is fine */
uint64_t pv_lookup_room_bytes(const pv_lookup_room *room); /* of its trees; NULL: 0 */

/* 2^(k - tile_vars) tiles of 2^tile_vars integers in [-2^24, 2^24); leaf 2^tile_vars t + i is 1 / (alpha[t] - tile[t][i]). tile_vars <= k. */
typedef struct pv_int_leaves {
    const int32_t *const *tile;
    const fx             *alpha;
    unsigned              k, tile_vars;
} pv_int_leaves;

err pv_lookup_ints(pf_lookup *out, pv_writer *w, pv_lookup_room *room, const pv_int_leaves *leaves) MUST_USE;

/* Leaves 1 / q[i]; q is used up. */
err pv_lookup_tuples(pf_lookup *out, pv_writer *w, pv_lookup_room *room, fxv *q, unsigned k) MUST_USE;

/* Leaves p / q; used up. */
err pv_lookup_table(pf_lookup *out, pv_writer *w, pv_lookup_room *room, fx_fractions *leaves, unsigned k) MUST_USE;

#endif
