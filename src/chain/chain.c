/* SPDX-License-Identifier: Apache-2.0
 * Life of a chain: from the genesis, or from stored rows. */
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "chain/treasury/treasury.h"
#include "chain/ident/ident.h"
#include "crypto/sha256.h"

static err genesis_read(chain *c, bytes genesis, fault *f)
{
    chain_genesis *g = &c->genesis;
    g->allocation_count = LIMIT_GENESIS_ACCOUNTS;
    g->issuer_count = g->producer_count = LIMIT_GENESIS_KEYS;
    g->allocations = chain_alloc(&c->config, g->allocation_count, sizeof *g->allocations);
    g->issuers = chain_alloc(&c->config, g->issuer_count, sizeof *g->issuers);
    g->producers = chain_alloc(&c->config, g->producer_count, sizeof *g->producers);
    c->genesis_data = chain_alloc(&c->config, genesis.len, 1);
    c->genesis_len = genesis.len;
    if (!g->allocations || !g->issuers || !g->producers || !c->genesis_data)
        return fail(f, ERR_MEMORY, "genesis", genesis.len);
    memcpy(c->genesis_data, genesis.data, genesis.len);
    c->network = chain_genesis_hash(genesis);
    return chain_genesis_decode(g, genesis, f);
}

/* The tables with the room that the genesis rows need. */
static err tables_new(chain *c, fault *f)
{
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++)
        chain_tree_init(&c->trees[i]);
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        const chain_table_info *info = chain_table_describe(i);
        CHECK(info && info->key_len <= CHAIN_KEY_MAX);
        chain_table_init(&c->tables[i], info, c->config.table_seed);
    }
    size_t rows = c->genesis.allocation_count + c->genesis.issuer_count + CHAIN_PARAM_COUNT + LIMIT_GENESIS_AUTHORITIES + 2 + 1;
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i))
        if (chain_table_room(c, (chain_table)i, rows) != OK)
            return fail(f, ERR_MEMORY, "state", rows);
    if (chain_reserve(c, CHAIN_MODULE_COUNT, 1024) != OK)
        return fail(f, ERR_MEMORY, "state", 0);
    return OK;
}

static err genesis_rows(chain *c, fault *f)
{
    const chain_genesis *g = &c->genesis;
    chain_key key = chain_key_supply();
    (void)chain_row_create(c, CHAIN_TABLE_SUPPLY, &key);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        key = chain_key_param((chain_param)i);
        *(chain_row_param *)chain_row_create(c, CHAIN_TABLE_PARAM, &key) =
            (chain_row_param){ .value = g->params.v[i], .previous = g->params.v[i] };
    }
    for (size_t i = 0; i < g->issuer_count; i++) {
        cr_address a = cr_address_of_key(&g->issuers[i]);
        key = chain_key_address(&a);
        ((chain_row_issuer *)chain_row_create(c, CHAIN_TABLE_ISSUER, &key))->active = 1;
    }
    chain_gov_genesis(c);
    chain_treasury_genesis(c);
    for (size_t i = 0; i < g->authority_count; i++) {
        cr_address a = cr_address_of_key(&g->authorities[i].key);
        TRY(chain_authority_set(c, (chain_role)g->authorities[i].role, &a, g->authorities[i].scope, true, f));
        c->event_count = 0;
    }
    c->journal_len = 0; /* nothing of a genesis is ever undone */
    TRY(chain_params_index(c, f));
    chain_economy_genesis(c);
    c->journal_len = 0;
    for (size_t i = 0; i < g->allocation_count; i++) {
        if (chain_supply_mint(c, g->allocations[i].amount) != OK ||
            chain_account_credit(c, &g->allocations[i].address, g->allocations[i].amount) != OK)
            return fail(f, ERR_CAP, "genesis.allocations", i);
        c->journal_len = 0;
    }
    return chain_supply_check(c, 0, f);
}

static void genesis_head(chain *c)
{
    c->head = (chain_header){ .version = CHAIN_HEADER_VERSION, .chain_id = c->genesis.chain_id, .previous = c->network,
                              .randomness = c->network };
    c->head.state_root = chain_trees_root(c, NULL);
    uint8_t buffer[sizeof c->head_signed];
    cbor_writer w = cbor_writer_on(buffer, sizeof buffer);
    chain_record_encode(&w, &chain_header_record, &c->head);
    bytes body;
    CHECK(cbor_finish(&w, &body) == OK);
    c->head_hash = cr_sha256(body);
}

