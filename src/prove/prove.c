/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of spec/proof.md section 12. */
#include "prove/prove.h"

#include "prove/prove_int.h"

#include <stdlib.h>
#include <string.h>

/* One of the parts: the commitment, each fork, the gradient, the claims, the opening. */
static void part_done(pv_workspace *ws)
{
    uint32_t done = atomic_fetch_add(&ws->done, 1) + 1;
    if (ws->progress)
        ws->progress(ws->progress_ctx, done, ws->parts);
}

/* --- commitment ------------------------------------------------------------------------------------------------------------ */

void pv_cell_rows(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n)
{
    const prover *p = ctx;
    const pf_layout *y = p->y;
    size_t B = (size_t)1 << y->b, tokens = ((size_t)1 << p->geometry.m) / B, per_tile = pf_tokens(y) / tokens;
    uint32_t t = 0;
    for (size_t k = 0; k < n; k++, row++) {
        uint64_t tile = row / per_tile, first = row % per_tile * tokens;
        while (t + 1 < y->tensor_count && y->tensors[t + 1].tile <= tile)
            t++;
        size_t ld = pf_padded(y, t);
        const int16_t *from = p->w->cell[t] + first * ld + (size_t)(tile - y->tensors[t].tile) * B;
        for (size_t i = 0; i < tokens; i++)
            memcpy(out + k * stride + i * B, from + i * ld, B * sizeof *out);
    }
}

static err send_inputs(prover *p)
{
    const pf_check *c = &p->w->rows.check;
    uint8_t *raw = malloc(8 * c->count);
    if (!raw)
        return ERR_MEMORY;
    for (size_t i = 0; i < c->count; i++)
        store_le64(raw + 8 * i, (uint64_t)c->values[i]);
    err e = pv_send_bytes(&p->out, "inputs", bytes_of(raw, 8 * c->count));
    free(raw);
    return e;
}

static err send_rows(prover *p)
{
    const pf_layout *y = p->y;
    const pf_rows *r = &p->w->rows;
    size_t size = pf_rows_size(y);
    uint8_t *raw = malloc(size + 4 + 12 * (size_t)r->exception_count);
    if (!raw)
        return fail(p->f, ERR_MEMORY, "rows", size);
    pf_rows_encode(raw, r, y);
    err e = pv_send_bytes(&p->out, "rows", bytes_of(raw, size));
    for (uint32_t k = 0; e == OK && k < y->rounding_count; k++) {
        if (!y->roundings[k].saturates)
            continue;
        uint32_t count = r->exception_first[k + 1] - r->exception_first[k];
        store_le32(raw, count);
        e = pv_send_bytes(&p->out, "lists", bytes_of(raw, 4));
        for (uint32_t i = 0; i < count; i++) {
            const pf_exception *x = &r->exceptions[r->exception_first[k] + i];
            store_le32(raw + 12 * i, x->token);
            store_le32(raw + 12 * i + 4, x->feature);
            store_le32(raw + 12 * i + 8, (uint32_t)x->t);
        }
        if (e == OK && count)
            e = pv_send_bytes(&p->out, "lists", bytes_of(raw, 12 * (size_t)count));
    }
    free(raw);
    if (e == OK && r->check.blocks)
        e = send_inputs(p);
    return e == OK ? OK : fail(p->f, e, "rows", size);
}

static err show_rows(prover *p)
{
    TRY(send_rows(p));
    err e = pf_rows_derive(&p->w->rows, p->y, p->w->s, p->f);
    return p->w->force == PV_HONEST ? e : OK;
}

static err send_version(prover *p)
{
    uint8_t raw[4];
    store_le32(raw, PF_VERSION);
    TRY(buf_put(&p->out.out, raw, sizeof raw));
    pf_start(&p->out.t, PF_VERSION);
    pf_subject_absorb(&p->out.t, p->w->s);
    return OK;
}

static err begin(prover *p)
{
    const pv_cells cells = { p, pv_cell_rows };
    TRY(pf_geometry_of(&p->geometry, p->y, p->f));
    TRY(send_version(p));
    uint64_t size = pv_symbols_bytes(&p->geometry);
    fp *room = size <= p->ws->symbols_max ? pv_block_take(&p->ws->symbols, size) : NULL;
    TRY(pv_commit(&p->commitment, &p->geometry, &cells, room, p->w->pool));
    const hash256 *root = pv_commitment_root(&p->commitment);
    TRY(pv_send_bytes(&p->out, "commitment", bytes_of(root->b, sizeof root->b)));
    return show_rows(p);
}

/* --- forks side by side ---------------------------------------------------------------------------------------------------- */

typedef struct fork_work {
    prover        *p;
    pv_writer     *writers;
    err           *errors;
    bool           products;
} fork_work;

/* One instance, or one product (with the inner one that follows it). */
static void prove_fork(fork_work *work, size_t i, pv_scratch *scratch)
{
    prover *p = work->p;
    uint32_t index = (uint32_t)i;
    if (!work->products) {
        work->errors[i] = pv_prove_instance(p, index, &work->writers[i], scratch);
        return;
    }
    if (p->run.products[i].kind == PF_X_DS_INNER)
        return;
    work->errors[i] = pv_prove_product(p, scratch, index, &work->writers[i]);
    if (work->errors[i] == OK && p->run.products[i].kind == PF_X_DS)
        work->errors[i + 1] = pv_prove_product(p, scratch, index + 1, &work->writers[i + 1]);
}

