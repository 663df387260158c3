/* SPDX-License-Identifier: Apache-2.0
 *
 * One kind of row in memory: rows in order of creation, an open-addressing index over their keys, and the lists of rows that
 * the block and the checkpoint have to renew. Rows are never deleted; only the newest can be taken back (undo). The order of
 * the index, which depends on the seed, is never visible. */
#ifndef CHAIN_TABLE_INT_H
#define CHAIN_TABLE_INT_H

#include "chain/state.h"

typedef struct table_entry {
    uint32_t leaf;  /* in the module's tree, TREE_NONE before the first block end */
    bool     in_block; /* listed in block_dirty */
    bool     in_mark;  /* listed in mark_dirty */
    uint8_t  pad[2];
} table_entry;

typedef struct row_table {
    const chain_table_info *info;
    uint8_t  *entries; /* stride bytes each: table_entry, row, key */
    uint32_t *index;   /* number + 1, 0 for an empty slot */
    uint32_t *block_dirty;
    uint32_t *mark_dirty;
    uint64_t  seed;
    size_t    stride, row_size;
    uint32_t  count, cap;
    uint32_t  index_mask;
    uint32_t  block_dirty_count, mark_dirty_count;
} row_table;

#define TABLE_NONE UINT32_MAX

static inline table_entry *table_entry_at(const row_table *t, uint32_t number)
{
    return (table_entry *)(void *)(t->entries + (size_t)number * t->stride);
}
static inline void *table_row_at(const row_table *t, uint32_t number)
{
    return t->entries + (size_t)number * t->stride + sizeof(table_entry);
}
static inline const uint8_t *table_key_at(const row_table *t, uint32_t number)
{
    return t->entries + (size_t)number * t->stride + sizeof(table_entry) + t->row_size;
}

void     chain_table_init(row_table *t, const chain_table_info *info, uint64_t seed);
uint32_t chain_table_find(const row_table *t, const chain_key *key); /* TABLE_NONE if absent */
/* Fetches from memory what finding the row will read: first the index, and once that is there, the row (the one at the key's first
 * slot, mostly the right one). */
typedef enum table_prefetch { TABLE_PREFETCH_INDEX, TABLE_PREFETCH_ROW } table_prefetch;
void chain_table_prefetch(const row_table *t, const chain_key *key, table_prefetch what);
uint32_t chain_table_append(row_table *t, const chain_key *key);     /* a zeroed row; the key is new and there is room */
void     chain_table_pop(row_table *t);                              /* takes the newest row back */
void     chain_table_reindex(row_table *t);                          /* after the index moved to a larger array */

#endif
