/* SPDX-License-Identifier: Apache-2.0
 *
 * The order of spec/proof.md section 12. */
#include "proof/verify.h"

#include "proof/range.h"
#include "proof/reduce.h"
#include "proof/tables.h"

#include <stdlib.h>
#include <string.h>

typedef struct verifier {
    const pf_subject *s;
    pf_layout     y;
    pf_rows       rows;
    pf_run        run;
    pf_claims     claims;
    pf_geometry   geometry;
    pf_reader     in;
    pf_transcript t;
    hash256       commitment;
    pf_transcript *forks; /* as many as there are instances or products */
    /* reduction */
    fx           *ends;   /* U of each row */
    fx            rho[PF_VARS_MAX], tau[PF_VARS_MAX];
    pf_values     values;
    uint64_t      bytes[PF_OF_PARTS];
    fault        *f;
} verifier;

static err receive_version(verifier *v)
{
    bytes raw;
    TRY(pf_read(&v->in, "version", 4, &raw));
    if (load_le32(raw.data) != PF_VERSION)
        return fail(v->f, ERR_VERSION, "proof version", load_le32(raw.data));
    pf_start(&v->t, PF_VERSION);
    pf_subject_absorb(&v->t, v->s);
    return OK;
}

static err receive_header(verifier *v)
{
    bytes raw;
    TRY(receive_version(v));
    TRY(pf_read(&v->in, "commitment", sizeof v->commitment.b, &raw));
    memcpy(v->commitment.b, raw.data, sizeof v->commitment.b);
    pf_absorb(&v->t, "commitment", raw);
    return OK;
}

/* --- lookups --------------------------------------------------------------------------------------------------------------- */

static err receive_parts(verifier *v, const pf_instance *in, pf_transcript *fork)
{
    for (uint32_t k = 0; k < in->segments; k++)
        if (pf_has_part(&v->y, &v->y.segments[in->segment + k]))
            TRY(pf_receive_fx(&v->in, fork, "parts", &v->run.parts[in->segment + k], 1));
    return OK;
}

/* Q at the end of the table instance: alpha - fingerprints, which the verifier evaluates; alpha - 0 in the padding. */
static err check_table(const verifier *v)
{
    const pf_lookup *end = &v->run.ends[v->y.instance_count - 1];
    fx sum;
    TRY(pf_tables_evaluate(&sum, &v->y, v->s->tables, end->point, v->run.gamma, v->f));
    return pf_want(fx_equal(end->claim.q, fx_sub(v->run.alpha, sum)), v->f, "tables", 0);
}

static err verify_lookups(verifier *v)
{
    const pf_layout *y = &v->y;
    fx challenge[2];
    pf_challenge(&v->t, "lookup", challenge, 2);
    v->run.alpha = challenge[0];
    v->run.gamma = challenge[1];
    for (uint32_t i = 0; i < y->instance_count; i++) {
        const pf_instance *in = &y->instances[i];
        v->forks[i] = pf_fork(&v->t, "lookup", i);
        TRY(pf_lookup_verify(&v->run.ends[i], &v->in, &v->forks[i], in->bits, in->kind == PF_TABLE ? PF_LOOKUP_TABLE : PF_LOOKUP_UNIT));
        TRY(receive_parts(v, in, &v->forks[i]));
    }
    pf_join(&v->t, v->forks, y->instance_count);
    pf_fraction *roots = malloc(y->instance_count * sizeof *roots);
    if (!roots)
        return fail(v->f, ERR_MEMORY, "lookups", y->instance_count);
    for (uint32_t i = 0; i < y->instance_count; i++)
        roots[i] = v->run.ends[i].root;
    bool balanced = pf_fractions_balance(roots, y->instance_count - 1, roots[y->instance_count - 1]);
    free(roots);
    TRY(pf_want(balanced, v->f, "lookups: a value is in no table", 0));
    return check_table(v);
}

/* --- products -------------------------------------------------------------------------------------------------------------- */

