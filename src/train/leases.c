/* SPDX-License-Identifier: Apache-2.0 */
#include "train/leases.h"

#include "base/int.h"

#include <stdlib.h>

err tr_book_init(tr_book *b, uint64_t from, uint64_t to, uint64_t per_lease, uint64_t id_next, uint64_t escrow, fault *f)
{
    memset(b, 0, sizeof *b);
    if (from >= to || per_lease == 0)
        return fail(f, ERR_RANGE, "leases.range", from);
    if (per_lease > LIMIT_LEASE_SEQUENCES)
        return fail(f, ERR_LIMIT, "leases.per_lease", per_lease);
    uint64_t count = (to - from) / per_lease + ((to - from) % per_lease != 0);
    if (count > TR_BOOK_SLOTS_MAX)
        return fail(f, ERR_LIMIT, "leases.slots", count);
    b->slot_count = (size_t)count;
    b->entry_max = b->slot_count * TR_BOOK_ATTEMPTS_MAX;
    if (id_next > UINT64_MAX - b->entry_max)
        return fail(f, ERR_OVERFLOW, "leases.id", id_next);
    b->id_next = id_next;
    b->escrow = escrow;
    b->slots = calloc(b->slot_count, sizeof *b->slots);
    b->entries = calloc(b->entry_max, sizeof *b->entries);
    if (!b->slots || !b->entries) {
        tr_book_deinit(b);
        return fail(f, ERR_MEMORY, "leases", count);
    }
    for (size_t i = 0; i < b->slot_count; i++) {
        b->slots[i].from = from + i * per_lease;
        b->slots[i].to = to - b->slots[i].from < per_lease ? to : b->slots[i].from + per_lease;
    }
    return OK;
}

void tr_book_deinit(tr_book *b)
{
    free(b->slots);
    free(b->entries);
    memset(b, 0, sizeof *b);
}

static tr_lease_entry *find(const tr_book *b, uint64_t id)
{
    for (size_t i = b->entry_count; i-- > 0;)
        if (b->entries[i].id == id)
            return &b->entries[i];
    return NULL;
}

const tr_lease_entry *tr_book_find(const tr_book *b, uint64_t id)
{
    return find(b, id);
}

static bool is_exhausted(const tr_slot *s)
{
    return s->status == TR_SLOT_FREE && s->attempts == TR_BOOK_ATTEMPTS_MAX;
}

static size_t first_free(const tr_book *b)
{
    size_t i = 0;
    while (i < b->slot_count && (b->slots[i].status != TR_SLOT_FREE || is_exhausted(&b->slots[i])))
        i++;
    return i;
}

err tr_book_lease(tr_book *b, const tr_lease_entry **out, const tr_terms *terms, fault *f)
{
    size_t at = first_free(b);
    if (at == b->slot_count)
        return fail(f, ERR_BUSY, "leases: no free slot", 0);
    tr_slot *slot = &b->slots[at];
    uint64_t sequences = slot->to - slot->from, price;
    if (sequences > terms->capacity)
        return fail(f, ERR_LIMIT, "lease.capacity", terms->capacity);
    TRY(mul_div_u64(&price, terms->price, sequences, terms->price_sequences, ROUND_DOWN));
    uint64_t exposure = price > slot->exposure ? price : slot->exposure;
    if (exposure - slot->exposure > b->escrow - b->outstanding)
        return fail(f, ERR_FUNDS, "lease.price", price);
    b->outstanding += exposure - slot->exposure;
    slot->exposure = exposure;
    tr_lease_entry *e = &b->entries[b->entry_count];
    *e = (tr_lease_entry){ .id = b->id_next++, .slot = at, .worker = terms->worker, .price = price,
                           .deadline_ms = terms->deadline_ms, .expiry_height = terms->expiry_height };
    slot->status = TR_SLOT_LEASED;
    slot->entry = b->entry_count++;
    slot->attempts++;
    *out = e;
    return OK;
}

