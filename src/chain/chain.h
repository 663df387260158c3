/* SPDX-License-Identifier: Apache-2.0
 *
 * The state machine. Pure: a function of the genesis and the blocks; no file, clock, thread, random number or float. Both
 * engines (solo, abci) drive it through this face:
 *
 *   chain_new -> { chain_check ... chain_propose -> chain_reserve -> chain_execute -> chain_commit | chain_abort } -> chain_free
 *
 * Memory comes from the caller's allocator, and only in the functions marked [allocates]; chain_execute and everything below
 * it never allocate. One thread at a time; between chain_execute and chain_commit the queries see the executed state.
 * What each transaction does: spec/tx.md. What the state is: spec/state.md. */
#ifndef CHAIN_CHAIN_H
#define CHAIN_CHAIN_H

#include "chain/block.h"
#include "chain/event.h"
#include "chain/genesis.h"
#include "chain/lease.h"
#include "chain/smt.h"
#include "chain/state.h"
#include "chain/tx.h"

typedef struct chain chain;

typedef struct chain_memory {
    void *ctx;
    void *(*alloc)(void *ctx, size_t size);             /* aligned for any type; NULL when there is none */
    void (*release)(void *ctx, void *block, size_t size);
} chain_memory;

/* What a dispute is about: structures that the chain decoded and whose signatures it checked. The referee judges the evidence
 * against these and not against anything that the evidence says about itself. */
typedef struct chain_dispute {
    const chain_lease       *lease;
    hash256                  lease_hash;
    const chain_attestation *attestation;
} chain_dispute;

/* One element of re-execution, integers only: the engine passes pf_evidence_decode and pf_referee_check of proof/referee.h. OK only
 * if the evidence shows that the attested result is wrong. Must be pure and deterministic. */
typedef err (*chain_referee_fn)(bytes evidence, const chain_dispute *dispute, fault *f);

/* One leaf of the trace of a lease over the job's sequences [from, to). */
typedef struct chain_leaf {
    const chain_row_job *job;
    uint64_t             from, to, leaf;
    bytes                text; /* data NULL: only *count is wanted */
} chain_leaf;

/* How many leaves the trace has, and whether `text` is in the form of leaf `leaf` (its value is not judged): ERR_RANGE, ERR_PROOF.
 * Must be pure and deterministic. */
typedef err (*chain_leaf_fn)(uint64_t *count, const chain_leaf *leaf, fault *f);

typedef struct chain_config {
    chain_memory     memory;
    uint64_t         table_seed; /* random in a node, against crafted keys; has no influence on any result */
    chain_referee_fn referee;    /* NULL: slash transactions fail with ERR_UNSUPPORTED */
    chain_leaf_fn    trace_leaf; /* NULL: so do challenges */
} chain_config;

/* --- life --------------------------------------------------------------------------------------------------------------- */

/* State at height 0. The genesis bytes are copied. [allocates] */
err  chain_new(chain **out, const chain_config *config, bytes genesis, fault *f) MUST_USE;
void chain_free(chain *c);

bytes         chain_genesis_bytes(const chain *c);
hash256       chain_network(const chain *c); /* genesis hash */
const chain_name *chain_chain_id(const chain *c);
const chain_name *chain_address_prefix(const chain *c);
bool          chain_may_produce(const chain *c, const cr_public_key *key);
bool          chain_producer_index(const chain *c, const cr_public_key *key, size_t *index); /* its place in the genesis */

/* The newest committed block: for height 0 a header made of the genesis, unsigned. */
const chain_header *chain_head(const chain *c);
hash256             chain_head_hash(const chain *c);

/* --- transactions ------------------------------------------------------------------------------------------------------- */

/* base fee + tip; the one function that check, propose and execute use. */
err chain_fee(const chain *c, uint64_t *base, uint64_t *total, const chain_tx *tx, size_t encoded_len) MUST_USE;

typedef struct chain_check_flags {
    bool signature_known; /* these very bytes passed a check before */
} chain_check_flags;

/* Whether the transaction may wait for a block: form, chain id, expiry, nonce in [account nonce, + LIMIT_NONCE_WINDOW), fee,
 * signature, and the sender can pay the fee and what the transaction takes at once. Against the committed state. */
err chain_check(const chain *c, chain_tx *out, bytes tx, chain_check_flags flags, fault *f) MUST_USE;

typedef struct chain_admission {
    uint64_t balance, next_nonce;  /* of the sender's account */
    uint64_t base_fee, total_fee;  /* as of chain_fee */
} chain_admission;

/* The same for a transaction that was decoded from `len` bytes already. */
err chain_check_decoded(const chain *c, chain_admission *out, const chain_tx *tx, size_t len, chain_check_flags flags, fault *f) MUST_USE;

