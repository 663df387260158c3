/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb dispute replay FILE`: judges an evidence file on its own, as the ledger does: one element, integers only. */
#include "apps/cli.h"
#include "apps/trace_file.h"

#include "base/port/file.h"
#include "numerics/model_header.h"
#include "rpc/json.h"
#include "train/dispute.h"

#include <inttypes.h>
#include <stdio.h>

/* What computes a tensor of the trace (spec/numerics.md sections 4, 5 and 7). */
static const char *operation_of(uint32_t tensor)
{
    static const char *const by_slot[NUM_SLOT_COUNT] = {
        [NUM_X] = "residual stream", [NUM_Y1] = "RMSNorm", [NUM_QQ] = "linear Wq", [NUM_KK] = "linear Wk", [NUM_VV] = "linear Wv",
        [NUM_ZZ] = "attention scores", [NUM_ZSUM] = "softmax sum", [NUM_RSUM] = "softmax reciprocal", [NUM_EE] = "softmax exponential",
        [NUM_OO] = "attention output", [NUM_B1] = "linear Wo", [NUM_Y2] = "RMSNorm", [NUM_HH] = "linear W1", [NUM_GG] = "GELU",
        [NUM_B2] = "linear W2", [NUM_R1] = "RMSNorm scale", [NUM_DM] = "gradient into W2", [NUM_DH] = "GELU backward",
        [NUM_DN2] = "linear W1 backward", [NUM_DX2] = "RMSNorm backward", [NUM_DA] = "gradient into Wo", [NUM_DP] = "linear Wo backward",
        [NUM_CC] = "softmax backward, row sum", [NUM_M1] = "RMSNorm backward, row sum", [NUM_DV] = "attention backward, values",
        [NUM_DS] = "softmax backward", [NUM_DQ] = "attention backward, queries", [NUM_DK] = "attention backward, keys",
        [NUM_DN1] = "linear Wq Wk Wv backward", [NUM_DX1] = "RMSNorm backward", [NUM_GX] = "gradient stream", [NUM_R2] = "RMSNorm scale",
        [NUM_LG] = "logits", [NUM_EL] = "loss exponential", [NUM_ZL] = "loss sum", [NUM_RL] = "loss reciprocal",
        [NUM_DL] = "loss gradient", [NUM_M2] = "RMSNorm backward, row sum", [NUM_LOSS] = "cross-entropy", [NUM_XMID] = "residual stream",
    };
    if (tensor >= PF_GRADIENT)
        return tensor == PF_LEAF ? "none: a malformed leaf" : tensor == PF_LOSS ? "loss of the lease" : "weight gradient";
    uint32_t slot = tensor % 64;
    return slot < NUM_SLOT_COUNT && by_slot[slot] ? by_slot[slot] : "?";
}

typedef struct judged {
    pf_evidence       evidence;
    chain_lease       lease;
    chain_attestation attestation;
    pf_verdict        verdict;
    bool              coordinator_checked;
} judged;

static err judge(judged *j, const tb_cli *cli, bytes file, fault *f)
{
    chain_signed lease, attestation;
    const char *coordinator = tb_text(cli, "coordinator");
    TRY(pf_evidence_decode(&j->evidence, file, f));
    TRY(chain_lease_decode(&j->lease, &lease, j->evidence.lease, f));
    TRY(chain_attestation_decode(&j->attestation, &attestation, j->evidence.attestation, f));
    if (chain_signed_verify(&attestation, &j->lease.worker) != OK)
        return fail(f, ERR_SIGNATURE, "attestation.signature", 0);
    if (*coordinator) {
        cr_public_key key;
        if (base_hex_decode(key.b, 32, coordinator) != OK)
            return fail(f, ERR_USAGE, "coordinator: 64 hex digits", 0);
        if (chain_signed_verify(&lease, &key) != OK)
            return fail(f, ERR_SIGNATURE, "lease.signature", 0);
        j->coordinator_checked = true;
    }
    TRY(chain_attestation_matches(&j->attestation, &j->lease, &lease.hash, f));
    pf_statement statement = tr_dispute_statement(&j->lease, &j->attestation);
    return pf_referee_check(&j->verdict, &j->evidence, &statement, f);
}

static void show(const tb_cli *cli, const judged *j)
{
    char tensor[64], worker[CR_ADDRESS_TEXT_MAX], expected[24];
    cr_address address = cr_address_of_key(&j->lease.worker);
    uint32_t t = j->verdict.tensor;
    num_model_header model;
    bool known = num_model_header_decode(&model, j->evidence.model, NULL) == OK; /* the referee has decoded it */
    if (t >= PF_LOSS)
        snprintf(tensor, sizeof tensor, "%s", t == PF_LOSS ? "attested loss" : "leaf of the trace");
    else
        trace_name(tensor, known ? &model.shape : NULL, t >= PF_GRADIENT ? TRACE_GRADIENT + (t - PF_GRADIENT) : t);
    cr_address_encode(worker, "tb", &address);
    snprintf(expected, sizeof expected, "%" PRId64, j->verdict.expected);
    if (cli->json) {
        tb_print_json(json_pack("{s:s, s:s, s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:b, s:b}", "schema", "tb-dispute-1", "verdict",
                                "the attested result is wrong", "worker", worker, "lease_id", rpc_json_u64(j->lease.lease_id), "operation",
                                operation_of(j->verdict.tensor), "tensor", tensor, "sequence", rpc_json_u64(j->verdict.sequence), "element",
                                rpc_json_u64(j->verdict.element), "committed", rpc_json_i64(j->verdict.committed), "recomputed",
                                j->verdict.expected_range ? json_string("RANGE") : rpc_json_i64(j->verdict.expected), "range_attested",
                                j->attestation.result == CHAIN_RESULT_RANGE, "coordinator_signature_checked", (int)j->coordinator_checked));
        return;
    }
    printf("the evidence holds: the attested result is wrong\nworker      %s\nlease       %" PRIu64 ", step %" PRIu64 "\n", worker,
           j->lease.lease_id, j->lease.step);
    printf("operation   %s\ntensor      %s, sequence %" PRIu64 ", element %" PRIu64 "\n", operation_of(j->verdict.tensor), tensor,
           j->verdict.sequence, j->verdict.element);
    if (j->attestation.result == CHAIN_RESULT_RANGE)
        printf("attested    RANGE here\n");
    else
        printf("committed   %" PRId64 "\n", j->verdict.committed);
    printf("recomputed  %s\n", j->verdict.expected_range ? "outside its range (RANGE)" : expected);
    if (!j->coordinator_checked)
        printf("NOT checked: who signed the lease (--coordinator KEY does)\n");
}

int cmd_dispute_replay(const tb_cli *cli)
{
    static judged j; /* thousands of views: not on the stack */
    buf file;
    fault f = { 0 };
    buf_init(&file, LIMIT_EVIDENCE_BYTES);
    err e = cr_ed25519_self_test();
    if (e == OK)
        e = base_file_read(&file, cli->args[0], &f);
    if (e == OK)
        e = judge(&j, cli, buf_bytes(&file), &f);
    if (e == OK)
        show(cli, &j);
    buf_deinit(&file);
    return e == OK ? 0 : tb_report(cli, e, cli->args[0], &f);
}
