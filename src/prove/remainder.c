/* SPDX-License-Identifier: Apache-2.0
 *
 * The remainders of all roundings (spec/proof.md section 7): rem = acc mul + u - 2^s t, from the committed operands. */
#include "prove/remainder_int.h"

#include "numerics/dither.h"
#include "numerics/round.h"

#include <stdlib.h>
#include <string.h>

typedef pv_rounding_work work;

/* Row words by (head, token) and column words by feature, 0 in padding (section 7). */
static void dither_words(work *x, const hash256 *seed)
{
    const pf_layout *y = x->y;
    bool heads = x->r->op == PF_OP_DS;
    uint32_t T = y->shape.context, H = heads ? y->shape.heads : 1, n = pf_tokens(y), real = heads ? H * T : x->r->features;
    uint64_t *words = x->row_words + (size_t)H * n; /* room behind the table */
    memset(x->row_words, 0, (size_t)H * n * sizeof *words);
    memset(x->col_words, 0, x->ld * sizeof *words);
    for (uint32_t q = 0; q < y->sequences; q++) {
        num_dither_rows(words, (size_t)H * T, seed, x->r->dither_id, x->w->s->numbers[q]);
        for (uint32_t h = 0; h < H; h++)
            memcpy(x->row_words + (size_t)h * n + ((size_t)q << y->t_bits), words + (size_t)h * T, T * sizeof *words);
    }
    num_dither_cols(words, real, seed, x->r->dither_id);
    for (uint32_t h = 0; h < H; h++)
        memcpy(x->col_words + ((size_t)h << y->t_bits), words + (size_t)h * T, (heads ? T : real) * sizeof *words);
}

