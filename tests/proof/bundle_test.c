/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle of a lease at level full that ended in RANGE: its proof is verified, and nothing is computed again. */
#include "apps/bundle.h"

#include "base/port/file.h"
#include "prove/prove.h"
#include "train/dir_kit.h"
#include "train/job_kit.h"
#include "train/statement.h"
#include "train/token_root.h"

enum { FROM = 0, TO = 2 };

typedef struct proved_range {
    job_kit    train;
    tb_receipt r;
    buf        proof;
    dir_kit    dir;
    char       proof_path[400];
} proved_range;

/* A model whose q leaves its domain, and the lease's terms as a receipt says them. */
static void make_lease(proved_range *p)
{
    job_kit *k = &p->train;
    job_make(k);
    k->fractions.layer[0].q = (int8_t)(k->fractions.layer[0].q + 8);
    assert_int_equal(bt_state_publish(&k->state, &k->fractions, &k->model, bt_gpt_tables(k->exec.gpt), NULL), OK);
    const num_shape *s = &k->shape;
    p->r.lease = (chain_lease){ .job = k->job, .from = FROM, .to = TO, .model = k->model.id, .level_min = CHAIN_LEVEL_FULL,
                                .tokens = tr_token_root(&k->data, &k->job, FROM, TO, s->context) };
    p->r.lease_hash = (hash256){ { 9 } };
    p->r.job = (chain_row_job){ .dataset_manifest_cid = k->data.cid, .model_parameters = k->elements, .width = s->width, .layers = s->layers,
                                .heads = s->heads, .context = s->context, .vocabulary = s->vocab, .operand_bits = (uint8_t)s->bits };
}

static err take(void *ctx, uint32_t id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    return pv_witness_take(ctx, id, sequence, data, rows, cols, elem_bytes);
}

static void reset(void *ctx)
{
    pv_witness_reset(ctx);
}

/* Computes and proves; writes the bundle. */
static void make_bundle(proved_range *p)
{
    job_kit *k = &p->train;
    tr_statement s;
    pv_witness w;
    pv_workspace *ws;
    bt_result result;
    int64_t loss, *gradient = malloc(k->elements * sizeof *gradient);
    char hex[65];
    assert_int_equal(tr_statement_init(&s, &k->model, bt_gpt_tables(k->exec.gpt), &p->r.lease, &p->r.lease_hash, &k->data, NULL), OK);
    assert_int_equal(pv_witness_init(&w, &s.subject, k->exec.device->pool, NULL), OK);
    assert_int_equal(pv_workspace_new(&ws, k->exec.device->pool), OK);
    const tr_task task = { .model = &k->model, .data = &k->data, .job = k->job, .from = FROM, .to = TO };
    const tr_observer see = { .fn = take, .ctx = &w, .reset = reset };
    assert_int_equal(tr_exec_run(&k->exec, &task, gradient, &loss, &result, &see, NULL), OK);
    assert_true(result.range);
    tr_statement_range(&s, CHAIN_LEVEL_FULL, result.tensor, result.sequence, result.index);
    assert_int_equal(pv_witness_finish(&w, NULL), OK);
    buf_init(&p->proof, LIMIT_PROOF_BYTES);
    assert_int_equal(pv_prove(ws, &w, &p->proof, NULL), OK);
    p->r.attestation = (chain_attestation){ .level = CHAIN_LEVEL_FULL, .result = CHAIN_RESULT_RANGE, .range_tensor = result.tensor,
                                            .range_sequence = result.sequence, .range_index = result.index, .proof = cr_blake3_hash(buf_bytes(&p->proof)) };
    assert_int_equal(tb_bundle_write(p->dir.path, &k->model, &k->data, NULL), OK);
    base_hex_encode(hex, p->r.attestation.proof.b, 32);
    snprintf(p->proof_path, sizeof p->proof_path, "%s/%s.proof", p->dir.path, hex);
    assert_int_equal(base_file_write_atomic(p->proof_path, buf_bytes(&p->proof), 0644, BASE_FILE_REPLACE, NULL), OK);
    pv_workspace_free(ws);
    pv_witness_deinit(&w);
    tr_statement_deinit(&s);
    free(gradient);
}

static err recheck(const proved_range *p, tb_recheck *again, fault *f)
{
    *f = (fault){ 0 };
    return tb_receipt_recheck(again, &p->r, p->dir.path, 1, f);
}

static void range_is_verified(void **state)
{
    (void)state;
    static proved_range p;
    tb_recheck again;
    fault f;
    p.dir = dir_kit_make();
    make_lease(&p);
    make_bundle(&p);
    if (recheck(&p, &again, &f) != OK)
        fail_msg("%s %s", err_describe(f.code)->name, f.what);
    assert_true(again.proved && !again.computed);
    assert_true(again.proof.soundness.bits >= 100);

    chain_attestation *a = &p.r.attestation;
    a->range_index++;
    assert_int_equal(recheck(&p, &again, &f), ERR_UNPROVED);
    assert_int_equal(err_describe(f.code)->exit_code, 8);
    a->range_index--;
    a->range_tensor++;
    assert_int_not_equal(recheck(&p, &again, &f), OK);
    a->range_tensor--;
    a->range_sequence = TO;
    assert_int_equal(recheck(&p, &again, &f), ERR_UNPROVED);
    a->range_sequence = FROM;
    a->result = CHAIN_RESULT_NORMAL; /* then there would be a gradient */
    assert_int_not_equal(recheck(&p, &again, &f), OK);
    a->result = CHAIN_RESULT_RANGE;
    p.proof.data[p.proof.len / 2] ^= 1;
    assert_int_equal(base_file_write_atomic(p.proof_path, buf_bytes(&p.proof), 0644, BASE_FILE_REPLACE, NULL), OK);
    assert_int_equal(recheck(&p, &again, &f), ERR_HASH);
    assert_int_equal(remove(p.proof_path), 0);
    assert_int_equal(recheck(&p, &again, &f), ERR_NOT_FOUND);
    buf_deinit(&p.proof);
    job_drop(&p.train);
    dir_kit_remove(&p.dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(range_is_verified) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
