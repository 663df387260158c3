/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/public.h"

#include "field/fp.h"
#include "numerics/round.h"
#include "proof/open.h"
#include "proof/range.h"

#include <stdlib.h>
#include <string.h>

static void absorb_hash(pf_transcript *t, const char *label, const hash256 *h)
{
    pf_absorb(t, label, bytes_of(h->b, sizeof h->b));
}

static void absorb_shape(pf_transcript *t, const num_shape *s)
{
    const uint32_t all[] = { s->vocab, s->context, s->width, s->layers, s->heads, s->bits, s->helper };
    uint8_t raw[sizeof all];
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        store_le32(raw + 4 * i, all[i]);
    pf_absorb(t, "shape", bytes_of(raw, sizeof raw));
}

static void absorb_fractions(pf_transcript *t, const pf_subject *s)
{
    uint8_t raw[sizeof s->fractions];
    size_t layers = s->shape.layers * sizeof s->fractions.layer[0];
    memcpy(raw, s->fractions.layer, layers);
    memcpy(raw + layers, &s->fractions.top, sizeof s->fractions.top);
    pf_absorb(t, "fractions", bytes_of(raw, layers + sizeof s->fractions.top));
}

static void absorb_result(pf_transcript *t, const pf_subject *s)
{
    uint8_t raw[4 + 8 + 8];
    if (!s->result.range) {
        pf_absorb_u64(t, "loss", (uint64_t)s->loss);
        absorb_hash(t, "gradient root", &s->gradient_root);
        return;
    }
    store_le32(raw, s->result.tensor);
    store_le64(raw + 4, s->result.sequence);
    store_le64(raw + 12, s->result.index);
    pf_absorb(t, "range", bytes_of(raw, sizeof raw));
}

static void absorb_numbers(pf_transcript *t, const pf_subject *s)
{
    uint8_t raw[8];
    pf_absorb_u64(t, "sequences", s->sequences);
    for (uint32_t i = 0; i < s->sequences; i++) {
        store_le64(raw, s->numbers[i]);
        pf_absorb(t, "sequence", bytes_of(raw, sizeof raw));
    }
}

void pf_subject_absorb(pf_transcript *t, const pf_subject *s)
{
    absorb_shape(t, &s->shape);
    absorb_fractions(t, s);
    absorb_hash(t, "model id", &s->model_id);
    absorb_hash(t, "weight root", &s->weight_root);
    absorb_hash(t, "tables hash", &s->tables_hash);
    absorb_hash(t, "job id", &s->job_id);
    pf_absorb_u64(t, "step", s->step);
    absorb_numbers(t, s);
    absorb_hash(t, "tokens root", &s->tokens_root);
    absorb_hash(t, "lease hash", &s->lease_hash);
    absorb_hash(t, "worker", &s->worker);
    pf_absorb_u64(t, "level", s->level);
    absorb_result(t, s);
    pf_absorb_u64(t, "block bits", PF_BLOCK_BITS);
    pf_absorb_u64(t, "instance bits", PF_INSTANCE_BITS);
    pf_absorb_u64(t, "queries", PF_QUERIES);
    pf_absorb_u64(t, "band", PF_BAND);
}

/* --- memory -------------------------------------------------------------------------------------------------------------- */

enum { NORM_ARRAYS = 5, HEAD_ARRAYS = 5 };

static void place_head(pf_head_rows *h, int64_t **at, size_t n)
{
    int64_t **all[HEAD_ARRAYS] = { &h->max, &h->index, &h->Z, &h->c, &h->R };
    for (size_t i = 0; i < HEAD_ARRAYS; i++, *at += n)
        *all[i] = *at;
}

static void place_norm(pf_norm_rows *r, int64_t **at, size_t n)
{
    int64_t **all[NORM_ARRAYS] = { &r->squares, &r->y_squares, &r->M, &r->r, &r->m };
    for (size_t i = 0; i < NORM_ARRAYS; i++, *at += n)
        *all[i] = *at;
}

