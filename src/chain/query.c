/* SPDX-License-Identifier: Apache-2.0
 * Reading the state. */
#include "chain/auction/auction_int.h"
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "chain/treasury/treasury.h"
#include "chain/ident/ident.h"
#include "crypto/sha256.h"

const chain_row_account *chain_account(const chain *c, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    return chain_row_get(c, CHAIN_TABLE_ACCOUNT, &key);
}

const chain_row_supply *chain_supply(const chain *c)
{
    chain_key key = chain_key_supply();
    return chain_row_get(c, CHAIN_TABLE_SUPPLY, &key);
}

const chain_row_job *chain_job(const chain *c, const hash256 *job)
{
    chain_key key = chain_key_job(job);
    return chain_row_get(c, CHAIN_TABLE_JOB, &key);
}

const chain_row_bid *chain_bid(const chain *c, const hash256 *job, const cr_address *worker)
{
    chain_key key = chain_key_bid(job, worker);
    return chain_row_get(c, CHAIN_TABLE_BID, &key);
}

const chain_row_worker *chain_worker(const chain *c, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    return chain_row_get(c, CHAIN_TABLE_WORKER, &key);
}

const chain_row_identity *chain_identity(const chain *c, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    return chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
}

const chain_row_lease *chain_lease_row(const chain *c, const hash256 *job, uint64_t lease_id)
{
    chain_key key = chain_key_numbered(job, lease_id);
    return chain_row_get(c, CHAIN_TABLE_LEASE, &key);
}

const chain_row_coverage *chain_coverage(const chain *c, const hash256 *job, uint64_t block)
{
    chain_key key = chain_key_numbered(job, block);
    return chain_row_get(c, CHAIN_TABLE_COVERAGE, &key);
}

const chain_row_beacon *chain_beacon(const chain *c, uint64_t height)
{
    chain_key key = chain_key_height(height);
    return chain_row_get(c, CHAIN_TABLE_BEACON, &key);
}

const chain_row_audit *chain_audit_row(const chain *c, const hash256 *job, uint64_t lease_id)
{
    chain_key key = chain_key_numbered(job, lease_id);
    return chain_row_get(c, CHAIN_TABLE_AUDIT, &key);
}

const chain_row_economy *chain_economy(const chain *c)
{
    return economy(c);
}

const void *chain_row(const chain *c, chain_table table, const chain_key *key)
{
    return chain_row_get(c, table, key);
}

uint64_t chain_param_value(const chain *c, chain_param p)
{
    return param(c, p);
}

chain_bound chain_param_bound(const chain *c, chain_param p)
{
    for (size_t i = 0; i < c->genesis.bound_count; i++)
        if (c->genesis.bounds[i].param == p)
            return c->genesis.bounds[i];
    return (chain_bound){ p, chain_param_rows[p].min, chain_param_rows[p].max };
}

size_t chain_producer_count(const chain *c)
{
    return c->genesis.producer_count;
}

bool chain_kyc_valid(const chain *c, const cr_address *a)
{
    return chain_kyc_valid_at(c, a, c->head.height + 1);
}

err chain_sampled(const chain *c, bool *out, const hash256 *job, uint64_t lease_id)
{
    const chain_row_lease *lease = chain_lease_row(c, job, lease_id);
    const chain_row_job *j = chain_job(c, job);
    if (!lease || !j || lease->commit_height == 0)
        return ERR_NOT_FOUND;
    if (c->head.height <= lease->commit_height)
        return ERR_BUSY;
    const chain_row_beacon *beacon = chain_beacon(c, lease->commit_height + 1);
    if (!beacon)
        return ERR_NOT_FOUND;
    *out = chain_sample_selected(&beacon->randomness, &lease->lease_hash, j->sample_ppm);
    return OK;
}

err chain_audit_drawn(const chain *c, bool *out, const hash256 *job, uint64_t lease_id)
{
    const chain_row_lease *lease = chain_lease_row(c, job, lease_id);
    return lease ? chain_audit_draw(c, out, lease, c->head.height) : ERR_NOT_FOUND;
}

