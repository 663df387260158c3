/* SPDX-License-Identifier: Apache-2.0
 * Layouts: lmdb 0.9 (mdb.c: MDB_page, MDB_node, MDB_db, MDB_meta), 64-bit, little-endian. */
#include "engine/lmdb_check.h"

#include <stdlib.h>

enum {
    PAGE_HEADER = 16,
    NODE_HEADER = 8,
    DB_BYTES = 48,
    META_BYTES = 136,
    PAGE_BRANCH = 1,
    PAGE_LEAF = 2,
    PAGE_OVERFLOW = 4,
    PAGE_META = 8,
    NODE_BIG = 1,
    NODE_SUBDATA = 2,
    FLAG_INTEGER_KEY = 8,
    DEPTH_MAX = 32,
};

#define NO_PAGE UINT64_MAX

typedef struct db {
    uint32_t flags;
    unsigned depth;
    uint64_t branch, leaf, overflow, entries, root;
} db;

typedef enum db_kind { KIND_FREE, KIND_MAIN, KIND_NAMED } db_kind;

typedef struct walk {
    bytes    file;
    size_t   psize;
    uint64_t last_page, txn;
    uint8_t *seen; /* one bit a page */
    fault   *f;
    db_kind  kind;
    db       count; /* what was met of the database being walked */
    bytes    last_key;
    bool     has_key;
} walk;

typedef struct node {
    unsigned flags;
    bytes    key;
    uint64_t child; /* in a branch */
    uint64_t size;  /* of the value, in a leaf */
    const uint8_t *data;
} node;

static err bad(const walk *w, const char *what, uint64_t page)
{
    return fail(w->f, ERR_CHECKSUM, what, page * w->psize);
}

static db read_db(const uint8_t *p)
{
    return (db){ load_le16(p + 4), load_le16(p + 6), load_le64(p + 8), load_le64(p + 16), load_le64(p + 24), load_le64(p + 32),
                 load_le64(p + 40) };
}

static bool was_seen(const walk *w, uint64_t page)
{
    return (w->seen[page / 8] >> page % 8 & 1) != 0;
}

/* Takes a page into use: it lies in the file, behind the meta pages, and belongs to one place only. */
static err claim(walk *w, uint64_t page)
{
    if (page < 2 || page > w->last_page)
        return bad(w, "data.mdb: page number out of range", page > w->last_page ? 0 : page);
    if (was_seen(w, page))
        return bad(w, "data.mdb: page used twice", page);
    w->seen[page / 8] = (uint8_t)(w->seen[page / 8] | 1u << page % 8);
    return OK;
}

static int compare_keys(const walk *w, bytes a, bytes b)
{
    if (w->kind == KIND_FREE) {
        uint64_t x = load_le64(a.data), y = load_le64(b.data);
        return x < y ? -1 : x > y;
    }
    int c = memcmp(a.data, b.data, a.len < b.len ? a.len : b.len);
    return c ? c : a.len < b.len ? -1 : a.len > b.len;
}

/* Node i of a page whose bounds were checked. */
static err read_node(const walk *w, node *out, uint64_t page, size_t i, bool branch)
{
    const uint8_t *p = w->file.data + page * w->psize;
    size_t at = load_le16(p + PAGE_HEADER + 2 * i), upper = load_le16(p + 14);
    if (at < upper || at % 2 != 0 || at + NODE_HEADER > w->psize)
        return bad(w, "data.mdb: node outside its page", page);
    const uint8_t *n = p + at;
    uint64_t low = load_le16(n) | (uint64_t)load_le16(n + 2) << 16;
    *out = (node){ .flags = load_le16(n + 4), .key = bytes_of(n + NODE_HEADER, load_le16(n + 6)) };
    size_t room = w->psize - at - NODE_HEADER;
    if (out->key.len > room || out->key.len > 511)
        return bad(w, "data.mdb: key outside its page", page);
    if ((w->kind == KIND_FREE && out->key.len != 8 && !(branch && i == 0)) || (out->key.len == 0 && !(branch && i == 0)))
        return bad(w, "data.mdb: key length", page);
    out->data = out->key.data + out->key.len;
    if (branch) {
        out->child = low | (uint64_t)out->flags << 32;
        return OK;
    }
    out->size = low;
    if (out->flags != 0 && out->flags != NODE_BIG && out->flags != NODE_SUBDATA)
        return bad(w, "data.mdb: node flags", page);
    if ((out->flags == NODE_BIG ? 8 : out->size) > room - out->key.len)
        return bad(w, "data.mdb: value outside its page", page);
    return OK;
}

