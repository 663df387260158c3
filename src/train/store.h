/* SPDX-License-Identifier: Apache-2.0
 *
 * Files named by what is in them: <64 hex digits of the BLAKE3 of the content>. Reading verifies. A file is written once, under
 * another name first, so that whatever stands under a content id is whole; a damaged file is reported, never returned. */
#ifndef TRAIN_STORE_H
#define TRAIN_STORE_H

#include "base/buf.h"
#include "crypto/blake3.h"

enum { TR_PATH_MAX = 1024 };

/* "<dir>/<hex of id>"; ERR_LIMIT if it does not fit. */
err tr_store_path(char out[TR_PATH_MAX], const char *dir, const hash256 *id, fault *f) MUST_USE;
/* "<dir>/<name>" */
err tr_store_name(char out[TR_PATH_MAX], const char *dir, const char *name, fault *f) MUST_USE;

/* Durable when it returns. A file that stands there already is left alone if it is intact, else replaced. */
err tr_store_put(const char *dir, bytes content, hash256 *id, fault *f) MUST_USE;

/* Appends to `out`. ERR_NOT_FOUND; ERR_HASH if the file is not what its name says; ERR_LIMIT above the buffer's bound. On failure
 * `out` is as before. */
err tr_store_get(buf *out, const char *dir, const hash256 *id, fault *f) MUST_USE;

bool tr_store_has(const char *dir, const hash256 *id);
void tr_store_remove(const char *dir, const hash256 *id);
void tr_store_clear(const char *dir); /* removes every file that is named by content */
void tr_store_clear_incoming(const char *dir); /* and those of writers of an earlier life; none is open */

/* A file that is too large for memory, or whose id is known only at its end: pieces in order, then keep or drop. The temporary
 * name is <dir>/incoming-<label>; a stale one is replaced. */
typedef struct tr_store_writer {
    int       fd;
    uint64_t  len;
    cr_blake3 hash;
    char      path[TR_PATH_MAX], dir[TR_PATH_MAX];
} tr_store_writer;

err  tr_store_open(tr_store_writer *w, const char *dir, const char *label, fault *f) MUST_USE;
err  tr_store_add(tr_store_writer *w, bytes piece, fault *f) MUST_USE;
/* Syncs (if `durable`) and renames. On failure the temporary file is gone. The writer is closed either way. */
err  tr_store_keep(tr_store_writer *w, bool durable, hash256 *id, fault *f) MUST_USE;
/* Under another name than the content's hash: who reads it has a check of his own. */
err  tr_store_keep_as(tr_store_writer *w, bool durable, const hash256 *id, fault *f) MUST_USE;
void tr_store_drop(tr_store_writer *w); /* harmless on a closed writer */

#endif
