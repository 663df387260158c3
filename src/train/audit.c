/* SPDX-License-Identifier: Apache-2.0 */
#include "train/audit.h"

#include "base/cbor.h"
#include "base/limits.h"
#include "proof/verify.h"
#include "train/gradient.h"
#include "train/statement.h"
#include "train/token_root.h"
#include "train/wire.h"

#include <stdio.h>
#include <stdlib.h>

static const char *const names[TR_SHOWN_KINDS] = { "model", "tokens", "gradient", "proof" };
enum { MODEL_HEADER_MAX = 4096 };

const char *tr_shown_name(tr_shown kind)
{
    return names[kind];
}

static uint64_t sequences(const tr_audited *a)
{
    return a->lease.to - a->lease.from;
}

/* By the job's shape, which the ledger bounds, and not by the number that the job gives: a model of another size is not the job's. */
static uint64_t weights(const tr_audited *a)
{
    const chain_row_job *j = &a->job;
    const num_shape s = { .vocab = j->vocabulary, .context = j->context, .width = j->width, .layers = j->layers, .heads = j->heads };
    return num_parameter_count(&s);
}

bool tr_shape_is_of_job(const num_shape *s, const chain_row_job *j)
{
    return s->width == j->width && s->layers == j->layers && s->heads == j->heads && s->context == j->context && s->vocab == j->vocabulary &&
           s->bits == j->operand_bits && num_parameter_count(s) == j->model_parameters;
}

uint64_t tr_shown_bytes_max(const tr_audited *a, tr_shown kind)
{
    switch (kind) {
    case TR_SHOWN_MODEL:
        return MODEL_HEADER_MAX + 2 * weights(a);
    case TR_SHOWN_TOKENS:
        return sequences(a) * (a->job.context + 1ull) * 2; /* exactly */
    case TR_SHOWN_GRADIENT:
        return a->attestation.result == CHAIN_RESULT_NORMAL ? tr_gradient_bytes_max(weights(a)) : 0;
    case TR_SHOWN_PROOF:
        return LIMIT_PROOF_BYTES;
    case TR_SHOWN_KINDS:
        break;
    }
    return 0;
}

uint64_t tr_audit_bytes_max(const tr_audited *a)
{
    enum { SHOWERS = 2 };
    tr_audited longest = *a;
    uint64_t   shown = 0, held = weights(a) * (sizeof(int16_t) + sizeof(int64_t));
    longest.attestation.result = CHAIN_RESULT_NORMAL;
    for (int k = 0; k < TR_SHOWN_KINDS; k++)
        shown += tr_shown_bytes_max(&longest, (tr_shown)k);
    return SHOWERS * shown + held;
}

/* --- verdict ---------------------------------------------------------------------------------------------------------------- */

typedef struct contents {
    bt_model     model;
    bt_tables   *tables;
    uint16_t    *tokens;
    int64_t     *gradient;
    tr_statement statement;
} contents;

static tr_finding misshown(tr_shown kind, fault *f)
{
    (void)!fail(f, ERR_HASH, names[kind], kind);
    return TR_FOUND_MISSHOWN;
}

bool tr_audit_refutes(err e)
{
    switch (e) {
    case ERR_UNPROVED: /* a relation does not hold */
    case ERR_TRUNCATED: case ERR_TRAILING: case ERR_CANONICAL: case ERR_VERSION: /* that is no proof */
    case ERR_RANGE: /* an entry of the gradient, or a token, that none can be */
    case ERR_LEDGER: case ERR_UNSUPPORTED: case ERR_LIMIT: case ERR_SHAPE: /* nothing that could be proved */
        return true;
    default:
        return false;
    }
}

static tr_finding refuted(err e, const char *what, uint64_t at, fault *f)
{
    (void)!fail(f, e, what, at);
    return tr_audit_refutes(e) ? TR_FOUND_FALSE : TR_FOUND_NOTHING;
}

static tr_finding open_model(contents *c, const tr_audited *a, bytes file, fault *f)
{
    err e = bt_model_decode(&c->model, file, f);
    if (e == ERR_MEMORY)
        return TR_FOUND_NOTHING;
    if (e != OK || !hash256_equal(&c->model.id, &a->lease.model))
        return misshown(TR_SHOWN_MODEL, f);
    /* The leased model itself is not the job's: nothing that is shown could mend it. */
    if (!tr_shape_is_of_job(&c->model.shape, &a->job))
        return refuted(ERR_SHAPE, "lease.model", a->lease.lease_id, f);
    return TR_FOUND_VALID;
}