static err read_overflow(walk *w, node *n, uint64_t from)
{
    uint64_t first = load_le64(n->data), pages = (PAGE_HEADER - 1 + n->size) / w->psize + 1;
    if (first < 2 || first > w->last_page || pages > w->last_page - first + 1)
        return bad(w, "data.mdb: overflow pages out of range", from);
    const uint8_t *p = w->file.data + first * w->psize;
    if (load_le64(p) != first || load_le16(p + 10) != PAGE_OVERFLOW || load_le32(p + 12) != pages)
        return bad(w, "data.mdb: overflow page header", first);
    for (uint64_t i = 0; i < pages; i++)
        TRY(claim(w, first + i));
    w->count.overflow += pages;
    n->data = p + PAGE_HEADER;
    return OK;
}

/* A list of free pages: count, then page numbers in descending order. They are claimed, so nothing live is among them. */
static err check_free_list(walk *w, const node *n, uint64_t page)
{
    if (n->size < 8 || n->size % 8 != 0 || load_le64(n->data) != n->size / 8 - 1 || load_le64(n->key.data) > w->txn)
        return bad(w, "data.mdb: list of free pages", page);
    uint64_t before = NO_PAGE;
    for (uint64_t i = 1; i < n->size / 8; i++) {
        uint64_t number = load_le64(n->data + 8 * i);
        if (number >= before)
            return bad(w, "data.mdb: list of free pages", page);
        TRY(claim(w, number));
        before = number;
    }
    return OK;
}

static err check_leaf_node(walk *w, node *n, uint64_t page)
{
    if (w->has_key && compare_keys(w, w->last_key, n->key) >= 0)
        return bad(w, "data.mdb: keys out of order", page);
    w->last_key = n->key;
    w->has_key = true;
    w->count.entries++;
    if ((n->flags == NODE_SUBDATA) != (w->kind == KIND_MAIN) || (n->flags == NODE_SUBDATA && n->size != DB_BYTES))
        return bad(w, "data.mdb: kind of node", page);
    if (n->flags == NODE_BIG)
        TRY(read_overflow(w, n, page));
    return w->kind == KIND_FREE ? check_free_list(w, n, page) : OK;
}

static err walk_page(walk *w, uint64_t page, unsigned depth)
{
    TRY(claim(w, page));
    const uint8_t *p = w->file.data + page * w->psize;
    unsigned flags = load_le16(p + 10);
    size_t   lower = load_le16(p + 12), upper = load_le16(p + 14), least = depth > 1 && w->kind != KIND_FREE ? 2 : 1;
    bool     branch = depth > 1;
    if (load_le64(p) != page || flags != (branch ? PAGE_BRANCH : PAGE_LEAF))
        return bad(w, "data.mdb: page header", page);
    if (lower < PAGE_HEADER + 2 * least || lower % 2 != 0 || lower > upper || upper > w->psize)
        return bad(w, "data.mdb: page bounds", page);
    if (branch)
        w->count.branch++;
    else
        w->count.leaf++;
    for (size_t i = 0; i < (lower - PAGE_HEADER) / 2; i++) {
        node n;
        TRY(read_node(w, &n, page, i, branch));
        if (!branch) {
            TRY(check_leaf_node(w, &n, page));
            continue;
        }
        if (i > 0 && w->has_key && compare_keys(w, w->last_key, n.key) >= 0)
            return bad(w, "data.mdb: branch out of order", page);
        TRY(walk_page(w, n.child, depth - 1));
    }
    return OK;
}

