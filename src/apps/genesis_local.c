/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/genesis_local.h"

#include "base/int.h"
#include "base/port/file.h"

#include <stdlib.h>

static err add_allocation(chain_genesis *g, const chain_allocation *a, size_t at, fault *f)
{
    for (size_t i = 0; i < g->allocation_count; i++)
        if (cr_address_equal(&g->allocations[i].address, &a->address)) {
            err e = checked_add_u64(&g->allocations[i].amount, g->allocations[i].amount, a->amount);
            return e == OK ? OK : fail(f, ERR_OVERFLOW, "genesis.allocations", at);
        }
    g->allocations[g->allocation_count++] = *a;
    return OK;
}

static err fill(chain_genesis *g, const tb_genesis_plan *plan, fault *f)
{
    err e = chain_name_set(&g->chain_id, bytes_of_str(plan->chain_id));
    if (e != OK)
        return fail(f, e, "genesis.chain_id", 0);
    e = chain_name_set(&g->address_prefix, bytes_of_str(plan->prefix ? plan->prefix : "tb"));
    if (e != OK)
        return fail(f, e, "genesis.address_prefix", 0);
    if (plan->params)
        g->params = *plan->params;
    else
        chain_params_default(&g->params);
    for (size_t i = 0; i < plan->allocation_count; i++)
        TRY(add_allocation(g, &plan->allocations[i], i, f));
    return OK;
}

err tb_genesis_make(buf *out, hash256 *hash, const tb_genesis_plan *plan, fault *f)
{
    cr_public_key issuer, producer = *plan->producer;
    chain_genesis g = { .producers = &producer, .producer_count = 1 };
    if (plan->issuer) {
        issuer = *plan->issuer;
        g.issuers = &issuer;
        g.issuer_count = 1;
    }
    if (plan->allocation_count > LIMIT_GENESIS_ACCOUNTS)
        return fail(f, ERR_LIMIT, "genesis.allocations", plan->allocation_count);
    g.allocations = calloc(plan->allocation_count + 1, sizeof *g.allocations);
    if (!g.allocations)
        return fail(f, ERR_MEMORY, "genesis", 0);
    err e = fill(&g, plan, f);
    if (e == OK && (e = buf_reserve(out, LIMIT_GENESIS_BYTES)) != OK)
        e = fail(f, e, "genesis", LIMIT_GENESIS_BYTES);
    bytes encoded;
    if (e == OK)
        e = chain_genesis_encode(&encoded, out->data + out->len, LIMIT_GENESIS_BYTES, &g, f);
    free(g.allocations);
    if (e == OK) {
        *hash = chain_genesis_hash(encoded);
        out->len += encoded.len;
    }
    return e;
}

err tb_genesis_save(const tb_home *home, bytes genesis, fault *f)
{
    char path[TB_PATH_MAX];
    TRY(tb_home_path(path, home, "genesis.cbor", f));
    return base_file_write_atomic(path, genesis, 0644, BASE_FILE_NEW, f);
}

err tb_genesis_load(buf *out, chain_name *chain_id, hash256 *hash, const tb_home *home, fault *f)
{
    char path[TB_PATH_MAX];
    size_t start = out->len;
    TRY(tb_home_path(path, home, "genesis.cbor", f));
    TRY(base_file_read(out, path, f));
    bytes doc = bytes_of(out->data + start, out->len - start);
    cr_public_key issuers[64], producers[64];
    chain_genesis g = { .allocation_count = LIMIT_GENESIS_ACCOUNTS, .issuers = issuers, .issuer_count = COUNT_OF(issuers),
                        .producers = producers, .producer_count = COUNT_OF(producers) };
    g.allocations = calloc(LIMIT_GENESIS_ACCOUNTS, sizeof *g.allocations);
    err e = g.allocations ? chain_genesis_decode(&g, doc, f) : fail(f, ERR_MEMORY, "genesis", 0);
    free(g.allocations);
    if (e != OK) {
        out->len = start;
        return e;
    }
    *chain_id = g.chain_id;
    *hash = chain_genesis_hash(doc);
    return OK;
}
