/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/tables.h"

#include "numerics/table.h"

#include <pthread.h>
#include <stdlib.h>

enum { HASHED_MAX = 2 * COUNT_OF(((num_fractions *)0)->layer) };

/* The newest use stands first in the list. */
typedef struct gelu_table {
    struct gelu_table *next;
    int                f_h, f_g;
    uint32_t           entries[];
} gelu_table;

struct bt_tables {
    num_shape       shape;
    num_const       c;
    int32_t        *exp, *exp_loss;
    num_normal     *normal;
    pthread_mutex_t lock;
    gelu_table     *gelu;
    size_t          n_gelu, n_gelu_max;
    base_pool      *pool; /* borrowed */
    bool            hashed; /* the hash of the tables at these fractions, pairs (f_h, f_g) a layer */
    int8_t          hashed_at[HASHED_MAX];
    hash256         hash;
};

void bt_tables_free(bt_tables *t)
{
    if (!t)
        return;
    while (t->gelu) {
        gelu_table *next = t->gelu->next;
        free(t->gelu);
        t->gelu = next;
    }
    pthread_mutex_destroy(&t->lock);
    free(t->exp);
    free(t->exp_loss);
    free(t->normal);
    free(t);
}

err bt_tables_new(bt_tables **out, const num_shape *shape, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, shape, f));
    bt_tables *t = calloc(1, sizeof *t);
    if (!t)
        return fail(f, ERR_MEMORY, "tables", 0);
    t->shape = *shape;
    t->c = c;
    t->n_gelu_max = (size_t)shape->layers + 2; /* one a layer is in use at a time */
    pthread_mutex_init(&t->lock, NULL);
    t->exp = malloc(num_table_len(&c) * sizeof *t->exp);
    t->exp_loss = malloc(num_table_len(&c) * sizeof *t->exp_loss);
    t->normal = malloc(num_normal_len(&c) * sizeof *t->normal);
    if (!t->exp || !t->exp_loss || !t->normal) {
        bt_tables_free(t);
        return fail(f, ERR_MEMORY, "tables", 0);
    }
    num_table_exp(t->exp, &c);
    num_table_exp_loss(t->exp_loss, &c);
    num_normal_fill(t->normal, &c);
    *out = t;
    return OK;
}

const int32_t *bt_tables_exp(const bt_tables *t)
{
    return t->exp;
}

const int32_t *bt_tables_exp_loss(const bt_tables *t)
{
    return t->exp_loss;
}

static void drop_oldest(bt_tables *t)
{
    gelu_table **last = &t->gelu;
    while ((*last)->next)
        last = &(*last)->next;
    free(*last);
    *last = NULL;
    t->n_gelu--;
}

/* The slopes hang on f_h alone: those of a table with the same f_h serve again. */
static const gelu_table *same_index(const bt_tables *t, int f_h)
{
    const gelu_table *g = t->gelu;
    while (g && g->f_h != f_h)
        g = g->next;
    return g;
}

static gelu_table *make(bt_tables *t, int f_h, int f_g)
{
    size_t len = num_table_len(&t->c);
    gelu_table *g = malloc(sizeof *g + len * sizeof g->entries[0]);
    int32_t *column = malloc(len * sizeof *column);
    if (!g || !column) {
        free(g);
        free(column);
        return NULL;
    }
    g->f_h = f_h;
    g->f_g = f_g;
    const gelu_table *old = same_index(t, f_h);
    if (!old)
        num_table_gelu_slope(column, &t->c, t->normal, f_h);
    for (size_t i = 0; i < len; i++)
        g->entries[i] = old ? old->entries[i] & 0xffff0000u : (uint32_t)column[i] << 16;
    num_table_gelu(column, &t->c, t->normal, f_h, f_g, t->c.q_max);
    for (size_t i = 0; i < len; i++)
        g->entries[i] |= (uint32_t)column[i] & 0xffffu;
    free(column);
    if (t->n_gelu == t->n_gelu_max)
        drop_oldest(t);
    t->n_gelu++;
    return g;
}

