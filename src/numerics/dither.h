/* SPDX-License-Identifier: Apache-2.0
 *
 * The public dither words (spec/numerics.md section 6). Nobody chooses them: they follow from job, model and step. */
#ifndef NUMERICS_DITHER_H
#define NUMERICS_DITHER_H

#include "base/bytes.h"

hash256 num_dither_seed(const hash256 *job_id, const hash256 *model_id, uint64_t step);

/* Words 0 .. n-1 of the rows of one sequence, and of the columns, of a tensor. */
void num_dither_rows(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor, uint64_t sequence);
void num_dither_cols(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor);

/* One word alone, for the referee. */
uint64_t num_dither_row_at(const hash256 *seed, uint32_t tensor, uint64_t sequence, uint64_t index);
uint64_t num_dither_col_at(const hash256 *seed, uint32_t tensor, uint64_t index);

#endif
