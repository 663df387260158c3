/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/profile.h"
#include "train/worker_int.h"

err tr_wk_proving_init(proving *v, tr_worker *w, const past_lease *p, fault *f)
{
    memset(v, 0, sizeof *v);
    TRY(tr_statement_init(&v->statement, &w->model, bt_gpt_tables(w->exec.gpt), &p->lease, &p->s.hash, &w->data, f));
    return pv_witness_init(&v->witness, &v->statement.subject, w->exec.device->pool, f);
}

void tr_wk_proving_deinit(proving *v)
{
    pv_witness_deinit(&v->witness);
    tr_statement_deinit(&v->statement);
}

enum { TELL_MS = 5000 };

typedef struct telling {
    const tr_worker  *w;
    const past_lease *p;
    _Atomic uint64_t  told_ms;
} telling;

static void tell(void *ctx, uint32_t done, uint32_t parts)
{
    telling *t = ctx;
    uint64_t now = tr_wk_now_ms(), told = atomic_load(&t->told_ms);
    if (now - told >= TELL_MS && atomic_compare_exchange_strong(&t->told_ms, &told, now))
        tr_wk_event(t->w, &(tr_worker_event){ .kind = TR_WORKER_PROVING, .step = t->p->lease.step, .lease_id = t->p->lease.lease_id, .done = done, .parts = parts });
}

err tr_wk_prove(tr_worker *w, const past_lease *p, proving *v, const outcome *o, const hash256 *root, buf *out, fault *f)
{
    err e = w->prover ? OK : pv_workspace_new(&w->prover, w->exec.device->pool);
    if (e != OK)
        return fail(f, e, "prover", 0);
    if (o->result.range)
        tr_statement_range(&v->statement, CHAIN_LEVEL_FULL, o->result.tensor, o->result.sequence, o->result.index);
    else
        tr_statement_normal(&v->statement, CHAIN_LEVEL_FULL, o->loss, root, w->gradient);
    /* A cheater's prover does not stop where it sees that the relations do not hold. */
    v->witness.force = o->spoiled ? PV_FORCED : PV_HONEST;
    bt_profile *profile = bt_profile_get();
    uint64_t    step = v->statement.subject.step, start = tr_wk_now_us();
    TRY(pv_witness_finish(&v->witness, f));
    uint64_t done = tr_wk_now_us();
    telling t = { .w = w, .p = p };
    atomic_store(&t.told_ms, tr_wk_now_ms());
    pv_workspace_watch(w->prover, tell, &t);
    e = pv_prove(w->prover, &v->witness, out, f);
    pv_workspace_watch(w->prover, NULL, NULL);
    if (e != OK)
        return e;
    bt_profile_note(profile, "witness", step, (done - start) * 1000, pv_witness_bytes(&v->witness));
    bt_profile_note(profile, "prove", step, (tr_wk_now_us() - done) * 1000, pv_workspace_bytes(w->prover));
    return OK;
}
