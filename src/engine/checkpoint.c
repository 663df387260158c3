/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "engine/checkpoint.h"

#include "base/buf.h"
#include "base/port/file.h"
#include "engine/lmdb_check.h"

#include <errno.h>
#include <limits.h>
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static const char tag[] = "theblock/checkpoint/v1";
static const char meta_key[] = "checkpoint";

enum {
    MAP_BYTES_FIRST = 1 << 18,
    HEADER_BYTES = 1024,     /* LIMIT_HEADER_BYTES */
    VALUE_BYTES = 1024,      /* LIMIT_STATE_VALUE_BYTES */
    META_BYTES = 256 + HEADER_BYTES,
    ROW_HEAD = 6,            /* collected row: key length (2), value length (4), key, value */
    KEY_BYTES = 1 + CHAIN_KEY_MAX,
};

typedef struct meta {
    eng_checkpoint_mark mark;
    hash256             network;
    uint64_t            rows;
    uint8_t             header[HEADER_BYTES];
    size_t              header_len;
} meta;

struct eng_checkpoint {
    char     dir[PATH_MAX - 64];
    hash256  network;
    MDB_env *env; /* NULL after a failure: opened again by the next write */
    MDB_dbi  rows, info;
    bool     has_newest;
    meta     newest;
    buf      batch;    /* collected rows, oldest first */
    size_t   collected;
    meta     next;     /* what the batch leads to */
};

static err fail_lmdb(fault *f, int number, const char *what)
{
    err code = number > 0 ? base_errno_err(number) : ERR_IO;
    switch (number) {
    case MDB_INVALID: code = ERR_MAGIC; break;
    case MDB_VERSION_MISMATCH: code = ERR_VERSION; break;
    case MDB_CORRUPTED: case MDB_PAGE_NOTFOUND: case MDB_BAD_TXN: code = ERR_CHECKSUM; break;
    case MDB_MAP_FULL: code = ERR_LIMIT; break;
    case MDB_NOTFOUND: code = ERR_NOT_FOUND; break;
    default: break;
    }
    return fail(f, code, what, (uint64_t)(number < 0 ? -(int64_t)number : number));
}

static err data_path(char out[PATH_MAX], const char *dir, const char *name, fault *f)
{
    int n = snprintf(out, PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < PATH_MAX ? OK : fail(f, ERR_LIMIT, "checkpoint: path too long", PATH_MAX);
}

/* --- the meta record ------------------------------------------------------------------------------------------------- */

static err meta_encode(bytes *out, uint8_t *buffer, size_t cap, const meta *m)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, 7);
    cbor_put_text(&w, bytes_of(tag, sizeof tag - 1));
    cbor_put_bytes(&w, BYTES_OF(m->network));
    cbor_put_uint(&w, m->mark.height);
    cbor_put_bytes(&w, BYTES_OF(m->mark.state_root));
    cbor_put_bytes(&w, BYTES_OF(m->mark.log_mark));
    cbor_put_uint(&w, m->rows);
    cbor_put_bytes(&w, bytes_of(m->header, m->header_len));
    return cbor_finish(&w, out);
}

static err meta_read(meta *out, cbor_reader *r)
{
    bytes text, header;
    TRY(cbor_get_array_fixed(r, "checkpoint", 7));
    TRY(cbor_get_text(r, "checkpoint.tag", &text, sizeof tag));
    if (!bytes_equal(text, bytes_of(tag, sizeof tag - 1)))
        return fail(&r->fault, ERR_VERSION, "checkpoint.tag", r->at);
    TRY(cbor_get_bytes_fixed(r, "checkpoint.network", out->network.b, 32));
    TRY(cbor_get_uint(r, "checkpoint.height", &out->mark.height));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.state_root", out->mark.state_root.b, 32));
    TRY(cbor_get_bytes_fixed(r, "checkpoint.log_mark", out->mark.log_mark.b, 32));
    TRY(cbor_get_uint(r, "checkpoint.rows", &out->rows));
    TRY(cbor_get_bytes(r, "checkpoint.header", &header, sizeof out->header));
    memcpy(out->header, header.data, header.len);
    out->header_len = header.len;
    return cbor_end(r);
}

