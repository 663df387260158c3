/* SPDX-License-Identifier: Apache-2.0
 *
 * The gradient's inner product, and the reduction of all claims to one point (spec/proof.md sections 9 and 10). */
#include "prove/prove_int.h"

#include <stdlib.h>
#include <string.h>

static err products_new(pv_product **out, size_t count, size_t n, fault *f)
{
    *out = calloc(count, sizeof **out);
    if (!*out)
        return fail(f, ERR_MEMORY, "proof", count);
    for (size_t i = 0; i < count; i++) {
        (*out)[i] = (pv_product){ fxv_alloc(n), fxv_alloc(n) };
        if (!(*out)[i].p || !(*out)[i].b)
            return fail(f, ERR_MEMORY, "proof", n);
    }
    return OK;
}

static void products_free(pv_product *x, size_t count)
{
    for (size_t i = 0; x && i < count; i++) {
        free(x[i].p);
        free(x[i].b);
    }
    free(x);
}

static fx_ints real_features(const prover *p, uint32_t tensor)
{
    fx_ints m = pv_matrix(p->w, tensor, NULL);
    m.cols = p->y->tensors[tensor].features;
    return m;
}

static err fill_gradient(prover *p, pv_product *x, const fxv *in, const fxv *out)
{
    uint32_t n = pf_tokens(p->y);
    fxv *one = fxv_alloc(n);
    fx power = FX_ONE;
    if (!one)
        return fail(p->f, ERR_MEMORY, "gradient", n);
    for (uint32_t g = 0; g < pf_group_count(p->y); g++) {
        pf_group group = pf_group_at(p->y, g);
        fx_ints m = real_features(p, group.x);
        fxv_cols(x[g].p, &m, in);
        for (uint32_t k = 0; k < group.count; k++) {
            memset(one, 0, fxv_blocks(n) * sizeof *one);
            m = real_features(p, group.y[k]);
            fxv_cols(one, &m, out);
            fxv_add_scaled(x[g].b, one, power, n);
            power = fx_mul(power, p->run.grad_kappa);
        }
    }
    free(one);
    return OK;
}

err pv_gradient(prover *p)
{
    const pf_layout *y = p->y;
    uint32_t groups = pf_group_count(y);
    unsigned bits = pf_gradient_vars(y);
    pf_run_gradient(&p->run, &p->out.t);
    fxv *in = fxv_alloc((size_t)1 << bits), *out = fxv_alloc((size_t)1 << bits);
    fx *ends = malloc(2 * groups * sizeof *ends);
    pv_product *x = NULL;
    err e = in && out && ends ? products_new(&x, groups, pf_tokens(y), p->f) : fail(p->f, ERR_MEMORY, "gradient", groups);
    if (e == OK) {
        fxv_eq(in, p->run.in, bits, FX_ONE);
        fxv_eq(out, p->run.out, bits, FX_ONE);
        e = fill_gradient(p, x, in, out);
    }
    if (e == OK)
        e = pv_inner_product(&p->out, x, groups, y->nu, p->run.grad_end, ends);
    for (uint32_t g = 0; g < groups && e == OK; g++) {
        p->run.grad_p[g] = ends[2 * g];
        p->run.grad_b[g] = ends[2 * g + 1];
    }
    products_free(x, groups);
    free(in);
    free(out);
    free(ends);
    return e;
}

/* P = v, which is used up, and B = U of every row, each as long as its tensor's features ask for. */
static err row_arrays(prover *p, pv_product *x, unsigned *vars, int32_t *room)
{
    const pf_claims *c = &p->claims;
    for (uint32_t a = 0; a < c->count; a++) {
        fx_ints m = pv_matrix(p->w, c->rows[a].tensor, room);
        size_t features = pf_row_features(p->y, c->rows[a].tensor);
        vars[a] = pf_log2_up(features);
        x[a] = (pv_product){ c->rows[a].v, fxv_alloc((size_t)1 << vars[a]) };
        if (!x[a].b)
            return fail(p->f, ERR_MEMORY, "claims", features);
        fxv_rows(x[a].b, &m, c->rows[a].w);
    }
    return OK;
}

