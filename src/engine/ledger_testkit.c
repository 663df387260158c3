/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/ledger_testkit.h"

#include "engine/block.h"

#include <stdio.h>
#include <stdlib.h>

enum { EXPIRY_HEIGHT = 1000000 };

void kit_key(cr_secret_key *secret, cr_public_key *key, uint64_t number)
{
    uint8_t seed[32] = "theblock test key";
    store_le64(seed + 24, number);
    cr_ed25519_keypair(secret, key, seed);
}

cr_address kit_address(uint64_t number)
{
    cr_secret_key secret;
    cr_public_key key;
    kit_key(&secret, &key, number);
    return cr_address_of_key(&key);
}

static chain_name dev_name(const char *name)
{
    char text[64];
    chain_name out;
    int n = snprintf(text, sizeof text, "%s-dev", name);
    CHECK(n > 0 && chain_name_set(&out, bytes_of(text, (size_t)n)) == OK);
    return out;
}

void kit_genesis(buf *out, const char *name, size_t accounts)
{
    cr_secret_key secret;
    cr_public_key producer;
    CHECK(cr_ed25519_self_test() == OK);
    kit_key(&secret, &producer, KIT_PRODUCER);
    chain_genesis g = { .chain_id = dev_name(name), .allocation_count = accounts, .producers = &producer, .producer_count = 1 };
    CHECK(chain_name_set(&g.address_prefix, bytes_of_str("tb")) == OK);
    chain_params_default(&g.params);
    g.params.v[CHAIN_PARAM_TX_TERM_MAX] = EXPIRY_HEIGHT + 1;
    g.params.v[CHAIN_PARAM_WORKER_BOND_MIN] = 1000000;
    g.params.v[CHAIN_PARAM_AUDIT_RATE] = 0; /* no node opens anything by itself */
    g.params.v[CHAIN_PARAM_FEE_BURN] = 300000; /* so that burning is not a special case nobody sees */
    g.allocations = calloc(accounts, sizeof *g.allocations);
    CHECK(g.allocations != NULL);
    for (size_t i = 0; i < accounts; i++)
        g.allocations[i] = (chain_allocation){ kit_address(i), KIT_GRANT_NBLOCK };
    bytes encoded;
    CHECK(buf_reserve(out, LIMIT_GENESIS_BYTES) == OK);
    CHECK(chain_genesis_encode(&encoded, out->data + out->len, LIMIT_GENESIS_BYTES, &g, NULL) == OK);
    out->len += encoded.len;
    free(g.allocations);
}

static bytes sign(uint8_t *out, hash256 *id, chain_tx *tx, const char *name, uint64_t from, uint64_t nonce)
{
    cr_secret_key secret;
    kit_key(&secret, &tx->sender, from);
    tx->chain_id = dev_name(name);
    tx->nonce = nonce;
    tx->expiry_height = EXPIRY_HEIGHT;
    tx->fee_max = 1000000000;
    bytes raw;
    CHECK(chain_tx_sign(&raw, out, KIT_TX_BYTES, tx, &secret, id, NULL) == OK);
    return raw;
}

bytes kit_transfer(uint8_t *out, hash256 *id, const char *name, uint64_t from, uint64_t to, uint64_t amount, uint64_t nonce)
{
    chain_tx tx = { .type = CHAIN_TX_TRANSFER };
    tx.payload.transfer.to = kit_address(to);
    tx.payload.transfer.amount = amount;
    return sign(out, id, &tx, name, from, nonce);
}

bytes kit_bond(uint8_t *out, hash256 *id, const char *name, uint64_t from, uint64_t bond, uint64_t nonce)
{
    chain_tx tx = { .type = CHAIN_TX_WORKER_REGISTER };
    tx.payload.worker_register = (chain_tx_worker_register){ .bond = bond, .blocktorch_version = 1 << 20,
                                                             .supported_backends = CHAIN_BACKEND_CPU,
                                                             .max_model_parameters = 1000000, .max_batch_size = 64,
                                                             .measured_throughput = 1000 };
    return sign(out, id, &tx, name, from, nonce);
}

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return malloc(size);
}

static void heap_release(void *ctx, void *block, size_t size)
{
    (void)ctx, (void)size;
    free(block);
}

chain_config kit_config(void)
{
    return (chain_config){ .memory = { NULL, heap_alloc, heap_release }, .table_seed = 7 };
}

chain *kit_chain(bytes genesis)
{
    chain_config config = kit_config();
    chain *c = NULL;
    CHECK(chain_new(&c, &config, genesis, NULL) == OK);
    return c;
}

void kit_apply(chain *c, bytes encoded)
{
    bytes          *raws = calloc(LIMIT_BLOCK_TXS, sizeof *raws);
    chain_block_tx *txs = calloc(LIMIT_BLOCK_TXS, sizeof *txs);
    CHECK(raws != NULL && txs != NULL);
    eng_block    block = { .txs = raws };
    chain_header header;
    hash256      hash;
    CHECK(eng_block_decode(&block, encoded, LIMIT_BLOCK_TXS, NULL) == OK);
    CHECK(chain_header_decode(&header, &hash, block.header, NULL) == OK);
    size_t total = 0;
    for (size_t i = 0; i < block.tx_count; i++) {
        txs[i].raw = block.txs[i];
        total += block.txs[i].len;
    }
    CHECK(chain_reserve(c, block.tx_count, total) == OK);
    chain_block_input in = { .height = header.height, .producer = header.producer, .beacon = header.beacon, .txs = txs,
                             .tx_count = block.tx_count };
    chain_block_result result;
    CHECK(chain_execute(c, &in, &result, NULL) == OK);
    CHECK(chain_commit(c, block.header, NULL) == OK);
    free(raws);
    free(txs);
}

void kit_audit(const chain *c)
{
    fault f = { 0 };
    if (chain_audit(c, &f) != OK) {
        fprintf(stderr, "audit: %s at %llu\n", f.what, (unsigned long long)f.at);
        abort();
    }
}