static err meta_decode(meta *out, bytes in, fault *f)
{
    cbor_reader r = cbor_reader_on(in);
    err e = meta_read(out, &r);
    return e == OK ? OK : fail(f, e, r.fault.what, r.fault.at);
}

/* --- the environment ------------------------------------------------------------------------------------------------- */

static void env_close(eng_checkpoint *cp)
{
    if (cp->env)
        mdb_env_close(cp->env);
    cp->env = NULL;
}

/* The file holds every page that the map may use, so that a full disk is met here and not in the middle of a commit. */
static err env_allocate(eng_checkpoint *cp, size_t map_bytes, fault *f)
{
    int fd;
    int number = mdb_env_get_fd(cp->env, &fd);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: file");
    uint64_t size;
    TRY(base_file_size(&size, fd, f));
    return size >= map_bytes ? OK : base_file_allocate(fd, map_bytes, f);
}

/* Checks the file that LMDB is about to trust. *size: 0 if there is none yet. */
static err check_file(uint64_t *size, const eng_checkpoint *cp, fault *f)
{
    char path[PATH_MAX];
    TRY(data_path(path, cp->dir, "data.mdb", f));
    int fd = -1;
    fault g = { 0 };
    *size = 0;
    err e = base_file_open(&fd, path, BASE_FILE_READ, &g);
    if (e == ERR_NOT_FOUND)
        return OK;
    if (e != OK)
        return fail(f, e, g.what, g.at);
    const uint8_t *data = NULL;
    e = base_file_map(&data, size, fd, f);
    base_file_close(fd);
    if (e != OK)
        return e;
    e = lmdb_check(bytes_of(data, *size), f);
    base_file_unmap(data, *size);
    return e;
}

static err remove_files(const char *dir, fault *f)
{
    static const char *const names[] = { "data.mdb", "lock.mdb" };
    for (size_t i = 0; i < COUNT_OF(names); i++) {
        char path[PATH_MAX];
        TRY(data_path(path, dir, names[i], f));
        if (unlink(path) != 0 && errno != ENOENT)
            return fail(f, base_errno_err(errno), "checkpoint: remove", (uint64_t)errno);
    }
    return OK;
}

static err open_databases(eng_checkpoint *cp, fault *f)
{
    MDB_txn *txn = NULL;
    int number = mdb_txn_begin(cp->env, NULL, 0, &txn);
    if (number == 0)
        number = mdb_dbi_open(txn, "rows", MDB_CREATE, &cp->rows);
    if (number == 0)
        number = mdb_dbi_open(txn, "meta", MDB_CREATE, &cp->info);
    if (number != 0) {
        if (txn)
            mdb_txn_abort(txn);
        return fail_lmdb(f, number, "checkpoint: databases");
    }
    number = mdb_txn_commit(txn);
    return number == 0 ? OK : fail_lmdb(f, number, "checkpoint: databases");
}

static err env_open(eng_checkpoint *cp, fault *f)
{
    uint64_t size;
    int      dead;
    TRY(check_file(&size, cp, f));
    int number = mdb_env_create(&cp->env);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: create");
    size_t map_bytes = size > MAP_BYTES_FIRST ? (size_t)size : MAP_BYTES_FIRST;
    number = mdb_env_set_mapsize(cp->env, map_bytes);
    if (number == 0)
        number = mdb_env_set_maxdbs(cp->env, 2);
    if (number == 0)
        number = mdb_env_open(cp->env, cp->dir, 0, 0600);
    if (number == 0)
        number = mdb_reader_check(cp->env, &dead);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: data.mdb");
    TRY(env_allocate(cp, map_bytes, f));
    return open_databases(cp, f);
}

