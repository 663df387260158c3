/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/genesis.h"

#include "chain/state.h"
#include "chain/tx.h"
#include "crypto/sha256.h"

static const char genesis_tag[] = "theblock/genesis/v1";

hash256 chain_genesis_hash(bytes in)
{
    return cr_sha256(in);
}

bool chain_id_is_dev(const chain_name *chain_id)
{
    return chain_id->len > 4 && memcmp(chain_id->text + chain_id->len - 4, "-dev", 4) == 0;
}

static int compare_allocations(const chain_allocation *a, const chain_allocation *b)
{
    uint8_t x[33], y[33];
    chain_address_pack(x, &a->address);
    chain_address_pack(y, &b->address);
    return memcmp(x, y, sizeof x);
}

static int compare_keys(const cr_public_key *a, const cr_public_key *b)
{
    return memcmp(a->b, b->b, sizeof a->b);
}

/* Insertion sort: short lists, written once in the life of a network, and no allocation. */
static void sort_keys(cr_public_key *keys, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && compare_keys(&keys[j - 1], &keys[j]) > 0; j--) {
            cr_public_key t = keys[j];
            keys[j] = keys[j - 1];
            keys[j - 1] = t;
        }
}

static void sort_allocations(chain_allocation *a, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && compare_allocations(&a[j - 1], &a[j]) > 0; j--) {
            chain_allocation t = a[j];
            a[j] = a[j - 1];
            a[j - 1] = t;
        }
}

static int compare_authorities(const chain_authority *a, const chain_authority *b)
{
    return a->role != b->role ? (a->role < b->role ? -1 : 1) : compare_keys(&a->key, &b->key);
}

static void sort_authorities(chain_authority *a, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && compare_authorities(&a[j - 1], &a[j]) > 0; j--) {
            chain_authority t = a[j];
            a[j] = a[j - 1];
            a[j - 1] = t;
        }
}

static err check_authorities(const chain_authority *a, size_t count, fault *f)
{
    if (count > LIMIT_GENESIS_AUTHORITIES)
        return fail(f, ERR_LIMIT, "genesis.authorities", count);
    for (size_t i = 0; i < count; i++) {
        if (i && compare_authorities(&a[i - 1], &a[i]) >= 0)
            return fail(f, ERR_CANONICAL, "genesis.authorities", i);
        if (a[i].role != CHAIN_ROLE_PACKS && a[i].role != CHAIN_ROLE_RELEASES)
            return fail(f, ERR_RANGE, "genesis.authorities: role", i);
        if (a[i].scope > (a[i].role == CHAIN_ROLE_PACKS ? LIMIT_REGION : 0))
            return fail(f, ERR_RANGE, "genesis.authorities: scope", i);
    }
    return OK;
}

static err check_keys(const cr_public_key *keys, size_t count, const char *what, fault *f)
{
    if (count > LIMIT_GENESIS_KEYS)
        return fail(f, ERR_LIMIT, what, count);
    for (size_t i = 1; i < count; i++)
        if (compare_keys(&keys[i - 1], &keys[i]) >= 0)
            return fail(f, ERR_CANONICAL, what, i);
    return OK;
}

static err check_genesis(const chain_genesis *g, fault *f)
{
    TRY(chain_params_check(&g->params, f));
    if (g->address_prefix.len > 8)
        return fail(f, ERR_LIMIT, "genesis.address_prefix", g->address_prefix.len);
    for (size_t i = 0; i < g->address_prefix.len; i++)
        if (g->address_prefix.text[i] < 'a' || g->address_prefix.text[i] > 'z')
            return fail(f, ERR_SYNTAX, "genesis.address_prefix", i);
    if (g->allocation_count > LIMIT_GENESIS_ACCOUNTS)
        return fail(f, ERR_LIMIT, "genesis.allocations", g->allocation_count);
    if (g->allocation_count && !chain_id_is_dev(&g->chain_id))
        return fail(f, ERR_PERMISSION, "genesis.allocations", 0);
    uint64_t minted = 0;
    for (size_t i = 0; i < g->allocation_count; i++) {
        const chain_allocation *a = &g->allocations[i];
        if (i && compare_allocations(a - 1, a) >= 0)
            return fail(f, ERR_CANONICAL, "genesis.allocations", i);
        if (a->address.kind != CR_ADDRESS_ACCOUNT)
            return fail(f, ERR_ADDRESS, "genesis.allocations", i);
        if (a->amount == 0 || a->amount > g->params.v[CHAIN_PARAM_SUPPLY_CAP] - minted)
            return fail(f, ERR_CAP, "genesis.allocations", i);
        minted += a->amount;
    }
    if (g->producer_count == 0)
        return fail(f, ERR_RANGE, "genesis.producers", 0);
    TRY(check_keys(g->issuers, g->issuer_count, "genesis.issuers", f));
    TRY(check_authorities(g->authorities, g->authority_count, f));
    return check_keys(g->producers, g->producer_count, "genesis.producers", f);
}

