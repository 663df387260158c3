/* SPDX-License-Identifier: Apache-2.0
 *
 * The whole history again: every block that a node gives out is executed on a state made from the genesis alone. Nothing is believed: each
 * signature, each root and each rule is checked as a validator checks it, and the end must be the state that the node says it has. */
#ifndef APPS_REPLAY_H
#define APPS_REPLAY_H

#include "apps/ledger.h"
#include "chain/chain.h"

typedef struct tb_replay {
    chain          *chain; /* owned: the state that came out */
    uint64_t        height;
    uint64_t        txs, failed;    /* in all blocks; of them, those that changed nothing but nonce and fee */
    /* What the work needs, allocated once. */
    uint8_t        *bytes;  /* of one block's header and transactions */
    chain_block_tx *block;
} tb_replay;

/* The state of the genesis. ERR_CHAIN_ID unless it is the ledger's. */
err  tb_replay_start(tb_replay *r, const tb_ledger *l, bytes genesis, fault *f) MUST_USE;
/* Blocks up to `to`. An error names what is wrong in block r->height + 1, which is not part of the state. */
err  tb_replay_run(tb_replay *r, tb_ledger *l, uint64_t to, fault *f) MUST_USE;
/* Every sum and every tree hash from the rows; ERR_HASH "state root: not what the node says" unless it is `root`. */
err  tb_replay_check(const tb_replay *r, const hash256 *root, fault *f) MUST_USE;
void tb_replay_free(tb_replay *r); /* harmless on a zeroed one */

#endif
