/* SPDX-License-Identifier: Apache-2.0 */
#include "train/wire.h"

#include "base/cbor.h"
#include "crypto/blake3.h"

#include <stdio.h>

static const char request_magic[] = "theblock/train-request/v1";
static const char session_magic[] = "theblock/train-session/v1";

/* What is signed. Returns its length. */
static bytes signed_message(uint8_t out[512], const tr_addressee *to, uint64_t nonce, const tr_request *r)
{
    bytes view = { 0 };
    hash256 body = cr_blake3_hash(r->body);
    cbor_writer w = cbor_writer_on(out, 512);
    cbor_put_array(&w, 8);
    cbor_put_text(&w, bytes_of(request_magic, sizeof request_magic - 1));
    cbor_put_bytes(&w, BYTES_OF(to->job));
    cbor_put_bytes(&w, BYTES_OF(to->coordinator));
    cbor_put_bytes(&w, BYTES_OF(to->session));
    cbor_put_uint(&w, nonce);
    cbor_put_text(&w, bytes_of_str(r->method));
    cbor_put_bytes(&w, bytes_of_str(r->path));
    cbor_put_bytes(&w, BYTES_OF(body));
    return cbor_finish(&w, &view) == OK ? view : (bytes){ 0 };
}

void tr_auth_sign(char out[TR_AUTH_BYTES], const cr_secret_key *key, const tr_addressee *to, uint64_t nonce, const tr_request *request)
{
    uint8_t text[512], be[8];
    cr_signature s;
    CHECK(strlen(request->path) <= TR_URL_MAX);
    cr_ed25519_sign(&s, key, signed_message(text, to, nonce, request));
    store_be64(be, nonce);
    base_hex_encode(out, key->b + 32, 32);
    out[64] = '-';
    base_hex_encode(out + 65, to->session, TR_SESSION_BYTES);
    out[97] = '-';
    base_hex_encode(out + 98, be, 8);
    out[114] = '-';
    base_hex_encode(out + 115, s.b, 64);
}

bool tr_take_hex(uint8_t *out, size_t len, const char *text)
{
    char part[129];
    snprintf(part, sizeof part, "%.*s", (int)(2 * len), text);
    return base_hex_decode(out, len, part) == OK;
}

err tr_auth_parse(tr_auth *out, const char *text, fault *f)
{
    uint8_t be[8];
    if (!text || strlen(text) != TR_AUTH_BYTES - 1 || text[64] != '-' || text[97] != '-' || text[114] != '-')
        return fail(f, ERR_SYNTAX, "auth", 0);
    if (!tr_take_hex(out->key.b, 32, text) || !tr_take_hex(out->session, TR_SESSION_BYTES, text + 65) || !tr_take_hex(be, 8, text + 98) ||
        !tr_take_hex(out->signature.b, 64, text + 115))
        return fail(f, ERR_SYNTAX, "auth", 0);
    out->nonce = load_be64(be);
    return OK;
}

err tr_auth_verify(const tr_auth *a, const tr_addressee *me, const tr_request *request, fault *f)
{
    if (memcmp(a->session, me->session, sizeof a->session) != 0)
        return fail(f, ERR_STALE, "auth.session", 0);
    uint8_t text[512];
    bytes message = strlen(request->path) <= TR_URL_MAX ? signed_message(text, me, a->nonce, request) : (bytes){ 0 };
    if (message.len == 0 || cr_ed25519_verify(&a->key, message, &a->signature) != OK)
        return fail(f, ERR_SIGNATURE, "auth.signature", a->nonce);
    return OK;
}

static err put_written(buf *out, const cbor_writer *w)
{
    bytes view;
    TRY(cbor_finish(w, &view));
    return buf_put(out, view.data, view.len);
}

err tr_session_encode(buf *out, const tr_session *s)
{
    uint8_t text[1024];
    cbor_writer w = cbor_writer_on(text, sizeof text);
    const uint32_t shape[] = { s->shape.vocab, s->shape.context, s->shape.width, s->shape.layers, s->shape.heads, s->shape.bits,
                               s->shape.helper };
    cbor_put_array(&w, 11);
    cbor_put_text(&w, bytes_of(session_magic, sizeof session_magic - 1));
    cbor_put_bytes(&w, bytes_of(s->id, sizeof s->id));
    cbor_put_text(&w, bytes_of(s->chain_id.text, s->chain_id.len));
    cbor_put_bytes(&w, BYTES_OF(s->job));
    cbor_put_bytes(&w, BYTES_OF(s->coordinator));
    cbor_put_bytes(&w, BYTES_OF(s->dataset));
    cbor_put_array(&w, COUNT_OF(shape));
    for (size_t i = 0; i < COUNT_OF(shape); i++)
        cbor_put_uint(&w, shape[i]);
    cbor_put_uint(&w, s->batch_size);
    cbor_put_uint(&w, s->steps);
    cbor_put_uint(&w, s->spec_version);
    cbor_put_uint(&w, s->gradient_version);
    return put_written(out, &w);
}

