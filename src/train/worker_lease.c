/* SPDX-License-Identifier: Apache-2.0
 *
 * A lease: check, compute, upload, attest; and opening its trace later. */
#include "base/int.h"
#include "train/token_root.h"
#include "train/worker_int.h"

#include <stdio.h>
#include <stdlib.h>

err tr_wk_read_lease(tr_worker *w, past_lease *p, bytes in, fault *f)
{
    memset(p, 0, sizeof *p);
    p->signed_lease = malloc(in.len ? in.len : 1);
    if (!p->signed_lease)
        return fail(f, ERR_MEMORY, "lease", in.len);
    memcpy(p->signed_lease, in.data, in.len);
    p->len = in.len;
    TRY(chain_lease_decode(&p->lease, &p->s, bytes_of(p->signed_lease, p->len), f));
    if (chain_signed_verify(&p->s, &w->cfg.row.coordinator) != OK)
        return fail(f, ERR_SIGNATURE, "lease.signature", 0);
    if (!chain_name_equal(&p->lease.chain_id, &w->cfg.chain_id))
        return fail(f, ERR_CHAIN_ID, "lease.chain_id", 0);
    if (!hash256_equal(&p->lease.job, &w->cfg.job))
        return fail(f, ERR_STALE, "lease.job", 0);
    if (memcmp(&p->lease.worker, &w->public_key, sizeof w->public_key) != 0)
        return fail(f, ERR_PERMISSION, "lease.worker", 0);
    if (p->lease.level_min != w->cfg.row.level_min || p->lease.level_min == CHAIN_LEVEL_LINEAR) /* a higher one is not what was bid for */
        return fail(f, ERR_LEVEL, "lease.level_min", p->lease.level_min);
    if ((p->lease.to - p->lease.from) * w->session.shape.context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_LIMIT, "lease.to", p->lease.to);
    if (w->session.batch_size == 0 || p->lease.from / w->session.batch_size != p->lease.step)
        return fail(f, ERR_STALE, "lease.step", p->lease.step);
    hash256 tokens = tr_token_root(&w->data, &w->cfg.job, p->lease.from, p->lease.to, w->session.shape.context);
    if (!hash256_equal(&tokens, &p->lease.tokens)) /* an honest answer would be wrong by these tokens */
        return fail(f, ERR_HASH, "lease.tokens", p->lease.from);
    return OK;
}

/* Worth computing: at the price of the bid, which the ledger allows to be undercut, and with time to be committed. */
static err check_terms(const tr_worker *w, const chain_lease *l, fault *f)
{
    uint64_t fair, height = 0;
    const tr_ledger *ledger = w->cfg.ledger;
    TRY(mul_div_u64(&fair, w->cfg.price, l->to - l->from, w->cfg.row.price_sequences, ROUND_DOWN));
    if (l->price < fair)
        return fail(f, ERR_FUNDS, "lease.price: less than the bid", l->price);
    err e = ledger ? ledger->height(ledger->ctx, &height) : OK;
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    if (l->expiry_height > w->cfg.row.expiry_height)
        return fail(f, ERR_RANGE, "lease.expiry_height: after the job's", l->expiry_height);
    if (l->expiry_height < height || l->expiry_height - height < w->cfg.expiry_blocks_min)
        return fail(f, ERR_RANGE, "lease.expiry_height: too soon", l->expiry_height);
    return OK;
}

static err get_model(tr_worker *w, const hash256 *id, fault *f)
{
    if (w->has_model && hash256_equal(&w->model.id, id))
        return OK;
    buf file;
    bt_model fresh = { 0 };
    buf_init(&file, (size_t)w->elements * 2 + 4096);
    bool kept = tr_wk_find_model(w, id, &file);
    err e = kept ? OK : tr_wk_download(w, "model", id, file.max, &file, f);
    if (e == OK)
        e = bt_model_decode(&fresh, buf_bytes(&file), f);
    if (e == OK && (!hash256_equal(&fresh.id, id) || memcmp(&fresh.shape, &w->session.shape, sizeof fresh.shape) != 0)) {
        bt_model_deinit(&fresh);
        e = fail(f, ERR_HASH, "model", 0);
    }
    if (e == OK && !kept)
        tr_wk_keep_model(w, id, buf_bytes(&file));
    buf_deinit(&file);
    if (e != OK)
        return e;
    hash256 before = w->has_model ? w->model.id : *id;
    bt_model_deinit(&w->model);
    w->model = fresh;
    w->has_model = true;
    tr_wk_drop_model(w, &before);
    return OK;
}

