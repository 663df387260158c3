/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/run.h"

#include "numerics/dither.h"

#include <stdlib.h>
#include <string.h>

/* --- the list of products ------------------------------------------------------------------------------------------------ */

static bool part_kind(pf_op op, pf_product_kind *kind)
{
    switch (op) {
    case PF_OP_SCORE:  *kind = PF_X_SCORE; return true;
    case PF_OP_ATTEND: *kind = PF_X_ATTEND; return true;
    case PF_OP_DV:     *kind = PF_X_DV; return true;
    case PF_OP_DQ:     *kind = PF_X_DQ; return true;
    case PF_OP_DK:     *kind = PF_X_DK; return true;
    case PF_OP_DS:     *kind = PF_X_DS; return true;
    case PF_OP_GELU:   *kind = PF_X_GELU; return true;
    default:           return false;
    }
}

bool pf_has_part(const pf_layout *y, const pf_segment *s)
{
    pf_product_kind kind;
    return s->part == PF_PART_REM && part_kind(y->roundings[s->index].op, &kind);
}

static pf_product *add(pf_run *run, pf_product_kind kind, uint32_t layer, uint32_t features, uint32_t pairs)
{
    pf_product *p = &run->products[run->product_count++];
    *p = (pf_product){ .kind = kind, .layer = layer, .token_bits = run->y->nu, .feature_bits = pf_log2_up(features), .pairs = pairs };
    return p;
}

static void add_part(pf_run *run, uint32_t instance, uint32_t segment)
{
    const pf_layout *y = run->y;
    uint32_t which = y->segments[segment].index, d = y->shape.width;
    const pf_rounding *r = &y->roundings[which];
    pf_product_kind kind;
    if (y->segments[segment].part != PF_PART_REM || !part_kind(r->op, &kind))
        return;
    const uint32_t features[PF_X_KINDS] = { [PF_X_SCORE] = d, [PF_X_ATTEND] = y->shape.heads, [PF_X_DV] = y->shape.heads,
                                            [PF_X_DQ] = y->shape.heads, [PF_X_DK] = y->shape.heads,
                                            [PF_X_DS] = y->shape.heads << y->t_bits, [PF_X_GELU] = y->k.hidden };
    for (int inner = 0; inner < (kind == PF_X_DS ? 2 : 1); inner++) {
        pf_product *p = add(run, inner ? PF_X_DS_INNER : kind, r->layer, inner ? d : features[kind], 1);
        if (inner)
            p->token_bits = y->s_bits;
        p->instance = instance;
        p->segment = segment;
        p->rounding = which;
    }
}

static void list(pf_run *run)
{
    const pf_layout *y = run->y;
    uint32_t L = y->shape.layers, d = y->shape.width;
    for (uint32_t i = 0; i < y->instance_count; i++)
        for (uint32_t k = 0; k < y->instances[i].segments; k++)
            add_part(run, i, y->instances[i].segment + k);
    for (uint32_t l = 0; l < L; l++) {
        if (pf_has(y, l, PF_DS))
            (void)add(run, PF_X_C, l, d, 1);
        if (pf_has(y, l, PF_D))
            (void)add(run, PF_X_DISTANCE, l, y->shape.heads << y->t_bits, 1);
    }
    for (uint32_t k = 0; k < 2 * L + 1; k++)
        if (pf_has_squares(y, k))
            add(run, PF_X_NORM, k / 2, d, 2)->second = k & 1;
    if (pf_has(y, L, PF_D))
        (void)add(run, PF_X_LOGIT, L, y->shape.vocab, 1);
    for (uint32_t i = 0; i < y->rounding_count; i++)
        if (run->rows->exception_first[i] != run->rows->exception_first[i + 1])
            add(run, PF_X_EXCEPTION, y->roundings[i].layer, y->roundings[i].features, 1)->rounding = i;
}