static err session_fields(tr_session *s, cbor_reader *r, fault *f)
{
    bytes magic, name;
    uint64_t v;
    uint32_t *const shape[] = { &s->shape.vocab, &s->shape.context, &s->shape.width, &s->shape.layers, &s->shape.heads,
                                &s->shape.bits, &s->shape.helper };
    TRY(cbor_get_array_fixed(r, "session", 11));
    TRY(cbor_get_text(r, "session.magic", &magic, LIMIT_NAME_BYTES));
    if (!bytes_equal(magic, bytes_of(session_magic, sizeof session_magic - 1)))
        return fail(f, ERR_MAGIC, "session.magic", 0);
    TRY(cbor_get_bytes_fixed(r, "session.id", s->id, sizeof s->id));
    TRY(cbor_get_text(r, "session.chain_id", &name, LIMIT_NAME_BYTES));
    err e = chain_name_set(&s->chain_id, name);
    if (e != OK)
        return fail(f, e, "session.chain_id", 0);
    TRY(cbor_get_bytes_fixed(r, "session.job", s->job.b, 32));
    TRY(cbor_get_bytes_fixed(r, "session.coordinator", s->coordinator.b, 32));
    TRY(cbor_get_bytes_fixed(r, "session.dataset", s->dataset.b, 32));
    TRY(cbor_get_array_fixed(r, "session.shape", COUNT_OF(shape)));
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        TRY(cbor_get_uint_max(r, "session.shape", &v, UINT32_MAX));
        *shape[i] = (uint32_t)v;
    }
    TRY(cbor_get_uint(r, "session.batch_size", &s->batch_size));
    TRY(cbor_get_uint(r, "session.steps", &s->steps));
    TRY(cbor_get_uint_max(r, "session.spec_version", &v, UINT32_MAX));
    s->spec_version = (uint32_t)v;
    TRY(cbor_get_uint_max(r, "session.gradient_version", &v, UINT32_MAX));
    s->gradient_version = (uint32_t)v;
    TRY(cbor_end(r));
    num_const c;
    return num_const_of(&c, &s->shape, f);
}

static err report(err e, const cbor_reader *r, fault *f)
{
    if (e != OK && r->fault.code == e && f)
        *f = r->fault;
    return e;
}

err tr_session_decode(tr_session *out, bytes in, fault *f)
{
    memset(out, 0, sizeof *out);
    cbor_reader r = cbor_reader_on(in);
    return report(session_fields(out, &r, f), &r, f);
}

err tr_work_encode(buf *out, const tr_work *work)
{
    uint8_t text[2048 + 64];
    cbor_writer w = cbor_writer_on(text, sizeof text);
    cbor_put_array(&w, 4);
    cbor_put_uint(&w, work->kind);
    cbor_put_bytes(&w, work->lease);
    cbor_put_uint(&w, work->lease_id);
    cbor_put_uint(&w, work->leaf);
    return put_written(out, &w);
}

static err work_fields(tr_work *out, cbor_reader *r)
{
    uint64_t kind;
    TRY(cbor_get_array_fixed(r, "work", 4));
    TRY(cbor_get_uint_max(r, "work.kind", &kind, TR_WORK_DONE));
    out->kind = (tr_work_kind)kind;
    TRY(cbor_get_bytes(r, "work.lease", &out->lease, LIMIT_LEASE_BYTES));
    TRY(cbor_get_uint(r, "work.lease_id", &out->lease_id));
    TRY(cbor_get_uint(r, "work.leaf", &out->leaf));
    return cbor_end(r);
}

err tr_work_decode(tr_work *out, bytes in, fault *f)
{
    memset(out, 0, sizeof *out);
    cbor_reader r = cbor_reader_on(in);
    return report(work_fields(out, &r), &r, f);
}

err tr_part_encode(buf *out, uint64_t total, bytes piece)
{
    TRY(buf_reserve(out, piece.len + 32));
    cbor_writer w = cbor_writer_on(out->data + out->len, out->cap - out->len);
    cbor_put_array(&w, 2);
    cbor_put_uint(&w, total);
    cbor_put_bytes(&w, piece);
    bytes view;
    TRY(cbor_finish(&w, &view));
    out->len += view.len;
    return OK;
}

static err part_fields(uint64_t *total, bytes *piece, cbor_reader *r)
{
    TRY(cbor_get_array_fixed(r, "part", 2));
    TRY(cbor_get_uint(r, "part.total", total));
    TRY(cbor_get_bytes(r, "part.bytes", piece, LIMIT_TRAIN_PART_BYTES));
    return cbor_end(r);
}

err tr_part_decode(uint64_t *total, bytes *piece, bytes in, fault *f)
{
    cbor_reader r = cbor_reader_on(in);
    return report(part_fields(total, piece, &r), &r, f);
}

err tr_count_encode(buf *out, uint64_t n)
{
    uint8_t text[16];
    cbor_writer w = cbor_writer_on(text, sizeof text);
    cbor_put_array(&w, 1);
    cbor_put_uint(&w, n);
    return put_written(out, &w);
}

static err count_fields(uint64_t *n, cbor_reader *r)
{
    TRY(cbor_get_array_fixed(r, "count", 1));
    TRY(cbor_get_uint(r, "count", n));
    return cbor_end(r);
}

err tr_count_decode(uint64_t *n, bytes in, fault *f)
{
    cbor_reader r = cbor_reader_on(in);
    return report(count_fields(n, &r), &r, f);
}
