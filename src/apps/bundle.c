/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/bundle.h"

#include "base/port/file.h"
#include "train/audit.h"
#include "train/exec.h"
#include "train/gradient.h"
#include "torch/backend.h"
#include "train/gradient_root.h"
#include "train/statement.h"
#include "train/store.h"
#include "train/token_root.h"
#include "train/trace_root.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define MODEL_FILE_BYTES_MAX ((size_t)4 << 30)

static err path_of(char out[TB_PATH_MAX], const char *dir, const hash256 *id, const char *kind, fault *f)
{
    char hex[65];
    base_hex_encode(hex, id->b, sizeof id->b);
    int n = snprintf(out, TB_PATH_MAX, "%s/%s.%s", dir, hex, kind);
    return n > 0 && n < TB_PATH_MAX ? OK : fail(f, ERR_LIMIT, "path too long", TB_PATH_MAX);
}

err tb_bundle_write(const char *dir, const bt_model *model, const tr_dataset *data, fault *f)
{
    char path[TB_PATH_MAX];
    TRY(tb_make_folders(dir, f));
    if (data)
        TRY(tr_dataset_save(data, dir, f));
    if (!model)
        return OK;
    TRY(path_of(path, dir, &model->id, "model", f));
    if (access(path, F_OK) == 0)
        return OK;
    uint8_t *file;
    size_t len;
    err e = bt_model_encode(model, &file, &len);
    if (e != OK)
        return fail(f, e, "model", 0);
    e = base_file_write_atomic(path, bytes_of(file, len), 0644, BASE_FILE_REPLACE, f);
    free(file);
    return e;
}

static err keep(const char *dir, const char *from, const hash256 *file, const hash256 *id, const char *kind, size_t most, fault *f)
{
    char path[TB_PATH_MAX];
    buf  content;
    TRY(path_of(path, dir, id, kind, f));
    buf_init(&content, most);
    err e = tr_store_get(&content, from, file, f);
    if (e == OK)
        e = base_file_write_atomic(path, buf_bytes(&content), 0644, BASE_FILE_REPLACE, f);
    buf_deinit(&content);
    return e;
}

err tb_bundle_keep(const char *dir, const char *from, bytes attestation, const hash256 *gradient_file, fault *f)
{
    chain_attestation a;
    chain_signed s;
    TRY(chain_attestation_decode(&a, &s, attestation, f));
    if (a.level != CHAIN_LEVEL_FULL)
        return OK;
    TRY(tb_make_folders(dir, f));
    TRY(keep(dir, from, &a.proof, &a.proof, "proof", LIMIT_PROOF_BYTES, f));
    return a.result == CHAIN_RESULT_RANGE ? OK : keep(dir, from, gradient_file, &a.gradient, "gradient", MODEL_FILE_BYTES_MAX, f);
}

/* Everything that the computation needs, opened and compared with the receipt. */
typedef struct work {
    bt_model   model;
    tr_dataset data;
    tr_exec    exec;
    tr_trace   trace;
    uint64_t  *sequences;
    int64_t   *gradient;
} work;

static err load_model(work *w, const tb_receipt *r, const char *dir, fault *f)
{
    char path[TB_PATH_MAX];
    buf file;
    TRY(path_of(path, dir, &r->lease.model, "model", f));
    if (access(path, F_OK) != 0)
        return fail(f, ERR_NOT_FOUND, "bundle: it does not hold the model of this lease's step", r->lease.step);
    buf_init(&file, MODEL_FILE_BYTES_MAX);
    err e = base_file_read(&file, path, f);
    if (e == OK)
        e = bt_model_decode(&w->model, buf_bytes(&file), f);
    buf_deinit(&file);
    if (e == OK && !hash256_equal(&w->model.id, &r->lease.model))
        e = fail(f, ERR_HASH, "bundle: model id", 0);
    if (e == OK && !tr_shape_is_of_job(&w->model.shape, &r->job))
        e = fail(f, ERR_CHEAT, "bundle: the model's shape is not the job's", 0);
    return e;
}

static err load(work *w, const tb_receipt *r, const char *dir, unsigned threads, fault *f)
{
    TRY(load_model(w, r, dir, f));
    TRY(tr_dataset_load(&w->data, dir, &r->job.dataset_manifest_cid, f));
    if (w->data.manifest.vocab > w->model.shape.vocab)
        return fail(f, ERR_RANGE, "bundle: data set has symbols that the model does not know", w->data.manifest.vocab);
    uint64_t count = r->lease.to - r->lease.from, elements = num_parameter_count(&w->model.shape);
    if (tr_dataset_windows(&w->data, w->model.shape.context) == 0)
        return fail(f, ERR_RANGE, "bundle: data set has no window", 0);
    if (count * w->model.shape.context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_RECEIPT, "lease: more tokens than a lease may have", count);
    hash256 tokens = tr_token_root(&w->data, &r->lease.job, r->lease.from, r->lease.to, w->model.shape.context);
    if (!hash256_equal(&tokens, &r->lease.tokens))
        return fail(f, ERR_CHEAT, "lease.tokens", r->lease.from);
    w->sequences = malloc(count * sizeof *w->sequences);
    w->gradient = malloc(elements * sizeof *w->gradient);
    if (!w->sequences || !w->gradient)
        return fail(f, ERR_MEMORY, "gradient", elements);
    for (uint64_t i = 0; i < count; i++)
        w->sequences[i] = r->lease.from + i;
    TRY(tr_exec_init(&w->exec, &w->model.shape, threads, 0, f));
    return tr_trace_init(&w->trace, &w->model.shape, (uint32_t)count, w->sequences, NULL, f);
}