static err reduce_features(prover *p, int32_t *room)
{
    const pf_claims *c = &p->claims;
    pv_product *x = calloc(c->count, sizeof *x);
    unsigned *vars = calloc(c->count, sizeof *vars);
    p->ends = malloc(c->count * sizeof *p->ends);
    err e = x && vars && p->ends ? row_arrays(p, x, vars, room) : fail(p->f, ERR_MEMORY, "claims", c->count);
    if (e == OK)
        e = pv_mixed_rounds(&p->out, x, vars, c->count, pf_feature_vars(p->y), p->rho);
    for (uint32_t a = 0; e == OK && a < c->count; a++)
        p->ends[a] = fxv_get(x[a].b, 0);
    for (uint32_t a = 0; x && a < c->count; a++)
        free(x[a].b);
    free(x);
    free(vars);
    return e == OK ? pv_send_fx(&p->out, "features", p->ends, c->count) : e;
}

/* Each tensor once: P the sum of its rows' token weights, B its values at rho. */
static err token_arrays(prover *p, fx nu, pv_product *x, uint32_t *tensors, uint32_t *count, const fxv *rho, int32_t *room)
{
    const pf_claims *c = &p->claims;
    uint32_t n = pf_tokens(p->y);
    fx power = FX_ONE;
    *count = 0;
    for (uint32_t a = 0; a < c->count; a++) {
        uint32_t i = 0;
        while (i < *count && tensors[i] != c->rows[a].tensor)
            i++;
        if (i == *count) {
            fx_ints m = pv_matrix(p->w, c->rows[a].tensor, room);
            tensors[(*count)++] = c->rows[a].tensor;
            x[i] = (pv_product){ fxv_alloc(n), fxv_alloc(n) };
            if (!x[i].p || !x[i].b)
                return fail(p->f, ERR_MEMORY, "claims", n);
            fxv_cols(x[i].b, &m, rho);
        }
        fxv_add_scaled(x[i].p, c->rows[a].w, power, n);
        power = fx_mul(power, nu);
    }
    return OK;
}

/* After the rounds B's end is the tensor's value. Every committed tensor is looked up, so there is a row of each. */
static void take_values(prover *p, const pv_product *x, const uint32_t *tensors, uint32_t count)
{
    uint32_t committed = 0;
    for (uint32_t i = 0; i < count; i++)
        if (tensors[i] < PF_VIRTUAL_X) {
            p->values.committed[tensors[i]] = fxv_get(x[i].b, 0);
            committed++;
        }
    CHECK(committed == p->y->tensor_count);
}

static err reduce_tokens(prover *p, int32_t *room)
{
    const pf_layout *y = p->y;
    uint32_t L = y->shape.layers, most = y->tensor_count + 4 * L + 3, count = 0;
    unsigned k = pf_feature_vars(y);
    fx nu;
    pf_challenge(&p->out.t, "tokens", &nu, 1);
    p->values = (pf_values){ calloc(y->tensor_count, sizeof(fx)), calloc(2 * L + 1, sizeof(fx)), calloc(2 * L + 2, sizeof(fx)) };
    pv_product *x = calloc(most, sizeof *x);
    uint32_t *tensors = malloc(most * sizeof *tensors);
    fxv *rho = fxv_alloc((size_t)1 << k);
    err e = x && tensors && rho && p->values.committed && p->values.x && p->values.gx ? OK : fail(p->f, ERR_MEMORY, "claims", most);
    if (e == OK) {
        fxv_eq(rho, p->rho, k, FX_ONE);
        e = token_arrays(p, nu, x, tensors, &count, rho, room);
    }
    if (e == OK)
        e = pv_inner_rounds(&p->out, x, count, y->nu, p->tau);
    if (e == OK) {
        take_values(p, x, tensors, count);
        e = pv_send_fx(&p->out, "values", p->values.committed, y->tensor_count);
    }
    products_free(x, most);
    free(tensors);
    free(rho);
    return e;
}

err pv_reduce(prover *p)
{
    int32_t *room = malloc(pv_stream_room(p->w) * sizeof *room); /* one virtual tensor at a time */
    err e = room ? reduce_features(p, room) : fail(p->f, ERR_MEMORY, "claims", 0);
    if (e == OK)
        e = reduce_tokens(p, room);
    free(room);
    return e;
}
