/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/token_rounds_int.h"

#include <string.h>

enum { BOUND_MAX = 8 }; /* variables bound before arrays are made */

/* Both factors with their top `bound` variables bound: `rows` rows, each a combination by e of the integers' rows at distance `rows`. */
typedef struct folded {
    const pv_token_product *x;
    size_t  rows;
    unsigned bound;
    fxv     e[(1 << BOUND_MAX) / FXV_LANES];
} folded;

static void bind(folded *f, const pv_token_product *x, unsigned bound, const fx *point)
{
    f->x = x;
    f->bound = bound;
    f->rows = (size_t)1 << (x->token_bits - bound);
    fxv_eq(f->e, point + x->token_bits - bound, bound, FX_ONE);
}

static void add_term(fxv *out, const folded *f, const pv_term *t, size_t i)
{
    const size_t n = (size_t)1 << f->bound;
    fxv     by[(1 << BOUND_MAX) / FXV_LANES];
    fx_ints rows = t->m;
    rows.data = (const uint8_t *)t->m.data + i * t->m.stride * t->m.bytes;
    rows.rows = n;
    rows.stride = t->m.stride * f->rows;
    if (t->w)
        for (size_t k = 0; k < n; k++)
            fxv_set(by, k, fx_mul(fxv_get(f->e, k), fxv_get(t->w, k * f->rows + i)));
    fxv_rows(out, &rows, t->w ? by : f->e);
}

