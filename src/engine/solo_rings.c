/* SPDX-License-Identifier: Apache-2.0
 *
 * What the engine remembers of executed blocks: results by transaction id, and the newest events. */
#include "engine/solo_int.h"

#include <stdlib.h>

enum {
    SLOTS = 1 << 19, /* twice LIMIT_RESULT_RING */
    AHEAD = 4,       /* results: their slots come from memory meanwhile */
};

err result_ring_init(result_ring *ring)
{
    /* Large blocks of zeros: the system gives pages as they are used. */
    ring->entries = calloc(LIMIT_RESULT_RING, sizeof *ring->entries);
    ring->chain = calloc(LIMIT_RESULT_RING, sizeof *ring->chain);
    ring->slots = calloc(SLOTS, sizeof *ring->slots);
    ring->count = 0;
    return ring->entries && ring->chain && ring->slots ? OK : ERR_MEMORY;
}

void result_ring_deinit(result_ring *ring)
{
    free(ring->entries);
    free(ring->chain);
    free(ring->slots);
}

/* An id is a hash of bytes that their sender chooses, but a collision of its first bits costs him fees and others a few steps. */
static uint32_t *slot_of(const result_ring *ring, const hash256 *id)
{
    return &ring->slots[load_le32(id->b) & (SLOTS - 1)];
}

static void unlink_entry(result_ring *ring, uint32_t number)
{
    uint32_t *at = slot_of(ring, &ring->entries[number - 1].id);
    while (*at != 0 && *at != number)
        at = &ring->chain[*at - 1];
    if (*at == number)
        *at = ring->chain[number - 1];
}

void result_ring_add(result_ring *ring, const eng_tx_result *result)
{
    uint32_t number = (uint32_t)(ring->count % LIMIT_RESULT_RING) + 1;
    if (ring->count >= LIMIT_RESULT_RING)
        unlink_entry(ring, number);
    ring->entries[number - 1] = *result;
    uint32_t *slot = slot_of(ring, &result->id);
    ring->chain[number - 1] = *slot;
    *slot = number;
    ring->count++;
}

const eng_tx_result *result_ring_find(const result_ring *ring, const hash256 *id)
{
    for (uint32_t number = *slot_of(ring, id); number != 0; number = ring->chain[number - 1]) {
        if (hash256_equal(&ring->entries[number - 1].id, id))
            return &ring->entries[number - 1];
    }
    return NULL;
}

static void note_event(eng_solo *s, const chain_event *event, const chain_block_result *result, uint64_t height, size_t place)
{
    eng_event *entry = &s->events.entries[s->events.count++ % LIMIT_EVENT_RING];
    if (s->events.count > LIMIT_EVENT_RING)
        s->events.whole_from = entry->seq + 1;
    entry->seq = solo_event_seq(height, place);
    entry->height = height;
    entry->type = event->type;
    entry->tx_index = event->tx_index;
    entry->tx = event->tx_index != CHAIN_EVENT_NO_TX ? result->txs[event->tx_index].id : (hash256){ { 0 } };
    if (event->type == CHAIN_EVENT_TRACE_COMMITTED)
        s->owes_beacon = true;
    cbor_writer w = cbor_writer_on(entry->data, sizeof entry->data);
    bytes encoded;
    chain_record_encode(&w, chain_event_record(event->type), &event->data);
    CHECK(cbor_finish(&w, &encoded) == OK);
    entry->len = (uint32_t)encoded.len;
}

void solo_note_block(eng_solo *s, const chain_block_result *result, uint64_t height)
{
    s->owes_beacon = false;
    CHECK(result->event_count < (size_t)1 << ENG_EVENT_BITS);
    for (size_t i = 0; i < result->event_count; i++)
        note_event(s, &result->events[i], result, height, i);
    for (size_t i = 0; i < result->tx_count; i++) {
        const chain_tx_result *tx = &result->txs[i];
        if (i + AHEAD < result->tx_count)
            __builtin_prefetch(slot_of(&s->results, &result->txs[i + AHEAD].id), 1);
        eng_tx_result entry = { .id = tx->id, .status = ENG_TX_INCLUDED, .code = tx->code, .what = tx->what, .fee = tx->fee,
                                .height = height, .index = (uint32_t)i, .event_first = solo_event_seq(height, tx->event_first),
                                .event_count = tx->event_count };
        result_ring_add(&s->results, &entry);
    }
}