/* Item i of the pool. */
static void run_fork(void *ctx, size_t i, unsigned thread)
{
    fork_work *work = ctx;
    prove_fork(work, i, &work->p->ws->scratch[thread]);
    part_done(work->p->ws);
}

static err make_rooms(prover *p)
{
    unsigned most = 0;
    for (uint32_t i = 0; i < p->y->instance_count; i++) {
        /* A table's leaves have numerators and take a layer of their own. */
        unsigned need = p->y->instances[i].bits + (p->y->instances[i].kind == PF_TABLE);
        most = need > most ? need : most;
    }
    for (unsigned i = 0; i < p->ws->threads; i++)
        TRY(pv_scratch_room(&p->ws->scratch[i], most));
    return OK;
}

static err run_forks(prover *p, size_t n, bool products)
{
    fork_work work = { .p = p, .writers = calloc(n, sizeof *work.writers), .errors = calloc(n, sizeof *work.errors), .products = products };
    pf_transcript *states = calloc(n, sizeof *states);
    err e = work.writers && work.errors && states ? OK : fail(p->f, ERR_MEMORY, "proof", n);
    if (e == OK && !products)
        e = make_rooms(p);
    for (size_t i = 0; e == OK && i < n; i++) {
        buf_init(&work.writers[i].out, p->out.out.max);
        work.writers[i].t = pf_fork(&p->out.t, products ? "product" : "lookup", i);
    }
    if (e == OK)
        {
        /* A fault is one place, and the forks run side by side: they say the code alone. */
        fault *f = p->f;
        p->f = NULL;
        base_pool_for(p->w->pool, n, run_fork, &work);
        p->f = f;
    }
    for (size_t i = 0; e == OK && i < n; i++) {
        e = work.errors[i] == OK ? OK : fail(p->f, work.errors[i], products ? "product" : "lookup", i);
        if (e == OK)
            e = buf_put(&p->out.out, work.writers[i].out.data, work.writers[i].out.len);
        states[i] = work.writers[i].t;
    }
    if (e == OK)
        pf_join(&p->out.t, states, n);
    for (size_t i = 0; work.writers && i < n; i++)
        buf_deinit(&work.writers[i].out);
    free(work.writers);
    free(work.errors);
    free(states);
    return e;
}

static err open_commitment(prover *p)
{
    const pv_cells cells = { p, pv_cell_rows };
    fx chi;
    fxv *proximity = fxv_alloc(p->geometry.rows), *weights = fxv_alloc(p->geometry.rows);
    err e = proximity && weights ? OK : fail(p->f, ERR_MEMORY, "opening", p->geometry.rows);
    if (e == OK) {
        pf_open_weights(&p->out.t, &chi, proximity, p->geometry.rows);
        pf_row_weights(weights, p->y, &p->geometry, chi, p->tau, p->rho);
        e = pv_open(&p->out, &p->commitment, &cells, proximity, weights, p->w->pool);
    }
    free(proximity);
    free(weights);
    return e;
}

static err prove(prover *p)
{
    fx challenge[2], mu;
    if (p->y->tensor_count == 0) { /* all inputs of the check are public */
        TRY(send_version(p));
        return show_rows(p);
    }
    TRY(begin(p));
    TRY(pf_run_init(&p->run, p->y, p->w->s, &p->w->rows, p->f));
    p->ws->parts = p->y->instance_count + p->run.product_count + 4;
    part_done(p->ws);
    pf_challenge(&p->out.t, "lookup", challenge, 2);
    p->run.alpha = challenge[0];
    p->run.gamma = challenge[1];
    TRY(run_forks(p, p->y->instance_count, false));
    pv_workspace_drop(p->ws);
    TRY(run_forks(p, p->run.product_count, true));
    pv_workspace_drop(p->ws);
    pf_run_sums(&p->run, &p->out.t);
    if (p->w->s->result.range)
        pf_run_inputs(&p->run, &p->out.t);
    else
        TRY(pv_gradient(p));
    part_done(p->ws);
    pf_challenge(&p->out.t, "claims", &mu, 1);
    TRY(pf_claims_build(&p->claims, &p->run, mu, p->f));
    TRY(pv_reduce(p));
    part_done(p->ws);
    TRY(open_commitment(p));
    part_done(p->ws);
    return OK;
}

err pv_prove(pv_workspace *ws, pv_witness *w, buf *out, fault *f)
{
    CHECK(ws->threads == base_pool_threads(w->pool));
    prover p = { .ws = ws, .w = w, .y = &w->y, .out = { .out = *out }, .f = f };
    size_t before = out->len;
    atomic_store(&ws->done, 0);
    err e = prove(&p);
    *out = p.out.out;
    if (e != OK)
        out->len = before;
    pv_commitment_deinit(&p.commitment);
    pf_claims_deinit(&p.claims);
    pf_run_deinit(&p.run);
    free(p.values.committed);
    free(p.values.x);
    free(p.values.gx);
    return e;
}
