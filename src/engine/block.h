/* SPDX-License-Identifier: Apache-2.0
 *
 * A whole block as bytes: the signed header and its transactions (spec/block-log.md, "Blocks"). */
#ifndef ENGINE_BLOCK_H
#define ENGINE_BLOCK_H

#include "base/buf.h"
#include "base/limits.h"

typedef struct eng_block {
    bytes  header; /* signed; views of what was decoded */
    bytes *txs;    /* the caller's array */
    size_t tx_count;
} eng_block;

/* Appends the encoded block to `out`. ERR_LIMIT if it is over LIMIT_LOG_RECORD_BYTES or the buffer's bound; then `out` is as before. */
err eng_block_encode(buf *out, const eng_block *block, fault *f) MUST_USE;

/* out->txs has room for `txs_max`. Form only: what header and transactions mean is the state machine's business. */
err eng_block_decode(eng_block *out, bytes in, size_t txs_max, fault *f) MUST_USE;

#endif
