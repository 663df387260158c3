/* SPDX-License-Identifier: Apache-2.0
 *
 * The gradient's inner product, and the reduction of all claims to one point (spec/proof.md sections 9 and 10). */
#include "prove/products_int.h"

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

/* Everything that the reduction is made of. */
typedef struct reduction {
    prover     *p;
    int32_t    *room;    /* of one virtual tensor at a time */
    uint32_t   *tensors; /* those that occur, in the order of their first rows */
    uint32_t   *of_row;  /* place of each row's tensor there */
    fxv       **u;       /* U of each row; NULL: of no use */
    uint32_t    count;
    pv_product *x;       /* by place: P the sum of the rows' token weights, B the values at rho */
} reduction;

static bool is_zero(const fxv *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!fx_equal(fxv_get(v, i), FX_ZERO))
            return false;
    return true;
}

static void list_tensors(reduction *r)
{
    const pf_claims *c = &r->p->claims;
    for (uint32_t a = 0; a < c->count; a++) {
        uint32_t i = 0;
        while (i < r->count && r->tensors[i] != c->rows[a].tensor)
            i++;
        r->of_row[a] = i;
        if (i == r->count)
            r->tensors[r->count++] = c->rows[a].tensor;
    }
}

enum { BLOCK_ROWS = 1024, BLOCK_COLS = 512 }; /* a block of int16 stays in the second cache while the rows of its tensor take their sums */

/* U of the rows of tensor i. */
static void add_sums(const reduction *r, uint32_t i)
{
    const pf_claims *c = &r->p->claims;
    const fx_ints m = pv_matrix(r->p->w, r->tensors[i], r->room);
    for (size_t row = 0; row < m.rows; row += BLOCK_ROWS)
        for (size_t col = 0; col < m.cols; col += BLOCK_COLS) {
            const size_t rows = m.rows - row < BLOCK_ROWS ? m.rows - row : BLOCK_ROWS, cols = m.cols - col < BLOCK_COLS ? m.cols - col : BLOCK_COLS;
            const fx_ints block = pv_ints_part(&m, row, rows, col, cols);
            for (uint32_t a = 0; a < c->count; a++)
                if (r->of_row[a] == i && r->u[a])
                    fxv_rows(r->u[a] + col / FXV_LANES, &block, c->rows[a].w + row / FXV_LANES);
        }
}

/* P = v, which is used up, and B = U, as long as the tensor's features ask for, of every row that adds anything to the rounds. */
static err row_arrays(reduction *r, pv_product *x, unsigned *vars, uint32_t *used)
{
    const prover *p = r->p;
    const pf_claims *c = &p->claims;
    for (uint32_t a = 0; a < c->count; a++) {
        const size_t features = pf_row_features(p->y, c->rows[a].tensor);
        if (is_zero(c->rows[a].v, features) || is_zero(c->rows[a].w, pf_tokens(p->y)))
            continue;
        const unsigned bits = pf_log2_up(features);
        const pv_product row = { c->rows[a].v, fxv_alloc((size_t)1 << bits) };
        if (!row.b)
            return fail(p->f, ERR_MEMORY, "claims", features);
        vars[*used] = bits;
        x[(*used)++] = row;
        r->u[a] = row.b;
    }
    for (uint32_t i = 0; i < r->count; i++)
        add_sums(r, i);
    return OK;
}

static err feature_rounds(reduction *r)
{
    prover *p = r->p;
    const uint32_t rows = p->claims.count;
    uint32_t used = 0;
    pv_product *x = calloc(rows, sizeof *x);
    unsigned *vars = calloc(rows, sizeof *vars);
    err e = x && vars ? row_arrays(r, x, vars, &used) : fail(p->f, ERR_MEMORY, "claims", rows);
    if (e == OK)
        e = pv_mixed_rounds(&p->out, x, vars, used, pf_feature_vars(p->y), p->rho);
    for (uint32_t a = 0; a < used; a++)
        free(x[a].b);
    free(x);
    free(vars);
    return e;
}

