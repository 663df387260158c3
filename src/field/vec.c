/* SPDX-License-Identifier: Apache-2.0 */
#include "field/vec_int.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

typedef struct isa_row {
    const char        *name;
    const fxv_kernels *kernels; /* NULL: not in this build */
} isa_row;

static const isa_row isas[FX_ISA_COUNT] = {
    [FX_ISA_PORTABLE] = { "portable", &fxv_portable },
#if defined(FIELD_HAVE_AVX2)
    [FX_ISA_AVX2] = { "avx2", &fxv_avx2 },
#else
    [FX_ISA_AVX2] = { "avx2", NULL },
#endif
#if defined(FIELD_HAVE_AVX512IFMA)
    [FX_ISA_AVX512IFMA] = { "avx512ifma", &fxv_avx512ifma },
#else
    [FX_ISA_AVX512IFMA] = { "avx512ifma", NULL },
#endif
};

/* __builtin_cpu_supports also asks the system whether it saves the wide registers. */
static bool processor_has(fx_isa isa)
{
#if defined(__x86_64__)
    if (isa == FX_ISA_AVX2)
        return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    if (isa == FX_ISA_AVX512IFMA)
        return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
               __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512ifma") && __builtin_cpu_supports("avx512vnni");
#endif
    return isa == FX_ISA_PORTABLE;
}

bool fx_isa_available(fx_isa isa)
{
    return isa < FX_ISA_COUNT && isas[isa].kernels && processor_has(isa);
}

static fx_isa choose(void)
{
    fx_isa best = FX_ISA_PORTABLE;
    const char *want = getenv("TB_FIELD_ISA");
    for (fx_isa i = FX_ISA_PORTABLE; i < FX_ISA_COUNT; i++) {
        if (!fx_isa_available(i))
            continue;
        best = i;
        if (want && strcmp(want, isas[i].name) == 0)
            break;
    }
    return best;
}

static _Atomic(const isa_row *) chosen;

/* Threads that look at the same time find the same. */
static const isa_row *row_in_use(void)
{
    const isa_row *r = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!r) {
        const isa_row *none = NULL;
        r = &isas[choose()];
        if (!atomic_compare_exchange_strong(&chosen, &none, r))
            r = none;
    }
    return r;
}

void fx_isa_use(fx_isa isa)
{
    CHECK(fx_isa_available(isa));
    atomic_store(&chosen, &isas[isa]);
}

fx_isa fx_isa_in_use(void)
{
    return (fx_isa)(row_in_use() - isas);
}

static const fxv_kernels *kernels(void)
{
    return row_in_use()->kernels;
}

static bool is_power_of_two(size_t n)
{
    return n && !(n & (n - 1));
}

fxv *fxv_alloc(size_t n)
{
    size_t blocks = fxv_blocks(n) + (n == 0);
    if (n > SIZE_MAX / 4 / sizeof(fx) || blocks > SIZE_MAX / sizeof(fxv))
        return NULL;
    fxv *a = aligned_alloc(_Alignof(fxv), blocks * sizeof *a);
    if (a)
        memset(a, 0, blocks * sizeof *a);
    return a;
}

void fxv_eq(fxv *out, const fx *r, unsigned k, fx scale)
{
    CHECK(k < 48);
    kernels()->eq(out, r, k, scale);
}

fx fxv_dot(const fxv *a, const fxv *b, size_t n)
{
    return kernels()->dot(a, b, n);
}

void fxv_add_scaled(fxv *a, const fxv *b, fx s, size_t n)
{
    kernels()->add_scaled(a, b, s, n);
}

void fxv_scale(fxv *a, fx s, size_t n)
{
    kernels()->scale(a, s, n);
}

void fxv_mul(fxv *a, const fxv *b, size_t n)
{
    kernels()->mul(a, b, n);
}

void fxv_fold(fxv *a, size_t half, fx r)
{
    CHECK(is_power_of_two(half) || half % FXV_LANES == 0);
    kernels()->fold(a, half, r);
}

void fxv_round(fx g[2], const fxv *p, const fxv *b, size_t half)
{
    CHECK(is_power_of_two(half) || half % FXV_LANES == 0);
    kernels()->round(g, p, b, half);
}

void fxv_fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx r)
{
    CHECK(half >= 2 && (is_power_of_two(half) || half % (2 * FXV_LANES) == 0));
    kernels()->fold_round(g, p, b, half, r);
}