err bt_tables_gelu(bt_tables *t, int f_h, int f_g, const uint32_t **packed)
{
    pthread_mutex_lock(&t->lock);
    gelu_table **at = &t->gelu;
    while (*at && ((*at)->f_h != f_h || (*at)->f_g != f_g))
        at = &(*at)->next;
    gelu_table *g = *at;
    if (g)
        *at = g->next;
    else
        g = make(t, f_h, f_g);
    if (g) {
        g->next = t->gelu;
        t->gelu = g;
        *packed = g->entries + t->c.d_t;
    }
    pthread_mutex_unlock(&t->lock);
    return g ? OK : ERR_MEMORY;
}

/* GELU grows with h >= 0, and below 0 it stays within 0.17: unless all indices are small, the largest one decides. */
err bt_tables_gelu_peak(const bt_tables *t, int f_h, const int32_t *index, uint64_t count, uint64_t *peak)
{
    int32_t top = INT32_MIN;
    for (uint64_t i = 0; i < count; i++)
        top = index[i] > top ? index[i] : top;
    num_const unsaturated = t->c;
    unsaturated.q_max = INT32_MAX;
    int64_t at_top = count && top > 0 ? num_gelu_at(&unsaturated, f_h, BT_GELU_FINE, top) : 0;
    *peak = (uint64_t)at_top;
    if (at_top > (1 << BT_GELU_FINE) / 5)
        return OK;
    int32_t *fine = malloc(num_table_len(&t->c) * sizeof *fine);
    if (!fine)
        return ERR_MEMORY;
    num_table_gelu(fine, &t->c, t->normal, f_h, BT_GELU_FINE, INT32_MAX);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t a = (uint64_t)llabs((long long)fine[index[i] + t->c.d_t]);
        *peak = a > *peak ? a : *peak;
    }
    free(fine);
    return OK;
}

base_pool *bt_tables_pool(const bt_tables *t)
{
    return t->pool;
}

void bt_tables_set_pool(bt_tables *t, base_pool *pool)
{
    t->pool = pool;
}

/* Feeds one half of each entry. */
static void hash_half(cr_blake3 *h, const uint32_t *packed, size_t len, int32_t half(uint32_t))
{
    int32_t column[1024];
    for (size_t at = 0; at < len; at += COUNT_OF(column)) {
        size_t n = len - at < COUNT_OF(column) ? len - at : COUNT_OF(column);
        for (size_t i = 0; i < n; i++)
            column[i] = half(packed[at + i]);
        num_table_hash_add(h, column, n);
    }
}

static err hash_tables(bt_tables *t, const int8_t *at, hash256 *out)
{
    size_t len = num_table_len(&t->c);
    cr_blake3 h;
    cr_blake3_init(&h);
    num_table_hash_add(&h, t->exp, len);
    num_table_hash_add(&h, t->exp_loss, len);
    for (uint32_t l = 0; l < t->shape.layers; l++) {
        const uint32_t *packed;
        TRY(bt_tables_gelu(t, at[2 * l], at[2 * l + 1], &packed));
        hash_half(&h, packed - t->c.d_t, len, bt_gelu_value);
        hash_half(&h, packed - t->c.d_t, len, bt_gelu_slope);
    }
    *out = cr_blake3_final(&h);
    return OK;
}

err bt_tables_hash(bt_tables *t, const num_fractions *fractions, hash256 *out)
{
    int8_t at[HASHED_MAX] = { 0 };
    for (uint32_t l = 0; l < t->shape.layers; l++) {
        at[2 * l] = fractions->layer[l].h;
        at[2 * l + 1] = fractions->layer[l].g;
    }
    pthread_mutex_lock(&t->lock);
    bool known = t->hashed && memcmp(at, t->hashed_at, sizeof at) == 0;
    *out = t->hash;
    pthread_mutex_unlock(&t->lock);
    if (known)
        return OK;
    TRY(hash_tables(t, at, out));
    pthread_mutex_lock(&t->lock);
    t->hashed = true;
    t->hash = *out;
    memcpy(t->hashed_at, at, sizeof at);
    pthread_mutex_unlock(&t->lock);
    return OK;
}
