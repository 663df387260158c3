/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker's part in an audit (spec/audit.md): it shows model, tokens, gradient and proof to the validators. Gradient and proof are computed again,
 * to the same bytes. */
#include "base/limits.h"
#include "train/worker_int.h"

#include <stdlib.h>

typedef struct showing {
    tr_worker        *w;
    const past_lease *p;
    buf               gradient, proof;
    bool              again; /* they are there */
} showing;

static err ask(const showing *s, tr_shown kind, uint64_t *have, bool *complete, fault *f)
{
    const tr_ledger *ledger = s->w->cfg.ledger;
    tr_push p = { .job = s->p->lease.job, .lease_id = s->p->lease.lease_id, .kind = kind };
    tr_push_sign(&p, &s->w->cfg.chain_id, &s->w->cfg.key);
    return ledger->show(ledger->ctx, &p, have, complete, f);
}

/* From where the validators have it. */
static err push(const showing *s, tr_shown kind, bytes whole, uint64_t have, fault *f)
{
    const tr_ledger *ledger = s->w->cfg.ledger;
    bool complete;
    for (uint64_t at = have < whole.len ? have : 0; at < whole.len;) {
        size_t n = whole.len - at < LIMIT_TRAIN_PART_BYTES ? (size_t)(whole.len - at) : (size_t)LIMIT_TRAIN_PART_BYTES;
        tr_push p = { .job = s->p->lease.job, .lease_id = s->p->lease.lease_id, .kind = kind, .at = at, .total = whole.len,
                      .body = bytes_of(whole.data + at, n) };
        tr_push_sign(&p, &s->w->cfg.chain_id, &s->w->cfg.key);
        TRY(ledger->show(ledger->ctx, &p, &have, &complete, f));
        at += n;
    }
    return OK;
}

static err push_model(showing *s, uint64_t have, fault *f)
{
    uint8_t *file;
    size_t   len;
    err e = bt_model_encode(&s->w->model, &file, &len);
    if (e != OK)
        return fail(f, e, "audit.model", 0);
    e = push(s, TR_SHOWN_MODEL, bytes_of(file, len), have, f);
    free(file);
    return e;
}

static err push_tokens(showing *s, uint64_t have, fault *f)
{
    const chain_lease *l = &s->p->lease;
    size_t   row = s->w->session.shape.context + 1u, count = (size_t)(l->to - l->from) * row;
    uint16_t *tokens = malloc(row * sizeof *tokens);
    uint8_t  *file = malloc(2 * count);
    err e = tokens && file ? OK : fail(f, ERR_MEMORY, "audit.tokens", count);
    for (size_t i = 0; e == OK && i < count; i++) {
        if (i % row == 0)
            tr_dataset_sequence(tokens, &s->w->data, &l->job, l->from + i / row, s->w->session.shape.context);
        store_le16(file + 2 * i, tokens[i % row]);
    }
    if (e == OK)
        e = push(s, TR_SHOWN_TOKENS, bytes_of(file, 2 * count), have, f);
    free(tokens);
    free(file);
    return e;
}

/* Computed when the first of the four is missing: the model is then the lease's, too. */
static err compute_again(showing *s, fault *f)
{
    if (s->again)
        return OK;
    TRY(tr_wk_again(s->w, s->p, &s->gradient, &s->proof, f));
    s->again = true;
    return OK;
}

static err show(showing *s, tr_shown kind, bool *pushed, fault *f)
{
    uint64_t have;
    bool     complete;
    TRY(ask(s, kind, &have, &complete, f));
    if (complete)
        return OK;
    TRY(compute_again(s, f));
    *pushed = true;
    switch (kind) {
    case TR_SHOWN_MODEL: return push_model(s, have, f);
    case TR_SHOWN_TOKENS: return push_tokens(s, have, f);
    case TR_SHOWN_GRADIENT: return push(s, kind, buf_bytes(&s->gradient), have, f);
    case TR_SHOWN_PROOF: return push(s, kind, buf_bytes(&s->proof), have, f);
    case TR_SHOWN_KINDS: break;
    }
    return OK;
}

err tr_wk_show(tr_worker *w, const past_lease *p, fault *f)
{
    showing s = { .w = w, .p = p };
    bool pushed = false;
    buf_init(&s.gradient, (size_t)tr_gradient_bytes_max(w->elements));
    buf_init(&s.proof, LIMIT_PROOF_BYTES);
    err e = OK;
    for (int k = 0; k < TR_SHOWN_KINDS && e == OK; k++)
        e = show(&s, (tr_shown)k, &pushed, f);
    buf_deinit(&s.gradient);
    buf_deinit(&s.proof);
    if (e == OK && pushed)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_AUDITED, .step = p->lease.step, .lease_id = p->lease.lease_id });
    return e;
}
