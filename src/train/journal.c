/* SPDX-License-Identifier: Apache-2.0
 *
 * Record = le32 length, first 8 bytes of the BLAKE3 of the payload, payload (canonical CBOR). */
#include "train/journal.h"

#include "base/cbor.h"
#include "base/port/file.h"
#include "crypto/blake3.h"

#include <unistd.h>

enum { FRAME = 12, PAYLOAD_MAX = 2 * 2048 + 256 };

static err encode(uint8_t out[FRAME + PAYLOAD_MAX], bytes *view, const tr_journal_record *r)
{
    cbor_writer w = cbor_writer_on(out + FRAME, PAYLOAD_MAX);
    cbor_put_array(&w, 6);
    cbor_put_uint(&w, r->kind);
    cbor_put_uint(&w, r->step);
    cbor_put_uint(&w, r->lease_id);
    cbor_put_bytes(&w, r->lease);
    cbor_put_bytes(&w, r->attestation);
    cbor_put_bytes(&w, BYTES_OF(r->file));
    TRY(cbor_finish(&w, view));
    hash256 h = cr_blake3_hash(*view);
    store_le32(out, (uint32_t)view->len);
    memcpy(out + 4, h.b, 8);
    *view = bytes_of(out, FRAME + view->len);
    return OK;
}

static err fields(tr_journal_record *out, cbor_reader *r)
{
    uint64_t kind;
    TRY(cbor_get_array_fixed(r, "journal", 6));
    TRY(cbor_get_uint_max(r, "journal.kind", &kind, TR_JOURNAL_OWN));
    out->kind = (tr_journal_kind)kind;
    TRY(cbor_get_uint(r, "journal.step", &out->step));
    TRY(cbor_get_uint(r, "journal.lease_id", &out->lease_id));
    TRY(cbor_get_bytes(r, "journal.lease", &out->lease, LIMIT_LEASE_BYTES));
    TRY(cbor_get_bytes(r, "journal.attestation", &out->attestation, LIMIT_LEASE_BYTES));
    TRY(cbor_get_bytes_fixed(r, "journal.file", out->file.b, 32));
    return cbor_end(r);
}

/* Length of the whole record at `at`, 0 if there is none. */
static size_t read_record(tr_journal_record *out, const buf *b, size_t at)
{
    if (b->len - at < FRAME)
        return 0;
    size_t len = load_le32(b->data + at);
    if (len > PAYLOAD_MAX || b->len - at - FRAME < len)
        return 0;
    bytes payload = bytes_of(b->data + at + FRAME, len);
    hash256 h = cr_blake3_hash(payload);
    cbor_reader r = cbor_reader_on(payload);
    if (memcmp(h.b, b->data + at + 4, 8) != 0 || fields(out, &r) != OK)
        return 0;
    return FRAME + len;
}

static err cut(tr_journal *j, uint64_t len, fault *f)
{
    if (ftruncate(j->fd, (off_t)len) != 0)
        return fail(f, ERR_IO, "journal: truncate", len);
    j->len = len;
    return base_file_sync(j->fd, f);
}

err tr_journal_open(tr_journal *j, const char *path, tr_journal_fn fn, void *ctx, uint64_t *lost, fault *f)
{
    buf b;
    buf_init(&b, (size_t)1 << 30);
    *j = (tr_journal){ .fd = -1 };
    err e = base_file_open(&j->fd, path, BASE_FILE_WRITE, f);
    if (e == ERR_NOT_FOUND)
        e = base_file_open(&j->fd, path, BASE_FILE_CREATE, f);
    if (e == OK)
        e = base_file_read(&b, path, f);
    size_t at = 0, len;
    tr_journal_record record = { 0 };
    while (e == OK && (len = read_record(&record, &b, at)) > 0) {
        e = fn(ctx, &record);
        at += len;
    }
    if (e == OK && lost)
        *lost = b.len - at;
    j->len = at;
    if (e == OK && at < b.len)
        e = cut(j, at, f);
    buf_deinit(&b);
    if (e != OK)
        tr_journal_close(j);
    return e;
}

void tr_journal_close(tr_journal *j)
{
    base_file_close(j->fd);
    j->fd = -1;
}

err tr_journal_add(tr_journal *j, const tr_journal_record *record, fault *f)
{
    uint8_t text[FRAME + PAYLOAD_MAX];
    bytes view;
    err e = encode(text, &view, record);
    if (e != OK)
        return fail(f, e, "journal", record->lease_id);
    e = base_file_write_at(j->fd, view, j->len, f);
    if (e != OK) {
        fault ignored;
        err again = cut(j, j->len, &ignored); /* a torn tail is cut off at the next opening as well */
        (void)again;
        return e;
    }
    j->len += view.len;
    return OK;
}

err tr_journal_sync(tr_journal *j, fault *f)
{
    return base_file_sync(j->fd, f);
}

err tr_journal_clear(tr_journal *j, fault *f)
{
    return cut(j, 0, f);
}
