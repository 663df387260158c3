/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/genesis.h"

#include "chain/state.h"
#include "chain/tx.h"
#include "crypto/sha256.h"

enum { GENESIS_FIELDS = 9 };
static const char genesis_tag[] = "theblock/genesis/v2", old_tag[] = "theblock/genesis/v1";

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

static uint32_t number_of(const chain_bound *b)
{
    return chain_param_rows[b->param].number;
}

static void sort_bounds(chain_bound *a, size_t count)
{
    for (size_t i = 1; i < count; i++)
        for (size_t j = i; j > 0 && number_of(&a[j - 1]) > number_of(&a[j]); j--) {
            chain_bound t = a[j];
            a[j] = a[j - 1];
            a[j - 1] = t;
        }
}

/* --- what is wrong with it --- */

typedef struct problems {
    fault *out;
    size_t cap, count;
} problems;

static void note(problems *l, err code, const char *what, uint64_t at)
{
    if (l->count < l->cap)
        l->out[l->count] = (fault){ .code = code, .what = what, .at = at };
    l->count++;
}

static void check_params(problems *l, const chain_params *p)
{
    size_t used = l->count < l->cap ? l->count : l->cap;
    l->count += chain_params_problems(p, l->out + used, l->cap - used);
}

static void check_prefix(problems *l, const chain_name *prefix)
{
    if (prefix->len > 8)
        note(l, ERR_LIMIT, "genesis.address_prefix", prefix->len);
    for (size_t i = 0; i < prefix->len; i++)
        if (prefix->text[i] < 'a' || prefix->text[i] > 'z') {
            note(l, ERR_SYNTAX, "genesis.address_prefix", i);
            return;
        }
}

static void check_allocations(problems *l, const chain_genesis *g)
{
    uint64_t minted = 0;
    if (g->allocation_count > LIMIT_GENESIS_ACCOUNTS) {
        note(l, ERR_LIMIT, "genesis.allocations", g->allocation_count);
        return;
    }
    if (g->allocation_count && !chain_id_is_dev(&g->chain_id))
        note(l, ERR_PERMISSION, "genesis.allocations", 0);
    for (size_t i = 0; i < g->allocation_count; i++) {
        const chain_allocation *a = &g->allocations[i];
        if (i && compare_allocations(a - 1, a) >= 0)
            note(l, ERR_CANONICAL, "genesis.allocations", i);
        if (a->address.kind != CR_ADDRESS_ACCOUNT)
            note(l, ERR_ADDRESS, "genesis.allocations", i);
        if (a->amount == 0 || a->amount > CHAIN_AMOUNT_MAX - minted)
            note(l, ERR_CAP, "genesis.allocations", i);
        else
            minted += a->amount;
    }
}

static void check_keys(problems *l, const cr_public_key *keys, size_t count, const char *what)
{
    if (count > LIMIT_GENESIS_KEYS) {
        note(l, ERR_LIMIT, what, count);
        return;
    }
    for (size_t i = 1; i < count; i++)
        if (compare_keys(&keys[i - 1], &keys[i]) >= 0)
            note(l, ERR_CANONICAL, what, i);
}

static void check_authorities(problems *l, const chain_authority *a, size_t count)
{
    if (count > LIMIT_GENESIS_AUTHORITIES) {
        note(l, ERR_LIMIT, "genesis.authorities", count);
        return;
    }
    for (size_t i = 0; i < count; i++) {
        if (i && compare_authorities(&a[i - 1], &a[i]) >= 0)
            note(l, ERR_CANONICAL, "genesis.authorities", i);
        if (a[i].role != CHAIN_ROLE_PACKS && a[i].role != CHAIN_ROLE_RELEASES)
            note(l, ERR_RANGE, "genesis.authorities: role", i);
        if (a[i].scope > (a[i].role == CHAIN_ROLE_PACKS ? LIMIT_REGION : 0))
            note(l, ERR_RANGE, "genesis.authorities: scope", i);
    }
}

