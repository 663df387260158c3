/* SPDX-License-Identifier: Apache-2.0
 * Everything that the chain allocates: between blocks, never inside one. */
#include "chain/auction/auction_int.h"
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "chain/treasury/treasury.h"

/* The shortest encodings that a block can be made of, with room to spare: a transaction has two keys' worth of fields and a
 * signature, a receipt two signatures and nine hashes. They turn bytes into counts. */
enum { TX_BYTES_LEAST = 120, RECEIPT_BYTES_LEAST = 384, MATCH_BYTES_LEAST = 35 };

enum {
    TX_EVENTS = 4,        /* of one transaction without receipts or matches */
    BADGE_EVENTS = 3,     /* of one record of service, or one look at a badge: ended, earned, the standing */
    TX_JOURNAL = 4096,    /* bytes of journal for the fixed part of a transaction */
    JOURNAL_PER_BYTE = 4, /* and for each byte of its lists */
    BLOCK_JOURNAL = 65536,
    COVERAGE_ROWS = 4096 / 256 + 1, /* rows that the longest lease touches (LIMIT_LEASE_SEQUENCES) */
};

void *chain_alloc(const chain_config *config, size_t count, size_t size)
{
    size_t total;
    if (__builtin_mul_overflow(count, size, &total))
        return NULL;
    return config->memory.alloc(config->memory.ctx, total ? total : 1);
}

void chain_release(const chain_config *config, void *block, size_t count, size_t size)
{
    size_t total = count * size; /* did not overflow when it was allocated */
    if (block)
        config->memory.release(config->memory.ctx, block, total ? total : 1);
}

/* Moves an array to one of `wanted` elements; the old one stays on failure. */
static err grow(const chain_config *config, void **array, size_t have, size_t used, size_t wanted, size_t size)
{
    void *fresh = chain_alloc(config, wanted, size);
    if (!fresh)
        return ERR_MEMORY;
    if (used)
        memcpy(fresh, *array, used * size);
    chain_release(config, *array, have, size);
    *array = fresh;
    return OK;
}

#define GROW(array, have, used, wanted, size) grow(&c->config, (void **)&(array), (have), (used), (wanted), (size))

static size_t enough(size_t have, size_t need)
{
    return need > have + have / 2 ? need : have + have / 2;
}

err chain_tree_room(chain *c, tree *t, size_t extra)
{
    size_t need = (size_t)t->leaf_count + extra; /* free numbers are a bonus */
    if (need <= t->cap)
        return OK;
    size_t cap = enough(t->cap, need);
    if (cap >= TREE_NODE_BIT)
        return ERR_LIMIT;
    tree_leaf *leaves = chain_alloc(&c->config, cap, sizeof *leaves);
    tree_node *nodes = chain_alloc(&c->config, cap, sizeof *nodes);
    tree_hashes *hashes = chain_alloc(&c->config, cap, sizeof *hashes);
    if (!leaves || !nodes || !hashes) {
        chain_release(&c->config, leaves, cap, sizeof *leaves);
        chain_release(&c->config, nodes, cap, sizeof *nodes);
        chain_release(&c->config, hashes, cap, sizeof *hashes);
        return ERR_MEMORY;
    }
    if (t->cap) {
        memcpy(leaves, t->leaves, t->leaf_count * sizeof *leaves);
        memcpy(nodes, t->nodes, t->node_count * sizeof *nodes);
        memcpy(hashes, t->hashes, t->node_count * sizeof *hashes);
    }
    chain_release(&c->config, t->leaves, t->cap, sizeof *leaves);
    chain_release(&c->config, t->nodes, t->cap, sizeof *nodes);
    chain_release(&c->config, t->hashes, t->cap, sizeof *hashes);
    t->leaves = leaves;
    t->nodes = nodes;
    t->hashes = hashes;
    t->cap = (uint32_t)cap;
    return OK;
}