/* --- blocks ------------------------------------------------------------------------------------------------------------- */

typedef struct chain_block_tx {
    bytes raw;
    bool  signature_known; /* the caller saw chain_check pass on these very bytes */
} chain_block_tx;

typedef struct chain_block_input {
    uint64_t              height; /* chain_head()->height + 1 */
    cr_public_key         producer;
    cr_signature          beacon; /* over chain_beacon_message(head randomness, head hash, height) */
    const chain_block_tx *txs;
    size_t                tx_count; /* at most LIMIT_BLOCK_TXS, together at most LIMIT_BLOCK_BYTES */
} chain_block_input;

/* A transaction in a block either ran, or failed: then it changed nothing but the sender's nonce and fee. */
typedef struct chain_tx_result {
    hash256     id;
    err         code;     /* OK or why it failed */
    const char *what;     /* static: the field or rule, NULL when OK */
    uint64_t    fee;      /* paid */
    uint32_t    event_first, event_count; /* into chain_block_result.events */
} chain_tx_result;

typedef struct chain_block_result {
    hash256                state_root;
    hash256                tx_root;
    hash256                randomness;
    const chain_tx_result *txs;    /* tx_count of them; valid until the next chain_execute or chain_free */
    size_t                 tx_count;
    const chain_event     *events; /* the last ones belong to the block, not to a transaction */
    size_t                 event_count;
} chain_block_result;

/* Picks and orders transactions for the next block: those that cannot pay or do not fit the sender's nonce are left out; by fee
 * per byte, a sender's own in order of nonce. picked[] has room for `count` indices into txs. Changes nothing. Needs a
 * chain_reserve for `count` transactions and their bytes. */
err chain_propose(chain *c, size_t *picked, size_t *picked_count, const chain_block_tx *txs, size_t count, size_t bytes_max,
                  fault *f) MUST_USE;

/* Makes room for the worst case of a block of this many transactions and bytes. ERR_MEMORY leaves everything as it was. [allocates] */
err chain_reserve(chain *c, size_t tx_count, size_t tx_bytes) MUST_USE;

/* Executes on top of the head and computes the roots; the block is then pending. An error means that no honest producer makes such
 * a block (fault.at: index of the transaction) and nothing has changed. ERR_MEMORY: not reserved. ERR_STATE: one is pending. */
err chain_execute(chain *c, const chain_block_input *in, chain_block_result *out, fault *f) MUST_USE;

/* Makes the pending block the head. `signed_header` must be a valid header of exactly this block: chain id, height, previous,
 * roots, randomness, beacon, producer, count; else an error, and the block stays pending. */
err chain_commit(chain *c, bytes signed_header, fault *f) MUST_USE;

/* Drops the pending block, if there is one. */
void chain_abort(chain *c);

/* The unsigned header of the pending block, for the producer to sign. */
err chain_pending_header(const chain *c, chain_header *out, uint64_t time_ms) MUST_USE;

/* --- queries ------------------------------------------------------------------------------------------------------------ */

/* NULL if absent. Valid until the next call that changes the chain. */
const chain_row_account  *chain_account(const chain *c, const cr_address *a);
const chain_row_supply   *chain_supply(const chain *c);
const chain_row_job      *chain_job(const chain *c, const hash256 *job);
const chain_row_bid      *chain_bid(const chain *c, const hash256 *job, const cr_address *worker);
const chain_row_worker   *chain_worker(const chain *c, const cr_address *a);
const chain_row_identity *chain_identity(const chain *c, const cr_address *a);
const chain_row_lease    *chain_lease_row(const chain *c, const hash256 *job, uint64_t lease_id);
const chain_row_coverage *chain_coverage(const chain *c, const hash256 *job, uint64_t block);
const chain_row_beacon   *chain_beacon(const chain *c, uint64_t height);
const chain_row_audit    *chain_audit_row(const chain *c, const hash256 *job, uint64_t lease_id);
const chain_row_economy  *chain_economy(const chain *c);
const void               *chain_row(const chain *c, chain_table table, const chain_key *key); /* a row of any table */
const chain_row_treasury     *chain_treasury(const chain *c);
const chain_row_breaker      *chain_treasury_breaker(const chain *c);
const chain_row_disbursement *chain_disbursement(const chain *c, uint64_t number);
uint64_t                  chain_param_value(const chain *c, chain_param p);
chain_bound               chain_param_bound(const chain *c, chain_param p); /* the row's, narrowed by the genesis */
size_t                    chain_producer_count(const chain *c); /* in the genesis: the validators of audits */

/* Whether the account holds a KYC attestation that counts at the next block. */
bool chain_kyc_valid(const chain *c, const cr_address *a);

/* Whether the committed lease is drawn for re-execution. ERR_NOT_FOUND: no such lease, or no commitment; ERR_BUSY: the block that
 * draws is not there yet. */