/* One that is as wide as its row's binds nothing: leaving it out is the one way to say so. */
static void check_bound(problems *l, const chain_params *p, const chain_bound *b)
{
    const chain_param_row *row = &chain_param_rows[b->param];
    if (b->min > b->max || b->min < row->min || b->max > row->max)
        note(l, ERR_RANGE, chain_bound_name(b->param), b->min);
    else if (b->min == row->min && b->max == row->max)
        note(l, ERR_CANONICAL, chain_bound_name(b->param), b->min);
    else if (p->v[b->param] < b->min || p->v[b->param] > b->max)
        note(l, ERR_RANGE, chain_bound_name(b->param), p->v[b->param]);
    /* The tariff that the network starts with is the tariff in force. */
    if ((b->param == CHAIN_PARAM_TARIFF_MIN && p->v[CHAIN_PARAM_TARIFF] < b->min) ||
        (b->param == CHAIN_PARAM_TARIFF_MAX && p->v[CHAIN_PARAM_TARIFF] > b->max))
        note(l, ERR_RANGE, chain_param_rows[CHAIN_PARAM_TARIFF].key, p->v[CHAIN_PARAM_TARIFF]);
}

static void check_bounds(problems *l, const chain_genesis *g)
{
    if (g->bound_count > CHAIN_PARAM_COUNT) {
        note(l, ERR_LIMIT, "genesis.bounds", g->bound_count);
        return;
    }
    for (size_t i = 0; i < g->bound_count; i++) {
        if (i && number_of(&g->bounds[i - 1]) >= number_of(&g->bounds[i]))
            note(l, ERR_CANONICAL, "genesis.bounds", i);
        check_bound(l, &g->params, &g->bounds[i]);
    }
}

size_t chain_genesis_problems(const chain_genesis *g, fault *out, size_t cap)
{
    problems l = { .out = out, .cap = cap };
    check_params(&l, &g->params);
    check_prefix(&l, &g->address_prefix);
    check_allocations(&l, g);
    if (g->producer_count == 0)
        note(&l, ERR_RANGE, "genesis.producers", 0);
    check_keys(&l, g->issuers, g->issuer_count, "genesis.issuers");
    check_authorities(&l, g->authorities, g->authority_count);
    check_keys(&l, g->producers, g->producer_count, "genesis.producers");
    check_bounds(&l, g);
    return l.count;
}

static err check_genesis(const chain_genesis *g, fault *f)
{
    fault first;
    return chain_genesis_problems(g, &first, 1) == 0 ? OK : fail(f, first.code, first.what, first.at);
}

/* --- its form --- */

static void put_keys(cbor_writer *w, const cr_public_key *keys, size_t count)
{
    cbor_put_array(w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_bytes(w, BYTES_OF(keys[i]));
}

static void put_allocations(cbor_writer *w, const chain_genesis *g)
{
    cbor_put_array(w, g->allocation_count);
    for (size_t i = 0; i < g->allocation_count; i++) {
        uint8_t packed[33];
        chain_address_pack(packed, &g->allocations[i].address);
        cbor_put_array(w, 2);
        cbor_put_bytes(w, BYTES_OF(packed));
        cbor_put_uint(w, g->allocations[i].amount);
    }
}

static void put_authorities(cbor_writer *w, const chain_genesis *g)
{
    cbor_put_array(w, g->authority_count);
    for (size_t i = 0; i < g->authority_count; i++) {
        cbor_put_array(w, 3);
        cbor_put_uint(w, g->authorities[i].role);
        cbor_put_uint(w, g->authorities[i].scope);
        cbor_put_bytes(w, BYTES_OF(g->authorities[i].key));
    }
}

static void put_bounds(cbor_writer *w, const chain_genesis *g)
{
    cbor_put_array(w, g->bound_count);
    for (size_t i = 0; i < g->bound_count; i++) {
        cbor_put_array(w, 3);
        cbor_put_uint(w, number_of(&g->bounds[i]));
        cbor_put_uint(w, g->bounds[i].min);
        cbor_put_uint(w, g->bounds[i].max);
    }
}

err chain_genesis_encode(bytes *out, uint8_t *buffer, size_t cap, chain_genesis *g, fault *f)
{
    sort_allocations(g->allocations, g->allocation_count);
    sort_keys(g->issuers, g->issuer_count);
    sort_keys(g->producers, g->producer_count);
    if (g->authority_count <= LIMIT_GENESIS_AUTHORITIES)
        sort_authorities(g->authorities, g->authority_count);
    if (g->bound_count <= CHAIN_PARAM_COUNT)
        sort_bounds(g->bounds, g->bound_count);
    TRY(check_genesis(g, f));
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, GENESIS_FIELDS);
    cbor_put_text(&w, bytes_of_str(genesis_tag));
    cbor_put_text(&w, bytes_of(g->chain_id.text, g->chain_id.len));
    cbor_put_text(&w, bytes_of(g->address_prefix.text, g->address_prefix.len));
    cbor_put_array(&w, CHAIN_PARAM_COUNT);
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++) {
        cbor_put_array(&w, 2);
        cbor_put_uint(&w, chain_param_rows[i].number);
        cbor_put_uint(&w, g->params.v[i]);
    }
    put_allocations(&w, g);
    put_keys(&w, g->issuers, g->issuer_count);
    put_keys(&w, g->producers, g->producer_count);
    put_authorities(&w, g);
    put_bounds(&w, g);
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

