/* SPDX-License-Identifier: Apache-2.0
 *
 * Proofs of answers: verified before anything is committed, summed or paid. */
#include "proof/verify.h"
#include "train/coordinator_int.h"
#include "train/statement.h"

err tr_coord_can_prove(const tr_coordinator *c, fault *f)
{
    pf_layout y;
    err e = pf_layout_init(&y, &c->cfg.shape, &c->model.fractions, c->cfg.sequences_per_lease, f);
    pf_layout_deinit(&y);
    return e;
}

/* The answer's proof against its gradient, as both were uploaded. *ours: the error says nothing about the proof. */
static err verify(tr_coordinator *c, const answer *a, bool *ours, uint64_t *size, fault *f)
{
    tr_statement s;
    buf proof;
    buf_init(&proof, LIMIT_PROOF_BYTES);
    err e = tr_statement_init(&s, &c->model, bt_gpt_tables(c->exec.gpt), &a->terms, &a->lease_hash, c->cfg.data, f);
    if (e == OK)
        e = tr_coord_uploaded(c, a, c->part, f);
    if (e == OK)
        e = tr_store_get(&proof, c->gradients, &a->said.proof, f);
    *ours = e != OK;
    *size = proof.len;
    if (e == OK) {
        tr_statement_answer(&s, a->said.level, a->said.loss, &a->said.gradient, c->part);
        e = pf_verify(&s.subject, buf_bytes(&proof), NULL, f);
        *ours = e == ERR_MEMORY;
    }
    buf_deinit(&proof);
    tr_statement_deinit(&s);
    return e;
}

static err verify_one(tr_coordinator *c, size_t i, fault *f)
{
    answer  *a = &c->answers[i];
    fault    why = { 0 };
    bool     ours;
    uint64_t size, start = tr_coord_now_us();
    err e = verify(c, a, &ours, &size, &why);
    if (e == ERR_MEMORY)
        return fail(f, e, why.what, why.at);
    if (ours) /* a file did not survive a restart: nobody is to blame, and somebody else computes it */
        return tr_coord_dismiss(c, i, a->committed, e, f);
    pthread_mutex_lock(&c->mu);
    a->proved = e == OK;
    a->unproved = a->suspect = e != OK;
    c->progress_ms = tr_coord_now_ms();
    pthread_mutex_unlock(&c->mu);
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_PROVED, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &a->terms.worker,
                                   .code = e, .at = e == OK ? size : why.at, .path = why.what, .us = tr_coord_now_us() - start });
    return OK;
}

err tr_coord_verify(tr_coordinator *c, fault *f)
{
    for (size_t i = 0;; i++) {
        pthread_mutex_lock(&c->mu);
        bool end = i >= c->book.entry_count;
        bool wants = !end && c->book.entries[i].status == TR_LEASE_SUBMITTED && tr_coord_wants_proof(&c->answers[i]);
        pthread_mutex_unlock(&c->mu);
        if (end)
            return OK;
        if (wants)
            TRY(verify_one(c, i, f));
    }
}