err chain_sampled(const chain *c, bool *out, const hash256 *job, uint64_t lease_id) MUST_USE;

/* Whether the proved lease is drawn for an audit (spec/audit.md). ERR_NOT_FOUND: no such lease, or it is not at level full, or
 * spoiled; ERR_BUSY: the block that draws is not there yet. */
err chain_audit_drawn(const chain *c, bool *out, const hash256 *job, uint64_t lease_id) MUST_USE;

/* The oldest stand-by task of a provider that an answer in the next block would still be in time for: the block that drew it, its randomness, and the
 * last block for the answer. ERR_NOT_FOUND: none. */
err chain_standby_task(const chain *c, uint8_t market, const cr_address *a, uint64_t *height, hash256 *randomness, uint64_t *last) MUST_USE;
/* What answers it (spec/epoch.md section 4). */
hash256 chain_standby_answer(const hash256 *randomness, uint8_t market, const cr_address *a);
/* Whether block `height`, not before the lease's first one, may open an audit of it. ERR_NOT_FOUND, ERR_LEVEL; ERR_DUPLICATE: one is open, or had a
 * verdict; ERR_STATE: the lease is spoiled; ERR_EXPIRED. */
err chain_audit_may_open(const chain *c, const hash256 *job, uint64_t lease_id, uint64_t height, fault *f) MUST_USE;

/* Blocks after a lease's first one in which an audit that ended without a verdict may be opened again: so many that the new one ends while the bond
 * is there, and early enough for the worker's claim. At least audit.window (rules of params.def). */
uint64_t chain_audit_reopen_window(const chain_params *p);

/* Rows of a table in order of creation (after chain_load: in order of loading): index 0 .. chain_row_count - 1. */
size_t      chain_row_count(const chain *c, chain_table table);
const void *chain_row_at(const chain *c, chain_table table, size_t index, bytes *key);

/* Inclusion or absence of a row, against chain_head()->state_root. *value is the row's encoding in `buffer`
 * (LIMIT_STATE_VALUE_BYTES), empty if absent. ERR_STATE while a block is pending. */
err chain_prove(const chain *c, smt_proof *out, bytes *value, uint8_t *buffer, chain_table table, bytes key, fault *f) MUST_USE;

/* Every sum recomputed from all rows against the supply record, and every tree hash: for tests, recovery and `tb doctor`.
 * ERR_INVARIANT naming the rule. */
err chain_audit(const chain *c, fault *f) MUST_USE;

/* --- checkpoints and snapshots ------------------------------------------------------------------------------------------ */

typedef struct chain_record_kv {
    uint8_t table;
    bytes   key;
    bytes   value; /* in the caller's buffer */
} chain_record_kv;

/* Rows changed since the last chain_mark_clean, each once, in order of first change: *cursor from 0. False at the end. `buffer` has
 * LIMIT_STATE_VALUE_BYTES. Not while a block is pending. */
bool   chain_dirty_next(const chain *c, size_t *cursor, chain_record_kv *out, uint8_t *buffer);
size_t chain_dirty_count(const chain *c);
void   chain_mark_clean(chain *c);

/* The signed header of the head (empty at height 0): a checkpoint stores it beside the rows. */
bytes chain_head_signed(const chain *c);

/* State from stored rows instead of execution: begin, every row once in any order, end. End recomputes the tree and all sums and
 * compares with the header's state root; the chain is usable only then. [allocates] */
err chain_load_begin(chain **out, const chain_config *config, bytes genesis, fault *f) MUST_USE;
err chain_load_row(chain *c, uint8_t table, bytes key, bytes value, fault *f) MUST_USE;
err chain_load_end(chain *c, bytes signed_header, fault *f) MUST_USE;

/* The same state gives the same chunks on every node: rows in ascending order of (table, key). A chunk is a canonical CBOR array
 * ["theblock/snapshot/v1", index, [[table, key, value]...]]. [allocates] */
typedef struct chain_snapshot chain_snapshot;
err    chain_snapshot_new(chain_snapshot **out, const chain *c, size_t chunk_bytes, fault *f) MUST_USE;
void   chain_snapshot_free(chain_snapshot *s);
size_t chain_snapshot_chunks(const chain_snapshot *s);
/* *hash: SHA-256 of the chunk. `buffer` has chunk_bytes. The chain must not have changed since chain_snapshot_new. */
err    chain_snapshot_chunk(const chain_snapshot *s, size_t index, bytes *out, hash256 *hash, uint8_t *buffer) MUST_USE;
/* Feeds one chunk to a chain under chain_load_begin; ERR_HASH if it is not the one expected. */
err    chain_load_chunk(chain *c, size_t index, bytes chunk, const hash256 *hash, fault *f) MUST_USE;

#endif