err tr_book_restore(tr_book *b, const tr_lease_entry **out, uint64_t from, uint64_t to, uint64_t id, uint32_t worker, uint64_t price,
                    uint64_t expiry_height, const hash256 *attestation, tr_slot_status status, fault *f)
{
    size_t at = 0;
    if (status == TR_SLOT_OWN)
        price = 0;
    while (at < b->slot_count && (b->slots[at].from != from || b->slots[at].to != to))
        at++;
    if (at == b->slot_count)
        return fail(f, ERR_NOT_FOUND, "lease.range", from);
    tr_slot *slot = &b->slots[at];
    if (slot->status != TR_SLOT_FREE || find(b, id) || id >= b->id_next)
        return fail(f, ERR_DUPLICATE, "lease.id", id);
    if (price > slot->exposure && price - slot->exposure > b->escrow - b->outstanding)
        return fail(f, ERR_FUNDS, "lease.price", price);
    if (price > slot->exposure) {
        b->outstanding += price - slot->exposure;
        slot->exposure = price;
    }
    slot->status = status;
    slot->entry = b->entry_count++;
    slot->attempts++;
    b->entries[slot->entry] = (tr_lease_entry){ .id = id, .slot = at, .worker = worker, .price = price, .expiry_height = expiry_height,
                                                .status = status == TR_SLOT_OWN        ? TR_LEASE_REJECTED
                                                          : status == TR_SLOT_ACCEPTED ? TR_LEASE_ACCEPTED
                                                                                       : TR_LEASE_SUBMITTED,
                                                .attestation = *attestation };
    *out = &b->entries[slot->entry];
    return OK;
}

err tr_book_may_submit(const tr_book *b, uint64_t id, uint64_t height, fault *f)
{
    const tr_lease_entry *e = find(b, id);
    if (!e)
        return fail(f, ERR_NOT_FOUND, "lease.id", id);
    switch (e->status) {
    case TR_LEASE_SUBMITTED: case TR_LEASE_ACCEPTED: case TR_LEASE_PAID:
        return fail(f, ERR_DUPLICATE, "lease.id", id);
    case TR_LEASE_REJECTED:
        return fail(f, ERR_STATE, "lease: rejected", id);
    case TR_LEASE_SUPERSEDED:
        return fail(f, ERR_STALE, "lease: answered by another", id);
    case TR_LEASE_EXPIRED:
        return fail(f, ERR_EXPIRED, "lease.expiry_height", e->expiry_height);
    case TR_LEASE_LIVE: case TR_LEASE_REVOKED:
        break;
    }
    if (height > e->expiry_height)
        return fail(f, ERR_EXPIRED, "lease.expiry_height", e->expiry_height);
    if (b->slots[e->slot].status > TR_SLOT_LEASED)
        return fail(f, ERR_STALE, "lease: answered by another", id);
    return OK;
}

err tr_book_submit(tr_book *b, uint64_t id, const hash256 *attestation, uint64_t height, fault *f)
{
    TRY(tr_book_may_submit(b, id, height, f));
    tr_lease_entry *e = find(b, id);
    tr_slot *slot = &b->slots[e->slot];
    /* A revoked lease was answered before the one that replaced it: that one is revoked in turn, and counts again if this
     * answer is rejected. */
    if (slot->status == TR_SLOT_LEASED && &b->entries[slot->entry] != e)
        b->entries[slot->entry].status = TR_LEASE_REVOKED;
    e->status = TR_LEASE_SUBMITTED;
    e->attestation = *attestation;
    slot->status = TR_SLOT_SUBMITTED;
    slot->entry = (size_t)(e - b->entries);
    return OK;
}

static err in_status(tr_lease_entry **out, const tr_book *b, uint64_t id, tr_lease_status status, fault *f)
{
    *out = find(b, id);
    if (!*out)
        return fail(f, ERR_NOT_FOUND, "lease.id", id);
    return (*out)->status == status ? OK : fail(f, ERR_STATE, "lease.id", id);
}

static void supersede_others(tr_book *b, size_t slot)
{
    for (size_t i = 0; i < b->entry_count; i++)
        if (b->entries[i].slot == slot && (b->entries[i].status == TR_LEASE_LIVE || b->entries[i].status == TR_LEASE_REVOKED))
            b->entries[i].status = TR_LEASE_SUPERSEDED;
}