/* Runs the lease under the eyes of `see`, spoiled if this worker cheats. */
static err run(tr_worker *w, const past_lease *p, tr_observer see, outcome *out, fault *f)
{
    tr_spoil spoil;
    tr_task task = { &w->model, &w->data, w->cfg.job, p->lease.step, p->lease.from, p->lease.to };
    tr_spoil_choose(&spoil, &w->cfg.cheat, &w->session.shape, &p->s.hash, p->lease.from, p->lease.to);
    /* Nothing follows from the losses of a trace: where everything that counts is proved, only the sum is worth a lie. */
    if (p->lease.level_min == CHAIN_LEVEL_FULL && spoil.kind == TR_SPOIL_TOKEN_LOSS)
        spoil = (tr_spoil){ .kind = TR_SPOIL_LOSS, .tensor = UINT32_MAX };
    spoil.next = see;
    tr_observer first = spoil.kind == TR_SPOIL_NOTHING ? see : tr_spoil_observer(&spoil);
    if (spoil.kind != TR_SPOIL_NOTHING)
        tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_SPOILED, .step = p->lease.step, .lease_id = p->lease.lease_id });
    TRY(tr_exec_run(&w->exec, &task, w->gradient, &out->loss, &out->result, &first, f));
    out->spoiled = spoil.kind != TR_SPOIL_NOTHING;
    if (!out->result.range) {
        tr_spoil_gradient(&spoil, w->gradient);
        tr_spoil_loss(&spoil, &out->loss);
    }
    return OK;
}

/* Who watches a run: the trace, one tile of it if it is wanted, and the witness of a proof if there is to be one. */
typedef struct watch {
    tr_trace   *trace;
    tr_tile    *tile;    /* may be NULL */
    pv_witness *witness; /* may be NULL */
} watch;

static err watch_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols,
                      uint32_t elem_bytes)
{
    watch *w = ctx;
    if (w->tile)
        TRY(tr_tile_take(w->tile, tensor_id, sequence, data, rows, cols, elem_bytes));
    if (w->witness)
        TRY(pv_witness_take(w->witness, tensor_id, sequence, data, rows, cols, elem_bytes));
    return tr_trace_take(w->trace, tensor_id, sequence, data, rows, cols, elem_bytes);
}

static void watch_reset(void *ctx)
{
    watch *w = ctx;
    if (w->tile)
        w->tile->found = false;
    if (w->witness)
        pv_witness_reset(w->witness);
    tr_trace_reset(w->trace);
}

static err compute(tr_worker *w, const past_lease *p, tr_tile *tile, pv_witness *witness, outcome *out, fault *f)
{
    uint64_t count = p->lease.to - p->lease.from, *numbers = malloc((size_t)count * sizeof *numbers);
    tr_trace trace = { 0 };
    watch all = { &trace, tile, witness };
    if (!numbers)
        return fail(f, ERR_MEMORY, "lease", count);
    for (uint64_t i = 0; i < count; i++)
        numbers[i] = p->lease.from + i;
    err e = tr_trace_init(&trace, &w->session.shape, (uint32_t)count, numbers, NULL, f);
    if (e == OK)
        e = run(w, p, (tr_observer){ watch_take, &all, watch_reset }, out, f);
    if (e == OK && out->result.range)
        out->root = tr_trace_root_partial(&trace);
    else if (e == OK)
        e = tr_trace_root(&trace, &out->root, f);
    out->leaves = trace.leaves;
    out->leaf_count = trace.leaf_count;
    trace.leaves = NULL;
    tr_trace_deinit(&trace);
    free(numbers);
    return e;
}

