/* SPDX-License-Identifier: Apache-2.0
 *
 * The witness of a proof: what spec/proof.md section 5 commits to, taken from a training step as it runs (the bt_trace_fn of torch/gpt.h), and
 * everything that is derived from it. */
#ifndef PROVE_WITNESS_H
#define PROVE_WITNESS_H

#include "base/port/pool.h"
#include "proof/public.h"
#include "proof/run.h"

/* What a prover does whose step does not satisfy the relations. */
typedef enum pv_force {
    PV_HONEST, /* it notices, and refuses */
    PV_FORCED, /* for tests: sums are reduced mod p and remainders into their tables, so that lookups balance; the claims then do not hold */
} pv_force;

typedef struct pv_witness {
    const pf_subject *s; /* borrowed; loss is set by pv_witness_finish's caller */
    base_pool   *pool;   /* borrowed; may be NULL */
    pf_layout    y;
    pf_rows      rows;
    int16_t    **cell;   /* by tensor: N' rows of pf_padded cells */
    int16_t     *cells;  /* memory of all cells, and so on */
    int32_t     *input;  /* x_0: N' rows of pf_row_features */
    uint32_t     seen;   /* tensors of the trace taken so far */
    pv_force     force;  /* PV_HONEST but for tests */
} pv_witness;

/* ERR_LEDGER and the other codes of pf_layout_init; ERR_MEMORY. Deinit after every outcome. */
err  pv_witness_init(pv_witness *w, const pf_subject *s, base_pool *pool, fault *f) MUST_USE;
void pv_witness_deinit(pv_witness *w);

/* The bt_trace_fn; ctx is the witness. */
err pv_witness_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes);

/* The step is computed once more, from its beginning. */
void pv_witness_reset(pv_witness *w);

/* After the step, once the subject has its result: row scalars, remainders, digits, exceptions, multiplicities; of RANGE of what was reached.
 * ERR_UNPROVED: the trace is not that of the statement; ERR_STATE: not all of it was seen. */
err pv_witness_finish(pv_witness *w, fault *f) MUST_USE;

/* Bytes held. */
uint64_t pv_witness_bytes(const pv_witness *w);

#endif