static err add_exception(work *x, uint32_t token, uint32_t feature, int64_t t)
{
    pf_rows *rows = &x->w->rows;
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

static bool is_masked(const pf_layout *y, const pf_rounding *r, uint32_t i, uint32_t j)
{
    if (!pf_is_token(y, i) || j >= r->features)
        return true;
    if (r->op == PF_OP_LOGIT)
        return false;
    uint32_t keys = (1u << y->t_bits) - 1;
    return (j & keys) > (i & keys);
}

/* The output as the cells hold it; for distances, max - D. */
static int64_t output_at(const work *x, uint32_t i, uint32_t j)
{
    const pf_layout *y = x->y;
    size_t c = (size_t)i * x->ld + j;
    int64_t t = x->w->cell[x->r->out][c];
    if (x->r->out_hi != PF_NONE)
        return t + x->r->hi_mul * x->w->cell[x->r->out_hi][c];
    if (x->r->op == PF_OP_LOGIT)
        return x->w->rows.logits.max[i] - (t + y->k.d_t);
    if (x->r->op == PF_OP_SCORE)
        return pf_head_of(&x->w->rows, y, x->r->layer, j >> y->t_bits)->max[i] - (t + y->k.d_t);
    return t;
}

int32_t pv_domain_leaf(const pv_witness *w, uint32_t index, uint32_t token, uint32_t feature)
{
    const pf_layout *y = &w->y;
    const pf_rounding *r = &y->roundings[index];
    if (is_masked(y, r, token, feature))
        return (int32_t)y->k.d_t;
    const pf_head_rows *a = r->op == PF_OP_LOGIT ? &w->rows.logits : pf_head_of(&w->rows, y, r->layer, feature >> y->t_bits);
    return (int32_t)(a->max[token] - w->cell[r->out][(size_t)token * pf_padded(y, r->out) + feature]);
}

static void put_digits(work *x, size_t c, uint64_t rem)
{
    x->w->rem[x->index][c] = (uint16_t)rem;
    for (uint32_t k = 0; k < x->r->digits; k++) {
        uint32_t t = x->r->digit + k;
        rem >>= PF_DIGIT_BITS;
        x->w->cell[t][c] = (int16_t)((int64_t)(rem & 0xffff) - x->y->tensors[t].n / 2);
    }
}

static err finish_element(work *x, uint32_t i, uint32_t j, uint64_t u)
{
    size_t c = (size_t)i * x->ld + j;
    unsigned s = x->r->s;
    int64_t value = x->acc[c] + (int64_t)u, rem = value - output_at(x, i, j) * ((int64_t)1 << s);
    if (rem < 0 || rem >> s) {
        int64_t t = value >> s, q = x->y->k.q_max;
        if (x->r->saturates && num_sat(t, q) == x->w->cell[x->r->out][c] && num_in_domain(t, x->y->k.d_t) && (t > q || t < -q)) {
            TRY(add_exception(x, i, j, t));
            rem = value - t * ((int64_t)1 << s);
        } else if (x->w->force == PV_HONEST) {
            return fail(x->f, ERR_UNPROVED, "witness: rounding", (uint64_t)x->index << 40 | c);
        } else {
            rem &= ((int64_t)1 << s) - 1;
        }
    }
    put_digits(x, c, (uint64_t)rem);
    return OK;
}

/* Elements j .. j + n - 1 of row i; u: what is added before rounding. */
typedef struct stretch {
    uint32_t i, j, n;
    uint64_t half, row_word; /* half, or with dither row_word xor the column's word */
} stretch;

static uint64_t added(const work *x, const stretch *t, uint32_t k)
{
    uint64_t mask = ((uint64_t)1 << x->r->s) - 1;
    return x->r->dither_id == PF_NONE ? t->half : (t->row_word ^ x->col_words[t->j + k]) & mask;
}

/* Remainders as unsigned integers, which are 2^s or more if they are out of range. True: none is. */
static bool quick_remainders(work *x, const stretch *t)
{
    const unsigned s = x->r->s;
    const size_t c = (size_t)t->i * x->ld + t->j;
    const int16_t *cell = x->w->cell[x->r->out] + c;
    const int64_t *acc = x->acc + c;
    uint64_t *rem = x->rem, beyond = 0;
    if (x->r->out_hi != PF_NONE) {
        const int16_t *hi = x->w->cell[x->r->out_hi] + c;
        const int32_t n = (int32_t)x->r->hi_mul;
        for (uint32_t k = 0; k < t->n; k++)
            rem[k] = (uint64_t)acc[k] - ((uint64_t)(int64_t)(cell[k] + n * hi[k]) << s);
    } else if (x->r->op == PF_OP_SCORE || x->r->op == PF_OP_LOGIT) {
        const int64_t top = output_at(x, t->i, t->j) + cell[0]; /* max - D_t */
        for (uint32_t k = 0; k < t->n; k++)
            rem[k] = (uint64_t)acc[k] - ((uint64_t)(top - cell[k]) << s);
    } else {
        for (uint32_t k = 0; k < t->n; k++)
            rem[k] = (uint64_t)acc[k] - ((uint64_t)(int64_t)cell[k] << s);
    }
    if (x->r->dither_id == PF_NONE)
        for (uint32_t k = 0; k < t->n; k++)
            rem[k] += t->half;
    else
        for (uint32_t k = 0; k < t->n; k++)
            rem[k] += added(x, t, k);
    for (uint32_t k = 0; k < t->n; k++)
        beyond |= rem[k] >> s;
    return beyond == 0;
}

static void put_quick(const work *x, const stretch *t)
{
    const size_t c = (size_t)t->i * x->ld + t->j;
    uint16_t *low = x->w->rem[x->index] + c;
    for (uint32_t k = 0; k < t->n; k++)
        low[k] = (uint16_t)x->rem[k];
    for (uint32_t d = 0; d < x->r->digits; d++) {
        int16_t *cell = x->w->cell[x->r->digit + d] + c;
        const uint32_t centre = x->y->tensors[x->r->digit + d].n / 2;
        for (uint32_t k = 0; k < t->n; k++)
            cell[k] = (int16_t)((uint32_t)(uint16_t)(x->rem[k] >> (PF_DIGIT_BITS * (d + 1))) - centre);
    }
}

static err finish_stretch(work *x, const stretch *t)
{
    if (quick_remainders(x, t)) {
        put_quick(x, t);
        return OK;
    }
    for (uint32_t k = 0; k < t->n; k++) /* exceptions, or a trace that is wrong */
        TRY(finish_element(x, t->i, t->j + k, added(x, t, k)));
    return OK;
}

static void hide(work *x, uint32_t i, uint32_t first, uint32_t end)
{
    for (uint32_t j = first; j < end; j++)
        put_digits(x, (size_t)i * x->ld + j, 0);
}

/* What is masked has remainder 0: scores by head, logits past the vocabulary, both in rows that are no token. */
static err finish_distances(work *x, uint32_t i, stretch t)
{
    const pf_layout *y = x->y;
    bool scores = x->r->op == PF_OP_SCORE;
    uint32_t span = scores ? 1u << y->t_bits : x->r->features, end = 0;
    for (uint32_t first = 0; first < x->r->features && pf_is_token(y, i); first = end) {
        end = first + span;
        t.j = first;
        t.n = scores ? (i & (span - 1)) + 1 : span;
        TRY(finish_stretch(x, &t));
        hide(x, i, first + t.n, end);
    }
    hide(x, i, end, (uint32_t)x->ld);
    return OK;
}

/* Dither has row words by (head, token) for ds, and none past its last head. */
static err finish_heads(work *x, uint32_t i, stretch t)
{
    const pf_layout *y = x->y;
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        t.j = h << y->t_bits;
        t.n = 1u << y->t_bits;
        t.row_word = x->row_words[(size_t)h * pf_tokens(y) + i];
        TRY(finish_stretch(x, &t));
    }
    t.j = x->r->features;
    t.n = (uint32_t)x->ld - t.j;
    t.row_word = 0;
    return finish_stretch(x, &t);
}