err pf_run_init(pf_run *run, const pf_layout *y, const pf_subject *s, const pf_rows *rows, fault *f)
{
    memset(run, 0, sizeof *run);
    run->y = y;
    run->s = s;
    run->rows = rows;
    run->dither = num_dither_seed(&s->job_id, &s->model_id, s->step);
    run->ends = calloc((size_t)y->instance_count + 1, sizeof *run->ends);
    run->parts = calloc(y->segment_count + 1, sizeof *run->parts);
    run->products = calloc(2 * (size_t)y->segment_count + 4 * (size_t)y->shape.layers + y->rounding_count + 4, sizeof *run->products);
    run->grad_p = calloc(pf_group_count(y), sizeof *run->grad_p);
    run->grad_b = calloc(pf_group_count(y), sizeof *run->grad_b);
    if (!run->ends || !run->parts || !run->products || !run->grad_p || !run->grad_b)
        return fail(f, ERR_MEMORY, "proof", 0);
    list(run);
    return OK;
}

void pf_run_deinit(pf_run *run)
{
    free(run->ends);
    free(run->parts);
    free(run->products);
    free(run->grad_p);
    free(run->grad_b);
    memset(run, 0, sizeof *run);
}

/* --- weights ------------------------------------------------------------------------------------------------------------- */

fxv *pf_token_weights(const pf_run *run, uint32_t instance)
{
    fxv *w = fxv_alloc(pf_tokens(run->y));
    if (w)
        fxv_eq(w, run->ends[instance].point + run->y->b, run->y->nu, FX_ONE);
    return w;
}

fxv *pf_feature_weights(const pf_run *run, uint32_t instance, uint32_t segment)
{
    const pf_layout *y = run->y;
    const pf_instance *in = &y->instances[instance];
    const pf_segment *s = &y->segments[segment];
    uint32_t features = pf_segment_features(y, s);
    uint32_t B = 1u << y->b;
    const fx *r = run->ends[instance].point;
    fxv *v = fxv_alloc((size_t)pf_blocks(y, features) << y->b), *lo = fxv_alloc(B);
    if (!v || !lo) {
        free(v);
        free(lo);
        return NULL;
    }
    for (uint32_t k = 0; k < s->blocks; k++) {
        fxv_eq(lo, r, y->b, pf_eq_at(r + y->b + y->nu, in->tile_bits, s->place + k));
        for (uint32_t j = 0; j < B; j++)
            fxv_set(v, (size_t)(s->block + k) * B + j, fxv_get(lo, j));
    }
    free(lo);
    return v;
}

/* --- the gradient's groups ----------------------------------------------------------------------------------------------- */

unsigned pf_gradient_vars(const pf_layout *y)
{
    return pf_log2_up(y->k.hidden > y->shape.vocab ? y->k.hidden : y->shape.vocab);
}

uint32_t pf_group_count(const pf_layout *y)
{
    return 4 * y->shape.layers + 1;
}

pf_group pf_group_at(const pf_layout *y, uint32_t g)
{
    uint32_t l = g / 4, w = num_tensor_of_layer(l, NUM_W_Q);
    if (l == y->shape.layers)
        return (pf_group){ pf_at(y, l, PF_Y1), 1, { pf_at(y, l, PF_DL) }, { num_tensor_count(&y->shape) - 1 } };
    switch (g % 4) {
    case 0:
        return (pf_group){ pf_at(y, l, PF_Y1), 3, { pf_at(y, l, PF_DQ), pf_at(y, l, PF_DK), pf_at(y, l, PF_DV) }, { w, w + 1, w + 2 } };
    case 1:
        return (pf_group){ pf_at(y, l, PF_O), 1, { pf_at(y, l, PF_DA) }, { num_tensor_of_layer(l, NUM_W_O) } };
    case 2:
        return (pf_group){ pf_at(y, l, PF_Y2), 1, { pf_at(y, l, PF_DH) }, { num_tensor_of_layer(l, NUM_W_1) } };
    default:
        return (pf_group){ pf_at(y, l, PF_G), 1, { pf_at(y, l, PF_DM) }, { num_tensor_of_layer(l, NUM_W_2) } };
    }
}