/* An environment comes into being whole: made beside its place, synced by its first transaction, then renamed. */
static err env_make(const char *dir, fault *f)
{
    eng_checkpoint *cp = calloc(1, sizeof *cp);
    if (!cp)
        return fail(f, ERR_MEMORY, "checkpoint", sizeof *cp);
    err e;
    int n = snprintf(cp->dir, sizeof cp->dir, "%s.new", dir);
    if (n < 0 || (size_t)n >= sizeof cp->dir)
        TRY_OUT(fail(f, ERR_LIMIT, "checkpoint: path too long", sizeof cp->dir));
    TRY_OUT(base_dir_make(cp->dir, f));
    TRY_OUT(remove_files(cp->dir, f));
    TRY_OUT(env_open(cp, f));
    env_close(cp);
    TRY_OUT(base_dir_sync(cp->dir, f));
    TRY_OUT(base_file_rename(cp->dir, dir, BASE_FILE_REPLACE, f));
out:
    env_close(cp);
    free(cp);
    return e;
}

static err read_newest(eng_checkpoint *cp, fault *f)
{
    MDB_txn *txn = NULL;
    int number = mdb_txn_begin(cp->env, NULL, MDB_RDONLY, &txn);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: read");
    MDB_val key = { sizeof meta_key - 1, (void *)(uintptr_t)meta_key }, value;
    number = mdb_get(txn, cp->info, &key, &value);
    err e = OK;
    if (number == 0)
        e = meta_decode(&cp->newest, bytes_of(value.mv_data, value.mv_size), f);
    else if (number != MDB_NOTFOUND)
        e = fail_lmdb(f, number, "checkpoint: meta");
    cp->has_newest = number == 0 && e == OK;
    if (cp->has_newest && !hash256_equal(&cp->newest.network, &cp->network))
        e = fail(f, ERR_CHAIN_ID, "checkpoint.network", 0);
    mdb_txn_abort(txn);
    return e;
}

err eng_checkpoint_open(eng_checkpoint **out, const char *dir, const hash256 *network, fault *f)
{
    eng_checkpoint *cp = calloc(1, sizeof *cp);
    if (!cp)
        return fail(f, ERR_MEMORY, "checkpoint", sizeof *cp);
    buf_init(&cp->batch, SIZE_MAX / 2);
    cp->network = *network;
    err e;
    if (strlen(dir) >= sizeof cp->dir)
        TRY_OUT(fail(f, ERR_LIMIT, "checkpoint: path too long", sizeof cp->dir));
    memcpy(cp->dir, dir, strlen(dir) + 1);
    if (access(dir, F_OK) != 0)
        TRY_OUT(env_make(dir, f));
    TRY_OUT(env_open(cp, f));
    TRY_OUT(read_newest(cp, f));
    *out = cp;
    return OK;
out:
    eng_checkpoint_close(cp);
    return e;
}

void eng_checkpoint_close(eng_checkpoint *cp)
{
    if (!cp)
        return;
    env_close(cp);
    buf_deinit(&cp->batch);
    free(cp);
}

bool eng_checkpoint_newest(const eng_checkpoint *cp, eng_checkpoint_mark *mark)
{
    if (cp->has_newest)
        *mark = cp->newest.mark;
    return cp->has_newest;
}

/* --- loading --------------------------------------------------------------------------------------------------------- */

static err load_rows(const eng_checkpoint *cp, MDB_txn *txn, chain *c, fault *f)
{
    MDB_cursor *cursor = NULL;
    int number = mdb_cursor_open(txn, cp->rows, &cursor);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: rows");
    err      e = OK;
    uint64_t count = 0;
    MDB_val  key, value;
    while (e == OK && (number = mdb_cursor_get(cursor, &key, &value, MDB_NEXT)) == 0) {
        const uint8_t *k = key.mv_data;
        if (key.mv_size < 2 || key.mv_size > KEY_BYTES)
            e = fail(f, ERR_RANGE, "checkpoint: key of row", count);
        else
            e = chain_load_row(c, k[0], bytes_of(k + 1, key.mv_size - 1), bytes_of(value.mv_data, value.mv_size), f);
        count++;
    }
    mdb_cursor_close(cursor);
    if (e == OK && number != MDB_NOTFOUND)
        e = fail_lmdb(f, number, "checkpoint: rows");
    if (e == OK && count != cp->newest.rows)
        e = fail(f, ERR_HASH, "checkpoint.rows", count);
    return e;
}