static size_t first_of(const pv_factor *a, uint32_t token)
{
    size_t lo = 0, hi = a->entry_count;
    while (lo < hi) {
        size_t mid = (lo + hi) / 2;
        if (a->entries[mid].token < token)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo;
}

static void add_entries(fxv *out, const folded *f, const pv_factor *a, size_t i)
{
    for (size_t k = 0; a->entry_count && k < (size_t)1 << f->bound; k++) {
        const uint32_t token = (uint32_t)(k * f->rows + i);
        for (size_t at = first_of(a, token); at < a->entry_count && a->entries[at].token == token; at++) {
            const uint32_t column = a->entries[at].column;
            fxv_set(out, column, fx_add(fxv_get(out, column), fx_mul(fxv_get(f->e, k), a->entries[at].x)));
        }
    }
}

/* Row i of a factor. */
static void make_row(fxv *out, const folded *f, const pv_factor *a, size_t i)
{
    const size_t n = f->x->n;
    memset(out, 0, fxv_blocks(n) * sizeof *out);
    if (f->bound == 0 && a->terms == 1)
        fxv_from_ints(out, (const uint8_t *)a->term[0].m.data + i * a->term[0].m.stride * a->term[0].m.bytes, a->term[0].m.bytes, a->term[0].m.cols,
                      a->term[0].w ? fxv_get(a->term[0].w, i) : FX_ONE);
    else
        for (unsigned k = 0; k < a->terms; k++)
            add_term(out, f, &a->term[k], i);
    if (a->v)
        fxv_mul(out, a->v, n);
    add_entries(out, f, a, i);
}

static err send_round(pv_writer *w, const fx g[2], fx *challenge)
{
    TRY(pv_send_fx(w, "round", g, 2));
    pf_challenge(&w->t, "round", challenge, 1);
    return OK;
}

/* Rows whose field elements are never all there; room for two rows in each array. */
static err row_round(pv_writer *w, const folded *f, pv_product arrays[2], fx *challenge)
{
    const pv_token_product *x = f->x;
    const size_t half = f->rows / 2, blocks = x->n / FXV_LANES;
    fx g[2] = { FX_ZERO, FX_ZERO };
    for (size_t i = 0; i < half; i++)
        for (unsigned m = 0; m < x->pairs; m++) {
            pv_product a = arrays[m];
            make_row(a.p, f, &x->p[m], i);
            make_row(a.p + blocks, f, &x->p[m], i + half);
            make_row(a.b, f, &x->b[m], i);
            make_row(a.b + blocks, f, &x->b[m], i + half);
            fxv_round(g, a.p, a.b, x->n);
        }
    return send_round(w, g, challenge);
}

/* All rows, one after the other; of few columns element by element. */
static void make_all(fxv *out, const folded *f, const pv_factor *a, fxv *row)
{
    const size_t n = f->x->n;
    for (size_t i = 0; i < f->rows; i++) {
        if (n % FXV_LANES == 0) {
            make_row(out + i * n / FXV_LANES, f, a, i);
            continue;
        }
        make_row(row, f, a, i);
        for (size_t j = 0; j < n; j++)
            fxv_set(out, i * n + j, fxv_get(row, j));
    }
}

static err dense_rounds(pv_writer *w, const pv_token_product *x, pv_product arrays[2], unsigned vars, fx *point)
{
    for (unsigned b = vars; b-- > 0;) {
        fx g[2] = { FX_ZERO, FX_ZERO };
        size_t half = x->n << b;
        for (unsigned m = 0; m < x->pairs; m++)
            if (b + 1 == vars)
                fxv_round(g, arrays[m].p, arrays[m].b, half);
            else
                fxv_fold_round(g, arrays[m].p, arrays[m].b, 2 * half, point[b + 1]);
        TRY(send_round(w, g, &point[b]));
    }
    for (unsigned m = 0; vars > 0 && m < x->pairs; m++) {
        fxv_fold(arrays[m].p, x->n, point[0]);
        fxv_fold(arrays[m].b, x->n, point[0]);
    }
    return OK;
}

/* How many variables are bound before there are arrays. */
static unsigned bound_before(const pv_token_product *x, uint64_t bytes_max)
{
    unsigned bound = 0;
    if (x->whole || x->n % FXV_LANES != 0)
        return 0;
    while (bound < x->token_bits && bound < BOUND_MAX && (2 * x->pairs * x->n * sizeof(fx) << (x->token_bits - bound)) > bytes_max)
        bound++;
    return bound;
}

static err take_arrays(pv_scratch *s, const pv_token_product *x, size_t n, pv_product arrays[2])
{
    if (x->whole) {
        arrays[0] = (pv_product){ x->whole_p, x->whole_b };
        return OK;
    }
    for (unsigned m = 0; m < x->pairs; m++) {
        arrays[m].p = pv_scratch_take(s, m ? PV_USE_P1 : PV_USE_P0, fxv_blocks(n) * sizeof(fxv));
        arrays[m].b = pv_scratch_take(s, m ? PV_USE_B1 : PV_USE_B0, fxv_blocks(n) * sizeof(fxv));
        if (!arrays[m].p || !arrays[m].b)
            return ERR_MEMORY;
    }
    return OK;
}

err pv_token_rounds(pv_writer *w, pv_scratch *scratch, const pv_token_product *x, fx *point, fxv *const p[2], fxv *const b[2])
{
    const unsigned bound = bound_before(x, scratch->dense_max);
    const size_t   rows = (size_t)1 << (x->token_bits - bound);
    pv_product arrays[2];
    folded     f;
    TRY(take_arrays(scratch, x, x->n * (rows > 2 ? rows : 2), arrays));
    for (unsigned k = 0; k < bound; k++) {
        bind(&f, x, k, point);
        TRY(row_round(w, &f, arrays, &point[x->token_bits - 1 - k]));
    }
    bind(&f, x, bound, point);
    for (unsigned m = 0; !x->whole && m < x->pairs; m++) {
        make_all(arrays[m].p, &f, &x->p[m], p[m]);
        make_all(arrays[m].b, &f, &x->b[m], b[m]);
    }
    TRY(dense_rounds(w, x, arrays, x->token_bits - bound, point));
    for (unsigned m = 0; m < x->pairs; m++) {
        memcpy(p[m], arrays[m].p, fxv_blocks(x->n) * sizeof(fxv));
        memcpy(b[m], arrays[m].b, fxv_blocks(x->n) * sizeof(fxv));
    }
    return OK;
}
