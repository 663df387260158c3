/* SPDX-License-Identifier: Apache-2.0
 *
 * rem = acc mul + u - 2^s t, from the committed operands. */
#include "prove/remainder_int.h"

#include "base/port/pages.h"
#include "numerics/dither.h"
#include "numerics/round.h"

#include <stdlib.h>
#include <string.h>

typedef pv_rounding_work work;

/* Row words by (head, token) and column words by feature, 0 in padding (section 7). */
static void dither_words(work *x)
{
    const hash256 seed = num_dither_seed(&x->w->s->job_id, &x->w->s->model_id, x->w->s->step);
    const pf_layout *y = x->y;
    bool heads = x->r->op == PF_OP_DS;
    uint32_t T = y->shape.context, H = heads ? y->shape.heads : 1, n = pf_tokens(y), real = heads ? H * T : x->r->features;
    uint64_t *words = x->row_words + (size_t)H * n; /* room behind the table */
    memset(x->row_words, 0, (size_t)H * n * sizeof *words);
    memset(x->col_words, 0, pf_padded(y, x->r->out) * sizeof *words);
    for (uint32_t q = 0; q < y->sequences; q++) {
        num_dither_rows(words, (size_t)H * T, &seed, x->r->dither_id, x->w->s->numbers[q]);
        for (uint32_t h = 0; h < H; h++)
            memcpy(x->row_words + (size_t)h * n + ((size_t)q << y->t_bits), words + (size_t)h * T, T * sizeof *words);
    }
    num_dither_cols(words, real, &seed, x->r->dither_id);
    for (uint32_t h = 0; h < H; h++)
        memcpy(x->col_words + ((size_t)h << y->t_bits), words + (size_t)h * T, (heads ? T : real) * sizeof *words);
}

static err add_exception(work *x, uint32_t token, uint32_t feature, int64_t t)
{
    pf_rows *rows = x->rows;
    if (rows->exception_count == PF_EXCEPTIONS_MAX)
        return fail(x->f, ERR_LIMIT, "exceptions", rows->exception_count);
    if (rows->exception_count == x->exception_room) {
        size_t room = x->exception_room ? 2 * x->exception_room : 64;
        pf_exception *more = realloc(rows->exceptions, room * sizeof *more);
        if (!more)
            return fail(x->f, ERR_MEMORY, "exceptions", room);
        rows->exceptions = more;
        x->exception_room = room;
    }
    rows->exceptions[rows->exception_count++] = (pf_exception){ token, feature, (int32_t)t };
    return OK;
}

static size_t cell_index(const work *x, uint32_t i, size_t j)
{
    return (size_t)i * pf_padded(x->y, x->r->out) + j;
}

/* Output (i, j) as the cells hold it; for distances, max - D. */
static int64_t output_at(const work *x, uint32_t i, uint32_t j)
{
    const pf_layout *y = x->y;
    size_t c = cell_index(x, i, j);
    int64_t t = x->w->cell[x->r->out][c];
    if (x->r->out_hi != PF_NONE)
        return t + x->r->hi_mul * x->w->cell[x->r->out_hi][c];
    if (x->r->op == PF_OP_LOGIT)
        return x->w->rows.logits.max[i] - (t + y->k.d_t);
    if (x->r->op == PF_OP_SCORE)
        return pf_head_of(&x->w->rows, y, x->r->layer, j >> y->t_bits)->max[i] - (t + y->k.d_t);
    return t;
}

void pv_domain_row(const pv_witness *w, int32_t *out, uint32_t index, uint32_t token, pv_window at)
{
    const pf_layout *y = &w->y;
    const pf_rounding *r = &y->roundings[index];
    const bool scores = r->op == PF_OP_SCORE;
    const size_t span = scores ? (size_t)1 << y->t_bits : r->features, seen = scores ? (token & (span - 1)) + 1 : span;
    const int16_t *cell = w->cell[r->out] + (size_t)token * pf_padded(y, r->out);
    for (size_t j = 0; j < at.n; j++)
        out[j] = (int32_t)y->k.d_t;
    for (size_t first = 0; first < r->features && pf_is_token(y, token); first += span) {
        const pf_head_rows *a = scores ? pf_head_of(&w->rows, y, r->layer, (uint32_t)(first >> y->t_bits)) : &w->rows.logits;
        const int32_t max = (int32_t)a->max[token];
        const size_t from = first > at.first ? first : at.first, end = first + seen < at.first + at.n ? first + seen : at.first + at.n;
        for (size_t j = from; j < end; j++)
            out[j - at.first] = max - cell[j];
    }
}