err pf_rows_init(pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f)
{
    size_t L = y->shape.layers, norms = 2 * L + 1, heads = L * y->shape.heads, n = pf_tokens(y), T = y->shape.context;
    memset(r, 0, sizeof *r);
    r->norms = calloc(norms, sizeof *r->norms);
    r->heads = calloc(heads, sizeof *r->heads);
    r->memory = calloc((norms * NORM_ARRAYS + (heads + 1) * HEAD_ARRAYS) * n, sizeof *r->memory);
    r->exception_first = calloc(y->rounding_count + 1, sizeof *r->exception_first);
    r->targets = calloc(n, sizeof *r->targets);
    r->inputs = calloc(n, sizeof *r->inputs);
    if (!r->norms || !r->heads || !r->memory || !r->exception_first || !r->targets || !r->inputs)
        return fail(f, ERR_MEMORY, "rows", n);
    int64_t *at = r->memory;
    for (size_t i = 0; i < norms; i++)
        place_norm(&r->norms[i], &at, n);
    for (size_t i = 0; i < heads; i++)
        place_head(&r->heads[i], &at, n);
    place_head(&r->logits, &at, n);
    for (size_t q = 0; q < y->sequences; q++)
        for (size_t i = 0; i < T; i++) {
            r->inputs[(q << y->t_bits) + i] = s->tokens[q * (T + 1) + i];
            r->targets[(q << y->t_bits) + i] = s->tokens[q * (T + 1) + i + 1];
        }
    return pf_check_init(&r->check, y, s, f);
}

void pf_rows_deinit(pf_rows *r)
{
    free(r->norms);
    free(r->heads);
    free(r->memory);
    free(r->exceptions);
    free(r->exception_first);
    free(r->targets);
    free(r->inputs);
    pf_check_deinit(&r->check);
    memset(r, 0, sizeof *r);
}

/* --- wire ---------------------------------------------------------------------------------------------------------------- */

enum { SQUARES_BYTES = 6 + 6, M_BYTES = 8, HEAD_BYTES = 4 + 2 + 4, C_BYTES = 8, LOGIT_BYTES = 4 + 4 + 8 + 2 };

bool pf_has_squares(const pf_layout *y, uint32_t k)
{
    return pf_has(y, k / 2, k & 1 ? PF_Y2 : PF_Y1);
}

bool pf_has_m(const pf_layout *y, uint32_t k)
{
    return pf_has(y, k / 2, k & 1 ? PF_DX2LO : PF_DX1LO);
}

size_t pf_rows_size(const pf_layout *y)
{
    size_t L = y->shape.layers, size = pf_has(y, y->shape.layers, PF_E) ? (size_t)LOGIT_BYTES : 0;
    for (uint32_t k = 0; k < 2 * L + 1; k++)
        size += (size_t)((pf_has_squares(y, k) ? SQUARES_BYTES : 0) + (pf_has_m(y, k) ? M_BYTES : 0));
    for (uint32_t l = 0; l < L; l++)
        size += y->shape.heads * (size_t)((pf_has(y, l, PF_E) ? HEAD_BYTES : 0) + (pf_has(y, l, PF_DS) ? C_BYTES : 0));
    return size * y->sequences * y->shape.context;
}

static void put(uint8_t **to, int64_t x, unsigned len)
{
    for (unsigned i = 0; i < len; i++)
        *(*to)++ = (uint8_t)((uint64_t)x >> (8 * i));
}

static int64_t take(const uint8_t **from, unsigned len, bool is_signed)
{
    uint64_t x = 0;
    for (unsigned i = 0; i < len; i++)
        x |= (uint64_t)*(*from)++ << (8 * i);
    unsigned up = 64 - 8 * len;
    return is_signed ? (int64_t)(x << up) >> up : (int64_t)x;
}

