/* SPDX-License-Identifier: Apache-2.0
 * The state as records: dirty ones for checkpoints, all of them for snapshots, and back. */
#include "chain/chain_int.h"
#include "crypto/sha256.h"

bool chain_dirty_next(const chain *c, size_t *cursor, chain_record_kv *out, uint8_t *buffer)
{
    size_t skip = *cursor;
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        const row_table *t = &c->tables[i];
        if (skip >= t->mark_dirty_count) {
            skip -= t->mark_dirty_count;
            continue;
        }
        uint32_t number = t->mark_dirty[skip];
        *out = (chain_record_kv){ .table = (uint8_t)i, .key = bytes_of(table_key_at(t, number), t->info->key_len),
                                  .value = chain_row_encode(t, number, buffer) };
        ++*cursor;
        return true;
    }
    return false;
}

size_t chain_dirty_count(const chain *c)
{
    size_t count = 0;
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i))
        count += c->tables[i].mark_dirty_count;
    return count;
}

void chain_mark_clean(chain *c)
{
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        row_table *t = &c->tables[i];
        for (uint32_t k = 0; k < t->mark_dirty_count; k++)
            table_entry_at(t, t->mark_dirty[k])->in_mark = false;
        t->mark_dirty_count = 0;
    }
}

/* --- loading --- */

err chain_load_row(chain *c, uint8_t table, bytes key, bytes value, fault *f)
{
    const chain_table_info *info = chain_table_describe(table);
    if (!c->loading)
        return fail(f, ERR_STATE, "load", 0);
    if (!info)
        return fail(f, ERR_RANGE, "row.table", table);
    if (key.len != info->key_len)
        return fail(f, ERR_RANGE, "row.key", key.len);
    if (value.len > LIMIT_STATE_VALUE_BYTES)
        return fail(f, ERR_LIMIT, "row.value", value.len);
    chain_key k = { .len = (uint8_t)key.len };
    memcpy(k.b, key.data, key.len);
    if (chain_table_find(&c->tables[table], &k) != TABLE_NONE)
        return fail(f, ERR_DUPLICATE, "row.key", table);
    if (chain_table_room(c, (chain_table)table, 1) != OK)
        return fail(f, ERR_MEMORY, "row", c->tables[table].count);
    row_table *t = &c->tables[table];
    uint32_t number = chain_table_append(t, &k);
    err e = chain_record_decode_all(value, info->record, table_row_at(t, number), f);
    if (e != OK) {
        chain_table_pop(t);
        return e;
    }
    table_entry_at(t, number)->in_block = true;
    t->block_dirty[t->block_dirty_count++] = number;
    return OK;
}

err chain_load_end(chain *c, bytes signed_header, fault *f)
{
    chain_header header;
    hash256 hash;
    if (!c->loading)
        return fail(f, ERR_STATE, "load", 0);
    TRY(chain_header_decode(&header, &hash, signed_header, f));
    if (!chain_name_equal(&header.chain_id, &c->genesis.chain_id))
        return fail(f, ERR_CHAIN_ID, "header.chain_id", 0);
    if (!chain_may_produce(c, &header.producer))
        return fail(f, ERR_PERMISSION, "header.producer", 0);
    TRY(chain_params_index(c, f));
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++) { /* tables of one module share its tree */
        size_t rows = 0;
        for (unsigned k = chain_table_next(0); k < CHAIN_TABLE_END; k = chain_table_next(k))
            rows += c->tables[k].info->module == (chain_module)i ? c->tables[k].count : 0;
        TRY(chain_tree_room(c, &c->trees[i], rows));
    }
    chain_trees_sync(c);
    hash256 root = chain_trees_root(c, NULL);
    chain_block_dirty_to_mark(c);
    chain_mark_clean(c);
    if (!hash256_equal(&root, &header.state_root))
        return fail(f, ERR_HASH, "header.state_root", header.height);
    TRY(chain_audit(c, f));
    c->head = header;
    c->head_hash = hash;
    memcpy(c->head_signed, signed_header.data, signed_header.len);
    c->head_signed_len = signed_header.len;
    c->loading = false;
    return OK;
}

/* --- snapshots --- */

typedef struct item {
    uint32_t number;
    uint8_t  table;
} item;

struct chain_snapshot {
    const chain *c;
    item        *items; /* in order of (table, key) */
    size_t       count;
    size_t      *starts; /* first item of each chunk, and the count behind the last */
    size_t       chunks;
    size_t       chunk_bytes;
};

static const char snapshot_tag[] = "theblock/snapshot/v1";

/* A row takes at most its value and key and this much framing; a chunk its tag, index and two array heads. */
enum { ROW_FRAME = 16, CHUNK_FRAME = 64 };

static int compare_items(const chain *c, const item *a, const item *b)
{
    if (a->table != b->table)
        return a->table < b->table ? -1 : 1;
    const row_table *t = &c->tables[a->table];
    return memcmp(table_key_at(t, a->number), table_key_at(t, b->number), t->info->key_len);
}

/* Bottom-up merge; returns the array that holds the result. */
static item *sort_items(const chain *c, item *from, item *to, size_t count)
{
    for (size_t width = 1; width < count; width *= 2) {
        for (size_t low = 0; low < count; low += 2 * width) {
            size_t mid = low + width < count ? low + width : count;
            size_t high = low + 2 * width < count ? low + 2 * width : count;
            size_t a = low, b = mid, n = low;
            while (a < mid || b < high)
                to[n++] = b == high || (a < mid && compare_items(c, &from[a], &from[b]) <= 0) ? from[a++] : from[b++];
        }
        item *swap = from;
        from = to;
        to = swap;
    }
    return from;
}

