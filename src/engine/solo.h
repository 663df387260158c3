/* SPDX-License-Identifier: Apache-2.0
 *
 * The solo engine: one process that orders transactions, drives the state machine, and makes each block durable before anyone
 * hears of it. A data directory can lose power at any moment and opens again at the last acknowledged block or the one after it.
 *
 * Threads. Every call may come from any thread, except open and close. Reads of the state go between eng_solo_read_begin and
 * eng_solo_read_end: many readers at once, never while a block is being executed, made durable and published. A transaction's
 * signature is checked once, on the caller's thread or over the pool, outside every lock. Never fork with an engine open. */
#ifndef ENGINE_SOLO_H
#define ENGINE_SOLO_H

#include "base/buf.h"
#include "base/port/pool.h"
#include "chain/chain.h"
#include "engine/block_log.h"

typedef struct eng_solo eng_solo;

typedef struct eng_solo_options {
    const char          *dir;      /* data directory; made if it is not there */
    bytes                genesis;  /* of a new directory; for an existing one it must be the same, or empty: whichever is there */
    const cr_secret_key *producer; /* copied; the genesis must name its public key */
    uint32_t             interval_ms;       /* least time between two blocks; 0: ENG_SOLO_INTERVAL_MS */
    uint32_t             idle_ms;           /* an empty block when nothing came for so long, so that heights pass; 0: never */
    bool                 manual;            /* no thread: a block is made only by eng_solo_produce */
    uint32_t             checkpoint_blocks; /* blocks between checkpoints; 0: ENG_SOLO_CHECKPOINT_BLOCKS */
    uint64_t             segment_bytes;     /* of the block log; 0: the default. A small one makes small blocks */
    bool                 rebuild;           /* drop the checkpoint and execute the whole log again */
    base_pool           *pool;              /* for eng_solo_submit_many; borrowed, may be NULL */
    chain_referee_fn     referee;
    chain_leaf_fn        trace_leaf;
} eng_solo_options;

enum {
    ENG_SOLO_INTERVAL_MS = 200,
    ENG_SOLO_CHECKPOINT_BLOCKS = 64,
};

/* What opening did. After a failure `log` says where in the log, `height` at which block. */
typedef struct eng_solo_report {
    eng_log_report log;
    uint64_t       checkpoint_height; /* 0: none was used */
    uint64_t       height;            /* of the recovered head, or of the block that failed */
} eng_solo_report;

/* Opens `dir`, or starts a network there; recovers from the newest checkpoint and the log after it. ERR_BUSY: another process has it;
 * ERR_CHAIN_ID: another genesis; ERR_PERMISSION: the producer's key may not produce; ERR_HASH: a block does not give its
 * header's roots, or the checkpoint is not of this log; the codes of block_log.h, checkpoint.h and chain_new. `report` and `f` may be NULL.
 * Calls cr_ed25519_self_test. */
err eng_solo_open(eng_solo **out, const eng_solo_options *options, eng_solo_report *report, fault *f) MUST_USE;

/* Stops the thread, writes a checkpoint, closes and frees, whatever it returns: an error says only that the checkpoint could not be
 * written, which costs time at the next opening and nothing else. Callers that wait are let go with ERR_INTERRUPTED; none may be
 * inside a call when this returns. NULL is fine. */
err eng_solo_close(eng_solo *s, fault *f) MUST_USE;

/* --- transactions ------------------------------------------------------------------------------------------------------- */

/* Checks a signed transaction and lets it wait for a block. *id is set whenever the bytes decode, also with ERR_DUPLICATE (waits, or
 * was in a block, already): a client that repeats itself loses nothing. Not durable before eng_solo_wait says included. ERR_BUSY:
 * no room; ERR_DISK_FULL, ERR_IO: the engine cannot make blocks now; the codes of chain_check. */
err eng_solo_submit(eng_solo *s, hash256 *id, bytes tx, fault *f) MUST_USE;

typedef struct eng_submitted {
    hash256 id;
    err     code;
    fault   fault;
} eng_submitted;

/* The same for many, decoding and signatures spread over the pool, then added in order. */
void eng_solo_submit_many(eng_solo *s, eng_submitted *out, const bytes *txs, size_t count);