/* PUT <kind>/<lease>/<offset> until all of it is there. */
static err upload(tr_worker *w, const char *kind, uint64_t lease_id, bytes whole, fault *f)
{
    char path[TR_URL_MAX];
    buf reply;
    buf_init(&reply, 64);
    err e = OK;
    for (size_t at = 0; at < whole.len && e == OK;) {
        size_t n = whole.len - at < LIMIT_TRAIN_PART_BYTES ? whole.len - at : (size_t)LIMIT_TRAIN_PART_BYTES;
        snprintf(path, sizeof path, TR_PATH_PREFIX "%s/%llu/%llu", kind, (unsigned long long)lease_id, (unsigned long long)at);
        buf_clear(&reply);
        e = tr_wk_insist(w, "PUT", path, bytes_of(whole.data + at, n), 64, &reply, f);
        at += n;
    }
    buf_deinit(&reply);
    return e;
}

/* What an answer consists of. */
typedef struct submission {
    outcome  o;
    hash256  gradient, proof; /* root; BLAKE3 */
    uint8_t  level;
    uint64_t us, prove_us;
} submission;

static err attest(tr_worker *w, past_lease *p, const submission *s, fault *f)
{
    const outcome *o = &s->o;
    uint8_t room[2048];
    bytes view;
    hash256 hash;
    chain_attestation a = { .version = CHAIN_ATTESTATION_VERSION, .lease = p->s.hash, .trace_root = o->root,
                            .proof = s->proof, .level = s->level, .spec_version = CHAIN_SPEC_VERSION,
                            .tokens = (p->lease.to - p->lease.from) * w->session.shape.context, .computation_time_ms = s->us / 1000 };
    if (o->result.range) {
        a.result = CHAIN_RESULT_RANGE;
        a.range_tensor = o->result.tensor;
        a.range_sequence = o->result.sequence;
        a.range_index = o->result.index;
    } else {
        a.gradient = s->gradient;
        a.loss = o->loss;
    }
    TRY(chain_attestation_sign(&view, room, sizeof room, &a, &w->cfg.key, &hash, f));
    p->attested = true;
    tr_wk_keep_receipt(w, p, view);
    buf reply;
    buf_init(&reply, 64);
    err e = tr_wk_insist(w, "POST", TR_PATH_PREFIX "attestation", view, 64, &reply, f);
    buf_deinit(&reply);
    p->accepted = e == OK;
    return e;
}

static err upload_leaves(tr_worker *w, const past_lease *p, const outcome *o, fault *f)
{
    return upload(w, "leaves", p->lease.lease_id, bytes_of(o->leaves, (size_t)o->leaf_count * sizeof *o->leaves), f);
}

/* Computed, and, for `proof`, proved: gradient file (nothing for RANGE) and proof appended. While something is uploaded, another lease may be
 * computed for whoever asks on the ledger: so everything is made before. */
static err make(tr_worker *w, const past_lease *p, buf *gradient, buf *proof, submission *s, fault *f)
{
    proving v = { 0 };
    tr_gradient_head head = { .model = p->lease.model, .lease = p->s.hash, .shape = w->session.shape };
    err e = proof ? tr_wk_proving_init(&v, w, p, f) : OK;
    uint64_t start = tr_wk_now_us();
    if (e == OK)
        e = compute(w, p, NULL, proof ? &v.witness : NULL, &s->o, f);
    s->us = tr_wk_now_us() - start;
    if (e == OK && !s->o.result.range)
        e = tr_gradient_encode(gradient, &head, w->gradient, w->exec.device->pool, f);
    s->gradient = head.root;
    start = tr_wk_now_us();
    if (e == OK && proof) {
        e = tr_wk_prove(w, p, &v, &s->o, &s->gradient, proof, f);
        s->level = CHAIN_LEVEL_FULL;
        s->proof = cr_blake3_hash(buf_bytes(proof));
        s->prove_us = tr_wk_now_us() - start;
    }
    tr_wk_proving_deinit(&v);
    return e;
}

/* Computes and sends everything but the attestation. */
static err work(tr_worker *w, const past_lease *p, submission *s, fault *f)
{
    buf  gradient, proof;
    bool full = p->lease.level_min == CHAIN_LEVEL_FULL;
    uint64_t id = p->lease.lease_id;
    buf_init(&gradient, (size_t)tr_gradient_bytes_max(w->elements));
    buf_init(&proof, LIMIT_PROOF_BYTES);
    s->level = CHAIN_LEVEL_REFEREED;
    err e = make(w, p, &gradient, full ? &proof : NULL, s, f);
    if (e == OK)
        e = upload(w, "gradient", id, buf_bytes(&gradient), f);
    if (e == OK)
        e = upload_leaves(w, p, &s->o, f);
    if (e == OK)
        e = upload(w, "proof", id, buf_bytes(&proof), f);
    buf_deinit(&gradient);
    buf_deinit(&proof);
    return e;
}