void pf_rows_encode(uint8_t *out, const pf_rows *r, const pf_layout *y)
{
    uint32_t L = y->shape.layers, H = y->shape.heads;
    for (uint32_t k = 0; k < 2 * L + 1; k++)
        for (uint32_t i = 0; i < pf_tokens(y); i++) {
            if (!pf_is_token(y, i) || !pf_has_squares(y, k))
                continue;
            put(&out, r->norms[k].squares[i], 6);
            put(&out, r->norms[k].y_squares[i], 6);
            if (pf_has_m(y, k))
                put(&out, r->norms[k].M[i], 8);
        }
    for (uint32_t l = 0; l < L; l++)
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            for (uint32_t h = 0; h < H && pf_is_token(y, i) && pf_has(y, l, PF_E); h++) {
                const pf_head_rows *a = pf_head_of(r, y, l, h);
                put(&out, a->max[i], 4);
                put(&out, a->index[i], 2);
                put(&out, a->Z[i], 4);
                if (pf_has(y, l, PF_DS))
                    put(&out, a->c[i], 8);
            }
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i) || !pf_has(y, L, PF_E))
            continue;
        put(&out, r->logits.max[i], 4);
        put(&out, r->logits.index[i], 4);
        put(&out, r->logits.Z[i], 8);
        put(&out, r->logits.c[i], 2);
    }
}

static void decode_rows(pf_rows *r, const pf_layout *y, const uint8_t *in)
{
    uint32_t L = y->shape.layers, H = y->shape.heads;
    for (uint32_t k = 0; k < 2 * L + 1; k++)
        for (uint32_t i = 0; i < pf_tokens(y); i++) {
            if (!pf_is_token(y, i) || !pf_has_squares(y, k))
                continue;
            r->norms[k].squares[i] = take(&in, 6, false);
            r->norms[k].y_squares[i] = take(&in, 6, false);
            if (pf_has_m(y, k))
                r->norms[k].M[i] = take(&in, 8, true);
        }
    for (uint32_t l = 0; l < L; l++)
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            for (uint32_t h = 0; h < H && pf_is_token(y, i) && pf_has(y, l, PF_E); h++) {
                const pf_head_rows *a = pf_head_of(r, y, l, h);
                a->max[i] = take(&in, 4, true);
                a->index[i] = take(&in, 2, false);
                a->Z[i] = take(&in, 4, false);
                if (pf_has(y, l, PF_DS))
                    a->c[i] = take(&in, 8, true);
            }
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i) || !pf_has(y, L, PF_E))
            continue;
        r->logits.max[i] = take(&in, 4, true);
        r->logits.index[i] = take(&in, 4, false);
        r->logits.Z[i] = take(&in, 8, true);
        r->logits.c[i] = take(&in, 2, false);
    }
}

static err receive_exceptions(pf_rows *r, const pf_layout *y, pf_reader *in, pf_transcript *t)
{
    for (uint32_t k = 0; k < y->rounding_count; k++) {
        bytes raw;
        r->exception_first[k] = r->exception_count;
        if (!y->roundings[k].saturates)
            continue;
        TRY(pf_read(in, "exceptions", 4, &raw));
        pf_absorb(t, "lists", raw);
        uint32_t count = load_le32(raw.data);
        if (count > PF_EXCEPTIONS_MAX - r->exception_count)
            return fail(in->f, ERR_LIMIT, "exceptions", count);
        if (count == 0)
            continue;
        TRY(pf_read(in, "exceptions", (size_t)count * 12, &raw));
        pf_absorb(t, "lists", raw);
        pf_exception *more = realloc(r->exceptions, (r->exception_count + count) * sizeof *more);
        if (!more)
            return fail(in->f, ERR_MEMORY, "exceptions", count);
        r->exceptions = more;
        for (uint32_t i = 0; i < count; i++)
            r->exceptions[r->exception_count++] = (pf_exception){ load_le32(raw.data + 12 * i), load_le32(raw.data + 12 * i + 4),
                                                                  (int32_t)load_le32(raw.data + 12 * i + 8) };
    }
    r->exception_first[y->rounding_count] = r->exception_count;
    return OK;
}