err eng_checkpoint_load(eng_checkpoint *cp, chain **out, const chain_config *config, bytes genesis, fault *f)
{
    if (!cp->has_newest)
        return fail(f, ERR_NOT_FOUND, "checkpoint", 0);
    MDB_txn *txn = NULL;
    chain   *c = NULL;
    int number = mdb_txn_begin(cp->env, NULL, MDB_RDONLY, &txn);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: read");
    err e;
    TRY_OUT(chain_load_begin(&c, config, genesis, f));
    TRY_OUT(load_rows(cp, txn, c, f));
    TRY_OUT(chain_load_end(c, bytes_of(cp->newest.header, cp->newest.header_len), f));
    if (chain_head(c)->height != cp->newest.mark.height)
        TRY_OUT(fail(f, ERR_HASH, "checkpoint.height", cp->newest.mark.height));
    if (!hash256_equal(&chain_head(c)->state_root, &cp->newest.mark.state_root))
        TRY_OUT(fail(f, ERR_HASH, "checkpoint.state_root", cp->newest.mark.height));
    chain_mark_clean(c);
    *out = c;
out:
    mdb_txn_abort(txn);
    if (e != OK && c)
        chain_free(c);
    return e;
}

/* --- writing --------------------------------------------------------------------------------------------------------- */

err eng_checkpoint_collect(eng_checkpoint *cp, chain *c, const hash256 *log_mark, fault *f)
{
    size_t          len = cp->batch.len, cursor = 0, count = 0;
    uint8_t         value[VALUE_BYTES];
    chain_record_kv row;
    err e = OK;
    while (e == OK && chain_dirty_next(c, &cursor, &row, value)) {
        uint8_t head[ROW_HEAD + 1];
        store_le16(head, (uint16_t)(row.key.len + 1));
        store_le32(head + 2, (uint32_t)row.value.len);
        head[ROW_HEAD] = row.table;
        e = buf_put(&cp->batch, head, sizeof head);
        if (e == OK)
            e = buf_put(&cp->batch, row.key.data, row.key.len);
        if (e == OK)
            e = buf_put(&cp->batch, row.value.data, row.value.len);
        count++;
    }
    if (e != OK) {
        cp->batch.len = len;
        return fail(f, ERR_MEMORY, "checkpoint: collect", count);
    }
    bytes header = chain_head_signed(c);
    CHECK(header.len <= sizeof cp->next.header && sizeof value >= LIMIT_STATE_VALUE_BYTES);
    cp->next = (meta){ .network = cp->network, .header_len = header.len,
                       .mark = { chain_head(c)->height, chain_head(c)->state_root, *log_mark } };
    memcpy(cp->next.header, header.data, header.len);
    cp->collected += count;
    chain_mark_clean(c);
    return OK;
}

typedef struct row_ref {
    const uint8_t *row; /* into the batch, whose later rows win */
} row_ref;

static int by_key(const void *a, const void *b)
{
    const uint8_t *x = ((const row_ref *)a)->row, *y = ((const row_ref *)b)->row;
    size_t nx = load_le16(x), ny = load_le16(y);
    int c = memcmp(x + ROW_HEAD, y + ROW_HEAD, nx < ny ? nx : ny);
    if (c != 0 || nx != ny)
        return c != 0 ? c : nx < ny ? -1 : 1;
    return x < y ? -1 : x > y;
}

static bool same_key(const uint8_t *x, const uint8_t *y)
{
    return load_le16(x) == load_le16(y) && memcmp(x + ROW_HEAD, y + ROW_HEAD, load_le16(x)) == 0;
}