static err chain_make(chain **out, const chain_config *config, bytes genesis, bool loading, fault *f)
{
    _Static_assert(sizeof(((chain *)0)->head_signed) == 1024, "LIMIT_HEADER_BYTES");
    err e;
    *out = NULL;
    if (genesis.len == 0 || genesis.len > LIMIT_GENESIS_BYTES)
        return fail(f, ERR_LIMIT, "genesis", genesis.len);
    chain *c = chain_alloc(config, 1, sizeof *c);
    if (!c)
        return fail(f, ERR_MEMORY, "chain", sizeof *c);
    memset(c, 0, sizeof *c);
    c->config = *config;
    TRY_OUT(genesis_read(c, genesis, f));
    TRY_OUT(tables_new(c, f));
    c->loading = loading;
    if (!loading) {
        TRY_OUT(genesis_rows(c, f));
        chain_trees_sync(c);
        chain_block_dirty_to_mark(c);
        genesis_head(c);
    }
    *out = c;
    return OK;
out:
    chain_free(c);
    return e;
}

err chain_new(chain **out, const chain_config *config, bytes genesis, fault *f)
{
    return chain_make(out, config, genesis, false, f);
}

err chain_load_begin(chain **out, const chain_config *config, bytes genesis, fault *f)
{
    return chain_make(out, config, genesis, true, f);
}

void chain_free(chain *c)
{
    if (!c)
        return;
    chain_config config = c->config;
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        row_table *t = &c->tables[i];
        chain_release(&config, t->entries, t->cap, t->stride);
        chain_release(&config, t->index, (size_t)t->index_mask + 1, sizeof *t->index);
        chain_release(&config, t->block_dirty, t->cap, sizeof *t->block_dirty);
        chain_release(&config, t->mark_dirty, t->cap, sizeof *t->mark_dirty);
    }
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++) {
        tree *t = &c->trees[i];
        chain_release(&config, t->leaves, t->cap, sizeof *t->leaves);
        chain_release(&config, t->nodes, t->cap, sizeof *t->nodes);
        chain_release(&config, t->hashes, t->cap, sizeof *t->hashes);
    }
    chain_release(&config, c->journal, c->journal_cap, 1);
    chain_release(&config, c->events, c->event_cap, sizeof *c->events);
    chain_release(&config, c->results, c->result_cap, sizeof *c->results);
    chain_release(&config, c->hashes, c->result_cap, sizeof *c->hashes);
    chain_release(&config, c->candidates, c->candidate_cap, sizeof *c->candidates);
    chain_release(&config, c->candidates_spare, c->candidate_cap, sizeof *c->candidates_spare);
    chain_release(&config, c->genesis.allocations, LIMIT_GENESIS_ACCOUNTS, sizeof *c->genesis.allocations);
    chain_release(&config, c->genesis.issuers, LIMIT_GENESIS_KEYS, sizeof *c->genesis.issuers);
    chain_release(&config, c->genesis.producers, LIMIT_GENESIS_KEYS, sizeof *c->genesis.producers);
    chain_release(&config, c->genesis_data, c->genesis_len, 1);
    chain_release(&config, c, 1, sizeof *c);
}

bytes chain_genesis_bytes(const chain *c)
{
    return bytes_of(c->genesis_data, c->genesis_len);
}

hash256 chain_network(const chain *c)
{
    return c->network;
}

const chain_name *chain_chain_id(const chain *c)
{
    return &c->genesis.chain_id;
}

const chain_name *chain_address_prefix(const chain *c)
{
    return &c->genesis.address_prefix;
}

bool chain_producer_index(const chain *c, const cr_public_key *key, size_t *index)
{
    for (*index = 0; *index < c->genesis.producer_count; ++*index)
        if (memcmp(&c->genesis.producers[*index], key, sizeof *key) == 0)
            return true;
    return false;
}

bool chain_may_produce(const chain *c, const cr_public_key *key)
{
    size_t index;
    return chain_producer_index(c, key, &index);
}

const chain_header *chain_head(const chain *c)
{
    return &c->head;
}

hash256 chain_head_hash(const chain *c)
{
    return c->head_hash;
}

bytes chain_head_signed(const chain *c)
{
    return bytes_of(c->head_signed, c->head_signed_len);
}