/* --- one row ----------------------------------------------------------------------------------------------------------------- */

/* Columns [j, j + n) of row i, inside the window; half: what is added before rounding, or with dither row_word xor the column's word. */
typedef struct stretch {
    uint32_t i, j, n;
    uint64_t half, row_word;
} stretch;

static size_t place(const work *x, const stretch *t)
{
    return t->j - x->at.first;
}

static uint64_t added(const work *x, const stretch *t, uint32_t k)
{
    uint64_t mask = ((uint64_t)1 << x->r->s) - 1;
    return x->r->dither_id == PF_NONE ? t->half : (t->row_word ^ x->col_words[t->j + k]) & mask;
}

/* What the remainders of a stretch are made of. */
static pv_rems_args args_of(const work *x, const stretch *t)
{
    const pf_layout *y = x->y;
    const size_t c = cell_index(x, t->i, t->j);
    pv_rems_args a = { .acc = x->acc + (size_t)t->i * x->at.n + place(x, t), .mul = x->r->mul, .cell = x->w->cell[x->r->out] + c, .sign = 1, .s = x->r->s };
    if (x->r->out_hi != PF_NONE) {
        a.high = x->w->cell[x->r->out_hi] + c;
        a.high_mul = (int32_t)x->r->hi_mul;
    }
    if (x->r->op == PF_OP_SCORE || x->r->op == PF_OP_LOGIT) { /* t = max - D */
        a.sign = -1;
        a.base = output_at(x, t->i, t->j) + a.cell[0];
    }
    if (x->r->op == PF_OP_DS) { /* e (dp . v) 2^.. - e c */
        const uint32_t l = x->r->layer, E = pf_at(y, l, PF_E), h = t->j >> y->t_bits;
        a.mul = (int64_t)1 << (y->fractions.layer[l].o - y->fractions.layer[l].v);
        a.factor = x->w->cell[E] + (size_t)t->i * pf_padded(y, E) + t->j;
        a.less = h < y->shape.heads ? pf_head_of(&x->w->rows, y, l, h)->c[t->i] : 0;
    }
    if (x->r->dither_id == PF_NONE) {
        a.half = t->half;
    } else {
        a.word = t->row_word;
        a.words = x->col_words + t->j;
    }
    return a;
}

/* Element k of a stretch: an exception, or a trace that is wrong. */
static err one_remainder(work *x, const stretch *at, const pv_rems_args *a, uint32_t k)
{
    const uint32_t i = at->i, j = at->j + k;
    unsigned s = x->r->s;
    int64_t value = a->acc[k] * a->mul - (a->factor ? a->factor[k] * a->less : 0) + (int64_t)added(x, at, k);
    if (x->w->force != PV_HONEST)
        value = fp_to_i64(fp_from_i64(value)); /* what the field takes it for */
    int64_t rem = value - output_at(x, i, j) * ((int64_t)1 << s);
    if (rem < 0 || rem >> s) {
        int64_t t = value >> s, q = x->y->k.q_max;
        if (x->r->saturates && num_sat(t, q) == x->w->cell[x->r->out][cell_index(x, i, j)] && num_in_domain(t, x->y->k.d_t) && (t > q || t < -q)) {
            if (x->rows)
                TRY(add_exception(x, i, j, t));
            rem = value - t * ((int64_t)1 << s);
        } else if (x->w->force == PV_HONEST) {
            return fail(x->f, ERR_UNPROVED, "witness: rounding", (uint64_t)x->index << 40 | cell_index(x, i, j));
        } else {
            rem &= ((int64_t)1 << s) - 1;
        }
    }
    x->rem[place(x, at) + k] = (uint64_t)rem;
    return OK;
}

static err finish_stretch(work *x, const stretch *t)
{
    if (t->n == 0)
        return OK;
    const pv_rems_args a = args_of(x, t);
    if (x->rems(x->rem + place(x, t), &a, t->n))
        return OK;
    for (uint32_t k = 0; k < t->n; k++)
        TRY(one_remainder(x, t, &a, k));
    return OK;
}