static tr_finding open_tokens(contents *c, const tr_audited *a, bytes file, fault *f)
{
    uint8_t  leaf[NUM_TOKEN_LEAF_HEAD + 2 * (LIMIT_MODEL_CONTEXT_N + 1)];
    uint32_t context = c->model.shape.context, bad = 0;
    size_t   row = context + 1, count = (size_t)sequences(a) * row;
    if (file.len != 2 * count)
        return misshown(TR_SHOWN_TOKENS, f);
    c->tokens = malloc(file.len);
    if (!c->tokens)
        return refuted(ERR_MEMORY, "audit.tokens", count, f);
    for (size_t i = 0; i < count; i++) {
        c->tokens[i] = load_le16(file.data + 2 * i);
        bad += c->tokens[i] >= c->model.shape.vocab;
    }
    cr_merkle_builder b;
    cr_merkle_builder_init(&b, &cr_merkle_blake3);
    for (uint64_t s = 0; s < sequences(a); s++) {
        num_token_leaf_encode(leaf, a->lease.from + s, c->tokens + s * row, context);
        cr_merkle_builder_add_data(&b, bytes_of(leaf, num_token_leaf_bytes(context)));
    }
    hash256 root = cr_merkle_builder_root(&b);
    if (!hash256_equal(&root, &a->lease.tokens))
        return misshown(TR_SHOWN_TOKENS, f);
    return bad ? refuted(ERR_RANGE, "lease.tokens", bad, f) : TR_FOUND_VALID;
}

static tr_finding open_gradient(contents *c, const tr_audited *a, bytes file, fault *f)
{
    const tr_gradient_head want = { .model = a->lease.model, .lease = a->lease_hash, .shape = c->model.shape };
    uint64_t elements = num_parameter_count(&c->model.shape);
    hash256  root;
    c->gradient = malloc((size_t)elements * sizeof *c->gradient);
    if (!c->gradient)
        return refuted(ERR_MEMORY, "audit.gradient", elements, f);
    err e = tr_gradient_decode(c->gradient, &root, &want, file, f);
    if (e == ERR_MEMORY)
        return TR_FOUND_NOTHING;
    return e == OK && hash256_equal(&root, &a->attestation.gradient) ? TR_FOUND_VALID : misshown(TR_SHOWN_GRADIENT, f);
}

static tr_finding open_all(contents *c, const tr_audited *a, const bytes shown[TR_SHOWN_KINDS], fault *f)
{
    hash256 proof = cr_blake3_hash(shown[TR_SHOWN_PROOF]);
    /* The ledger takes no such lease at all, but nothing here rests on that. */
    if (a->job.context > LIMIT_MODEL_CONTEXT || sequences(a) > LIMIT_LEASE_SEQUENCES || sequences(a) * a->job.context > LIMIT_LEASE_TOKENS)
        return refuted(ERR_LIMIT, "lease.to", a->lease.to, f);
    if (!hash256_equal(&proof, &a->attestation.proof))
        return misshown(TR_SHOWN_PROOF, f);
    tr_finding found = open_model(c, a, shown[TR_SHOWN_MODEL], f);
    if (found == TR_FOUND_VALID)
        found = open_tokens(c, a, shown[TR_SHOWN_TOKENS], f);
    if (found == TR_FOUND_VALID && a->attestation.result == CHAIN_RESULT_NORMAL)
        found = open_gradient(c, a, shown[TR_SHOWN_GRADIENT], f);
    return found;
}

static tr_finding verify(contents *c, const tr_audited *a, bytes proof, base_pool *pool, fault *f)
{
    err e = bt_tables_new(&c->tables, &c->model.shape, f);
    if (e != OK)
        return refuted(e, "audit.tables", 0, f);
    bt_tables_set_pool(c->tables, pool);
    e = tr_statement_init_shown(&c->statement, &c->model, c->tables, &a->lease, &a->lease_hash, c->tokens, f);
    if (e == OK) {
        tr_statement_answer(&c->statement, &a->attestation, c->gradient);
        e = pf_verify(&c->statement.subject, proof, NULL, f);
    }
    return e == OK ? TR_FOUND_VALID : tr_audit_refutes(e) ? TR_FOUND_FALSE : TR_FOUND_NOTHING;
}

