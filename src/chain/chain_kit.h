/* SPDX-License-Identifier: Apache-2.0
 * For tests: fixed keys, a small network, and one-line helpers to sign and to make blocks. Not part of the library. */
#ifndef CHAIN_CHAIN_KIT_H
#define CHAIN_CHAIN_KIT_H

#include "chain/chain.h"

enum { KIT_ACCOUNTS = 8, KIT_PRODUCER = 100, KIT_ISSUER = 101, KIT_COORDINATOR = 102 };
#define KIT_BALANCE 1000000000000u /* nBLOCK of each of accounts 0 .. KIT_ACCOUNTS - 1, the issuer and the coordinator */

typedef struct kit {
    chain              *c;
    uint8_t             genesis[16384];
    size_t              genesis_len;
    size_t              blocks_alive; /* allocator balance */
    size_t              fail_after;   /* allocations until one fails; 0: never */
    chain_config        config;
    chain_block_result  result; /* of the last block */
    hash256             last_id;
} kit;

extern uint64_t kit_table_seed; /* of the chains that kit_start makes */

cr_secret_key kit_key(unsigned who);
cr_public_key kit_public(unsigned who);
cr_address    kit_address(unsigned who);

/* `tweak` may change the genesis before it is encoded. */
void kit_start(kit *k, void (*tweak)(chain_genesis *g));
void kit_stop(kit *k);

/* A transaction of `who` with the account's next nonce plus `ahead`, valid for a while, with a sufficient fee. */
chain_tx kit_tx(const kit *k, unsigned who, chain_tx_type type, uint64_t ahead);
/* Signs into fresh static memory (enough for one test). */
bytes kit_sign(const chain_tx *tx, unsigned who);
bytes kit_keep(bytes data);

/* Executes and commits a block of these transactions; results in k->result. Returns what chain_execute said. */
err kit_block(kit *k, const bytes *txs, size_t count);
err kit_execute(kit *k, const bytes *txs, size_t count, bool commit, fault *f);
/* One transaction in its own block: its result code, or the block's error if it has no place in one. */
err kit_run(kit *k, const chain_tx *tx, unsigned who);
void kit_advance(kit *k, uint64_t blocks);

uint64_t kit_balance(const kit *k, unsigned who);

/* A job of account 0 for `steps` steps of 8 sequences, price 1000 per 4; coordinator KIT_COORDINATOR. Fails the test if refused. */
hash256 kit_post_job(kit *k, uint64_t steps, uint32_t sample_ppm); /* at level refereed */
hash256 kit_post_job_at(kit *k, uint64_t steps, uint32_t sample_ppm, chain_level level);
void    kit_add_worker(kit *k, unsigned who, const hash256 *job);
chain_lease       kit_lease(const kit *k, const hash256 *job, unsigned worker, uint64_t lease_id, uint64_t from, uint64_t to);
chain_attestation kit_attestation(const chain_lease *lease);
chain_receipt     kit_receipt(const chain_lease *lease, const chain_attestation *a, unsigned worker);
err kit_commit_trace(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, size_t count);
err kit_pay(kit *k, unsigned who, const hash256 *job, const chain_receipt *r, size_t count);

/* A lease of the whole step `lease_id`, attested at level full, and the transactions of its audit (reason 0: valid). */
chain_receipt kit_proved_receipt(const kit *k, const hash256 *job, unsigned worker, uint64_t lease_id);
chain_tx      kit_audit_open(const kit *k, unsigned who, const hash256 *job, const chain_receipt *r);
chain_tx      kit_audit_verdict(const kit *k, unsigned who, const hash256 *job, uint64_t lease_id, uint32_t reason);
chain_tx      kit_audit_close(const kit *k, unsigned who, const hash256 *job, uint64_t lease_id);

/* Traces of 3 leaves a sequence; leaf i is "leaf" and the byte i. The chain_leaf_fn, the root, and one leaf (5 bytes) with its path
 * (CR_MERKLE_DEPTH_MAX), of a trace of `count` leaves. */
enum { KIT_LEAVES = 3, KIT_TRACE_MAX = 64 };
err     kit_trace_leaf(uint64_t *count, const chain_leaf *leaf, fault *f);
hash256 kit_trace_root(size_t count);
chain_tx_trace_open kit_opening(const hash256 *job, uint64_t lease_id, size_t count, size_t leaf);

/* The referee's double: evidence is "guilty" || lease hash || trace root || worker || job. */
err   kit_referee(bytes evidence, const chain_dispute *dispute, fault *f);
bytes kit_evidence(const chain_lease *lease, const chain_attestation *a);

uint64_t kit_random(uint64_t *state);

#endif