err tr_book_accept(tr_book *b, uint64_t id, fault *f)
{
    tr_lease_entry *e;
    TRY(in_status(&e, b, id, TR_LEASE_SUBMITTED, f));
    e->status = TR_LEASE_ACCEPTED;
    b->slots[e->slot].status = TR_SLOT_ACCEPTED;
    supersede_others(b, e->slot);
    return OK;
}

err tr_book_reopen(tr_book *b, uint64_t id, fault *f)
{
    tr_lease_entry *e;
    TRY(in_status(&e, b, id, TR_LEASE_ACCEPTED, f));
    e->status = TR_LEASE_SUBMITTED;
    b->slots[e->slot].status = TR_SLOT_SUBMITTED;
    return OK;
}

/* Nobody is paid for it any more. */
static void make_own(tr_book *b, tr_slot *slot, size_t entry)
{
    slot->status = TR_SLOT_OWN;
    slot->entry = entry;
    b->outstanding -= slot->exposure;
    slot->exposure = 0;
    supersede_others(b, (size_t)(slot - b->slots));
}

err tr_book_own(tr_book *b, uint64_t id, fault *f)
{
    TRY(tr_book_reject(b, id, f));
    tr_lease_entry *e = find(b, id);
    make_own(b, &b->slots[e->slot], (size_t)(e - b->entries));
    return OK;
}

size_t tr_book_own_exhausted(tr_book *b)
{
    size_t n = 0;
    for (size_t i = 0; i < b->slot_count; i++)
        if (is_exhausted(&b->slots[i])) {
            make_own(b, &b->slots[i], b->slots[i].entry);
            n++;
        }
    return n;
}

err tr_book_reject(tr_book *b, uint64_t id, fault *f)
{
    tr_lease_entry *e = find(b, id);
    if (!e || e->status != TR_LEASE_ACCEPTED)
        TRY(in_status(&e, b, id, TR_LEASE_SUBMITTED, f));
    e->status = TR_LEASE_REJECTED;
    b->slots[e->slot].status = TR_SLOT_FREE;
    return OK;
}

err tr_book_paid(tr_book *b, uint64_t id, fault *f)
{
    tr_lease_entry *e;
    TRY(in_status(&e, b, id, TR_LEASE_ACCEPTED, f));
    tr_slot *slot = &b->slots[e->slot];
    e->status = TR_LEASE_PAID;
    slot->status = TR_SLOT_PAID;
    b->outstanding -= slot->exposure;
    b->escrow -= e->price;
    slot->exposure = 0;
    return OK;
}

static bool is_current(const tr_book *b, const tr_lease_entry *e)
{
    const tr_slot *slot = &b->slots[e->slot];
    return slot->status == TR_SLOT_LEASED && &b->entries[slot->entry] == e;
}

size_t tr_book_expire(tr_book *b, uint64_t now_ms, uint64_t height)
{
    size_t freed = 0;
    for (size_t i = 0; i < b->entry_count; i++) {
        tr_lease_entry *e = &b->entries[i];
        if (e->status != TR_LEASE_LIVE && e->status != TR_LEASE_REVOKED)
            continue;
        bool old = height > e->expiry_height, late = now_ms > e->deadline_ms;
        if (e->status == TR_LEASE_LIVE && (old || late) && is_current(b, e)) {
            b->slots[e->slot].status = TR_SLOT_FREE;
            freed++;
        }
        if (old)
            e->status = TR_LEASE_EXPIRED;
        else if (late)
            e->status = TR_LEASE_REVOKED;
    }
    return freed;
}

size_t tr_book_worker_lost(tr_book *b, uint32_t worker)
{
    size_t n = 0;
    for (size_t i = 0; i < b->entry_count; i++) {
        tr_lease_entry *e = &b->entries[i];
        if (e->worker != worker || e->status != TR_LEASE_LIVE)
            continue;
        if (is_current(b, e))
            b->slots[e->slot].status = TR_SLOT_FREE;
        e->status = TR_LEASE_REVOKED;
        n++;
    }
    return n;
}

size_t tr_book_count(const tr_book *b, tr_slot_status status)
{
    size_t n = 0;
    for (size_t i = 0; i < b->slot_count; i++)
        n += b->slots[i].status == status;
    return n;
}