/* Columns [first, end), as far as they are in the window. */
static stretch within(const work *x, stretch t, size_t first, size_t end)
{
    size_t last = x->at.first + x->at.n;
    first = first > x->at.first ? first : x->at.first;
    end = end < last ? end : last;
    t.j = (uint32_t)first;
    t.n = first < end ? (uint32_t)(end - first) : 0;
    return t;
}

static void hide(work *x, const stretch *t)
{
    if (t->n == 0)
        return;
    memset(x->rem + place(x, t), 0, t->n * sizeof *x->rem);
    memset(x->acc + (size_t)t->i * x->at.n + place(x, t), 0, t->n * sizeof *x->acc);
}

/* What is masked has remainder 0: scores by head, logits past the vocabulary, both in rows that are no token. */
static err finish_distances(work *x, stretch t)
{
    const pf_layout *y = x->y;
    bool scores = x->r->op == PF_OP_SCORE;
    size_t span = scores ? (size_t)1 << y->t_bits : x->r->features, end = 0;
    for (size_t first = 0; first < x->r->features && pf_is_token(y, t.i); first = end) {
        size_t seen = first + (scores ? (t.i & (span - 1)) + 1 : span);
        end = first + span;
        stretch shown = within(x, t, first, seen), hidden = within(x, t, seen, end);
        TRY(finish_stretch(x, &shown));
        hide(x, &hidden);
    }
    stretch rest = within(x, t, end, x->at.first + x->at.n);
    hide(x, &rest);
    return OK;
}

/* ds: c, and dither's row words, by head. Neither past the last head. */
static err finish_heads(work *x, stretch t)
{
    const pf_layout *y = x->y;
    const bool dithered = x->r->dither_id != PF_NONE;
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        t.row_word = dithered ? x->row_words[(size_t)h * pf_tokens(y) + t.i] : 0;
        stretch head = within(x, t, (size_t)h << y->t_bits, (size_t)(h + 1) << y->t_bits);
        TRY(finish_stretch(x, &head));
    }
    t.row_word = 0;
    stretch rest = within(x, t, (size_t)y->shape.heads << y->t_bits, x->at.first + x->at.n);
    return finish_stretch(x, &rest);
}

err pv_rounding_row(work *x, uint32_t i)
{
    const uint64_t half = x->r->s ? (uint64_t)1 << (x->r->s - 1) : 0;
    stretch t = { .i = i, .half = half, .row_word = x->r->dither_id != PF_NONE ? x->row_words[i] : 0 };
    if (x->r->op == PF_OP_SCORE || x->r->op == PF_OP_LOGIT)
        return finish_distances(x, t);
    if (x->r->op == PF_OP_DS)
        return finish_heads(x, t);
    t = within(x, t, x->at.first, x->at.first + x->at.n);
    return finish_stretch(x, &t);
}

static size_t widest(const pf_layout *y)
{
    size_t most = 0;
    for (uint32_t k = 0; k < y->rounding_count; k++)
        if (pf_padded(y, y->roundings[k].out) > most)
            most = pf_padded(y, y->roundings[k].out);
    return most;
}

err pv_rounding_init(work *x, const pv_witness *w, size_t columns, fault *f)
{
    const pf_layout *y = &w->y;
    size_t n = pf_tokens(y), ld = widest(y), words = (size_t)y->shape.heads * (n + y->shape.context) + n + y->shape.context + ld;
    *x = (work){ .w = w, .y = y, .rems = pv_rems(), .f = f };
    x->rem = malloc(columns * sizeof *x->rem);
    x->stream = malloc(columns * sizeof *x->stream);
    x->row_words = malloc(2 * words * sizeof *x->row_words);
    x->col_words = malloc(ld * sizeof *x->col_words);
    return x->rem && x->stream && x->row_words && x->col_words ? OK : fail(f, ERR_MEMORY, "witness", columns);
}

void pv_rounding_deinit(work *x)
{
    free(x->rem);
    free(x->stream);
    free(x->row_words);
    free(x->col_words);
}

void pv_rounding_set(work *x, uint32_t index)
{
    x->index = index;
    x->r = &x->y->roundings[index];
    if (x->r->dither_id != PF_NONE)
        dither_words(x);
}

/* --- all of them, for the witness ----------------------------------------------------------------------------------------------- */

/* The digits of a row to their cells. The lowest is counted, every other one `apart` places further: neighbours are often equal, and counting the same
 * place twice in a row waits for memory. */
