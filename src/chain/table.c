/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/table_int.h"

#include "base/int.h"
#include "chain/tree_int.h"

void chain_table_init(row_table *t, const chain_table_info *info, uint64_t seed)
{
    memset(t, 0, sizeof *t);
    t->info = info;
    t->seed = seed;
    t->row_size = (info->record->size + 7) / 8 * 8;
    t->stride = sizeof(table_entry) + t->row_size + ((size_t)info->key_len + 7) / 8 * 8;
}

static uint64_t fold(uint64_t a, uint64_t b)
{
    u128 p = (u128)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

/* Seeded multiply-fold over words: fast, and not to be aimed at by whoever chooses keys without knowing the seed. */
static uint32_t slot_of(const row_table *t, const uint8_t *key)
{
    uint64_t h = t->seed ^ 0x9e3779b97f4a7c15u;
    size_t i = 0, len = t->info->key_len;
    for (; i + 8 <= len; i += 8)
        h = fold(h ^ load_le64(key + i), t->seed | 0xd6e8feb86659fd93u);
    uint64_t tail = 0;
    for (; i < len; i++)
        tail = tail << 8 | key[i];
    h = fold(h ^ tail, 0xa0761d6478bd642fu ^ t->seed);
    return (uint32_t)(h >> 32 ^ h) & t->index_mask;
}

uint32_t chain_table_find(const row_table *t, const chain_key *key)
{
    if (t->cap == 0)
        return TABLE_NONE;
    CHECK(key->len == t->info->key_len);
    for (uint32_t s = slot_of(t, key->b);; s = (s + 1) & t->index_mask) {
        uint32_t number = t->index[s];
        if (number == 0)
            return TABLE_NONE;
        if (memcmp(table_key_at(t, number - 1), key->b, key->len) == 0)
            return number - 1;
    }
}

void chain_table_prefetch(const row_table *t, const chain_key *key, table_prefetch what)
{
    const uint32_t *slot = &t->index[slot_of(t, key->b)];
    if (what == TABLE_PREFETCH_INDEX)
        __builtin_prefetch(slot);
    else if (*slot != 0)
        __builtin_prefetch(table_entry_at(t, *slot - 1), 1);
}

static void index_put(row_table *t, uint32_t number)
{
    uint32_t s = slot_of(t, table_key_at(t, number));
    while (t->index[s] != 0)
        s = (s + 1) & t->index_mask;
    t->index[s] = number + 1;
}

uint32_t chain_table_append(row_table *t, const chain_key *key)
{
    CHECK(t->count < t->cap && key->len == t->info->key_len);
    uint32_t number = t->count++;
    uint8_t *entry = t->entries + (size_t)number * t->stride;
    memset(entry, 0, t->stride);
    memcpy(entry + sizeof(table_entry) + t->row_size, key->b, key->len);
    table_entry_at(t, number)->leaf = TREE_NONE;
    index_put(t, number);
    return number;
}

void chain_table_pop(row_table *t)
{
    CHECK(t->count > 0);
    uint32_t number = --t->count;
    uint32_t hole = slot_of(t, table_key_at(t, number));
    while (t->index[hole] != number + 1)
        hole = (hole + 1) & t->index_mask;
    /* Close the gap: move back every later entry of the run whose home slot does not lie between the hole and it. */
    for (uint32_t s = (hole + 1) & t->index_mask; t->index[s] != 0; s = (s + 1) & t->index_mask) {
        uint32_t home = slot_of(t, table_key_at(t, t->index[s] - 1));
        if (((s - home) & t->index_mask) >= ((s - hole) & t->index_mask)) {
            t->index[hole] = t->index[s];
            hole = s;
        }
    }
    t->index[hole] = 0;
}

void chain_table_reindex(row_table *t)
{
    memset(t->index, 0, ((size_t)t->index_mask + 1) * sizeof *t->index);
    for (uint32_t i = 0; i < t->count; i++)
        index_put(t, i);
}
