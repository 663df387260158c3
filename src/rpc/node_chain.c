/* SPDX-License-Identifier: Apache-2.0
 *
 * Methods about the chain as a whole: status, blocks, accounts, supply, parameters, proofs, genesis. */
#include "rpc/node_int.h"

#include "engine/block.h"

#include <stdlib.h>

err rpc_chain_status(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call, (void)args;
    rpc_node *n = ctx;
    eng_solo_status status;
    eng_solo_status_get(n->engine, &status);
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_header *head = chain_head(c);
    hash256 hash = chain_head_hash(c), genesis = chain_network(c);
    uint64_t epoch = chain_param_value(c, CHAIN_PARAM_EPOCH);
    *result = json_pack("{s:s, s:o, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:I, s:o, s:b, s:o?}",
                        "chain_id", chain_chain_id(c)->text, "genesis", rpc_json_hex(BYTES_OF(genesis)),
                        "address_prefix", n->prefix, "engine", "solo",
                        "height", rpc_json_u64(head->height), "block", rpc_json_hex(BYTES_OF(hash)),
                        "state_root", rpc_json_hex(BYTES_OF(head->state_root)), "time_ms", rpc_json_u64(head->time_ms),
                        "epoch", rpc_json_u64(head->height / epoch), "mempool_txs", (json_int_t)status.waiting_txs,
                        "event_next", rpc_json_u64(status.events_next), "halted", (int)status.halted,
                        "block_error", status.block_error == OK ? NULL : json_string(err_describe(status.block_error)->name));
    eng_solo_read_end(n->engine);
    return *result ? OK : rpc_no_memory(NULL, f);
}

static json_t *block_txs_json(const eng_block *block, bool bodies)
{
    json_t *out = json_array();
    for (size_t i = 0; out && i < block->tx_count; i++) {
        chain_tx tx;
        json_t *one = json_object();
        bool good = one != NULL;
        if (good && chain_tx_decode(&tx, block->txs[i], NULL) == OK)
            good = rpc_put(one, "id", rpc_json_hex(BYTES_OF(tx.id))) &&
                   rpc_put(one, "type", json_string_nocheck(chain_tx_record(tx.type)->name));
        if (good && bodies)
            good = rpc_put(one, "bytes", rpc_json_hex(block->txs[i]));
        if (!good || json_array_append_new(out, one) != 0) {
            if (!good)
                json_decref(one);
            json_decref(out);
            out = NULL;
        }
    }
    return out;
}

static err block_json(rpc_node *n, bytes encoded, bool bodies, json_t **result, fault *f)
{
    chain_header header;
    hash256 hash;
    bytes *txs = calloc(LIMIT_BLOCK_TXS, sizeof *txs);
    eng_block block = { .txs = txs };
    err e = txs ? OK : fail(f, ERR_MEMORY, "result", 0);
    if (e == OK)
        e = eng_block_decode(&block, encoded, LIMIT_BLOCK_TXS, f);
    if (e == OK)
        e = chain_header_decode(&header, &hash, block.header, f);
    if (e == OK) {
        json_t *out = rpc_record_json(&chain_header_record, &header, n->prefix);
        bool good = out && rpc_put(out, "hash", rpc_json_hex(BYTES_OF(hash))) &&
                    rpc_put(out, "header", rpc_json_hex(block.header)) && rpc_put(out, "txs", block_txs_json(&block, bodies));
        if (good)
            *result = out;
        else
            e = rpc_no_memory(out, f);
    }
    free(txs);
    return e;
}

err rpc_chain_block(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_chain_block *a = args;
    buf encoded;
    buf_init(&encoded, LIMIT_LOG_RECORD_BYTES);
    err e = eng_solo_block(n->engine, &encoded, a->height, f);
    if (e == OK)
        e = block_json(n, buf_bytes(&encoded), a->bodies, result, f);
    buf_deinit(&encoded);
    return e;
}

/* --- accounts and supply ------------------------------------------------------------------------------------------------ */

static json_t *kyc_json(const chain *c, const cr_address *address, const char *prefix)
{
    const chain_row_identity *row = chain_identity(c, address);
    if (!row)
        return json_null();
    json_t *out = rpc_row_json(CHAIN_TABLE_IDENTITY, row, prefix);
    if (out && rpc_put(out, "valid", json_boolean(chain_kyc_valid(c, address))))
        return out;
    json_decref(out);
    return NULL;
}

err rpc_account_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_account_get *a = args;
    static const chain_row_account unused;
    const chain *c = eng_solo_read_begin(n->engine);
    const chain_row_account *row = chain_account(c, &a->address);
    json_t *out = rpc_row_json(CHAIN_TABLE_ACCOUNT, row ? row : &unused, n->prefix);
    bool good = out && rpc_put(out, "address", rpc_json_address(n->prefix, &a->address)) && rpc_put(out, "exists", json_boolean(row)) &&
                rpc_put(out, "kyc", kyc_json(c, &a->address, n->prefix)) && rpc_put(out, "height", rpc_json_u64(chain_head(c)->height));
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(out, f);
    chain_key key = chain_key_address(&a->address);
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_ACCOUNT, chain_key_bytes(&key), f);
}

