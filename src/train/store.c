/* SPDX-License-Identifier: Apache-2.0 */
#include "train/store.h"

#include "base/port/file.h"

#include <dirent.h>
#include <stdio.h>
#include <unistd.h>

err tr_store_name(char out[TR_PATH_MAX], const char *dir, const char *name, fault *f)
{
    int n = snprintf(out, TR_PATH_MAX, "%s/%s", dir, name);
    return n > 0 && n < TR_PATH_MAX ? OK : fail(f, ERR_LIMIT, "store: path too long", TR_PATH_MAX);
}

err tr_store_path(char out[TR_PATH_MAX], const char *dir, const hash256 *id, fault *f)
{
    char hex[65];
    base_hex_encode(hex, id->b, sizeof id->b);
    return tr_store_name(out, dir, hex, f);
}

bool tr_store_has(const char *dir, const hash256 *id)
{
    char path[TR_PATH_MAX];
    return tr_store_path(path, dir, id, NULL) == OK && access(path, R_OK) == 0;
}

void tr_store_remove(const char *dir, const hash256 *id)
{
    char path[TR_PATH_MAX];
    if (tr_store_path(path, dir, id, NULL) == OK)
        unlink(path);
}

static void remove_those(const char *dir, bool (*wanted)(const char *name))
{
    char path[TR_PATH_MAX];
    DIR *d = opendir(dir);
    for (struct dirent *e; d && (e = readdir(d)) != NULL;)
        if (wanted(e->d_name) && tr_store_name(path, dir, e->d_name, NULL) == OK)
            unlink(path);
    if (d)
        closedir(d);
}

static bool is_content(const char *name)
{
    uint8_t id[32];
    return base_hex_decode(id, sizeof id, name) == OK;
}

static bool is_incoming(const char *name)
{
    return strncmp(name, "incoming-", strlen("incoming-")) == 0;
}

void tr_store_clear(const char *dir)
{
    remove_those(dir, is_content);
}

void tr_store_clear_incoming(const char *dir)
{
    remove_those(dir, is_incoming);
}

/* Whether the file under this id is what its name says, in pieces. */
static bool intact(const char *path, const hash256 *id)
{
    uint8_t piece[65536];
    uint64_t size;
    int fd;
    if (base_file_open(&fd, path, BASE_FILE_READ, NULL) != OK)
        return false;
    cr_blake3 h;
    cr_blake3_init(&h);
    bool ok = base_file_size(&size, fd, NULL) == OK;
    for (uint64_t at = 0; ok && at < size;) {
        size_t n = size - at < sizeof piece ? (size_t)(size - at) : sizeof piece;
        ok = base_file_read_at(fd, piece, n, at, NULL) == OK;
        cr_blake3_update(&h, bytes_of(piece, n));
        at += n;
    }
    base_file_close(fd);
    hash256 got = cr_blake3_final(&h);
    return ok && hash256_equal(&got, id);
}

err tr_store_put(const char *dir, bytes content, hash256 *id, fault *f)
{
    char path[TR_PATH_MAX];
    *id = cr_blake3_hash(content);
    TRY(tr_store_path(path, dir, id, f));
    if (intact(path, id))
        return OK;
    return base_file_write_atomic(path, content, 0600, BASE_FILE_REPLACE, f);
}

err tr_store_get(buf *out, const char *dir, const hash256 *id, fault *f)
{
    char path[TR_PATH_MAX];
    size_t start = out->len;
    TRY(tr_store_path(path, dir, id, f));
    TRY(base_file_read(out, path, f));
    hash256 got = cr_blake3_hash(bytes_of(out->data + start, out->len - start));
    if (hash256_equal(&got, id))
        return OK;
    out->len = start;
    return fail(f, ERR_HASH, "store: content differs from its name", 0);
}

err tr_store_open(tr_store_writer *w, const char *dir, const char *label, fault *f)
{
    char name[96];
    memset(w, 0, sizeof *w);
    w->fd = -1;
    snprintf(name, sizeof name, "incoming-%.80s", label);
    TRY(tr_store_name(w->path, dir, name, f));
    snprintf(w->dir, sizeof w->dir, "%s", dir);
    unlink(w->path);
    cr_blake3_init(&w->hash);
    return base_file_open(&w->fd, w->path, BASE_FILE_CREATE, f);
}

err tr_store_add(tr_store_writer *w, bytes piece, fault *f)
{
    TRY(base_file_write_at(w->fd, piece, w->len, f));
    w->len += piece.len;
    cr_blake3_update(&w->hash, piece);
    return OK;
}

void tr_store_drop(tr_store_writer *w)
{
    if (w->fd < 0)
        return;
    base_file_close(w->fd);
    w->fd = -1;
    unlink(w->path);
}

err tr_store_keep(tr_store_writer *w, bool durable, hash256 *id, fault *f)
{
    *id = cr_blake3_final(&w->hash);
    return tr_store_keep_as(w, durable, id, f);
}

err tr_store_keep_as(tr_store_writer *w, bool durable, const hash256 *id, fault *f)
{
    char path[TR_PATH_MAX];
    err e = tr_store_path(path, w->dir, id, f);
    if (e == OK && durable)
        e = base_file_sync(w->fd, f);
    if (e == OK && durable)
        e = base_file_rename(w->path, path, BASE_FILE_REPLACE, f);
    else if (e == OK && rename(w->path, path) != 0)
        e = fail(f, ERR_IO, "store: rename", 0);
    if (e != OK) {
        tr_store_drop(w);
        return e;
    }
    base_file_close(w->fd);
    w->fd = -1;
    return OK;
}
