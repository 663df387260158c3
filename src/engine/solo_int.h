/* SPDX-License-Identifier: Apache-2.0
 *
 * The inside of the solo engine. Locks, taken in this order: `state`, `pool_lock`, `news_lock`. */
#ifndef ENGINE_SOLO_INT_H
#define ENGINE_SOLO_INT_H

#include "engine/checkpoint.h"
#include "engine/mempool.h"
#include "engine/solo.h"

#include <pthread.h>

/* Results by id: a ring of the newest, and a table of their places. */
typedef struct result_ring {
    eng_tx_result *entries; /* LIMIT_RESULT_RING */
    uint32_t      *chain;   /* next entry + 1 in the same slot */
    uint32_t      *slots;   /* first entry + 1 */
    uint64_t       count;   /* ever added */
} result_ring;

typedef struct event_ring {
    eng_event *entries;    /* LIMIT_EVENT_RING; the i-th ever is at i % LIMIT_EVENT_RING */
    uint64_t   count;      /* ever noted */
    uint64_t   whole_from; /* sequence number from which on nothing is missing */
} event_ring;

struct eng_solo {
    cr_secret_key producer;
    cr_public_key producer_key;
    uint32_t      interval_ms, idle_ms, checkpoint_blocks;
    size_t        block_bytes_max; /* of the transactions in a block */
    base_pool    *threads;
    int           lock_fd;

    pthread_rwlock_t state; /* guards the block below; held for writing from execution to publication of a block */
    chain           *chain;
    eng_log         *log;
    result_ring      results;
    event_ring       events;
    err              block_error, checkpoint_error;
    bool             halted;
    bool             owes_beacon; /* the last block had trace commitments: the next one's randomness draws the samples */

    pthread_mutex_t make; /* one block at a time; taken before `state`; guards the block below */
    eng_checkpoint *checkpoint;
    const mempool_tx **ready; /* LIMIT_BLOCK_TXS of each */
    chain_block_tx  *candidates, *chosen;
    size_t          *picked;
    bytes           *raws;
    buf              block;

    pthread_mutex_t pool_lock;
    mempool        *pool;

    pthread_mutex_t news_lock;
    pthread_cond_t  news; /* monotonic clock */
    uint64_t        news_count; /* blocks published */
    bool            work;    /* something came since the thread looked last */
    bool            closing;
    bool            has_thread;
    pthread_t       thread;
};

static inline uint64_t solo_event_seq(uint64_t height, uint64_t place)
{
    return height << ENG_EVENT_BITS | place;
}

uint64_t solo_now_ms(void);   /* monotonic */
uint64_t solo_clock_ms(void); /* Unix time */

/* Recovery: chain and log brought to the same height. Under no lock: nobody else is there yet. */
err solo_recover(eng_solo *s, const eng_solo_options *options, eng_solo_report *report, fault *f) MUST_USE;

/* Notes results and events of an executed block whose transactions were `raws` (ids are in the result). */
void solo_note_block(eng_solo *s, const chain_block_result *result, uint64_t height);

err  result_ring_init(result_ring *ring) MUST_USE;
void result_ring_deinit(result_ring *ring);
void result_ring_add(result_ring *ring, const eng_tx_result *result);
const eng_tx_result *result_ring_find(const result_ring *ring, const hash256 *id);

void solo_tell(eng_solo *s, bool block); /* wakes who waits; `block`: one was published, else: there is work */

/* Sleeps on `news` until `until_ms` (monotonic); false if that has passed. With news_lock held. */
bool solo_sleep(eng_solo *s, uint64_t until_ms);

void *solo_thread(void *s);

#endif