typedef enum eng_tx_status {
    ENG_TX_WAITING,
    ENG_TX_INCLUDED, /* in a durable block: `code` says whether it ran or failed there */
    ENG_TX_DROPPED,  /* never was in a block and left the pool: `code` says why */
} eng_tx_status;

typedef struct eng_tx_result {
    hash256       id;
    eng_tx_status status;
    err           code;
    const char   *what;   /* static; NULL when OK */
    uint64_t      fee;    /* paid */
    uint64_t      height; /* of its block */
    uint32_t      index;  /* in the block */
    uint64_t      event_first; /* sequence number of its first event */
    uint32_t      event_count;
} eng_tx_result;

/* The newest LIMIT_RESULT_RING results are kept, of blocks made or recovered by this process. ERR_NOT_FOUND otherwise: the account's
 * nonce tells whether a transaction of long ago was taken. */
err eng_solo_result(eng_solo *s, eng_tx_result *out, const hash256 *id) MUST_USE;

/* Waits until it is included or dropped: OK. ERR_TIMEOUT: still waiting, *out is filled; ERR_NOT_FOUND; ERR_INTERRUPTED: the engine
 * closes. */
err eng_solo_wait(eng_solo *s, eng_tx_result *out, const hash256 *id, uint64_t timeout_ms) MUST_USE;

/* Makes a block now from what waits; an empty one if `allow_empty`. *height is its height, 0 if none was made. On an error no
 * block was acknowledged and what waits still waits. */
err eng_solo_produce(eng_solo *s, bool allow_empty, uint64_t *height, fault *f) MUST_USE;

/* --- reads -------------------------------------------------------------------------------------------------------------- */

/* The committed state, for any const function of chain.h; holds up the next block until read_end. Not across a blocking call, not nested. */
const chain *eng_solo_read_begin(eng_solo *s);
void         eng_solo_read_end(eng_solo *s);

/* A row of the state with everything that a third party needs to check it. */
typedef struct eng_proved {
    smt_proof proof;
    uint8_t   buffer[1024];
    bytes     value;       /* in buffer; empty if the row is absent */
    uint8_t   header[1024];
    size_t    header_len;  /* the signed header whose state root the proof leads to; 0 at height 0 */
    hash256   block_hash;
    uint64_t  height;
} eng_proved;

err eng_solo_prove(eng_solo *s, eng_proved *out, chain_table table, bytes key, fault *f) MUST_USE;

/* Appends the encoded block (engine/block.h) of `height`. */
err eng_solo_block(eng_solo *s, buf *out, uint64_t height, fault *f) MUST_USE;

/* Waits for a block above `height`; *now is the newest height. ERR_TIMEOUT, ERR_INTERRUPTED. */
err eng_solo_wait_block(eng_solo *s, uint64_t *now, uint64_t height, uint64_t timeout_ms) MUST_USE;

enum { ENG_EVENT_BYTES = 192, ENG_EVENT_BITS = 24 /* of a sequence number, for the place in the block */ };

typedef struct eng_event {
    uint64_t         seq;    /* height << ENG_EVENT_BITS | place in its block: the same in every process, with gaps */
    uint64_t         height;
    chain_event_type type;
    uint32_t         tx_index; /* CHAIN_EVENT_NO_TX: of the block itself */
    hash256          tx;       /* id; zero for the block's own */
    uint32_t         len;
    uint8_t          data[ENG_EVENT_BYTES]; /* the record of chain_event_record(type), encoded */
} eng_event;

/* Up to `max` events with seq >= `from` (0: the oldest kept). *next is the sequence number to go on with, also after a restart;
 * *lost: events from `from` on may have been forgotten before the first one (not for 0). Kept are the newest LIMIT_EVENT_RING of blocks
 * made or recovered by this process. */
void eng_solo_events(eng_solo *s, eng_event *out, size_t *count, uint64_t *next, bool *lost, uint64_t from, size_t max);

typedef struct eng_solo_status {
    uint64_t height;
    hash256  head_hash, state_root;
    size_t   waiting_txs, waiting_bytes;
    uint64_t checkpoint_height;
    uint64_t events_next;      /* sequence number below which are the events of all blocks until now, above it those to come */
    err      block_error;      /* why the last try to make a block failed; OK after a good one */
    err      checkpoint_error;
    bool     halted;           /* no block can be made until the engine is opened again */
} eng_solo_status;

void eng_solo_status_get(eng_solo *s, eng_solo_status *out);

#endif