/* B of each tensor, once. */
static err tensors_at_rho(reduction *r)
{
    const prover *p = r->p;
    const unsigned k = pf_feature_vars(p->y);
    const uint32_t n = pf_tokens(p->y);
    fxv *rho = fxv_alloc((size_t)1 << k);
    if (!rho)
        return fail(p->f, ERR_MEMORY, "claims", k);
    fxv_eq(rho, p->rho, k, FX_ONE);
    err e = OK;
    for (uint32_t i = 0; e == OK && i < r->count; i++) {
        r->x[i] = (pv_product){ fxv_alloc(n), fxv_alloc(n) };
        if (r->x[i].p && r->x[i].b) {
            fx_ints m = pv_matrix(p->w, r->tensors[i], r->room);
            fxv_cols(r->x[i].b, &m, rho);
        } else {
            e = fail(p->f, ERR_MEMORY, "claims", n);
        }
    }
    free(rho);
    return e;
}

/* U of each row at rho is its weighted sum of what the tensor has there. */
static err send_ends(reduction *r)
{
    prover *p = r->p;
    const pf_claims *c = &p->claims;
    fx *ends = malloc(c->count * sizeof *ends);
    if (!ends)
        return fail(p->f, ERR_MEMORY, "claims", c->count);
    for (uint32_t a = 0; a < c->count; a++)
        ends[a] = fxv_dot(c->rows[a].w, r->x[r->of_row[a]].b, pf_tokens(p->y));
    err e = pv_send_fx(&p->out, "features", ends, c->count);
    free(ends);
    return e;
}

/* After the rounds B's end is the tensor's value. Every committed tensor is looked up, so there is a row of each. */
static void take_values(prover *p, const reduction *r)
{
    uint32_t committed = 0;
    for (uint32_t i = 0; i < r->count; i++)
        if (r->tensors[i] < PF_VIRTUAL_X) {
            p->values.committed[r->tensors[i]] = fxv_get(r->x[i].b, 0);
            committed++;
        }
    CHECK(committed == p->y->tensor_count);
}

static err token_rounds(reduction *r)
{
    prover *p = r->p;
    const pf_layout *y = p->y;
    const pf_claims *c = &p->claims;
    const uint32_t L = y->shape.layers;
    fx nu, power = FX_ONE;
    pf_challenge(&p->out.t, "tokens", &nu, 1);
    p->values = (pf_values){ calloc(y->tensor_count, sizeof(fx)), calloc(2 * L + 1, sizeof(fx)), calloc(2 * L + 2, sizeof(fx)) };
    if (!p->values.committed || !p->values.x || !p->values.gx)
        return fail(p->f, ERR_MEMORY, "claims", y->tensor_count);
    for (uint32_t a = 0; a < c->count; a++) {
        fxv_add_scaled(r->x[r->of_row[a]].p, c->rows[a].w, power, pf_tokens(y));
        power = fx_mul(power, nu);
    }
    TRY(pv_inner_rounds(&p->out, r->x, r->count, y->nu, p->tau));
    take_values(p, r);
    return pv_send_fx(&p->out, "values", p->values.committed, y->tensor_count);
}

err pv_reduce(prover *p)
{
    const uint32_t rows = p->claims.count, most = p->y->tensor_count + 4 * p->y->shape.layers + 3;
    reduction r = { .p = p, .room = malloc(pv_stream_room(p->w) * sizeof *r.room), .tensors = malloc(most * sizeof *r.tensors),
                    .of_row = malloc(rows * sizeof *r.of_row), .u = calloc(rows, sizeof *r.u), .x = calloc(most, sizeof *r.x) };
    err e = r.room && r.tensors && r.of_row && r.u && r.x ? OK : fail(p->f, ERR_MEMORY, "claims", rows);
    if (e == OK) {
        list_tensors(&r);
        e = feature_rounds(&r);
    }
    if (e == OK)
        e = tensors_at_rho(&r);
    if (e == OK)
        e = send_ends(&r);
    if (e == OK)
        e = token_rounds(&r);
    products_free(r.x, most);
    free(r.room);
    free(r.tensors);
    free(r.of_row);
    free(r.u);
    return e;
}
