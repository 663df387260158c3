/* SPDX-License-Identifier: Apache-2.0
 *
 * Remainders (spec/proof.md section 7) are never kept: the witness makes them to count them and to write their digits, an instance makes those of its
 * leaves again. Both do it a window of columns at a time. */
#ifndef PROVE_REMAINDER_INT_H
#define PROVE_REMAINDER_INT_H

#include "prove/rems_int.h"
#include "prove/witness_int.h"

/* One rounding at work. */
typedef struct pv_rounding_work {
    const pv_witness  *w;
    const pf_layout   *y;
    const pf_rounding *r;
    uint32_t    index;
    pv_window   at;     /* of the output's columns */
    int64_t    *acc;    /* N' rows of at.n, the caller's: the sums that are rounded, without `mul`, and for ds without c. So what section 8 calls a
                         * product part is their weighted sum. */
    bt_gemm_ws *ws;     /* the caller's, for pv_gemm_depth */
    int32_t    *stream; /* a row of a virtual tensor */
    uint64_t   *rem;    /* a row of remainders */
    uint64_t   *row_words, *col_words; /* dither */
    pv_rems_fn *rems;
    pf_rows    *rows;   /* notes exceptions; NULL: they are known already */
    size_t      exception_room;
    fault      *f;
} pv_rounding_work;

/* Rows for windows of up to `columns`. ERR_MEMORY; deinit in any case. */
err  pv_rounding_init(pv_rounding_work *x, const pv_witness *w, size_t columns, fault *f) MUST_USE;
void pv_rounding_deinit(pv_rounding_work *x);

/* From then on x is about a rounding. */
void pv_rounding_set(pv_rounding_work *x, uint32_t index);

/* The remainders of row i of the window, whose acc is made, to x->rem: 0 where section 7 masks, as is acc then. ERR_UNPROVED: one is out of range, and the
 * witness is not to be forced; ERR_LIMIT, ERR_MEMORY: exceptions. */
err pv_rounding_row(pv_rounding_work *x, uint32_t i) MUST_USE;

/* accumulator.c: acc of the window. */
err pv_accumulate(pv_rounding_work *x) MUST_USE;

#endif