void pf_run_sums(pf_run *run, pf_transcript *t)
{
    const pf_layout *y = run->y;
    pf_stream s;
    pf_squeeze(t, &s, "sums");
    for (uint32_t i = 0; i < y->nu; i++)
        run->sum_tokens[i] = pf_stream_fx(&s);
    for (uint32_t i = 0; i < pf_log2_up(y->shape.heads); i++)
        run->sum_heads[i] = pf_stream_fx(&s);
}

void pf_run_gradient(pf_run *run, pf_transcript *t)
{
    const pf_layout *y = run->y;
    unsigned bits = pf_gradient_vars(y), names = bits > y->t_bits ? bits : y->t_bits;
    pf_stream s;
    pf_squeeze(t, &s, "gradient");
    for (unsigned i = 0; i < bits; i++)
        run->in[i] = pf_stream_fx(&s);
    for (unsigned i = 0; i < bits; i++)
        run->out[i] = pf_stream_fx(&s);
    for (unsigned i = 0; i < names; i++)
        run->embed[i] = pf_stream_fx(&s);
    run->grad_kappa = pf_stream_fx(&s);
}

void pf_run_inputs(pf_run *run, pf_transcript *t)
{
    pf_challenge(t, "inputs", &run->input_kappa, 1);
}

err pf_evaluate(fx *to, const fx_ints *m, const fx *in, unsigned in_bits, const fx *out, unsigned out_bits, fault *f)
{
    fxv *cols = fxv_alloc((size_t)1 << out_bits), *rows = fxv_alloc((size_t)1 << in_bits), *v = fxv_alloc(m->rows);
    err e = cols && rows && v ? OK : fail(f, ERR_MEMORY, "proof", m->rows);
    if (e == OK) {
        fxv_eq(cols, out, out_bits, FX_ONE);
        fxv_eq(rows, in, in_bits, FX_ONE);
        fxv_cols(v, m, cols);
        *to = fxv_dot(v, rows, m->rows);
    }
    free(cols);
    free(rows);
    free(v);
    return e;
}

err pf_gradient_value(const pf_run *run, fx *out, fault *f)
{
    const pf_layout *y = run->y;
    unsigned bits = pf_gradient_vars(y);
    fx power = FX_ONE, g;
    *out = FX_ZERO;
    for (uint32_t k = 0; k < pf_group_count(y); k++) {
        pf_group group = pf_group_at(y, k);
        for (uint32_t i = 0; i < group.count; i++) {
            num_tensor_info t = num_tensor_describe(&y->shape, group.weight[i]);
            TRY(pf_evaluate(&g, &(fx_ints){ run->s->gradient + t.offset, t.rows, t.cols, t.cols, 8 }, run->in, bits, run->out, bits, f));
            *out = fx_add(*out, fx_mul(power, g));
            power = fx_mul(power, run->grad_kappa);
        }
    }
    return OK;
}

/* --- starting a product -------------------------------------------------------------------------------------------------- */

static fx row_sum(const fxv *w, const int64_t *x, uint32_t n)
{
    fx sum = FX_ZERO;
    for (uint32_t i = 0; i < n; i++)
        sum = fx_add(sum, fx_mul_fp(fxv_get(w, i), fp_from_i64(x[i])));
    return sum;
}

static fx value_c(const pf_run *run, const pf_product *p, const fxv *w)
{
    fx sum = FX_ZERO;
    for (uint32_t h = 0; h < run->y->shape.heads; h++)
        sum = fx_add(sum, fx_mul(pf_eq_at(p->heads, pf_log2_up(run->y->shape.heads), h),
                                 row_sum(w, pf_head_of(run->rows, run->y, p->layer, h)->c, pf_tokens(run->y))));
    return sum;
}

