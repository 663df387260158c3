/* SPDX-License-Identifier: Apache-2.0
 *
 * The commitment to a lease's tokens: the Merkle root (rule blake3) over one leaf a sequence, laid out by numerics/trace.h. The
 * coordinator signs it with the lease and the worker compares it with its own data, so that a referee that knows no data set can be
 * shown the tokens of any sequence. */
#ifndef TRAIN_TOKEN_ROOT_H
#define TRAIN_TOKEN_ROOT_H

#include "crypto/merkle.h"
#include "numerics/trace.h"
#include "train/dataset.h"

/* Of the job's sequences [from, to); the training shards are here, and there is a window of `context` tokens. */
hash256 tr_token_root(const tr_dataset *data, const hash256 *job, uint64_t from, uint64_t to, uint32_t context);

/* The leaf of one sequence: num_token_leaf_bytes(context). */
void tr_token_leaf(uint8_t *out, const tr_dataset *data, const hash256 *job, uint64_t sequence, uint32_t context);

#endif