static void cut_chunks(chain_snapshot *s)
{
    uint8_t buffer[1024];
    size_t used = 0;
    s->chunks = 0;
    for (size_t i = 0; i < s->count; i++) {
        const row_table *t = &s->c->tables[s->items[i].table];
        size_t size = chain_row_encode(t, s->items[i].number, buffer).len + t->info->key_len + ROW_FRAME;
        if (s->chunks == 0 || used + size > s->chunk_bytes) {
            s->starts[s->chunks++] = i;
            used = CHUNK_FRAME;
        }
        used += size;
    }
    s->starts[s->chunks] = s->count;
}

err chain_snapshot_new(chain_snapshot **out, const chain *c, size_t chunk_bytes, fault *f)
{
    *out = NULL;
    if (c->pending || c->loading)
        return fail(f, ERR_STATE, "block", c->head.height);
    if (chunk_bytes < 2 * LIMIT_STATE_VALUE_BYTES || chunk_bytes > LIMIT_SNAPSHOT_CHUNK_BYTES)
        return fail(f, ERR_RANGE, "chunk_bytes", chunk_bytes);
    size_t count = 0, n = 0;
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i))
        count += c->tables[i].count;
    chain_snapshot *s = chain_alloc(&c->config, 1, sizeof *s);
    item *items = chain_alloc(&c->config, count, sizeof *items), *spare = chain_alloc(&c->config, count, sizeof *spare);
    size_t *starts = chain_alloc(&c->config, count + 1, sizeof *starts);
    if (!s || !items || !spare || !starts) {
        chain_release(&c->config, s, 1, sizeof *s);
        chain_release(&c->config, items, count, sizeof *items);
        chain_release(&c->config, spare, count, sizeof *spare);
        chain_release(&c->config, starts, count + 1, sizeof *starts);
        return fail(f, ERR_MEMORY, "snapshot", count);
    }
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i))
        for (uint32_t k = 0; k < c->tables[i].count; k++)
            items[n++] = (item){ .number = k, .table = (uint8_t)i };
    item *sorted = sort_items(c, items, spare, count);
    chain_release(&c->config, sorted == items ? spare : items, count, sizeof *items);
    *s = (chain_snapshot){ .c = c, .items = sorted, .count = count, .starts = starts, .chunk_bytes = chunk_bytes };
    cut_chunks(s);
    *out = s;
    return OK;
}

void chain_snapshot_free(chain_snapshot *s)
{
    if (!s)
        return;
    chain_config config = s->c->config;
    chain_release(&config, s->items, s->count, sizeof *s->items);
    chain_release(&config, s->starts, s->count + 1, sizeof *s->starts);
    chain_release(&config, s, 1, sizeof *s);
}

size_t chain_snapshot_chunks(const chain_snapshot *s)
{
    return s->chunks;
}

err chain_snapshot_chunk(const chain_snapshot *s, size_t index, bytes *out, hash256 *hash, uint8_t *buffer)
{
    uint8_t value[1024];
    if (index >= s->chunks)
        return ERR_NOT_FOUND;
    cbor_writer w = cbor_writer_on(buffer, s->chunk_bytes);
    cbor_put_array(&w, 3);
    cbor_put_text(&w, bytes_of_str(snapshot_tag));
    cbor_put_uint(&w, index);
    cbor_put_array(&w, s->starts[index + 1] - s->starts[index]);
    for (size_t i = s->starts[index]; i < s->starts[index + 1]; i++) {
        const row_table *t = &s->c->tables[s->items[i].table];
        cbor_put_array(&w, 3);
        cbor_put_uint(&w, s->items[i].table);
        cbor_put_bytes(&w, bytes_of(table_key_at(t, s->items[i].number), t->info->key_len));
        cbor_put_bytes(&w, chain_row_encode(t, s->items[i].number, value));
    }
    TRY(cbor_finish(&w, out));
    *hash = cr_sha256(*out);
    return OK;
}

static err load_rows(chain *c, cbor_reader *r, size_t index)
{
    bytes tag;
    uint64_t number;
    size_t count;
    TRY(cbor_get_array_fixed(r, "chunk", 3));
    TRY(cbor_get_text(r, "chunk.tag", &tag, sizeof snapshot_tag));
    if (!bytes_equal(tag, bytes_of_str(snapshot_tag)))
        return fail(&r->fault, ERR_MAGIC, "chunk.tag", 1);
    TRY(cbor_get_uint(r, "chunk.index", &number));
    if (number != index)
        return fail(&r->fault, ERR_RANGE, "chunk.index", number);
    TRY(cbor_get_array(r, "chunk.rows", &count, LIMIT_SNAPSHOT_CHUNK_BYTES));
    for (size_t i = 0; i < count; i++) {
        uint64_t table;
        bytes key, value;
        TRY(cbor_get_array_fixed(r, "row", 3));
        TRY(cbor_get_uint_max(r, "row.table", &table, CHAIN_TABLE_END - 1));
        TRY(cbor_get_bytes(r, "row.key", &key, CHAIN_KEY_MAX));
        TRY(cbor_get_bytes(r, "row.value", &value, LIMIT_STATE_VALUE_BYTES));
        TRY(chain_load_row(c, (uint8_t)table, key, value, &r->fault));
    }
    return cbor_end(r);
}

err chain_load_chunk(chain *c, size_t index, bytes chunk, const hash256 *hash, fault *f)
{
    if (chunk.len > LIMIT_SNAPSHOT_CHUNK_BYTES)
        return fail(f, ERR_LIMIT, "chunk", chunk.len);
    hash256 got = cr_sha256(chunk);
    if (!hash256_equal(&got, hash))
        return fail(f, ERR_HASH, "chunk", index);
    cbor_reader r = cbor_reader_on(chunk);
    err e = load_rows(c, &r, index);
    if (e != OK && f)
        *f = r.fault;
    return e;
}