static fx exception_value(const pf_run *run, const pf_product *p)
{
    fx power = FX_ONE, sum = FX_ZERO;
    for (uint32_t i = run->rows->exception_first[p->rounding]; i < run->rows->exception_first[p->rounding + 1]; i++) {
        int64_t q = run->rows->exceptions[i].t < 0 ? -run->y->k.q_max : run->y->k.q_max;
        sum = fx_add(sum, fx_mul_fp(power, fp_from_i64(q)));
        power = fx_mul(power, p->kappa);
    }
    return sum;
}

/* omega' and theta' of a product, at its points or times a second point. */
typedef struct scratch {
    fxv *w, *row;
    fx  *theta;
} scratch;

static err scratch_init(scratch *x, const pf_run *run, const pf_product *p, fault *f)
{
    const pf_layout *y = run->y;
    uint32_t H = y->shape.heads, keys = 1u << y->t_bits, V = y->shape.vocab;
    *x = (scratch){ fxv_alloc(pf_tokens(y)), fxv_alloc((pf_tokens(y) > keys ? pf_tokens(y) : keys) + 2 * (size_t)V),
                    malloc(H * sizeof *x->theta) };
    if (!x->w || !x->row || !x->theta)
        return fail(f, ERR_MEMORY, "proof", H);
    fxv_eq(x->w, p->weights, y->nu, FX_ONE);
    for (uint32_t h = 0; h < H; h++)
        x->theta[h] = pf_eq_at(p->heads, pf_log2_up(H), h);
    return OK;
}

static void scratch_deinit(scratch *x)
{
    free(x->w);
    free(x->row);
    free(x->theta);
}

static int64_t centre(const pf_layout *y)
{
    return y->k.d_t;
}

static fx value_distance(const pf_run *run, const scratch *x)
{
    const pf_layout *y = run->y;
    fx heads = FX_ZERO, tokens = FX_ZERO;
    for (uint32_t h = 0; h < y->shape.heads; h++)
        heads = fx_add(heads, x->theta[h]);
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        tokens = pf_is_token(y, i) ? fx_add(tokens, fxv_get(x->w, i)) : tokens;
    return fx_mul_fp(fx_mul(heads, tokens), fp_from_i64(-centre(y))); /* D is 0 at the maximum */
}

static fx value_norm(const pf_run *run, const pf_product *p, const scratch *x)
{
    const pf_norm_rows *r = pf_norm_of(run->rows, run->y, p->layer, p->second);
    uint32_t n = pf_tokens(run->y);
    fx high = fx_add(row_sum(x->w, r->y_squares, n), fx_mul(p->kappa, row_sum(x->w, r->M, n)));
    return fx_add(row_sum(x->w, r->squares, n), fx_mul(p->kappa, high));
}

static fx value_logit(const pf_run *run, const pf_product *p, const scratch *x)
{
    const pf_layout *y = run->y;
    fx sum = FX_ZERO;
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        if (pf_is_token(y, i)) {
            fx at = fx_add(fx_from_i64(-centre(y)), fx_mul_fp(p->kappa, fp_from_i64(run->rows->logits.c[i] - centre(y))));
            sum = fx_add(sum, fx_mul(fxv_get(x->w, i), at));
        }
    return sum;
}

static err value_of(const pf_run *run, pf_product *p, fault *f)
{
    scratch x;
    err e = scratch_init(&x, run, p, f);
    if (e == OK)
        p->value = p->kind == PF_X_C ? value_c(run, p, x.w) : p->kind == PF_X_DISTANCE ? value_distance(run, &x) :
                   p->kind == PF_X_NORM ? value_norm(run, p, &x) : value_logit(run, p, &x);
    scratch_deinit(&x);
    return e;
}