err chain_table_room(chain *c, chain_table table, size_t extra)
{
    row_table *t = &c->tables[table];
    size_t need = (size_t)t->count + extra;
    if (need <= t->cap)
        return OK;
    size_t cap = enough(t->cap, need), slots = 16;
    if (cap >= TREE_NODE_BIT / 2)
        return ERR_LIMIT;
    while (slots < 2 * cap)
        slots *= 2;
    uint8_t *entries = chain_alloc(&c->config, cap, t->stride);
    uint32_t *index = chain_alloc(&c->config, slots, sizeof *index);
    uint32_t *block_dirty = chain_alloc(&c->config, cap, sizeof *block_dirty);
    uint32_t *mark_dirty = chain_alloc(&c->config, cap, sizeof *mark_dirty);
    if (!entries || !index || !block_dirty || !mark_dirty) {
        chain_release(&c->config, entries, cap, t->stride);
        chain_release(&c->config, index, slots, sizeof *index);
        chain_release(&c->config, block_dirty, cap, sizeof *block_dirty);
        chain_release(&c->config, mark_dirty, cap, sizeof *mark_dirty);
        return ERR_MEMORY;
    }
    if (t->cap) {
        memcpy(entries, t->entries, (size_t)t->count * t->stride);
        memcpy(block_dirty, t->block_dirty, t->block_dirty_count * sizeof *block_dirty);
        memcpy(mark_dirty, t->mark_dirty, t->mark_dirty_count * sizeof *mark_dirty);
        chain_release(&c->config, t->entries, t->cap, t->stride);
        chain_release(&c->config, t->index, (size_t)t->index_mask + 1, sizeof *index);
        chain_release(&c->config, t->block_dirty, t->cap, sizeof *block_dirty);
        chain_release(&c->config, t->mark_dirty, t->cap, sizeof *mark_dirty);
    }
    t->entries = entries;
    t->index = index;
    t->block_dirty = block_dirty;
    t->mark_dirty = mark_dirty;
    t->cap = (uint32_t)cap;
    t->index_mask = (uint32_t)(slots - 1);
    chain_table_reindex(t);
    return chain_tree_room(c, &c->trees[t->info->module], extra);
}

/* New rows of one table that a block of this size can make. */
static size_t rows_of_block(const chain *c, unsigned table, size_t tx_count, size_t tx_bytes)
{
    size_t txs = tx_bytes / TX_BYTES_LEAST < tx_count ? tx_bytes / TX_BYTES_LEAST + 1 : tx_count;
    size_t receipts = tx_bytes / RECEIPT_BYTES_LEAST;
    switch (table) {
    case CHAIN_TABLE_ACCOUNT:
        return 2 * txs + receipts + 2 + chain_sweep_block_max(c) + c->genesis.producer_count + CHAIN_TREASURY_ACCOUNTS;
    case CHAIN_TABLE_SUPPLY:
    case CHAIN_TABLE_PARAM:
    case CHAIN_TABLE_ECONOMY:
    case CHAIN_TABLE_MARKET:
    case CHAIN_TABLE_PRODUCER:
    case CHAIN_TABLE_TREASURY:
    case CHAIN_TABLE_BREAKER:
        return 0;
    case CHAIN_TABLE_AWARD:
        return ECON_MARKETS;
    case CHAIN_TABLE_EPOCH:
    case CHAIN_TABLE_STANDBY:
        return 1;
    case CHAIN_TABLE_REGION: /* at most one for each provider that a transaction sets or a visit looks at */
        return txs + 1 + chain_sweep_block_max(c);
    case CHAIN_TABLE_WORKED:
        return receipts + 1;
    case CHAIN_TABLE_GOVERNANCE:
    case CHAIN_TABLE_HOUSE:
        return 0;
    case CHAIN_TABLE_PROPOSAL:
        return LIMIT_PROPOSALS; /* more are never active */
    case CHAIN_TABLE_CHANGE:
        return LIMIT_PROPOSALS * LIMIT_PROPOSAL_CHANGES;
    case CHAIN_TABLE_VOTE:
    case CHAIN_TABLE_PERSON_VOTE:
        return 2 * txs + 1; /* one in each house */
    case CHAIN_TABLE_VOTER: /* of a transaction, or of a badge that is recorded or looked at, or ended by a vote */
    case CHAIN_TABLE_VOTER_AT:
        return txs + 1 + chain_sweep_block_max(c) + LIMIT_BADGE_SWEEP + LIMIT_PROPOSALS;
    case CHAIN_TABLE_DISBURSEMENT_SLOT:
        return LIMIT_DISBURSEMENTS;
    case CHAIN_TABLE_OUTFLOW:
        return 2;
    case CHAIN_TABLE_ISSUER:
        return LIMIT_AUTHORITY_CHANGES;
    case CHAIN_TABLE_AUTHORITY: /* and their roles */
        return LIMIT_AUTHORITY_CHANGES + 2;
    case CHAIN_TABLE_BADGE:
        return txs + chain_sweep_block_max(c);
    case CHAIN_TABLE_DUE: /* where a badge goes that was earned, or looked at, and where the rest of a list goes */
        return txs + chain_sweep_block_max(c) + LIMIT_BADGE_SWEEP + 1;
    case CHAIN_TABLE_COVERAGE:
        return COVERAGE_ROWS * receipts;
    case CHAIN_TABLE_LEASE:
        return receipts + 1;
    case CHAIN_TABLE_BEACON:
        return 1;
    default:
        return txs + 1;
    }
}

