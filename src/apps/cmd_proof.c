/* SPDX-License-Identifier: Apache-2.0
 *
 * `tb proof inspect`: a proof taken apart. */
#include "apps/bundle.h"
#include "apps/cli.h"

#include "rpc/json.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const part_names[PF_OF_PARTS] = { "header", "rows in the clear", "lookups", "products", "gradient", "claims", "opening" };
static const char *const term_names[PF_ERROR_TERMS] = { "lookups", "layers", "products", "claims", "proximity" };

static err read_all(tb_receipt *r, tb_recheck *again, const tb_cli *cli, fault *f)
{
    tb_trust trust;
    const char *bundle = tb_text(cli, "bundle");
    uint64_t threads = tb_uint(cli, "threads");
    if (!*tb_text(cli, "trust") || !*bundle || threads > 1024)
        return fail(f, ERR_USAGE, threads > 1024 ? "threads" : "--trust GENESIS_HASH:KEY and --bundle DIR are needed", threads);
    TRY(tb_trust_parse(&trust, tb_text(cli, "trust"), f));
    TRY(cr_ed25519_self_test());
    TRY(tb_receipt_load(r, cli->args[0], &trust, f));
    if (r->attestation.level != CHAIN_LEVEL_FULL)
        return fail(f, ERR_UNSUPPORTED, "the lease has no proof: its level is not full", r->attestation.level);
    return tb_receipt_recheck(again, r, bundle, (unsigned)threads, f);
}

static void print_parts(const pf_report *p)
{
    printf("parts\n");
    for (int i = 0; i < PF_OF_PARTS; i++)
        printf("  %-18s %12" PRIu64 " bytes\n", part_names[i], p->bytes[i]);
    printf("  %-18s %12" PRIu64 " bytes\n", "all", p->proof_bytes);
}

/* |K| > 2^143, and each term is far below 2^64. */
static void print_proof(const tb_receipt *r, const tb_recheck *again)
{
    const pf_report *p = &again->proof;
    char hash[65];
    base_hex_encode(hash, r->attestation.proof.b, 32);
    printf("proof     %s: verifies\nlease     %" PRIu64 ", step %" PRIu64 ", sequences %" PRIu64 " to %" PRIu64 ": %" PRIu64 " tokens, %" PRIu64 " parameters\n", hash,
           r->lease.lease_id, r->lease.step, r->lease.from, r->lease.to - 1, again->tokens, again->parameters);
    if (r->attestation.result == CHAIN_RESULT_RANGE)
        printf("result    RANGE: element %" PRIu64 " of tensor %" PRIu32 ", layer %" PRIu32 " slot %" PRIu32 ", of sequence %" PRIu64 " leaves its domain\n",
               r->attestation.range_index, r->attestation.range_tensor, r->attestation.range_tensor / 64, r->attestation.range_tensor % 64, r->attestation.range_sequence);
    else
        printf("result    NORMAL\n");
    print_parts(p);
    printf("counts\n  %" PRIu64 " lookups (%.0f a token) in %u instances, %u products\n  %" PRIu64 " committed cells (%.0f a token), %u claims batched into %u rows\n", p->leaves,
           (double)p->leaves / (double)again->tokens, p->instances, p->products, p->cells, (double)p->cells / (double)again->tokens, p->claims, p->rows);
    printf("soundness %u bits: algebra %u, queries %u; proven bounds, no grinding\n", p->soundness.bits, p->soundness.algebraic_bits, p->soundness.query_bits);
    for (int i = 0; i < PF_ERROR_TERMS; i++)
        printf("  %-18s %12" PRIu64 " / |K|\n", term_names[i], (uint64_t)p->soundness.terms[i]);
}

static json_t *proof_json(const tb_receipt *r, const tb_recheck *again)
{
    const pf_report *p = &again->proof;
    json_t *parts = json_object(), *terms = json_object();
    for (int i = 0; i < PF_OF_PARTS; i++)
        json_object_set_new(parts, part_names[i], rpc_json_u64(p->bytes[i]));
    for (int i = 0; i < PF_ERROR_TERMS; i++)
        json_object_set_new(terms, term_names[i], rpc_json_u64((uint64_t)p->soundness.terms[i]));
    const chain_attestation *a = &r->attestation;
    json_t *result = a->result == CHAIN_RESULT_NORMAL ? json_string("NORMAL") :
                     json_pack("{s:s, s:o, s:o, s:o}", "is", "RANGE", "tensor", rpc_json_u64(a->range_tensor), "sequence", rpc_json_u64(a->range_sequence),
                               "index", rpc_json_u64(a->range_index));
    return json_pack("{s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:i, s:o}", "schema", "tb-proof-inspect-1", "proof",
                     rpc_json_hex(BYTES_OF(r->attestation.proof)), "result", result, "bytes", rpc_json_u64(p->proof_bytes), "parts", parts, "tokens", rpc_json_u64(again->tokens),
                     "lookups", rpc_json_u64(p->leaves), "cells", rpc_json_u64(p->cells), "instances", (int)p->instances, "products", (int)p->products,
                     "claims", (int)p->claims, "rows", (int)p->rows, "soundness_bits", (int)p->soundness.bits, "soundness_terms", terms);
}

int cmd_proof_inspect(const tb_cli *cli)
{
    tb_receipt r;
    tb_recheck again = { 0 };
    fault f = { 0 };
    err e = read_all(&r, &again, cli, &f);
    if (e != OK) {
        if (again.proof.proof_bytes && !cli->json)
            print_parts(&again.proof); /* as far as it was read */
        return tb_report(cli, e, cli->args[0], &f);
    }
    if (cli->json)
        tb_print_json(proof_json(&r, &again));
    else
        print_proof(&r, &again);
    return 0;
}