static const char *product_name(pf_product_kind kind)
{
    static const char *const names[PF_X_KINDS] = {
        [PF_X_SCORE] = "product: scores", [PF_X_ATTEND] = "product: attention output", [PF_X_DV] = "product: dv", [PF_X_DQ] = "product: dq",
        [PF_X_DK] = "product: dk", [PF_X_DS] = "product: ds", [PF_X_DS_INNER] = "product: dp . v", [PF_X_GELU] = "product: dh",
        [PF_X_C] = "product: c", [PF_X_DISTANCE] = "product: maxima of scores", [PF_X_NORM] = "product: sums of a norm",
        [PF_X_LOGIT] = "product: maxima and targets of logits", [PF_X_EXCEPTION] = "product: exceptions" };
    return names[kind];
}

static bool is_public(pf_product_kind kind)
{
    return kind == PF_X_DISTANCE || kind == PF_X_LOGIT || kind == PF_X_EXCEPTION;
}

static err verify_product(verifier *v, uint32_t index)
{
    pf_product *p = &v->run.products[index];
    const char *name = product_name(p->kind);
    fx ends[4], expected;
    v->forks[index] = pf_fork(&v->t, "product", index);
    TRY(pf_product_start(&v->run, index, &v->forks[index], v->f));
    TRY(pf_inner_product(&v->in, &v->forks[index], name, p->value, p->token_bits + p->feature_bits, p->pairs, p->end, ends));
    for (uint32_t m = 0; m < p->pairs; m++) {
        p->p[m] = ends[2 * m];
        p->b[m] = ends[2 * m + 1];
    }
    if (is_public(p->kind)) {
        TRY(pf_product_public(&v->run, index, &expected, v->f));
        TRY(pf_want(fx_equal(expected, p->p[0]), v->f, "product: public factor", index));
    }
    return OK;
}

static err verify_products(verifier *v)
{
    for (uint32_t i = 0; i < v->run.product_count; i++)
        TRY(verify_product(v, i));
    pf_join(&v->t, v->forks, v->run.product_count);
    pf_run_sums(&v->run, &v->t);
    return OK;
}

/* --- gradient -------------------------------------------------------------------------------------------------------------- */

static err check_gradient_size(const verifier *v)
{
    uint64_t n = num_parameter_count(&v->y.shape);
    const int64_t most = (FP_P - 1) / 2;
    uint64_t beyond = 0; /* 2^48 or more as soon as an entry is: then x = entry + most is, or 2 most - x */
    for (uint64_t i = 0; i < n; i++) {
        uint64_t x = (uint64_t)v->s->gradient[i] + (uint64_t)most;
        beyond |= x | (2 * (uint64_t)most - x);
    }
    for (uint64_t i = 0; beyond >> 48 != 0 && i < n; i++)
        if (v->s->gradient[i] > most || v->s->gradient[i] < -most)
            return fail(v->f, ERR_RANGE, "gradient: entry", i);
    return OK;
}

static err verify_gradient(verifier *v)
{
    const pf_layout *y = &v->y;
    uint32_t groups = pf_group_count(y);
    fx value;
    TRY(check_gradient_size(v));
    pf_run_gradient(&v->run, &v->t);
    TRY(pf_gradient_value(&v->run, &value, v->f));
    fx *ends = malloc(2 * groups * sizeof *ends);
    if (!ends)
        return fail(v->f, ERR_MEMORY, "gradient", groups);
    err e = pf_inner_product(&v->in, &v->t, "gradient", value, y->nu, groups, v->run.grad_end, ends);
    for (uint32_t g = 0; g < groups && e == OK; g++) {
        v->run.grad_p[g] = ends[2 * g];
        v->run.grad_b[g] = ends[2 * g + 1];
    }
    free(ends);
    return e;
}

/* --- reduction and opening ------------------------------------------------------------------------------------------------- */