static err get_bounds(cbor_reader *r, chain_genesis *g)
{
    TRY(cbor_get_array(r, "genesis.bounds", &g->bound_count, CHAIN_PARAM_COUNT));
    for (size_t i = 0; i < g->bound_count; i++) {
        uint64_t number;
        size_t at = r->at;
        TRY(cbor_get_array_fixed(r, "genesis.bounds", 3));
        TRY(cbor_get_uint(r, "genesis.bounds", &number));
        g->bounds[i].param = chain_param_by_number(number);
        if (g->bounds[i].param == CHAIN_PARAM_COUNT)
            return fail(&r->fault, ERR_NOT_FOUND, "genesis.bounds", at);
        TRY(cbor_get_uint(r, "genesis.bounds", &g->bounds[i].min));
        TRY(cbor_get_uint(r, "genesis.bounds", &g->bounds[i].max));
    }
    return OK;
}

/* The tag comes before the number of fields is judged: so a document of the old form is told from a damaged one. */
static err get_tag(cbor_reader *r)
{
    bytes tag;
    size_t fields;
    TRY(cbor_get_array(r, "genesis", &fields, GENESIS_FIELDS));
    if (fields == 0)
        return fail(&r->fault, ERR_FIELD, "genesis", 0);
    TRY(cbor_get_text(r, "genesis.tag", &tag, sizeof genesis_tag));
    if (bytes_equal(tag, bytes_of_str(old_tag)))
        return fail(&r->fault, ERR_VERSION, "genesis.tag", 1);
    if (!bytes_equal(tag, bytes_of_str(genesis_tag)))
        return fail(&r->fault, ERR_MAGIC, "genesis.tag", 1);
    return fields == GENESIS_FIELDS ? OK : fail(&r->fault, ERR_FIELD, "genesis", fields);
}

static err get_genesis(chain_genesis *g, cbor_reader *r)
{
    TRY(get_tag(r));
    TRY(get_name(r, "genesis.chain_id", &g->chain_id));
    TRY(get_name(r, "genesis.address_prefix", &g->address_prefix));
    TRY(get_params(r, &g->params));
    TRY(get_allocations(r, g->allocations, &g->allocation_count));
    TRY(get_keys(r, "genesis.issuers", g->issuers, &g->issuer_count));
    TRY(get_keys(r, "genesis.producers", g->producers, &g->producer_count));
    TRY(get_authorities(r, g->authorities, &g->authority_count));
    TRY(get_bounds(r, g));
    return cbor_end(r);
}

err chain_genesis_read(chain_genesis *out, bytes in, fault *f)
{
    if (in.len > LIMIT_GENESIS_BYTES)
        return fail(f, ERR_LIMIT, "genesis", in.len);
    cbor_reader r = cbor_reader_on(in);
    err e = get_genesis(out, &r);
    if (e != OK && f)
        *f = r.fault;
    return e;
}

err chain_genesis_decode(chain_genesis *out, bytes in, fault *f)
{
    TRY(chain_genesis_read(out, in, f));
    return check_genesis(out, f);
}