err pf_rows_receive(pf_rows *r, const pf_layout *y, const pf_subject *s, pf_reader *in, pf_transcript *t)
{
    bytes raw;
    TRY(pf_read(in, "rows", pf_rows_size(y), &raw));
    pf_absorb(t, "rows", raw);
    decode_rows(r, y, raw.data);
    TRY(receive_exceptions(r, y, in, t));
    TRY(pf_check_receive(&r->check, in, t));
    return pf_rows_derive(r, y, s, in->f);
}

/* --- what they must satisfy ---------------------------------------------------------------------------------------------- */

static err check_exceptions(const pf_rows *r, const pf_layout *y, fault *f)
{
    for (uint32_t k = 0; k < y->rounding_count; k++) {
        const pf_rounding *g = &y->roundings[k];
        const pf_exception *before = NULL;
        for (uint32_t i = r->exception_first[k]; i < r->exception_first[k + 1]; i++) {
            const pf_exception *x = &r->exceptions[i];
            uint64_t size = x->t < 0 ? (uint64_t)-(int64_t)x->t : (uint64_t)x->t;
            bool after = !before || x->token > before->token || (x->token == before->token && x->feature > before->feature);
            TRY(pf_want(x->token < pf_tokens(y) && pf_is_token(y, x->token) && x->feature < g->features, f, "exception: place", i));
            TRY(pf_want(after, f, "exception: order", i));
            TRY(pf_want(size > (uint64_t)y->k.q_max && size <= (uint64_t)y->k.d_t && (u128)(size + 1) << g->s <= (FP_P - 1) / 2, f, "exception: value", i));
            before = x;
        }
    }
    return OK;
}

int pf_norm_fraction(const pf_layout *y, uint32_t k)
{
    uint32_t L = y->shape.layers;
    return k == 2 * L ? y->fractions.top.yf : k & 1 ? y->fractions.layer[k / 2].y2 : y->fractions.layer[k / 2].y1;
}

/* The rounding that writes y of norm k. */
static uint32_t norm_rounding(const pf_layout *y, uint32_t k)
{
    uint32_t out = pf_at(y, k / 2, k & 1 ? PF_Y2 : PF_Y1);
    for (uint32_t i = 0; i < y->rounding_count; i++)
        if (y->roundings[i].out == out)
            return i;
    return 0;
}

/* Sum x^2 of a row, from its y: |x| r <= 2^s (|t| + 1). It must stay below p, or S may be its residue only. */
static bool squares_cannot_wrap(const pf_norm_rows *n, const pf_layout *y, uint32_t i, u128 theta, uint32_t s)
{
    u128 root = num_isqrt(theta) + num_isqrt(y->shape.width) + 2, r = (uint64_t)n->r[i];
    u128 scaled = root << s;
    return scaled < (u128)1 << 60 && scaled * scaled < (u128)FP_P * r * r;
}

static err derive_norm(pf_rows *r, const pf_layout *y, uint32_t k, fault *f)
{
    const num_const *c = &y->k;
    pf_norm_rows *n = &r->norms[k];
    uint32_t g = norm_rounding(y, k), next = r->exception_first[g], end = r->exception_first[g + 1], d = y->shape.width;
    const int64_t Q2 = (int64_t)c->q_max * c->q_max;
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i))
            continue;
        TRY(pf_want(n->squares[i] < (int64_t)1 << 42 && n->y_squares[i] <= d * Q2, f, "norm: squares", i));
        u128 theta = (uint64_t)n->y_squares[i];
        for (; next < end && r->exceptions[next].token == i; next++)
            theta += (uint64_t)((int64_t)r->exceptions[next].t * r->exceptions[next].t - Q2);
        n->r[i] = num_norm_r((uint64_t)n->squares[i], d, c->f_r, c->f_res);
        TRY(pf_want(squares_cannot_wrap(n, y, i, theta, y->roundings[g].s), f, "norm: the sum of squares may wrap", i));
        if (!pf_has_m(y, k))
            continue;
        TRY(pf_want(num_in_domain(n->M[i], (int64_t)d * c->d_t * c->q_max), f, "norm: M", i));
        n->m[i] = num_norm_m(n->r[i], n->M[i], d, pf_norm_fraction(y, k));
        TRY(pf_want(num_in_domain(n->m[i], (int64_t)1 << 34), f, "norm: m", i));
    }
    return OK;
}