static size_t events_of_block(const chain *c, size_t tx_count, size_t tx_bytes)
{
    size_t badges = BADGE_EVENTS * (chain_sweep_block_max(c) + LIMIT_BADGE_SWEEP);
    size_t epoch = c->genesis.producer_count + ECON_MARKETS + 1 + chain_gov_epoch_events() + CHAIN_TREASURY_EVENTS;
    return chain_sweep_block_max(c) + epoch + badges + TX_EVENTS * tx_count + 3 * (tx_bytes / RECEIPT_BYTES_LEAST) +
           tx_bytes / MATCH_BYTES_LEAST + 4;
}

#define EDIT(name) ((sizeof(chain_row_##name) + 7) / 8 * 8 + sizeof(journal_entry))

/* A record of service edits the badge up to four times and, in the calendar, the list and the badge before it; so does a look. */
static size_t journal_of_badges(const chain *c)
{
    return (chain_sweep_block_max(c) + LIMIT_BADGE_SWEEP + 1) * (5 * EDIT(badge) + 2 * EDIT(due) + CHAIN_VOTER_UPDATE_JOURNAL);
}

/* A verdict is short and may settle much: the longest lease spoiled, its bond shared, and each validator paid. */
static size_t journal_of_verdict(const chain *c)
{
    size_t payment = EDIT(account) + EDIT(supply);
    size_t fee = payment + EDIT(account), rows = EDIT(audit) + EDIT(lease) + 2 * EDIT(worker) + COVERAGE_ROWS * EDIT(coverage);
    rows += EDIT(provider) + EDIT(market) + EDIT(region);
    size_t sources = 4 * EDIT(supply), shares = 3 * payment; /* bond, burn, treasury, deposit; reporter, buyer, opener */
    return fee + rows + sources + shares + c->genesis.producer_count * payment;
}

/* What a payment does for the markets: its worker's meters, and those of the market. The receipt's bytes pay for the rest. */
static size_t journal_of_work(void)
{
    return EDIT(provider) + 2 * EDIT(market) + EDIT(worked) + EDIT(supply);
}

/* A visit pays and renews one provider; a draw edits it. The end of an epoch edits all rows of the markets and pays the producers. */
static size_t journal_of_epoch(const chain *c)
{
    size_t visit = 2 * EDIT(provider) + EDIT(account) + 2 * EDIT(supply) + 3 * EDIT(market) + 2 * EDIT(region);
    size_t end = 2 * EDIT(economy) + ECON_MARKETS * (EDIT(market) + EDIT(award)) + EDIT(epoch) + 16 * EDIT(supply);
    size_t producers = c->genesis.producer_count * (EDIT(producer) + EDIT(account) + EDIT(supply));
    return visit * chain_sweep_block_max(c) + end + producers + EDIT(standby);
#undef EDIT
}

