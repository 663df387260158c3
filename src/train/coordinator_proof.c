/* SPDX-License-Identifier: Apache-2.0
 *
 * Proofs of answers: verified before anything is committed, summed or paid. */
#include "proof/verify.h"
#include "train/coordinator_int.h"
#include "train/gradient_root.h"
#include "train/statement.h"

err tr_coord_can_prove(const tr_coordinator *c, fault *f)
{
    pf_layout y;
    uint64_t  most = 0;
    err e = pf_layout_init(&y, &c->cfg.shape, &c->model.fractions, c->cfg.sequences_per_lease, PF_NONE, f);
    if (e == OK)
        e = pf_proof_bytes_max(&most, &y, f);
    pf_layout_deinit(&y);
    if (e == OK && most > LIMIT_PROOF_BYTES)
        return fail(f, ERR_LIMIT, "config.sequences_per_lease: the proof of a lease would be too long", most);
    return e;
}

/* The answer's gradient into c->part: from its file, or computed again if that did not survive. */
static err gradient_of(tr_coordinator *c, const answer *a, fault *f)
{
    tr_task   task;
    int64_t   loss;
    bt_result result;
    hash256   root;
    if (tr_coord_uploaded(c, a, c->part, NULL) == OK)
        return OK;
    tr_coord_recompute(c, a, &task);
    TRY(tr_exec_run(&c->exec, &task, c->part, &loss, &result, NULL, f));
    TRY(tr_gradient_root(&root, &c->cfg.shape, c->part, c->exec.device->pool, f));
    return hash256_equal(&root, &a->said.gradient) ? OK : fail(f, ERR_HASH, "gradient", a->terms.lease_id);
}

/* The answer's proof, of NORMAL against its gradient, as both were uploaded. *ours: the error says nothing about the proof. */
static err verify(tr_coordinator *c, const answer *a, bool *ours, uint64_t *size, fault *f)
{
    tr_statement s;
    buf proof;
    buf_init(&proof, LIMIT_PROOF_BYTES);
    err e = tr_statement_init(&s, &c->model, bt_gpt_tables(c->exec.gpt), &a->terms, &a->lease_hash, c->cfg.data, f);
    if (e == OK)
        e = tr_store_get(&proof, c->gradients, &a->said.proof, f);
    if (e == OK && a->said.result == CHAIN_RESULT_NORMAL)
        e = gradient_of(c, a, f);
    *ours = e != OK;
    *size = proof.len;
    if (e == OK) {
        tr_statement_answer(&s, &a->said, c->part);
        e = pf_verify(&s.subject, buf_bytes(&proof), NULL, f);
        *ours = e == ERR_MEMORY;
    }
    buf_deinit(&proof);
    tr_statement_deinit(&s);
    return e;
}

static err verify_proof(tr_coordinator *c, size_t i, fault *f)
{
    answer  *a = &c->answers[i];
    fault    why = { 0 };
    bool     ours;
    uint64_t size, start = tr_coord_now_us();
    err e = verify(c, a, &ours, &size, &why);
    if (e == ERR_MEMORY)
        return fail(f, e, why.what, why.at);
    if (ours) /* a file did not survive a restart: nobody is to blame, and somebody else computes it */
        return tr_coord_dismiss(c, i, false, e, f);
    pthread_mutex_lock(&c->mu);
    a->proved = e == OK;
    a->unproved = a->suspect = e != OK;
    c->progress_ms = tr_coord_now_ms();
    pthread_mutex_unlock(&c->mu);
    tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_PROVED, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &a->terms.worker,
                                   .code = e, .at = e == OK ? size : why.at, .path = why.what, .us = tr_coord_now_us() - start });
    return OK;
}

/* An earlier life has committed it: then it had verified the proof, and the files may be gone. */
static err committed_before(tr_coordinator *c, size_t i, bool *yes, fault *f)
{
    answer *a = &c->answers[i];
    *yes = false;
    if (!a->look || c->cfg.sample_ppm == 0)
        return OK;
    TRY(tr_coord_look_up(c, i, yes, f));
    if (*yes && a->said.level == CHAIN_LEVEL_FULL) {
        pthread_mutex_lock(&c->mu);
        a->proved = true;
        pthread_mutex_unlock(&c->mu);
    }
    *yes = a->proved;
    return OK;
}

err tr_coord_verify(tr_coordinator *c, fault *f)
{
    for (size_t i = 0; !atomic_load(&c->stopping); i++) {
        bool before;
        pthread_mutex_lock(&c->mu);
        bool end = i >= c->book.entry_count;
        bool wants = !end && c->book.entries[i].status == TR_LEASE_SUBMITTED && tr_coord_wants_look(&c->answers[i]);
        pthread_mutex_unlock(&c->mu);
        if (end)
            return OK;
        if (!wants)
            continue;
        TRY(committed_before(c, i, &before, f));
        if (before)
            continue;
        const answer *a = &c->answers[i];
        TRY(a->said.level == CHAIN_LEVEL_FULL ? verify_proof(c, i, f) : tr_coord_check(c, i, f));
        if (a->unproved) /* judged at once: what else this worker has sent is then worth nothing */
            return OK;
    }
    return OK;
}