size_t chain_row_count(const chain *c, chain_table table)
{
    return chain_table_describe(table) ? c->tables[table].count : 0;
}

const void *chain_row_at(const chain *c, chain_table table, size_t index, bytes *key)
{
    if (index >= chain_row_count(c, table))
        return NULL;
    const row_table *t = &c->tables[table];
    if (key)
        *key = bytes_of(table_key_at(t, (uint32_t)index), t->info->key_len);
    return table_row_at(t, (uint32_t)index);
}

/* The siblings of one module root in the tree over the modules (a complete tree: CHAIN_MODULE_COUNT is a power of two). */
static void prove_top(const chain *c, smt_proof *out)
{
    hash256 level[CHAIN_MODULE_COUNT];
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++) {
        /* The hashes are fresh, so reading the root does not write. */
        hash256 root = chain_tree_fresh_root(&c->trees[i]);
        level[i] = cr_sha256_concat((const bytes[]){ bytes_of("\0", 1), BYTES_OF(root) }, 2);
    }
    unsigned at = out->module;
    for (unsigned k = 0, width = CHAIN_MODULE_COUNT; k < SMT_TOP_MAX; k++, width /= 2, at /= 2) {
        out->top[k] = level[at ^ 1];
        for (unsigned i = 0; i < width / 2; i++)
            level[i] = cr_sha256_node(1, &level[2 * i], &level[2 * i + 1]);
    }
}

err chain_prove(const chain *c, smt_proof *out, bytes *value, uint8_t *buffer, chain_table table, bytes key, fault *f)
{
    const chain_table_info *info = chain_table_describe(table);
    if (c->pending || c->loading)
        return fail(f, ERR_STATE, "block", c->head.height);
    if (!info)
        return fail(f, ERR_NOT_FOUND, "table", table);
    if (key.len != info->key_len)
        return fail(f, ERR_RANGE, "key", key.len);
    hash256 path = smt_path((uint8_t)table, key);
    chain_tree_prove(&c->trees[info->module], out, &path);
    out->module = (uint8_t)info->module;
    prove_top(c, out);
    chain_key k = { .len = (uint8_t)key.len };
    memcpy(k.b, key.data, key.len);
    uint32_t number = chain_table_find(&c->tables[table], &k);
    *value = number == TABLE_NONE ? bytes_of(buffer, 0) : chain_row_encode(&c->tables[table], number, buffer);
    return OK;
}

typedef struct sums {
    u128 balances, escrow, bonds, stakes;
} sums;

static sums add_up(const chain *c)
{
    sums s = { 0 };
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_ACCOUNT); i++)
        s.balances += ((const chain_row_account *)chain_row_at(c, CHAIN_TABLE_ACCOUNT, i, NULL))->balance;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_JOB); i++)
        s.escrow += ((const chain_row_job *)chain_row_at(c, CHAIN_TABLE_JOB, i, NULL))->escrow;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_WORKER); i++)
        s.bonds += ((const chain_row_worker *)chain_row_at(c, CHAIN_TABLE_WORKER, i, NULL))->bond;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_AUDIT); i++) {
        const chain_row_audit *audit = chain_row_at(c, CHAIN_TABLE_AUDIT, i, NULL);
        s.escrow += audit->status == CHAIN_AUDIT_OPEN ? audit->deposit : 0;
    }
    u128 stakes, pots;
    chain_ident_held(c, &stakes, &pots);
    s.stakes += stakes + chain_gov_stakes(c) + chain_stakes_of_auctions(c);
    s.escrow += pots;
    return s;
}

/* Open audits of one worker's leases, or of all with NULL. */
static uint64_t open_audits(const chain *c, const cr_address *worker)
{
    uint64_t n = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_AUDIT); i++) {
        bytes at;
        const chain_row_audit *audit = chain_row_at(c, CHAIN_TABLE_AUDIT, i, &at);
        if (audit->status != CHAIN_AUDIT_OPEN)
            continue;
        chain_key key = { .len = (uint8_t)at.len };
        memcpy(key.b, at.data, at.len);
        const chain_row_lease *lease = chain_row_get(c, CHAIN_TABLE_LEASE, &key);
        n += !worker || (lease && cr_address_equal(&lease->worker, worker));
    }
    return n;
}

