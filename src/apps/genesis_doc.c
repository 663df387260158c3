/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/genesis_doc.h"

#include "base/buf.h"
#include "base/port/file.h"
#include "rpc/json.h"

#include <stdlib.h>

err tb_genesis_doc_init(tb_genesis_doc *d, fault *f)
{
    *d = (tb_genesis_doc){ .g = { .issuers = d->issuers, .producers = d->producers } };
    chain_params_default(&d->g.params);
    d->g.allocations = d->allocations = calloc(LIMIT_GENESIS_ACCOUNTS, sizeof *d->allocations);
    return d->allocations ? OK : fail(f, ERR_MEMORY, "genesis", 0);
}

void tb_genesis_doc_deinit(tb_genesis_doc *d)
{
    free(d->allocations);
    d->allocations = NULL;
}

err tb_genesis_doc_read(tb_genesis_doc *d, const char *path, fault *f)
{
    buf text;
    buf_init(&text, LIMIT_GENESIS_BYTES);
    d->g.allocation_count = LIMIT_GENESIS_ACCOUNTS;
    d->g.issuer_count = d->g.producer_count = LIMIT_GENESIS_KEYS;
    err e = base_file_read(&text, path, f);
    if (e == OK)
        e = chain_genesis_read(&d->g, buf_bytes(&text), f);
    if (e == OK)
        d->hash = chain_genesis_hash(buf_bytes(&text));
    buf_deinit(&text);
    return e;
}

err tb_genesis_doc_write(tb_genesis_doc *d, const char *path, fault *f)
{
    uint8_t *room = malloc(LIMIT_GENESIS_BYTES);
    bytes encoded;
    err e = room ? chain_genesis_encode(&encoded, room, LIMIT_GENESIS_BYTES, &d->g, f) : fail(f, ERR_MEMORY, "genesis", 0);
    if (e == OK)
        e = base_file_write_atomic(path, encoded, 0644, BASE_FILE_NEW, f);
    if (e == OK)
        d->hash = chain_genesis_hash(encoded);
    free(room);
    return e;
}

err tb_genesis_words(const char *list, char split, const char *what, tb_genesis_word_fn *each, void *ctx, fault *f)
{
    char word[256];
    for (size_t at = 0; list[at];) {
        size_t len = strcspn(list + at, ",");
        if (len >= sizeof word)
            return fail(f, ERR_LIMIT, what, at);
        memcpy(word, list + at, len);
        word[len] = 0;
        char *value = split ? strchr(word, split) : word + len;
        if (!value || len == 0)
            return fail(f, ERR_USAGE, what, at);
        if (split)
            *value++ = 0;
        TRY(each(ctx, word, value, f));
        at += len + (list[at + len] == ',');
    }
    return OK;
}

err tb_genesis_set_value(void *ctx, const char *key, const char *value, fault *f)
{
    tb_genesis_doc *d = ctx;
    chain_name *name = strcmp(key, "chain_id") == 0 ? &d->g.chain_id : strcmp(key, "address_prefix") == 0 ? &d->g.address_prefix : NULL;
    if (name)
        return chain_name_set(name, bytes_of_str(value)) == OK ? OK : fail(f, ERR_USAGE, "chain_id or address_prefix", 0);
    chain_param which = chain_param_by_key(key);
    if (which == CHAIN_PARAM_COUNT)
        return fail(f, ERR_USAGE, "param: no such key (tb genesis show lists them)", 0);
    return rpc_decimal_u64(&d->g.params.v[which], value) == OK ? OK : fail(f, ERR_USAGE, "param: value", 0);
}

static err read_bound(chain_bound *b, const char *value, fault *f)
{
    char least[24];
    size_t len = strcspn(value, ":");
    if (len == 0 || len >= sizeof least || !value[len])
        return fail(f, ERR_USAGE, "bound: KEY=MIN:MAX or KEY=none", 0);
    memcpy(least, value, len);
    least[len] = 0;
    if (rpc_decimal_u64(&b->min, least) != OK || rpc_decimal_u64(&b->max, value + len + 1) != OK)
        return fail(f, ERR_USAGE, "bound: KEY=MIN:MAX or KEY=none", 0);
    return OK;
}

err tb_genesis_set_bound(void *ctx, const char *key, const char *value, fault *f)
{
    chain_genesis *g = &((tb_genesis_doc *)ctx)->g;
    chain_bound b = { .param = chain_param_by_key(key) };
    size_t at = 0;
    if (b.param == CHAIN_PARAM_COUNT)
        return fail(f, ERR_USAGE, "bound: no such key (tb genesis show lists them)", 0);
    while (at < g->bound_count && g->bounds[at].param != b.param)
        at++;
    if (strcmp(value, "none") == 0) {
        if (at == g->bound_count)
            return fail(f, ERR_NOT_FOUND, chain_bound_name(b.param), 0);
        g->bound_count--;
        memmove(&g->bounds[at], &g->bounds[at + 1], (g->bound_count - at) * sizeof b);
        return OK;
    }
    TRY(read_bound(&b, value, f));
    if (at == COUNT_OF(g->bounds))
        return fail(f, ERR_LIMIT, "genesis.bounds", at);
    g->bounds[at] = b;
    g->bound_count += at == g->bound_count;
    return OK;
}

void tb_home_prefix(char out[65], const tb_home *home)
{
    tb_genesis_doc d;
    char path[TB_PATH_MAX];
    strcpy(out, "tb");
    if (tb_genesis_doc_init(&d, NULL) == OK && tb_home_path(path, home, "genesis.cbor", NULL) == OK &&
        tb_genesis_doc_read(&d, path, NULL) == OK && chain_genesis_problems(&d.g, &(fault){ 0 }, 1) == 0)
        memcpy(out, d.g.address_prefix.text, d.g.address_prefix.len + 1);
    tb_genesis_doc_deinit(&d);
}