err pf_product_start(pf_run *run, uint32_t index, pf_transcript *t, fault *f)
{
    const pf_layout *y = run->y;
    pf_product *p = &run->products[index];
    pf_stream s;
    if (p->kind == PF_X_DS_INNER) {
        /* Its claim is younger than the fork: challenges must depend on it. */
        const pf_product *outer = &run->products[index - 1];
        pf_absorb_fx(t, "point", outer->end, outer->feature_bits + outer->token_bits);
        pf_absorb_fx(t, "value", outer->b, 1);
        p->value = outer->b[0];
        return OK;
    }
    if (p->kind < PF_X_C) {
        p->value = run->parts[p->segment];
        return OK;
    }
    pf_squeeze(t, &s, "weights");
    if (p->kind == PF_X_EXCEPTION) {
        p->kappa = pf_stream_fx(&s);
        p->value = exception_value(run, p);
        return OK;
    }
    for (uint32_t i = 0; i < y->nu; i++)
        p->weights[i] = pf_stream_fx(&s);
    if (p->kind == PF_X_C || p->kind == PF_X_DISTANCE)
        for (uint32_t i = 0; i < pf_log2_up(y->shape.heads); i++)
            p->heads[i] = pf_stream_fx(&s);
    p->kappa = pf_stream_fx(&s);
    return value_of(run, p, f);
}

/* --- public P ------------------------------------------------------------------------------------------------------------ */

static fx public_distance(const pf_run *run, const pf_product *p, scratch *x)
{
    const pf_layout *y = run->y;
    const fx *rho = p->end, *tau = p->end + p->feature_bits;
    fx at_max = FX_ZERO;
    fxv_eq(x->row, tau, y->nu, FX_ONE);
    fxv_mul(x->w, x->row, pf_tokens(y));
    fxv_eq(x->row, rho, y->t_bits, FX_ONE);
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        const int64_t *index = pf_head_of(run->rows, y, p->layer, h)->index;
        fx sum = FX_ZERO;
        x->theta[h] = fx_mul(x->theta[h], pf_eq_at(rho + y->t_bits, p->feature_bits - y->t_bits, h));
        for (uint32_t i = 0; i < pf_tokens(y); i++)
            if (pf_is_token(y, i))
                sum = fx_add(sum, fx_mul(fxv_get(x->w, i), fxv_get(x->row, (size_t)index[i])));
        at_max = fx_add(at_max, fx_mul(x->theta[h], sum));
    }
    return at_max;
}

static fx public_logit(const pf_run *run, const pf_product *p, scratch *x)
{
    const pf_layout *y = run->y;
    const fx *rho = p->end, *tau = p->end + p->feature_bits;
    fx sum = FX_ZERO;
    fxv_eq(x->row, tau, y->nu, FX_ONE);
    fxv_mul(x->w, x->row, pf_tokens(y));
    fxv_eq(x->row, rho, p->feature_bits, FX_ONE); /* 2^feature_bits < 2 V */
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        if (pf_is_token(y, i)) {
            fx at = fx_add(fxv_get(x->row, (size_t)run->rows->logits.index[i]), fx_mul(p->kappa, fxv_get(x->row, run->rows->targets[i])));
            sum = fx_add(sum, fx_mul(fxv_get(x->w, i), at));
        }
    return sum;
}

static fx public_exception(const pf_run *run, const pf_product *p)
{
    fx power = FX_ONE, sum = FX_ZERO;
    for (uint32_t i = run->rows->exception_first[p->rounding]; i < run->rows->exception_first[p->rounding + 1]; i++) {
        const pf_exception *x = &run->rows->exceptions[i];
        fx at = fx_mul(pf_eq_at(p->end, p->feature_bits, x->feature), pf_eq_at(p->end + p->feature_bits, p->token_bits, x->token));
        sum = fx_add(sum, fx_mul(power, at));
        power = fx_mul(power, p->kappa);
    }
    return sum;
}

err pf_product_public(const pf_run *run, uint32_t index, fx *out, fault *f)
{
    const pf_product *p = &run->products[index];
    scratch x;
    if (p->kind == PF_X_EXCEPTION) {
        *out = public_exception(run, p);
        return OK;
    }
    err e = scratch_init(&x, run, p, f);
    if (e == OK)
        *out = p->kind == PF_X_DISTANCE ? public_distance(run, p, &x) : public_logit(run, p, &x);
    scratch_deinit(&x);
    return e;
}