/* The audits that hold a bond against those that are open. */
static err audit_audits(const chain *c, fault *f)
{
    uint64_t total = 0;
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_WORKER); i++) {
        bytes packed;
        cr_address worker;
        const chain_row_worker *w = chain_row_at(c, CHAIN_TABLE_WORKER, i, &packed);
        if (!w->audits)
            continue;
        worker.kind = packed.data[0];
        memcpy(worker.hash, packed.data + 1, sizeof worker.hash);
        if (w->audits != open_audits(c, &worker))
            return fail(f, ERR_INVARIANT, "audits of a worker", i);
        total += w->audits;
    }
    return total == open_audits(c, NULL) ? OK : fail(f, ERR_INVARIANT, "sum of audits", total);
}

/* Paid sequences of every job against its coverage bitmap. */
static err audit_coverage(const chain *c, fault *f)
{
    for (size_t i = 0; i < chain_row_count(c, CHAIN_TABLE_JOB); i++) {
        bytes key = { 0 };
        const chain_row_job *job = chain_row_at(c, CHAIN_TABLE_JOB, i, &key);
        uint64_t paid = 0;
        for (size_t k = 0; k < chain_row_count(c, CHAIN_TABLE_COVERAGE); k++) {
            bytes owner;
            const chain_row_coverage *row = chain_row_at(c, CHAIN_TABLE_COVERAGE, k, &owner);
            if (memcmp(owner.data, key.data, 32) != 0)
                continue;
            for (size_t b = 0; b < 32; b++)
                for (unsigned x = row->paid.b[b]; x; x &= x - 1)
                    paid++;
        }
        if (paid != job->sequences_paid || paid > job->sequences_total)
            return fail(f, ERR_INVARIANT, "sequences paid = coverage", i);
    }
    return OK;
}

err chain_audit(const chain *c, fault *f)
{
    const chain_row_supply *supply = chain_supply(c);
    TRY(chain_supply_check(c, 0, f));
    sums s = add_up(c);
    if (s.balances != supply->balances)
        return fail(f, ERR_INVARIANT, "sum of balances", 0);
    if (s.escrow != supply->escrow)
        return fail(f, ERR_INVARIANT, "sum of escrows", 0);
    if (s.bonds != supply->bonds)
        return fail(f, ERR_INVARIANT, "sum of bonds", 0);
    if (s.stakes != supply->stakes)
        return fail(f, ERR_INVARIANT, "sum of stakes", 0);
    TRY(audit_coverage(c, f));
    TRY(audit_audits(c, f));
    TRY(chain_audit_markets(c, f));
    TRY(chain_gov_audit(c, f));
    TRY(chain_treasury_audit(c, f));
    TRY(chain_ident_audit(c, f));
    TRY(chain_audit_auctions(c, f));
    for (unsigned i = chain_table_next(0); i < CHAIN_TABLE_END; i = chain_table_next(i)) {
        const row_table *t = &c->tables[i];
        uint8_t buffer[1024];
        for (uint32_t k = 0; k < t->count; k++) {
            const tree_leaf *leaf = &c->trees[t->info->module].leaves[table_entry_at(t, k)->leaf];
            hash256 path = smt_path((uint8_t)i, bytes_of(table_key_at(t, k), t->info->key_len));
            hash256 value_hash = smt_value_hash(chain_row_encode(t, k, buffer));
            if (!hash256_equal(&leaf->path, &path) || !hash256_equal(&leaf->value_hash, &value_hash))
                return fail(f, ERR_INVARIANT, "row = leaf", k);
        }
    }
    for (unsigned i = 0; i < CHAIN_MODULE_COUNT; i++)
        if (!chain_tree_audit(&c->trees[i]))
            return fail(f, ERR_INVARIANT, "node hashes", i);
    return OK;
}