err rpc_supply_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    rpc_node *n = ctx;
    const rpc_args_supply_get *a = args;
    const chain *c = eng_solo_read_begin(n->engine);
    json_t *out = rpc_row_json(CHAIN_TABLE_SUPPLY, chain_supply(c), n->prefix);
    bool good = out && rpc_put(out, "cap", rpc_json_u64(chain_param_value(c, CHAIN_PARAM_SUPPLY_CAP))) &&
                rpc_put(out, "height", rpc_json_u64(chain_head(c)->height));
    eng_solo_read_end(n->engine);
    if (!good)
        return rpc_no_memory(out, f);
    chain_key key = chain_key_supply();
    *result = out;
    return rpc_put_proof(n, out, a->proof, CHAIN_TABLE_SUPPLY, chain_key_bytes(&key), f);
}

err rpc_params_list(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call, (void)args;
    static const char *const changers[] = { "nobody", "both houses" };
    rpc_node *n = ctx;
    json_t *list = json_array();
    const chain *c = eng_solo_read_begin(n->engine);
    for (size_t i = 0; list && i < CHAIN_PARAM_COUNT; i++) {
        const chain_param_row *p = &chain_param_rows[i];
        json_t *one = json_pack("{s:I, s:s, s:s, s:o, s:o, s:o, s:o, s:s, s:s, s:s}", "number", (json_int_t)p->number, "key", p->key,
                                "unit", p->unit, "value", rpc_json_u64(chain_param_value(c, (chain_param)i)),
                                "default", rpc_json_u64(p->initial), "min", rpc_json_u64(p->min), "max", rpc_json_u64(p->max),
                                "class", chain_class_names[p->class], "changed_by", changers[p->changer], "doc", p->doc);
        if (json_array_append_new(list, one) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    json_t *tariff = rpc_json_u64((uint64_t)chain_economy(c)->tariff);
    eng_solo_read_end(n->engine);
    *result = json_pack("{s:o, s:o}", "params", list, "tariff", tariff);
    return *result ? OK : rpc_no_memory(NULL, f);
}

/* --- proofs and genesis ------------------------------------------------------------------------------------------------- */

/* New object, or NULL. */
static json_t *proved_json(const eng_proved *p, chain_table table, bytes key)
{
    uint8_t buffer[16384]; /* STATE_PROOF_BYTES */
    bytes encoded, header = bytes_of(p->header, p->header_len);
    chain_header head;
    if (smt_proof_encode(&encoded, buffer, sizeof buffer, &p->proof) != OK)
        return NULL;
    bool is_signed = header.len > 0 && chain_header_decode(&head, NULL, header, NULL) == OK;
    return json_pack("{s:o, s:o, s:o, s:o, s:s, s:o, s:o, s:o}", "height", rpc_json_u64(p->height), "block", rpc_json_hex(BYTES_OF(p->block_hash)),
                     "header", rpc_json_hex(header), "state_root", is_signed ? rpc_json_hex(BYTES_OF(head.state_root)) : json_null(),
                     "table", chain_table_describe(table)->record->name, "key", rpc_json_hex(key),
                     "value", p->value.len ? rpc_json_hex(p->value) : json_null(), "proof", rpc_json_hex(encoded));
}

static err prove(rpc_node *n, chain_table table, bytes key, json_t **result, fault *f)
{
    eng_proved *p = malloc(sizeof *p);
    if (!p)
        return rpc_no_memory(NULL, f);
    err e = eng_solo_prove(n->engine, p, table, key, f);
    if (e == OK && !(*result = proved_json(p, table, key)))
        e = rpc_no_memory(NULL, f);
    free(p);
    return e;
}

err rpc_put_proof(rpc_node *n, json_t *object, bool wanted, chain_table table, bytes key, fault *f)
{
    json_t *proof;
    if (!wanted)
        return OK;
    TRY(prove(n, table, key, &proof, f));
    return rpc_put(object, "proof", proof) ? OK : rpc_no_memory(NULL, f);
}

err rpc_proof_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call;
    const rpc_args_proof_get *a = args;
    for (unsigned t = chain_table_next(0); t < CHAIN_TABLE_END; t = chain_table_next(t)) {
        const chain_table_info *info = chain_table_describe(t);
        if (strcmp(info->record->name, a->table.s) != 0)
            continue;
        if (a->key.len != info->key_len)
            return fail(f, ERR_LIMIT, "key: length", info->key_len);
        return prove(ctx, info->table, a->key, result, f);
    }
    return fail(f, ERR_NOT_FOUND, "table", 0);
}

err rpc_genesis_get(void *ctx, const rpc_call *call, const void *args, json_t **result, fault *f)
{
    (void)call, (void)args;
    rpc_node *n = ctx;
    const chain *c = eng_solo_read_begin(n->engine);
    hash256 hash = chain_network(c);
    *result = json_pack("{s:o, s:o, s:s}", "hash", rpc_json_hex(BYTES_OF(hash)), "bytes", rpc_json_hex(chain_genesis_bytes(c)),
                        "chain_id", chain_chain_id(c)->text);
    eng_solo_read_end(n->engine);
    return *result ? OK : rpc_no_memory(NULL, f);
}