static int put_all(eng_checkpoint *cp, MDB_txn *txn, const row_ref *refs, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *row = refs[i].row;
        if (i + 1 < count && same_key(row, refs[i + 1].row))
            continue;
        size_t  key_len = load_le16(row);
        MDB_val key = { key_len, (void *)(uintptr_t)(row + ROW_HEAD) };
        MDB_val value = { load_le32(row + 2), (void *)(uintptr_t)(row + ROW_HEAD + key_len) };
        int number = mdb_put(txn, cp->rows, &key, &value, 0);
        if (number != 0)
            return number;
    }
    MDB_stat stat;
    int number = mdb_stat(txn, cp->rows, &stat);
    if (number != 0)
        return number;
    cp->next.rows = stat.ms_entries;
    uint8_t buffer[META_BYTES];
    bytes   record;
    CHECK(meta_encode(&record, buffer, sizeof buffer, &cp->next) == OK);
    MDB_val key = { sizeof meta_key - 1, (void *)(uintptr_t)meta_key };
    MDB_val value = { record.len, (void *)(uintptr_t)record.data };
    return mdb_put(txn, cp->info, &key, &value, 0);
}

static err grow_map(eng_checkpoint *cp, fault *f)
{
    MDB_envinfo info;
    int number = mdb_env_info(cp->env, &info);
    if (number != 0)
        return fail_lmdb(f, number, "checkpoint: info");
    size_t more = info.me_mapsize < (size_t)1 << 30 ? info.me_mapsize : (size_t)1 << 30;
    TRY(env_allocate(cp, info.me_mapsize + more, f));
    number = mdb_env_set_mapsize(cp->env, info.me_mapsize + more);
    return number == 0 ? OK : fail_lmdb(f, number, "checkpoint: map size");
}

/* One transaction; again with a larger map as long as it is full. */
static err commit_rows(eng_checkpoint *cp, const row_ref *refs, fault *f)
{
    for (;;) {
        MDB_txn *txn = NULL;
        int number = mdb_txn_begin(cp->env, NULL, 0, &txn);
        if (number != 0)
            return fail_lmdb(f, number, "checkpoint: begin");
        number = put_all(cp, txn, refs, cp->collected);
        if (number != 0)
            mdb_txn_abort(txn);
        else
            number = mdb_txn_commit(txn);
        if (number == 0)
            return OK;
        if (number != MDB_MAP_FULL)
            return fail_lmdb(f, number, "checkpoint: write");
        TRY(grow_map(cp, f));
    }
}

err eng_checkpoint_write(eng_checkpoint *cp, fault *f)
{
    if (cp->collected == 0 && (cp->next.header_len == 0 || cp->next.mark.height == cp->newest.mark.height))
        return OK;
    row_ref *refs = malloc((cp->collected ? cp->collected : 1) * sizeof *refs);
    if (!refs)
        return fail(f, ERR_MEMORY, "checkpoint: write", cp->collected);
    const uint8_t *row = cp->batch.data;
    for (size_t i = 0; i < cp->collected; i++) {
        refs[i].row = row;
        row += ROW_HEAD + load_le16(row) + load_le32(row + 2);
    }
    if (cp->collected > 1)
        qsort(refs, cp->collected, sizeof *refs, by_key);
    err e = cp->env ? OK : env_open(cp, f);
    if (e == OK)
        e = commit_rows(cp, refs, f);
    free(refs);
    if (e != OK) {
        env_close(cp); /* after a failed commit an environment must not be used again */
        return e;
    }
    cp->newest = cp->next;
    cp->has_newest = true;
    cp->collected = 0;
    buf_clear(&cp->batch);
    return OK;
}

err eng_checkpoint_remove(const char *dir, fault *f)
{
    if (access(dir, F_OK) != 0)
        return OK;
    TRY(remove_files(dir, f));
    return rmdir(dir) == 0 ? OK : fail(f, base_errno_err(errno), "checkpoint: remove", (uint64_t)errno);
}