static size_t journal_of_block(const chain *c, size_t tx_count, size_t tx_bytes)
{
    size_t tx = journal_of_verdict(c), gov = chain_gov_tx_journal(), round = chain_oracle_close_journal(), receipts = tx_bytes / RECEIPT_BYTES_LEAST;
    tx = tx > TX_JOURNAL ? tx : TX_JOURNAL;
    tx = tx > gov ? tx : gov;
    tx = tx > round ? tx : round;
    return tx * tx_count + JOURNAL_PER_BYTE * tx_bytes + journal_of_work() * receipts + journal_of_epoch(c) + chain_gov_epoch_journal() +
           chain_treasury_journal_bytes() + journal_of_badges(c) + BLOCK_JOURNAL;
}

bool chain_has_room(const chain *c, size_t tx_count, size_t tx_bytes)
{
    if (c->journal_cap < journal_of_block(c, tx_count, tx_bytes) || c->event_cap < events_of_block(c, tx_count, tx_bytes) ||
        c->result_cap < tx_count + CHAIN_MODULE_COUNT || c->candidate_cap < tx_count)
        return false;
    size_t module_rows[CHAIN_MODULE_COUNT] = { 0 };
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        const row_table *t = &c->tables[i];
        size_t extra = rows_of_block(c, i, tx_count, tx_bytes);
        if ((size_t)t->count + extra > t->cap)
            return false;
        module_rows[t->info->module] += extra;
    }
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++)
        if ((size_t)c->trees[i].leaf_count + module_rows[i] > c->trees[i].cap)
            return false;
    return true;
}

err chain_reserve(chain *c, size_t tx_count, size_t tx_bytes)
{
    if (c->pending)
        return ERR_STATE;
    if (tx_count > LIMIT_BLOCK_TXS || tx_bytes > LIMIT_BLOCK_BYTES)
        return ERR_LIMIT;
    size_t journal = journal_of_block(c, tx_count, tx_bytes), events = events_of_block(c, tx_count, tx_bytes);
    if (c->journal_cap < journal) {
        TRY(GROW(c->journal, c->journal_cap, 0, journal, 1));
        c->journal_cap = journal;
    }
    if (c->event_cap < events) {
        TRY(GROW(c->events, c->event_cap, 0, events, sizeof *c->events));
        c->event_cap = events;
    }
    size_t results = tx_count + CHAIN_MODULE_COUNT;
    if (c->result_cap < results) {
        hash256 *hashes = chain_alloc(&c->config, results, sizeof *hashes);
        if (!hashes)
            return ERR_MEMORY;
        err e = GROW(c->results, c->result_cap, 0, results, sizeof *c->results);
        if (e != OK) {
            chain_release(&c->config, hashes, results, sizeof *hashes);
            return e;
        }
        chain_release(&c->config, c->hashes, c->result_cap, sizeof *hashes);
        c->hashes = hashes;
        c->result_cap = results;
    }
    if (c->candidate_cap < tx_count) {
        candidate *spare = chain_alloc(&c->config, tx_count, sizeof *spare);
        if (!spare)
            return ERR_MEMORY;
        err e = GROW(c->candidates, c->candidate_cap, 0, tx_count, sizeof *c->candidates);
        if (e != OK) {
            chain_release(&c->config, spare, tx_count, sizeof *spare);
            return e;
        }
        chain_release(&c->config, c->candidates_spare, c->candidate_cap, sizeof *spare);
        c->candidates_spare = spare;
        c->candidate_cap = tx_count;
    }
    size_t module_rows[CHAIN_MODULE_COUNT] = { 0 };
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        size_t extra = rows_of_block(c, i, tx_count, tx_bytes);
        module_rows[c->tables[i].info->module] += extra;
        TRY(chain_table_room(c, (chain_table)i, extra));
    }
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++)
        TRY(chain_tree_room(c, &c->trees[i], module_rows[i]));
    return OK;
}