void fxv_fractions_up(fx_fractions *out, const fx_fractions *in, size_t half)
{
    CHECK(is_power_of_two(half));
    kernels()->fractions_up(out, in, half);
}

void fxv_fractions_add(fx_fractions *out, const fx_fractions *a, const fx_fractions *b, size_t n)
{
    CHECK(n % FXV_LANES == 0);
    kernels()->fractions_add(out, a, b, n);
}

static bool is_split_of(size_t lo_n, size_t half)
{
    return is_power_of_two(half) && is_power_of_two(lo_n) && (lo_n == half || (lo_n < half && lo_n >= FXV_LANES));
}

void fxv_fractions_absorb_round(fx g[2], fx_fractions *a, const fx_fractions *b, size_t half, fx lambda, const fxv *lo, size_t lo_n, const fxv *hi)
{
    CHECK(is_split_of(lo_n, half));
    kernels()->fractions_absorb_round(g, a, b, half, lambda, lo, lo_n, hi);
}

void fxv_fractions_fold_round(fx g[2], fx_fractions *a, fx_fractions *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    CHECK(half >= 2 && is_split_of(lo_n, half / 2));
    kernels()->fractions_fold_round(g, a, b, half, k, lo, lo_n, hi);
}

void fxv_fractions_fold(fx_fractions *a, size_t half, fx k)
{
    CHECK(is_power_of_two(half));
    kernels()->fractions_fold(a, half, k);
}

static void check_ints(unsigned bytes)
{
    CHECK(bytes == 2 || bytes == 4 || bytes == 8);
}

void fxv_rows(fxv *out, const fx_ints *m, const fxv *w)
{
    check_ints(m->bytes);
    kernels()->rows(out, m, w);
}

void fxv_cols(fxv *out, const fx_ints *m, const fxv *v)
{
    check_ints(m->bytes);
    kernels()->cols(out, m, v);
}

void fxv_from_ints(fxv *out, const void *data, unsigned bytes, size_t n, fx s)
{
    check_ints(bytes);
    kernels()->from_ints(out, data, bytes, n, s);
}

void fp_rs_parity(fp *out, const fp *in, unsigned m)
{
    CHECK(m < FP_TWO_ADICITY);
    kernels()->rs_parity(out, in, m);
}

void fp_rs_parity_rows(fp *out, const fp *in, unsigned m)
{
    CHECK(m < FP_TWO_ADICITY);
    kernels()->rs_parity_rows(out, in, m);
}

void fxv_unit_up(fx_fractions *out, const fxv *q0, const fxv *q1, size_t n)
{
    kernels()->unit_up(out, q0, q1, n);
}

void fxv_affine(fxv *a, fx s, fx c, size_t n)
{
    kernels()->affine(a, s, c, n);
}

void fxv_eq_round(fx g[2], const fxv *p, const fxv *b, size_t half, const fxv *lo, size_t lo_n, const fxv *hi)
{
    CHECK(is_split_of(lo_n, half));
    kernels()->eq_round(g, p, b, half, lo, lo_n, hi);
}

void fxv_eq_fold_round(fx g[2], fxv *p, fxv *b, size_t half, fx k, const fxv *lo, size_t lo_n, const fxv *hi)
{
    CHECK(half >= 2 && is_split_of(lo_n, half / 2));
    kernels()->eq_fold_round(g, p, b, half, k, lo, lo_n, hi);
}

void fxv_leaf_up(fx_fractions *out, const int32_t *x0, const int32_t *x1, size_t n, fx a0, fx a1)
{
    CHECK(n % FXV_LANES == 0);
    kernels()->leaf_up(out, x0, x1, n, a0, a1);
}

void fxv_leaf_up_fold(fx_fractions *out, const int32_t *const x[4], size_t n, const fx a[4], fx k)
{
    CHECK(n % FXV_LANES == 0);
    kernels()->leaf_up_fold(out, x, n, a, k);
}

void fxv_leaf_fold(fxv *out, const int32_t *x0, const int32_t *x1, size_t n, fx c, fx f0, fx f1)
{
    CHECK(n % FXV_LANES == 0);
    kernels()->leaf_fold(out, x0, x1, n, c, f0, f1);
}

void fxv_leaf_round(fxv_leaf_sums *out, const int32_t *const x[4], const fxv *w, size_t n)
{
    CHECK(n % FXV_LANES == 0);
    kernels()->leaf_round(out, x, w, n);
}
