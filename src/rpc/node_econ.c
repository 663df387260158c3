/* SPDX-License-Identifier: Apache-2.0
 * The economy: control laws, markets, epochs, providers. */
#include "rpc/node_int.h"

#include "econ/unit.h"

/* One member for each market that has the row with this key. */
static bool put_markets(json_t *object, const chain *c, chain_table table, chain_key (*key_of)(econ_market m, const void *ctx), const void *ctx,
                        const char *prefix)
{
    json_t *all = json_object();
    bool good = all != NULL;
    for (unsigned m = 0; good && m < ECON_MARKETS; m++) {
        chain_key key = key_of((econ_market)m, ctx);
        const void *row = chain_row(c, table, &key);
        if (row)
            good = rpc_put(all, econ_market_names[m], rpc_row_json(table, row, prefix));
    }
    if (!good) {
        json_decref(all);
        return false;
    }
    return rpc_put(object, "markets", all);
}

static chain_key market_key(econ_market m, const void *ctx)
{
    (void)ctx;
    return chain_key_one((uint8_t)m);
}

static chain_key award_key(econ_market m, const void *ctx)
{
    return chain_key_award(*(const uint64_t *)ctx, (uint8_t)m);
}

static chain_key provider_key(econ_market m, const void *ctx)
{
    return chain_key_provider((uint8_t)m, ctx);
}

err rpc_econ_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call, (void)args;
    rpc_node *n = ctx;
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_economy *e = chain_economy(c);
    uint64_t length = chain_param_value(c, CHAIN_PARAM_EPOCH);
    json_t *out = rpc_row_json(CHAIN_TABLE_ECONOMY, e, n->prefix);
    bool good = out && rpc_put(out, "length", rpc_json_u64(length)) && rpc_put(out, "end_height", rpc_json_u64((e->epoch + 1) * length)) &&
                rpc_put(out, "pool", rpc_json_u64(chain_supply(c)->subsidy)) && put_markets(out, c, CHAIN_TABLE_MARKET, market_key, NULL, n->prefix);
    eng_solo_read_end(n->engine);
    *result = out;
    return good ? OK : rpc_no_memory(out, f);
}

err rpc_econ_epoch(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_econ_epoch *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    uint64_t epoch = a->epoch ? a->epoch : chain_economy(c)->epoch;
    chain_key key = chain_key_height(epoch);
    const chain_row_epoch *row = chain_row(c, CHAIN_TABLE_EPOCH, &key);
    json_t *out = row ? rpc_row_json(CHAIN_TABLE_EPOCH, row, n->prefix) : NULL;
    bool good = out && rpc_put(out, "number", rpc_json_u64(epoch)) && put_markets(out, c, CHAIN_TABLE_AWARD, award_key, &epoch, n->prefix);
    eng_solo_read_end(n->engine);
    if (!row)
        return fail(f, ERR_NOT_FOUND, "epoch", epoch);
    *result = out;
    return good ? OK : rpc_no_memory(out, f);
}

err rpc_econ_provider(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_econ_provider *a = args;
    json_t *out = json_object();
    const chain *c = eng_solo_read_begin(n->engine);
    bool good = out && put_markets(out, c, CHAIN_TABLE_PROVIDER, provider_key, &a->provider, n->prefix);
    eng_solo_read_end(n->engine);
    *result = out;
    return good ? OK : rpc_no_memory(out, f);
}

err rpc_econ_standby(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_econ_standby *a = args;
    json_t *tasks = json_array();
    bool good = tasks != NULL;
    const chain *c = eng_solo_read_begin(n->engine);
    for (uint8_t m = 0; good && m < ECON_MARKETS; m++) {
        uint64_t height, last;
        hash256 randomness;
        if (chain_standby_task(c, m, &a->provider, &height, &randomness, &last) == OK)
            good = json_array_append_new(tasks, json_pack("{s:s, s:o, s:o, s:o}", "market", econ_market_names[m], "height", rpc_json_u64(height),
                                                          "randomness", rpc_json_hex(BYTES_OF(randomness)), "last_height", rpc_json_u64(last))) == 0;
    }
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(tasks, f);
    *result = json_pack("{s:o}", "tasks", tasks);
    return *result ? OK : rpc_no_memory(NULL, f);
}
