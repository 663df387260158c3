/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/tables.h"

#include "numerics/table.h"

#include <pthread.h>
#include <stdlib.h>

/* A GELU table; or the slope (f_g == SLOPE); or the function itself at fraction BT_GELU_FINE, unsaturated (f_g == FINE). The newest use stands first in the list. */
typedef struct gelu_table {
    struct gelu_table *next;
    int                f_h, f_g;
    int32_t            entries[];
} gelu_table;

enum { SLOPE = INT32_MAX, FINE = INT32_MAX - 1 };

struct bt_tables {
    num_shape       shape;
    num_const       c;
    int32_t        *exp, *exp_loss;
    num_normal     *normal;
    pthread_mutex_t lock;
    gelu_table     *gelu;
    size_t          n_gelu, n_gelu_max;
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
    /* A run uses a value and a slope table a layer, a calibration a fine one too: what it uses is never dropped under it. */
    t->n_gelu_max = 3 * (size_t)shape->layers + 3;
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

static gelu_table *make(bt_tables *t, int f_h, int f_g)
{
    gelu_table *g = malloc(sizeof *g + num_table_len(&t->c) * sizeof g->entries[0]);
    if (!g)
        return NULL;
    g->f_h = f_h;
    g->f_g = f_g;
    if (f_g == SLOPE)
        num_table_gelu_slope(g->entries, &t->c, t->normal, f_h);
    else if (f_g == FINE)
        num_table_gelu(g->entries, &t->c, t->normal, f_h, BT_GELU_FINE, INT32_MAX);
    else
        num_table_gelu(g->entries, &t->c, t->normal, f_h, f_g, t->c.q_max);
    if (t->n_gelu == t->n_gelu_max)
        drop_oldest(t);
    t->n_gelu++;
    return g;
}

static err lookup(bt_tables *t, int f_h, int f_g, const int32_t **out)
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
        *out = g->entries + t->c.d_t;
    }
    pthread_mutex_unlock(&t->lock);
    return g ? OK : ERR_MEMORY;
}

err bt_tables_gelu(bt_tables *t, int f_h, int f_g, const int32_t **value)
{
    return lookup(t, f_h, f_g, value);
}

err bt_tables_gelu_fine(bt_tables *t, int f_h, const int32_t **value)
{
    return lookup(t, f_h, FINE, value);
}

err bt_tables_gelu_slope(bt_tables *t, int f_h, const int32_t **slope)
{
    return lookup(t, f_h, SLOPE, slope);
}

err bt_tables_hash(bt_tables *t, const num_fractions *fractions, hash256 *out)
{
    size_t len = num_table_len(&t->c);
    cr_blake3 h;
    cr_blake3_init(&h);
    num_table_hash_add(&h, t->exp, len);
    num_table_hash_add(&h, t->exp_loss, len);
    for (uint32_t l = 0; l < t->shape.layers; l++) {
        const int32_t *table;
        TRY(bt_tables_gelu(t, fractions->layer[l].h, fractions->layer[l].g, &table));
        num_table_hash_add(&h, table - t->c.d_t, len);
        TRY(bt_tables_gelu_slope(t, fractions->layer[l].h, &table));
        num_table_hash_add(&h, table - t->c.d_t, len);
    }
    *out = cr_blake3_final(&h);
    return OK;
}
