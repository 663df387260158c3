/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/chain_int.h"
#include "chain/field_int.h"
#include "crypto/sha256.h"

/* --- what the tables are --- */

#define ROW_BEGIN(ID, number, name, module, key_len, doc) static const chain_field fields_##name[] = {
#define FIELD(record, type, field, max, doc) CHAIN_FIELD(chain_row_##record, record, type, field, max, doc)
#define ROW_END(ID, name) };
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END

#define ROW_BEGIN(ID, number, title, module, key_len, text)                                                             \
    static const chain_record record_##title = { .name = #title, .doc = (text), .fields = fields_##title,               \
                                                 .count = COUNT_OF(fields_##title), .size = sizeof(chain_row_##title) };
#define FIELD(record, type, field, max, doc)
#define ROW_END(ID, name)
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END

static const chain_table_info tables[CHAIN_TABLE_END] = {
#define ROW_BEGIN(ID, number, name, mod, length, doc)                                                                   \
    [number] = { .table = CHAIN_TABLE_##ID, .module = CHAIN_MODULE_##mod, .key_len = (length), .record = &record_##name },
#define FIELD(record, type, field, max, doc)
#define ROW_END(ID, name)
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END
};

const chain_table_info *chain_table_describe(uint64_t table)
{
    return table < CHAIN_TABLE_END && tables[table].record ? &tables[table] : NULL;
}

unsigned chain_table_next(unsigned table)
{
    do
        table++;
    while (table < CHAIN_TABLE_END && !tables[table].record);
    return table;
}

/* --- keys --- */

chain_key chain_key_address(const cr_address *a)
{
    chain_key k = { .len = 33 };
    chain_address_pack(k.b, a);
    return k;
}

chain_key chain_key_supply(void)
{
    return (chain_key){ .len = 1 };
}

static chain_key key_u32(uint32_t number)
{
    chain_key k = { .len = 4 };
    store_be32(k.b, number);
    return k;
}

chain_key chain_key_param(chain_param p)
{
    return key_u32(chain_param_rows[p].number);
}

chain_key chain_key_pack(uint32_t region)
{
    return key_u32(region);
}

chain_key chain_key_job(const hash256 *job)
{
    chain_key k = { .len = 32 };
    memcpy(k.b, job->b, 32);
    return k;
}

chain_key chain_key_bid(const hash256 *job, const cr_address *worker)
{
    chain_key k = { .len = 65 };
    memcpy(k.b, job->b, 32);
    chain_address_pack(k.b + 32, worker);
    return k;
}

chain_key chain_key_numbered(const hash256 *job, uint64_t number)
{
    chain_key k = { .len = 40 };
    memcpy(k.b, job->b, 32);
    store_be64(k.b + 32, number);
    return k;
}

chain_key chain_key_height(uint64_t height)
{
    chain_key k = { .len = 8 };
    store_be64(k.b, height);
    return k;
}

chain_key chain_key_one(uint8_t number)
{
    return (chain_key){ .len = 1, .b = { number } };
}

chain_key chain_key_provider(uint8_t market, const cr_address *a)
{
    chain_key k = { .len = 34, .b = { market } };
    chain_address_pack(k.b + 1, a);
    return k;
}

chain_key chain_key_award(uint64_t epoch, uint8_t market)
{
    chain_key k = { .len = 9 };
    store_be64(k.b, epoch);
    k.b[8] = market;
    return k;
}

chain_key chain_key_region(uint8_t market, uint32_t region)
{
    chain_key k = { .len = 5, .b = { market } };
    store_be32(k.b + 1, region);
    return k;
}

chain_key chain_key_person(const cr_address *issuer, const hash256 *commitment)
{
    chain_key k = { .len = 65 };
    chain_address_pack(k.b, issuer);
    memcpy(k.b + 33, commitment->b, 32);
    return k;
}

chain_key chain_key_authority(uint8_t role, const cr_address *a)
{
    chain_key k = { .len = 34 };
    k.b[0] = role;
    if (a)
        chain_address_pack(k.b + 1, a);
    return k;
}

chain_key chain_key_badge(uint8_t market, uint8_t role, const cr_address *a)
{
    chain_key k = { .len = 35, .b = { market, role } };
    chain_address_pack(k.b + 2, a);
    return k;
}

chain_key chain_key_due(uint64_t epoch)
{
    return key_u32((uint32_t)(epoch % LIMIT_BADGE_SLOTS));
}

chain_key chain_key_release(const cr_address *builder, const hash256 *release)
{
    return chain_key_person(builder, release);
}

chain_key chain_key_overlay(const chain_name *community)
{
    hash256 id = cr_sha256_concat((const bytes[]){ bytes_of_str("theblock/overlay/v1"), bytes_of(community->text, community->len) }, 2);
    return chain_key_job(&id);
}

chain_key chain_key_member(const hash256 *overlay, const cr_address *a)
{
    return chain_key_bid(overlay, a);
}

chain_key chain_key_feed(uint64_t feed, const cr_address *source)
{
    chain_key k = { .len = 41 };
    store_be64(k.b, feed);
    chain_address_pack(k.b + 8, source);
    return k;
}

chain_key chain_key_reading(uint64_t feed, uint64_t place)
{
    chain_key k = { .len = 16 };
    store_be64(k.b, feed);
    store_be64(k.b + 8, place);
    return k;
}

cr_address chain_treasury_address(void)
{
    return cr_address_of_chain("treasury");
}

/* --- rows and the journal --- */

const void *chain_row_get(const chain *c, chain_table table, const chain_key *key)
{
    uint32_t number = chain_table_find(&c->tables[table], key);
    return number == TABLE_NONE ? NULL : table_row_at(&c->tables[table], number);
}

static bool list_in_block(row_table *t, uint32_t number)
{
    table_entry *entry = table_entry_at(t, number);
    if (entry->in_block)
        return false;
    entry->in_block = true;
    t->block_dirty[t->block_dirty_count++] = number;
    return true;
}

/* The worst case was reserved before the block: no room here means that the reserve is computed wrongly. */
static uint8_t *journal_take(chain *c, size_t len)
{
    CHECK(len <= c->journal_cap - c->journal_len);
    uint8_t *at = c->journal + c->journal_len;
    c->journal_len += len;
    return at;
}

static void *edit_number(chain *c, chain_table table, uint32_t number)
{
    row_table *t = &c->tables[table];
    void *row = table_row_at(t, number);
    memcpy(journal_take(c, t->row_size), row, t->row_size);
    journal_entry j = { .number = number, .table = (uint8_t)table, .first_in_block = list_in_block(t, number) };
    memcpy(journal_take(c, sizeof j), &j, sizeof j);
    return row;
}

void *chain_row_edit(chain *c, chain_table table, const chain_key *key)
{
    uint32_t number = chain_table_find(&c->tables[table], key);
    CHECK(number != TABLE_NONE);
    return edit_number(c, table, number);
}

void *chain_row_create(chain *c, chain_table table, const chain_key *key)
{
    row_table *t = &c->tables[table];
    CHECK(chain_table_find(t, key) == TABLE_NONE);
    uint32_t number = chain_table_append(t, key);
    journal_entry j = { .number = number, .table = (uint8_t)table, .created = true,
                        .first_in_block = list_in_block(t, number) };
    memcpy(journal_take(c, sizeof j), &j, sizeof j);
    return table_row_at(t, number);
}

void *chain_row_edit_or_create(chain *c, chain_table table, const chain_key *key)
{
    uint32_t number = chain_table_find(&c->tables[table], key);
    return number == TABLE_NONE ? chain_row_create(c, table, key) : edit_number(c, table, number);
}

size_t chain_journal_mark(const chain *c)
{
    return c->journal_len;
}

static void undo_one(chain *c, const journal_entry *j)
{
    row_table *t = &c->tables[j->table];
    tree *tr = &c->trees[t->info->module];
    table_entry *entry = table_entry_at(t, j->number);
    if (!j->created) {
        c->journal_len -= t->row_size;
        memcpy(table_row_at(t, j->number), c->journal + c->journal_len, t->row_size);
    }
    if (j->first_in_block) {
        /* Undo runs backwards, so the row is the newest in the list, and has its old value now. */
        CHECK(t->block_dirty_count && t->block_dirty[t->block_dirty_count - 1] == j->number);
        t->block_dirty_count--;
        entry->in_block = false;
        if (c->trees_ahead && !j->created) {
            uint8_t buffer[1024];
            hash256 value_hash = smt_value_hash(chain_row_encode(t, j->number, buffer));
            chain_tree_update(tr, entry->leaf, &value_hash);
        }
    }
    if (j->created) {
        CHECK(j->number == t->count - 1);
        if (entry->leaf != TREE_NONE)
            chain_tree_remove(tr, entry->leaf);
        chain_table_pop(t);
    }
}

void chain_journal_undo(chain *c, size_t mark)
{
    while (c->journal_len > mark) {
        journal_entry j;
        c->journal_len -= sizeof j;
        memcpy(&j, c->journal + c->journal_len, sizeof j);
        undo_one(c, &j);
    }
    CHECK(c->journal_len == mark);
}

bytes chain_row_encode(const row_table *t, uint32_t number, uint8_t *buffer)
{
    cbor_writer w = cbor_writer_on(buffer, LIMIT_STATE_VALUE_BYTES);
    chain_record_encode(&w, t->info->record, table_row_at(t, number));
    bytes out;
    CHECK(cbor_finish(&w, &out) == OK);
    return out;
}

err chain_params_allowed(const chain *c, const chain_params *p, fault *f)
{
    TRY(chain_bounds_check(c->genesis.bounds, c->genesis.bound_count, p, f));
    return chain_params_check(p, f);
}

err chain_params_hold(const chain *c, fault *f)
{
    chain_params now;
    fault broken = { 0 };
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        now.v[i] = param(c, (chain_param)i);
    if (chain_params_allowed(c, &now, &broken) != OK)
        return fail(f, ERR_INVARIANT, broken.what, broken.at);
    const int64_t tariff = chain_economy(c)->tariff;
    for (size_t i = 0; i < c->genesis.bound_count; i++) {
        const chain_bound *b = &c->genesis.bounds[i]; /* of rates of at most BPS, or the rows' bounds would not have let them in */
        if ((b->param == CHAIN_PARAM_TARIFF_MIN && tariff < (int64_t)(b->min << 32)) ||
            (b->param == CHAIN_PARAM_TARIFF_MAX && tariff > (int64_t)(b->max << 32)))
            return fail(f, ERR_INVARIANT, chain_bound_name(b->param), (uint64_t)tariff >> 32);
    }
    return OK;
}

err chain_params_index(chain *c, fault *f)
{
    chain_params all;
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        chain_key key = chain_key_param((chain_param)i);
        uint32_t number = chain_table_find(&c->tables[CHAIN_TABLE_PARAM], &key);
        if (number == TABLE_NONE)
            return fail(f, ERR_FIELD, chain_param_rows[i].key, i);
        c->param_rows[i] = number;
        all.v[i] = param(c, (chain_param)i);
    }
    return chain_params_allowed(c, &all, f);
}

/* --- the authenticated side --- */

/* Each of the next dirty rows has one step of its way up the tree fetched: the climbs are chains of reads, and so they overlap. */
static void prefetch_leaves(const row_table *t, const tree *tr, uint32_t k)
{
    for (unsigned level = 0; level < TREE_PREFETCH_LEVELS; level++) {
        uint32_t ahead = k + 2 * (TREE_PREFETCH_LEVELS - level);
        if (ahead < t->block_dirty_count)
            chain_tree_prefetch(tr, table_entry_at(t, t->block_dirty[ahead])->leaf, level);
    }
}

void chain_trees_sync(chain *c)
{
    uint8_t buffer[1024];
    _Static_assert(sizeof buffer == 1024, "LIMIT_STATE_VALUE_BYTES");
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        row_table *t = &c->tables[i];
        tree *tr = &c->trees[t->info->module];
        for (uint32_t k = 0; k < t->block_dirty_count; k++) {
            uint32_t number = t->block_dirty[k];
            table_entry *entry = table_entry_at(t, number);
            prefetch_leaves(t, tr, k);
            hash256 value_hash = smt_value_hash(chain_row_encode(t, number, buffer));
            if (entry->leaf != TREE_NONE) {
                chain_tree_update(tr, entry->leaf, &value_hash);
                continue;
            }
            hash256 path = smt_path((uint8_t)i, bytes_of(table_key_at(t, number), t->info->key_len));
            entry->leaf = chain_tree_insert(tr, &path, &value_hash);
        }
    }
}

hash256 chain_trees_root(chain *c, hash256 module_roots[CHAIN_MODULE_COUNT])
{
    static const uint8_t leaf = 0;
    hash256 leaves[CHAIN_MODULE_COUNT];
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++) {
        hash256 root = chain_tree_root(&c->trees[i]);
        if (module_roots)
            module_roots[i] = root;
        leaves[i] = cr_sha256_concat((const bytes[]){ bytes_of(&leaf, 1), BYTES_OF(root) }, 2);
    }
    return chain_rfc6962_root(leaves, CHAIN_MODULE_COUNT);
}

void chain_block_dirty_to_mark(chain *c)
{
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        row_table *t = &c->tables[i];
        for (uint32_t k = 0; k < t->block_dirty_count; k++) {
            table_entry *entry = table_entry_at(t, t->block_dirty[k]);
            entry->in_block = false;
            if (!entry->in_mark) {
                entry->in_mark = true;
                t->mark_dirty[t->mark_dirty_count++] = t->block_dirty[k];
            }
        }
        t->block_dirty_count = 0;
    }
}
