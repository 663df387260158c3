/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/reduce.h"

#include <stdlib.h>
#include <string.h>

unsigned pf_feature_vars(const pf_layout *y)
{
    uint32_t most = 1;
    for (uint32_t t = 0; t < y->tensor_count; t++)
        if (y->tensors[t].tiles > most)
            most = y->tensors[t].tiles;
    return pf_log2_up((uint64_t)most << y->b);
}

/* 0 of what is not reached. */
static fx digits(const pf_values *v, uint32_t lo, int64_t n)
{
    if (lo == PF_NONE)
        return FX_ZERO;
    return fx_add(v->committed[lo], fx_mul_fp(v->committed[lo + 1], fp_from_i64(n)));
}

/* sum_i eq(tau, i) sum_j eq(rho, j) x_0[i, j]. */
static err input_stream(fx *out, const pf_run *run, const fx *tau, const fx *rho, fault *f)
{
    const pf_layout *y = run->y;
    num_tensor_info e = num_tensor_describe(&y->shape, 0), p = num_tensor_describe(&y->shape, 1);
    fxv *features = fxv_alloc((size_t)1 << pf_feature_vars(y)), *tokens = fxv_alloc(pf_tokens(y));
    fxv *by_name = fxv_alloc(e.rows), *by_place = fxv_alloc(p.rows);
    err r = features && tokens && by_name && by_place ? OK : fail(f, ERR_MEMORY, "proof", e.rows);
    if (r == OK) {
        fp up_e = fp_from_u64((uint64_t)1 << (y->k.f_res - y->fractions.top.e)), up_p = fp_from_u64((uint64_t)1 << (y->k.f_res - y->fractions.top.p));
        fxv_eq(features, rho, pf_feature_vars(y), FX_ONE);
        fxv_eq(tokens, tau, y->nu, FX_ONE);
        fxv_cols(by_name, &(fx_ints){ run->s->weights + e.offset, e.rows, e.cols, e.cols, 2 }, features);
        fxv_cols(by_place, &(fx_ints){ run->s->weights + p.offset, p.rows, p.cols, p.cols, 2 }, features);
        *out = FX_ZERO;
        for (uint32_t i = 0; i < pf_tokens(y); i++) {
            if (!pf_is_token(y, i))
                continue;
            fx x = fx_add(fx_mul_fp(fxv_get(by_name, run->rows->inputs[i]), up_e),
                          fx_mul_fp(fxv_get(by_place, i & ((1u << y->t_bits) - 1)), up_p));
            *out = fx_add(*out, fx_mul(fxv_get(tokens, i), x));
        }
    }
    free(features);
    free(tokens);
    free(by_name);
    free(by_place);
    return r;
}

err pf_values_virtual(pf_values *v, const pf_run *run, const fx *tau, const fx *rho, fault *f)
{
    const pf_layout *y = run->y;
    uint32_t L = y->shape.layers;
    TRY(input_stream(&v->x[0], run, tau, rho, f));
    for (uint32_t l = 0; l < L; l++) {
        v->x[2 * l + 1] = fx_add(v->x[2 * l], digits(v, pf_at(y, l, PF_B1LO), 513));
        v->x[2 * l + 2] = fx_add(v->x[2 * l + 1], digits(v, pf_at(y, l, PF_B2LO), 513));
    }
    v->gx[0] = FX_ZERO;
    v->gx[1] = digits(v, pf_at(y, L, PF_DX1LO), 4097);
    for (uint32_t k = 0; k < L; k++) {
        uint32_t l = L - 1 - k;
        v->gx[2 * k + 2] = fx_add(v->gx[2 * k + 1], digits(v, pf_at(y, l, PF_DX2LO), 4097));
        v->gx[2 * k + 3] = fx_add(v->gx[2 * k + 2], digits(v, pf_at(y, l, PF_DX1LO), 4097));
    }
    return OK;
}

fx pf_value_of(const pf_values *v, uint32_t tensor)
{
    return tensor >= PF_VIRTUAL_GX ? v->gx[tensor - PF_VIRTUAL_GX] : tensor >= PF_VIRTUAL_X ? v->x[tensor - PF_VIRTUAL_X] : v->committed[tensor];
}

err pf_geometry_of(pf_geometry *g, const pf_layout *y, fault *f)
{
    return pf_geometry_make(g, y->tiles, y->nu + y->b, f);
}

void pf_row_weights(fxv *out, const pf_layout *y, const pf_geometry *g, fx chi, const fx *tau, const fx *rho)
{
    const fx *rho_hi = rho + y->b, *tau_hi = tau + (g->m - y->b);
    unsigned hi = pf_feature_vars(y) - y->b, tau_bits = y->nu + y->b - g->m;
    fx power = FX_ONE;
    size_t row = 0;
    for (uint32_t t = 0; t < y->tensor_count; t++) {
        for (uint32_t n = 0; n < y->tensors[t].tiles; n++) {
            fx tile = fx_mul(power, pf_eq_at(rho_hi, hi, n));
            for (size_t i = 0; i < (size_t)1 << tau_bits; i++)
                fxv_set(out, row++, fx_mul(tile, pf_eq_at(tau_hi, tau_bits, i)));
        }
        power = fx_mul(power, chi);
    }
}

void pf_column_factors(fxv *out, const pf_layout *y, const pf_geometry *g, const fx *tau, const fx *rho)
{
    fx point[PF_VARS_MAX];
    memcpy(point, rho, y->b * sizeof *point);
    memcpy(point + y->b, tau, (g->m - y->b) * sizeof *point);
    fxv_eq(out, point, g->m, FX_ONE);
}