static err finish(work *x)
{
    const bool distances = x->r->op == PF_OP_SCORE || x->r->op == PF_OP_LOGIT, dithered = x->r->dither_id != PF_NONE;
    const uint64_t half = x->r->s ? (uint64_t)1 << (x->r->s - 1) : 0;
    for (uint32_t i = 0; i < pf_tokens(x->y); i++) {
        stretch t = { i, 0, (uint32_t)x->ld, half, dithered ? x->row_words[i] : 0 };
        if (distances)
            TRY(finish_distances(x, i, t));
        else if (x->r->op == PF_OP_DS && dithered)
            TRY(finish_heads(x, i, t));
        else
            TRY(finish_stretch(x, &t));
    }
    return OK;
}

static err remainders(work *x)
{
    const pf_layout *y = x->y;
    const hash256 seed = num_dither_seed(&x->w->s->job_id, &x->w->s->model_id, x->w->s->step);
    for (uint32_t k = 0; k < y->rounding_count; k++) {
        x->index = k;
        x->r = &y->roundings[k];
        x->ld = pf_padded(y, x->r->out);
        x->w->rows.exception_first[k] = x->w->rows.exception_count;
        memset(x->acc, 0, ((size_t)x->ld << y->nu) * sizeof *x->acc);
        TRY(pv_accumulate(x));
        if (x->r->dither_id != PF_NONE)
            dither_words(x, &seed);
        TRY(finish(x));
    }
    x->w->rows.exception_first[y->rounding_count] = x->w->rows.exception_count;
    return OK;
}

static size_t widest(const pf_layout *y)
{
    size_t most = 0;
    for (uint32_t k = 0; k < y->rounding_count; k++)
        if (pf_padded(y, y->roundings[k].out) > most)
            most = pf_padded(y, y->roundings[k].out);
    return most;
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

err pv_remainders(pv_witness *w, fault *f)
{
    const pf_layout *y = &w->y;
    size_t n = pf_tokens(y), ld = widest(y), words = (size_t)y->shape.heads * (n + y->shape.context) + n + y->shape.context + ld;
    work x = { .w = w, .y = y, .f = f };
    derive(w);
    x.acc = malloc(n * ld * sizeof *x.acc);
    x.row_words = malloc(2 * words * sizeof *x.row_words);
    x.col_words = malloc(ld * sizeof *x.col_words);
    x.rem = malloc(ld * sizeof *x.rem);
    err e = x.acc && x.row_words && x.col_words && x.rem ? OK : fail(f, ERR_MEMORY, "witness", ld);
    if (e == OK)
        e = bt_gemm_ws_new(&x.ws, w->pool, pv_gemm_depth(y));
    if (e == OK)
        e = remainders(&x);
    free(x.acc);
    free(x.row_words);
    free(x.col_words);
    free(x.rem);
    bt_gemm_ws_free(x.ws);
    return e;
}