err tr_wk_again(tr_worker *w, const past_lease *p, buf *gradient, buf *proof, fault *f)
{
    submission s = { 0 };
    TRY(get_model(w, &p->lease.model, f));
    err e = make(w, p, gradient, proof, &s, f);
    free(s.o.leaves);
    return e;
}

err tr_wk_lease(tr_worker *w, bytes signed_lease, fault *f)
{
    past_lease p;
    submission s = { 0 };
    if (!tr_wk_has_room(w)) /* to forget an older one would be to lose the bond if that is asked for */
        return fail(f, ERR_BUSY, "worker: leases that the ledger may ask for", WORKER_PAST);
    err e = tr_wk_read_lease(w, &p, signed_lease, f);
    if (e == OK)
        e = check_terms(w, &p.lease, f);
    if (e == OK)
        e = get_model(w, &p.lease.model, f);
    if (e != OK) {
        tr_wk_forget(&p);
        return e;
    }
    tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_LEASE, .step = p.lease.step, .lease_id = p.lease.lease_id });
    uint64_t id = p.lease.lease_id, step = p.lease.step;
    e = work(w, &p, &s, f);
    past_lease *kept = tr_wk_keep(w, &p); /* before the answer: it may be challenged from then on */
    if (e == OK)
        e = attest(w, kept, &s, f);
    tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_ANSWERED, .step = step, .lease_id = id, .code = e, .us = s.us, .prove_us = s.prove_us });
    /* What was signed may come to the ledger whatever its receiver said of it: only its expiry ends that. */
    if (e != OK && !kept->attested)
        tr_wk_let_go(w, kept);
    free(s.o.leaves);
    /* Too late, or another was first: no reason to stop. */
    return e == ERR_STALE || e == ERR_EXPIRED || e == ERR_DUPLICATE ? OK : e;
}

/* --- challenges ----------------------------------------------------------------------------------------------------------- */

static const past_lease *find_past(const tr_worker *w, uint64_t lease_id)
{
    for (size_t i = 0; i < WORKER_PAST; i++)
        if (w->past[i].signed_lease && w->past[i].lease.lease_id == lease_id)
            return &w->past[i];
    return NULL;
}

err tr_wk_open(tr_worker *w, const past_lease *p, uint64_t leaf, tr_tile *tile, outcome *o, fault *f)
{
    *tile = (tr_tile){ .shape = w->session.shape, .place = { .leaf = leaf } };
    tr_place *at = &tile->place;
    TRY(num_trace_locate(&at->tensor, &at->seq_index, &at->tile_row, &at->tile_col, &w->session.shape, p->lease.to - p->lease.from, leaf));
    at->sequence = p->lease.from + at->seq_index;
    TRY(get_model(w, &p->lease.model, f));
    TRY(compute(w, p, tile, NULL, o, f));
    return tile->found ? OK : fail(f, ERR_NOT_FOUND, "challenge.leaf", leaf);
}

err tr_wk_open_tile(tr_worker *w, uint64_t lease_id, uint64_t leaf, fault *f)
{
    const past_lease *p = find_past(w, lease_id);
    tr_tile tile;
    outcome o = { 0 };
    if (!p)
        return fail(f, ERR_NOT_FOUND, "challenge.lease", lease_id);
    err e = tr_wk_open(w, p, leaf, &tile, &o, f);
    free(o.leaves);
    TRY(e);
    TRY(upload(w, "tile", lease_id, bytes_of(tile.leaf, num_leaf_bytes(tile.place.tensor.elem_bytes)), f));
    tr_wk_event(w, &(tr_worker_event){ .kind = TR_WORKER_CHALLENGED, .step = p->lease.step, .lease_id = lease_id, .what = "to the coordinator" });
    return OK;
}