static err reduce_features(verifier *v)
{
    unsigned n = pf_feature_vars(&v->y);
    fx claim = v->claims.value, sum = FX_ZERO;
    TRY(pf_inner_rounds(&v->in, &v->t, n, &claim, v->rho));
    v->ends = malloc(v->claims.count * sizeof *v->ends);
    fxv *eq = fxv_alloc((size_t)1 << n);
    err e = v->ends && eq ? pf_receive_fx(&v->in, &v->t, "features", v->ends, v->claims.count) : fail(v->f, ERR_MEMORY, "claims", v->claims.count);
    if (e == OK) {
        fxv_eq(eq, v->rho, n, FX_ONE);
        for (uint32_t a = 0; a < v->claims.count; a++) {
            const pf_row *r = &v->claims.rows[a];
            sum = fx_add(sum, fx_mul(fxv_dot(r->v, eq, pf_row_features(&v->y, r->tensor)), v->ends[a]));
        }
        e = pf_want(fx_equal(sum, claim), v->f, "claims: features", 0);
    }
    free(eq);
    return e;
}

/* sum over rows of nu^a w_a(tau) t_a(tau, rho) is what the rounds left. */
static err check_tokens(verifier *v, fx nu, fx claim)
{
    const pf_layout *y = &v->y;
    fxv *eq = fxv_alloc(pf_tokens(y));
    fx power = FX_ONE, sum = FX_ZERO;
    if (!eq)
        return fail(v->f, ERR_MEMORY, "claims", 0);
    fxv_eq(eq, v->tau, y->nu, FX_ONE);
    for (uint32_t a = 0; a < v->claims.count; a++) {
        const pf_row *r = &v->claims.rows[a];
        fx w = fx_mul(power, fxv_dot(r->w, eq, pf_tokens(y)));
        sum = fx_add(sum, fx_mul(w, pf_value_of(&v->values, r->tensor)));
        power = fx_mul(power, nu);
    }
    free(eq);
    return pf_want(fx_equal(sum, claim), v->f, "claims: tokens", 0);
}

static err reduce_tokens(verifier *v)
{
    const pf_layout *y = &v->y;
    fx nu, power = FX_ONE, claim = FX_ZERO;
    pf_challenge(&v->t, "tokens", &nu, 1);
    for (uint32_t a = 0; a < v->claims.count; a++) {
        claim = fx_add(claim, fx_mul(power, v->ends[a]));
        power = fx_mul(power, nu);
    }
    TRY(pf_inner_rounds(&v->in, &v->t, y->nu, &claim, v->tau));
    uint32_t L = y->shape.layers;
    v->values = (pf_values){ calloc(y->tensor_count, sizeof(fx)), calloc(2 * L + 1, sizeof(fx)), calloc(2 * L + 2, sizeof(fx)) };
    if (!v->values.committed || !v->values.x || !v->values.gx)
        return fail(v->f, ERR_MEMORY, "claims", y->tensor_count);
    TRY(pf_receive_fx(&v->in, &v->t, "values", v->values.committed, y->tensor_count));
    TRY(pf_values_virtual(&v->values, &v->run, v->tau, v->rho, v->f));
    return check_tokens(v, nu, claim);
}

static err verify_opening(verifier *v)
{
    const pf_layout *y = &v->y;
    fx chi, power = FX_ONE, value = FX_ZERO;
    fxv *proximity = fxv_alloc(v->geometry.rows), *weights = fxv_alloc(v->geometry.rows), *factors = fxv_alloc((size_t)1 << v->geometry.m);
    err e = proximity && weights && factors ? OK : fail(v->f, ERR_MEMORY, "opening", v->geometry.rows);
    if (e == OK) {
        pf_open_weights(&v->t, &chi, proximity, v->geometry.rows);
        pf_row_weights(weights, y, &v->geometry, chi, v->tau, v->rho);
        pf_column_factors(factors, y, &v->geometry, v->tau, v->rho);
        for (uint32_t t = 0; t < y->tensor_count; t++) {
            value = fx_add(value, fx_mul(power, v->values.committed[t]));
            power = fx_mul(power, chi);
        }
        e = pf_open_verify(&v->in, &v->t, &v->commitment, &v->geometry, &(pf_open_claim){ proximity, weights, factors, value });
    }
    free(proximity);
    free(weights);
    free(factors);
    return e;
}