tr_finding tr_audit_verify(const tr_audited *a, const bytes shown[TR_SHOWN_KINDS], base_pool *pool, fault *f)
{
    contents c = { .tables = NULL };
    tr_finding found = open_all(&c, a, shown, f);
    if (found == TR_FOUND_VALID)
        found = verify(&c, a, shown[TR_SHOWN_PROOF], pool, f);
    tr_statement_deinit(&c.statement);
    bt_tables_free(c.tables);
    bt_model_deinit(&c.model);
    free(c.tokens);
    free(c.gradient);
    return found;
}

/* --- sending ------------------------------------------------------------------------------------------------------------------ */

static bytes message_of(uint8_t out[512], const tr_push *p, const chain_name *chain_id)
{
    bytes view = { 0 };
    const char *tag = p->total ? "theblock/audit-push/v1" : "theblock/audit-ask/v1";
    hash256 body = cr_blake3_hash(p->body);
    cbor_writer w = cbor_writer_on(out, 512);
    cbor_put_array(&w, 8);
    cbor_put_text(&w, bytes_of_str(tag));
    cbor_put_text(&w, bytes_of(chain_id->text, chain_id->len));
    cbor_put_bytes(&w, BYTES_OF(p->job));
    cbor_put_uint(&w, p->lease_id);
    cbor_put_text(&w, bytes_of_str(names[p->kind]));
    cbor_put_uint(&w, p->at);
    cbor_put_uint(&w, p->total);
    cbor_put_bytes(&w, BYTES_OF(body));
    CHECK(cbor_finish(&w, &view) == OK);
    return view;
}

void tr_push_sign(tr_push *p, const chain_name *chain_id, const cr_secret_key *key)
{
    uint8_t text[512];
    memcpy(p->key.b, key->b + 32, sizeof p->key.b);
    cr_ed25519_sign(&p->signature, key, message_of(text, p, chain_id));
}

err tr_push_verify(const tr_push *p, const chain_name *chain_id, fault *f)
{
    uint8_t text[512];
    return cr_ed25519_verify(&p->key, message_of(text, p, chain_id), &p->signature) == OK ? OK : fail(f, ERR_SIGNATURE, "auth", 0);
}

void tr_push_write(char url[TR_PUSH_URL_MAX], char auth[TR_PUSH_AUTH_BYTES], const tr_push *p)
{
    char job[65];
    base_hex_encode(job, p->job.b, 32);
    snprintf(url, TR_PUSH_URL_MAX, TR_AUDIT_PREFIX "%s/%llu/%s/%llu/%llu", job, (unsigned long long)p->lease_id, names[p->kind],
             (unsigned long long)p->at, (unsigned long long)p->total);
    base_hex_encode(auth, p->key.b, 32);
    auth[64] = '-';
    base_hex_encode(auth + 65, p->signature.b, 64);
}

/* Digits without a leading zero, then `end`; NULL if it is not so. */
static const char *read_number(uint64_t *out, const char *at, char end)
{
    uint64_t v = 0;
    const char *start = at;
    for (; *at >= '0' && *at <= '9'; at++) {
        unsigned digit = (unsigned)(*at - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return NULL;
        v = v * 10 + digit;
    }
    *out = v;
    return at != start && *at == end && (*start != '0' || at == start + 1) ? at + (end != 0) : NULL;
}

static const char *read_kind(tr_shown *out, const char *at)
{
    for (size_t k = 0; k < TR_SHOWN_KINDS; k++) {
        size_t len = strlen(names[k]);
        if (strncmp(at, names[k], len) == 0 && at[len] == '/') {
            *out = (tr_shown)k;
            return at + len + 1;
        }
    }
    return NULL;
}

err tr_push_read(tr_push *p, const char *rest, const char *auth, fault *f)
{
    memset(p, 0, sizeof *p);
    if (!auth || strlen(auth) != TR_PUSH_AUTH_BYTES - 1 || auth[64] != '-' || !tr_take_hex(p->key.b, 32, auth) ||
        !tr_take_hex(p->signature.b, 64, auth + 65))
        return fail(f, ERR_SYNTAX, "auth", 0);
    if (strlen(rest) < 65 || rest[64] != '/' || !tr_take_hex(p->job.b, 32, rest))
        return fail(f, ERR_SYNTAX, "path: job", 0);
    const char *at = read_number(&p->lease_id, rest + 65, '/');
    if (at)
        at = read_kind(&p->kind, at);
    if (at)
        at = read_number(&p->at, at, '/');
    if (at)
        at = read_number(&p->total, at, 0);
    return at ? OK : fail(f, ERR_SYNTAX, "path", 0);
}