static void reset_trace(void *ctx)
{
    tr_trace_reset(ctx);
}

static err compute(work *w, tb_recheck *out, const tb_receipt *r, fault *f)
{
    int64_t loss;
    bt_result result = { 0 };
    const chain_attestation *a = &r->attestation;
    const tr_task task = { .model = &w->model, .data = &w->data, .job = r->lease.job, .step = r->lease.step, .from = r->lease.from,
                           .to = r->lease.to };
    const tr_observer see = { .fn = tr_trace_take, .ctx = &w->trace, .reset = reset_trace };
    TRY(tr_exec_run(&w->exec, &task, w->gradient, &loss, &result, &see, f));
    if (result.range != (a->result == CHAIN_RESULT_RANGE))
        return fail(f, ERR_CHEAT, "attestation.result", result.tensor);
    if (result.range)
        return result.tensor == a->range_tensor && result.sequence == a->range_sequence && result.index == a->range_index
                   ? OK : fail(f, ERR_CHEAT, "attestation.range_tensor", result.tensor);
    TRY(tr_trace_root(&w->trace, &out->trace_root, f));
    TRY(tr_gradient_root(&out->gradient, &w->model.shape, w->gradient, w->exec.device->pool, f));
    /* At level full the trace is no part of what is proved, and a receipt holds or not whether it was computed again or verified. */
    if (a->level != CHAIN_LEVEL_FULL && !hash256_equal(&out->trace_root, &a->trace_root))
        return fail(f, ERR_CHEAT, "attestation.trace_root", 0);
    if (!hash256_equal(&out->gradient, &a->gradient))
        return fail(f, ERR_CHEAT, "attestation.gradient", 0);
    return loss == a->loss ? OK : fail(f, ERR_CHEAT, "attestation.loss", 0);
}

/* The gradient of the bundle, if it is there. */
static err load_gradient(work *w, const tb_receipt *r, const char *dir, bool *there, fault *f)
{
    char path[TB_PATH_MAX];
    buf  file;
    hash256 root;
    tr_gradient_head want = { .model = r->lease.model, .lease = r->lease_hash, .shape = w->model.shape };
    TRY(path_of(path, dir, &r->attestation.gradient, "gradient", f));
    *there = access(path, F_OK) == 0;
    if (!*there)
        return OK;
    buf_init(&file, (size_t)tr_gradient_bytes_max(num_parameter_count(&w->model.shape)));
    err e = base_file_read(&file, path, f);
    if (e == OK)
        e = tr_gradient_decode(w->gradient, &root, &want, buf_bytes(&file), f);
    if (e == OK && !hash256_equal(&root, &r->attestation.gradient))
        e = fail(f, ERR_HASH, "bundle: gradient", 0);
    buf_deinit(&file);
    return e;
}

/* Of NORMAL: w->gradient has the attested root. */
static err verify_proof(work *w, tb_recheck *out, const tb_receipt *r, const char *dir, fault *f)
{
    char path[TB_PATH_MAX];
    buf  proof;
    tr_statement s = { 0 };
    TRY(path_of(path, dir, &r->attestation.proof, "proof", f));
    buf_init(&proof, LIMIT_PROOF_BYTES);
    err e = access(path, F_OK) == 0 ? base_file_read(&proof, path, f) : fail(f, ERR_NOT_FOUND, "bundle: proof", 0);
    hash256 hash = cr_blake3_hash(buf_bytes(&proof));
    if (e == OK && !hash256_equal(&hash, &r->attestation.proof))
        e = fail(f, ERR_HASH, "bundle: proof", 0);
    if (e == OK)
        e = tr_statement_init(&s, &w->model, bt_gpt_tables(w->exec.gpt), &r->lease, &r->lease_hash, &w->data, f);
    if (e == OK) {
        tr_statement_answer(&s, &r->attestation, w->gradient);
        e = pf_verify(&s.subject, buf_bytes(&proof), &out->proof, f);
    }
    out->proved = e == OK;
    tr_statement_deinit(&s);
    buf_deinit(&proof);
    return e;
}

static err recheck(work *w, tb_recheck *out, const tb_receipt *r, const char *dir, fault *f)
{
    bool full = r->attestation.level == CHAIN_LEVEL_FULL, have = full && r->attestation.result == CHAIN_RESULT_RANGE; /* it has no gradient */
    out->parameters = num_parameter_count(&w->model.shape);
    out->tokens = (r->lease.to - r->lease.from) * w->model.shape.context;
    if (full && !have)
        TRY(load_gradient(w, r, dir, &have, f));
    if (!have)
        TRY(compute(w, out, r, f));
    out->computed = !have;
    return full ? verify_proof(w, out, r, dir, f) : OK;
}

err tb_receipt_recheck(tb_recheck *out, const tb_receipt *r, const char *dir, unsigned threads, fault *f)
{
    work w = { 0 };
    fault own = { 0 };
    *out = (tb_recheck){ 0 };
    err e = load(&w, r, dir, threads, &own);
    if (e == OK)
        e = recheck(&w, out, r, dir, &own);
    tr_trace_deinit(&w.trace);
    tr_exec_deinit(&w.exec);
    tr_dataset_deinit(&w.data);
    bt_model_deinit(&w.model);
    free(w.sequences);
    free(w.gradient);
    if (e == OK)
        return OK;
    if (e == ERR_SHAPE || e == ERR_DTYPE || e == ERR_LEDGER || e == ERR_LIMIT || e == ERR_UNSUPPORTED)
        e = ERR_RECEIPT; /* the bundle's content says something impossible: that is a refusal, not wrong usage */
    return fail(f, e, own.what, own.at);
}
