/* SPDX-License-Identifier: Apache-2.0 */
#ifndef PROVE_REMAINDER_INT_H
#define PROVE_REMAINDER_INT_H

#include "prove/witness_int.h"

/* One rounding at work: acc is N' rows of ld. */
typedef struct pv_rounding_work {
    pv_witness *w;
    const pf_layout   *y;
    const pf_rounding *r;
    uint32_t    index;
    size_t      ld;
    int64_t    *acc;
    bt_gemm_ws *ws;
    uint64_t   *row_words, *col_words, *rem; /* rem: of a row */
    size_t      exception_room;
    fault      *f;
} pv_rounding_work;

/* accumulator.c: acc mul of the rounding at hand, to acc, which is zero. */
err pv_accumulate(pv_rounding_work *x) MUST_USE;

#endif