static void put_row(const work *x, pv_witness *w, uint32_t i, uint32_t *counts, size_t apart)
{
    const size_t c = cell_index(x, i, x->at.first);
    for (size_t k = 0; k < x->at.n; k++)
        counts[(x->rem[k] & 0xffff) + (k & 1) * apart]++;
    for (uint32_t d = 0; d < x->r->digits; d++) {
        int16_t *cell = w->cell[x->r->digit + d] + c;
        const uint32_t centre = x->y->tensors[x->r->digit + d].n / 2;
        for (size_t k = 0; k < x->at.n; k++)
            cell[k] = (int16_t)((uint32_t)(uint16_t)(x->rem[k] >> (PF_DIGIT_BITS * (d + 1))) - centre);
    }
}

static int by_place(const void *a, const void *b)
{
    const pf_exception *x = a, *y = b;
    if (x->token != y->token)
        return x->token < y->token ? -1 : 1;
    return (x->feature > y->feature) - (x->feature < y->feature);
}

static err all_windows(work *x, pv_witness *w, uint32_t *counts)
{
    const pf_layout *y = x->y;
    const size_t ld = pf_padded(y, x->r->out), most = pv_window_columns(y);
    uint32_t *c = pv_counts_of(y, counts, x->r->s < PF_DIGIT_BITS ? 1u << x->r->s : 1u << PF_DIGIT_BITS);
    for (size_t first = 0; first < ld; first += most) {
        x->at = (pv_window){ first, ld - first < most ? ld - first : most };
        TRY(pv_accumulate(x));
        for (uint32_t i = 0; i < pf_tokens(y); i++) {
            TRY(pv_rounding_row(x, i));
            put_row(x, w, i, c, y->entries);
        }
    }
    return OK;
}

static err remainders(work *x, pv_witness *w, uint32_t *counts)
{
    pf_rows *rows = &w->rows;
    for (uint32_t k = 0; k < x->y->rounding_count; k++) {
        const uint32_t before = rows->exception_count;
        rows->exception_first[k] = before;
        pv_rounding_set(x, k);
        TRY(all_windows(x, w, counts));
        if (rows->exception_count - before > 1) /* windows found them column after column */
            qsort(rows->exceptions + before, rows->exception_count - before, sizeof *rows->exceptions, by_place);
    }
    rows->exception_first[x->y->rounding_count] = rows->exception_count;
    return OK;
}

/* r, m, R and RL, which the accumulators need; pf_rows_derive checks them once the exceptions are known. */
static void derive(pv_witness *w)
{
    const pf_layout *y = &w->y;
    const num_const *c = &y->k;
    for (uint32_t k = 0; k < 2 * y->shape.layers + 1; k++) {
        pf_norm_rows *n = &w->rows.norms[k];
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            if (pf_is_token(y, i)) {
                n->r[i] = num_norm_r((uint64_t)n->squares[i], y->shape.width, c->f_r, c->f_res);
                n->m[i] = num_norm_m(n->r[i], n->M[i], y->shape.width, pf_norm_fraction(y, k));
            }
    }
    for (uint32_t k = 0; k < y->shape.layers * y->shape.heads + 1; k++) {
        bool top = k == y->shape.layers * y->shape.heads;
        pf_head_rows *a = top ? &w->rows.logits : &w->rows.heads[k];
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            if (pf_is_token(y, i) && a->Z[i] > 0)
                a->R[i] = top ? num_loss_R(a->Z[i], c->n_l) : num_softmax_R(a->Z[i], c->f_R, c->f_dl);
    }
}

err pv_remainders(pv_witness *w, uint32_t *counts, fault *f)
{
    const size_t columns = pv_window_columns(&w->y);
    work x;
    derive(w);
    err e = pv_rounding_init(&x, w, columns, f);
    x.rows = &w->rows;
    x.acc = base_pages_alloc((size_t)pf_tokens(&w->y) * columns * sizeof *x.acc);
    if (e == OK)
        e = x.acc ? bt_gemm_ws_new(&x.ws, w->pool, pv_gemm_depth(&w->y)) : fail(f, ERR_MEMORY, "witness", columns);
    if (e == OK)
        e = remainders(&x, w, counts);
    bt_gemm_ws_free(x.ws);
    free(x.acc);
    pv_rounding_deinit(&x);
    return e;
}