static void put_keys(cbor_writer *w, const cr_public_key *keys, size_t count)
{
    cbor_put_array(w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_bytes(w, BYTES_OF(keys[i]));
}

err chain_genesis_encode(bytes *out, uint8_t *buffer, size_t cap, chain_genesis *g, fault *f)
{
    sort_allocations(g->allocations, g->allocation_count);
    sort_keys(g->issuers, g->issuer_count);
    sort_keys(g->producers, g->producer_count);
    if (g->authority_count <= LIMIT_GENESIS_AUTHORITIES)
        sort_authorities(g->authorities, g->authority_count);
    TRY(check_genesis(g, f));
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, 8);
    cbor_put_text(&w, bytes_of_str(genesis_tag));
    cbor_put_text(&w, bytes_of(g->chain_id.text, g->chain_id.len));
    cbor_put_text(&w, bytes_of(g->address_prefix.text, g->address_prefix.len));
    cbor_put_array(&w, CHAIN_PARAM_COUNT);
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++) {
        cbor_put_array(&w, 2);
        cbor_put_uint(&w, chain_param_rows[i].number);
        cbor_put_uint(&w, g->params.v[i]);
    }
    cbor_put_array(&w, g->allocation_count);
    for (size_t i = 0; i < g->allocation_count; i++) {
        uint8_t packed[33];
        chain_address_pack(packed, &g->allocations[i].address);
        cbor_put_array(&w, 2);
        cbor_put_bytes(&w, BYTES_OF(packed));
        cbor_put_uint(&w, g->allocations[i].amount);
    }
    put_keys(&w, g->issuers, g->issuer_count);
    put_keys(&w, g->producers, g->producer_count);
    cbor_put_array(&w, g->authority_count);
    for (size_t i = 0; i < g->authority_count; i++) {
        cbor_put_array(&w, 3);
        cbor_put_uint(&w, g->authorities[i].role);
        cbor_put_uint(&w, g->authorities[i].scope);
        cbor_put_bytes(&w, BYTES_OF(g->authorities[i].key));
    }
    err e = cbor_finish(&w, out);
    return e == OK ? OK : fail(f, e, "genesis", w.len);
}

static err get_name(cbor_reader *r, const char *field, chain_name *out)
{
    bytes text;
    size_t at = r->at;
    TRY(cbor_get_text(r, field, &text, sizeof out->text - 1));
    err e = chain_name_set(out, text);
    return e == OK ? OK : fail(&r->fault, e, field, at);
}

static err get_params(cbor_reader *r, chain_params *out)
{
    TRY(cbor_get_array_fixed(r, "genesis.params", CHAIN_PARAM_COUNT));
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++) {
        uint64_t number;
        size_t at = r->at;
        TRY(cbor_get_array_fixed(r, "genesis.params", 2));
        TRY(cbor_get_uint(r, "genesis.params", &number));
        if (number != chain_param_rows[i].number)
            return fail(&r->fault, ERR_FIELD, chain_param_rows[i].key, at);
        TRY(cbor_get_uint(r, chain_param_rows[i].key, &out->v[i]));
    }
    return OK;
}

static err get_allocations(cbor_reader *r, chain_allocation *out, size_t *count)
{
    TRY(cbor_get_array(r, "genesis.allocations", count, *count));
    for (size_t i = 0; i < *count; i++) {
        uint8_t packed[33];
        TRY(cbor_get_array_fixed(r, "genesis.allocations", 2));
        TRY(cbor_get_bytes_fixed(r, "genesis.allocations", packed, sizeof packed));
        out[i].address.kind = packed[0];
        memcpy(out[i].address.hash, packed + 1, sizeof out[i].address.hash);
        TRY(cbor_get_uint(r, "genesis.allocations", &out[i].amount));
    }
    return OK;
}

static err get_keys(cbor_reader *r, const char *field, cr_public_key *out, size_t *count)
{
    TRY(cbor_get_array(r, field, count, *count));
    for (size_t i = 0; i < *count; i++)
        TRY(cbor_get_bytes_fixed(r, field, out[i].b, sizeof out[i].b));
    return OK;
}

static err get_authorities(cbor_reader *r, chain_authority *out, size_t *count)
{
    TRY(cbor_get_array(r, "genesis.authorities", count, LIMIT_GENESIS_AUTHORITIES));
    for (size_t i = 0; i < *count; i++) {
        uint64_t role, scope;
        TRY(cbor_get_array_fixed(r, "genesis.authorities", 3));
        TRY(cbor_get_uint_max(r, "genesis.authorities", &role, UINT8_MAX));
        TRY(cbor_get_uint_max(r, "genesis.authorities", &scope, UINT32_MAX));
        TRY(cbor_get_bytes_fixed(r, "genesis.authorities", out[i].key.b, sizeof out[i].key.b));
        out[i].role = (uint8_t)role;
        out[i].scope = (uint32_t)scope;
    }
    return OK;
}

static err read_genesis(chain_genesis *g, cbor_reader *r)
{
    bytes tag;
    TRY(cbor_get_array_fixed(r, "genesis", 8));
    TRY(cbor_get_text(r, "genesis.tag", &tag, sizeof genesis_tag));
    if (!bytes_equal(tag, bytes_of_str(genesis_tag)))
        return fail(&r->fault, ERR_MAGIC, "genesis.tag", 1);
    TRY(get_name(r, "genesis.chain_id", &g->chain_id));
    TRY(get_name(r, "genesis.address_prefix", &g->address_prefix));
    TRY(get_params(r, &g->params));
    TRY(get_allocations(r, g->allocations, &g->allocation_count));
    TRY(get_keys(r, "genesis.issuers", g->issuers, &g->issuer_count));
    TRY(get_keys(r, "genesis.producers", g->producers, &g->producer_count));
    TRY(get_authorities(r, g->authorities, &g->authority_count));
    return cbor_end(r);
}

err chain_genesis_decode(chain_genesis *out, bytes in, fault *f)
{
    if (in.len > LIMIT_GENESIS_BYTES)
        return fail(f, ERR_LIMIT, "genesis", in.len);
    cbor_reader r = cbor_reader_on(in);
    err e = read_genesis(out, &r);
    if (e != OK) {
        if (f)
            *f = r.fault;
        return e;
    }
    return check_genesis(out, f);
}
