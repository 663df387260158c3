/* SPDX-License-Identifier: Apache-2.0
 *
 * The public dither of spec/numerics.md section 6: one word per row and sequence, one per column; an element's dither is
 * their XOR (round.h). */
#ifndef NUMERICS_DITHER_H
#define NUMERICS_DITHER_H

#include "base/bytes.h"

hash256 num_dither_seed(const hash256 *job_id, const hash256 *model_id, uint64_t step);

/* Words 0 .. n - 1 of the rows of tensor id `tensor` in global sequence `sequence`, or of its columns. For ds, n is H T and
 * word head * T + i belongs to position i of that head. */
void num_dither_rows(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor, uint64_t sequence);
void num_dither_cols(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor);

/* One of those words. */
uint64_t num_dither_row(const hash256 *seed, uint32_t tensor, uint64_t sequence, uint64_t index);
uint64_t num_dither_col(const hash256 *seed, uint32_t tensor, uint64_t index);

#endif