/* One more than the largest D that the cells of a layer can hold. */
static uint64_t distance_limit(const pf_layout *y, uint32_t layer)
{
    uint32_t n = y->tensors[pf_at(y, layer, PF_D)].n;
    return n ? n : 2 * (uint64_t)y->k.d_t + 1;
}

/* In the domain, and so that no D that a cell can hold wraps beside it. */
static bool is_maximum(int64_t max, const num_const *c, uint64_t d_max, uint32_t s)
{
    return num_in_domain(max, c->d_t) && (u128)((uint64_t)llabs(max) + d_max) << s <= (FP_P - 1) / 2;
}

static err derive_head(pf_head_rows *a, const pf_layout *y, uint32_t s, uint64_t d_max, fault *f)
{
    const num_const *c = &y->k;
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        uint32_t position = i & ((1u << y->t_bits) - 1);
        if (!pf_is_token(y, i))
            continue;
        TRY(pf_want(a->index[i] <= position, f, "attention: index of the maximum", i));
        TRY(pf_want(is_maximum(a->max[i], c, d_max, s), f, "attention: maximum", i));
        TRY(pf_want(a->Z[i] >= c->q_max && a->Z[i] <= (int64_t)c->q_max * (position + 1), f, "attention: sum", i));
        TRY(pf_want(num_in_domain(a->c[i], (int64_t)c->head_dim * c->q_max * c->q_max), f, "attention: c", i));
        a->R[i] = num_softmax_R(a->Z[i], c->f_R, c->f_dl);
    }
    return OK;
}

static err derive_logits(pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f)
{
    const num_const *c = &y->k;
    pf_head_rows *a = &r->logits;
    const uint64_t d_max = distance_limit(y, y->shape.layers);
    int64_t loss = 0;
    uint32_t shift = 0;
    for (uint32_t i = 0; i < y->rounding_count; i++)
        if (y->roundings[i].op == PF_OP_LOGIT)
            shift = y->roundings[i].s;
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i))
            continue;
        TRY(pf_want(a->index[i] < y->shape.vocab, f, "logits: index of the maximum", i));
        TRY(pf_want(is_maximum(a->max[i], c, d_max, shift), f, "logits: maximum", i));
        TRY(pf_want(a->Z[i] >= c->q_l && a->Z[i] <= c->q_l * y->shape.vocab, f, "logits: sum", i));
        TRY(pf_want(a->c[i] <= 2 * c->d_t, f, "logits: target", i));
        a->R[i] = num_loss_R(a->Z[i], c->n_l);
        loss += a->c[i] * ((int64_t)1 << (16 - c->f_l)) + num_ilog2((uint64_t)a->Z[i]) - num_ilog2((uint64_t)c->q_l + 1);
    }
    return s->result.range ? OK : pf_want(loss == s->loss, f, "loss", (uint64_t)loss);
}

err pf_rows_derive(pf_rows *r, const pf_layout *y, const pf_subject *s, fault *f)
{
    TRY(check_exceptions(r, y, f));
    for (uint32_t k = 0; k < 2 * y->shape.layers + 1; k++)
        if (pf_has_squares(y, k))
            TRY(derive_norm(r, y, k, f));
    for (uint32_t i = 0; i < y->rounding_count; i++) {
        const pf_rounding *g = &y->roundings[i];
        for (uint32_t h = 0; h < y->shape.heads && g->op == PF_OP_SCORE; h++)
            TRY(derive_head(&r->heads[g->layer * y->shape.heads + h], y, g->s, distance_limit(y, g->layer), f));
    }
    if (pf_has(y, y->shape.layers, PF_E))
        TRY(derive_logits(r, y, s, f));
    return s->result.range ? pf_check_fails(r, y, s, f) : OK;
}