/* A part of the proof has been read. */
static void end_part(verifier *v, pf_part_of_proof part)
{
    uint64_t before = 0;
    for (int i = 0; i < (int)part; i++)
        before += v->bytes[i];
    v->bytes[part] = v->in.at - before;
}

/* The check of a norm that only x_0 enters: everything is known. */
static err verify_public(verifier *v)
{
    TRY(receive_version(v));
    end_part(v, PF_OF_HEADER);
    TRY(pf_rows_init(&v->rows, &v->y, v->s, v->f));
    TRY(pf_rows_receive(&v->rows, &v->y, v->s, &v->in, &v->t));
    TRY(pf_check_public(&v->rows, &v->y, v->s, v->f));
    end_part(v, PF_OF_ROWS);
    TRY(pf_run_init(&v->run, &v->y, v->s, &v->rows, v->f)); /* for the report */
    return pf_read_end(&v->in);
}

static err verify(verifier *v)
{
    fx mu;
    TRY(pf_layout_init(&v->y, &v->s->shape, &v->s->fractions, v->s->sequences, pf_until(v->s), v->f));
    if (v->y.tensor_count == 0)
        return verify_public(v);
    TRY(pf_geometry_of(&v->geometry, &v->y, v->f));
    TRY(receive_header(v));
    end_part(v, PF_OF_HEADER);
    TRY(pf_rows_init(&v->rows, &v->y, v->s, v->f));
    TRY(pf_rows_receive(&v->rows, &v->y, v->s, &v->in, &v->t));
    end_part(v, PF_OF_ROWS);
    TRY(pf_run_init(&v->run, &v->y, v->s, &v->rows, v->f));
    uint32_t most = v->y.instance_count > v->run.product_count ? v->y.instance_count : v->run.product_count;
    v->forks = calloc(most, sizeof *v->forks);
    if (!v->forks)
        return fail(v->f, ERR_MEMORY, "proof", most);
    TRY(verify_lookups(v));
    end_part(v, PF_OF_LOOKUPS);
    TRY(verify_products(v));
    end_part(v, PF_OF_PRODUCTS);
    if (v->s->result.range)
        pf_run_inputs(&v->run, &v->t);
    else
        TRY(verify_gradient(v));
    end_part(v, PF_OF_GRADIENT);
    pf_challenge(&v->t, "claims", &mu, 1);
    TRY(pf_claims_build(&v->claims, &v->run, mu, v->f));
    TRY(reduce_features(v));
    TRY(reduce_tokens(v));
    end_part(v, PF_OF_CLAIMS);
    TRY(verify_opening(v));
    end_part(v, PF_OF_OPENING);
    return pf_read_end(&v->in);
}

err pf_verify(const pf_subject *s, bytes proof, pf_report *report, fault *f)
{
    verifier v = { .s = s, .in = { proof, 0, f }, .f = f };
    err e = verify(&v);
    if (report && e == OK)
        *report = (pf_report){ .leaves = v.y.leaves, .cells = v.geometry.rows << v.geometry.m, .proof_bytes = proof.len,
                               .instances = v.y.instance_count, .products = v.run.product_count, .claims = v.claims.claims,
                               .rows = v.claims.count, .soundness = pf_soundness_of(&v.run, &v.geometry, v.claims.claims, v.claims.count) };
    else if (report)
        *report = (pf_report){ .proof_bytes = proof.len };
    if (report)
        memcpy(report->bytes, v.bytes, sizeof report->bytes);
    free(v.forks);
    free(v.ends);
    free(v.values.committed);
    free(v.values.x);
    free(v.values.gx);
    pf_claims_deinit(&v.claims);
    pf_run_deinit(&v.run);
    pf_rows_deinit(&v.rows);
    pf_layout_deinit(&v.y);
    return e;
}