static err walk_db(walk *w, const db *d, db_kind kind)
{
    w->kind = kind;
    w->count = (db){ .root = d->root };
    w->has_key = false;
    if (d->flags != (kind == KIND_FREE ? FLAG_INTEGER_KEY : 0) || d->depth > DEPTH_MAX || (d->depth == 0) != (d->root == NO_PAGE))
        return bad(w, "data.mdb: database record", 0);
    if (d->root != NO_PAGE)
        TRY(walk_page(w, d->root, d->depth));
    if (w->count.branch != d->branch || w->count.leaf != d->leaf || w->count.overflow != d->overflow ||
        w->count.entries != d->entries)
        return bad(w, "data.mdb: counts of a database", d->root == NO_PAGE ? 0 : d->root);
    return OK;
}

/* The named databases: their records are the values of the main one, all in one leaf page (there are two). */
static err walk_named(walk *w, const db *main_db)
{
    if (main_db->root == NO_PAGE)
        return OK;
    if (main_db->depth != 1)
        return bad(w, "data.mdb: main database", main_db->root);
    const uint8_t *p = w->file.data + main_db->root * w->psize;
    for (size_t i = 0; i < (load_le16(p + 12) - (size_t)PAGE_HEADER) / 2; i++) {
        node n;
        w->kind = KIND_MAIN;
        TRY(read_node(w, &n, main_db->root, i, false));
        db named = read_db(n.data);
        TRY(walk_db(w, &named, KIND_NAMED));
    }
    return OK;
}

/* The meta page at `at`: its transaction number, and the page size that it states. */
static err read_meta(bytes file, size_t at, uint64_t *txn, size_t *psize, fault *f)
{
    if (file.len < at + PAGE_HEADER + META_BYTES)
        return fail(f, ERR_TRUNCATED, "data.mdb: meta page", file.len);
    const uint8_t *p = file.data + at, *m = p + PAGE_HEADER;
    if (load_le16(p + 10) != PAGE_META || load_le32(m) != 0xbeefc0deu)
        return fail(f, ERR_MAGIC, "data.mdb: magic", at);
    if (load_le32(m + 4) != 1)
        return fail(f, ERR_VERSION, "data.mdb: version", at);
    *psize = load_le32(m + 24);
    *txn = load_le64(m + 128);
    if (*psize < 4096 || *psize > 65536 || (*psize & (*psize - 1)) != 0)
        return fail(f, ERR_RANGE, "data.mdb: page size", at);
    return OK;
}

err lmdb_check(bytes file, fault *f)
{
    uint64_t txns[2];
    size_t   psize, again;
    TRY(read_meta(file, 0, &txns[0], &psize, f));
    TRY(read_meta(file, psize, &txns[1], &again, f));
    if (again != psize)
        return fail(f, ERR_CHECKSUM, "data.mdb: page size", psize);
    const uint8_t *m = file.data + (txns[1] > txns[0] ? psize : 0) + PAGE_HEADER;
    walk w = { .file = file, .psize = psize, .last_page = load_le64(m + 120), .txn = load_le64(m + 128), .f = f };
    if (w.last_page < 1 || w.last_page >= file.len / psize)
        return fail(f, ERR_TRUNCATED, "data.mdb: ends early", file.len);
    w.seen = calloc(w.last_page / 8 + 1, 1);
    if (!w.seen)
        return fail(f, ERR_MEMORY, "data.mdb: check", w.last_page);
    db  free_db = read_db(m + 24), main_db = read_db(m + 24 + DB_BYTES);
    err e = walk_db(&w, &main_db, KIND_MAIN);
    if (e == OK)
        e = walk_named(&w, &main_db);
    if (e == OK)
        e = walk_db(&w, &free_db, KIND_FREE);
    free(w.seen);
    return e;
}
