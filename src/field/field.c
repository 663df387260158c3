/* SPDX-License-Identifier: Apache-2.0 */
#include "field/fx.h"

/* 7 generates the multiplicative group, so this has order 2^26. */
static const uint64_t root_of_full_order = UINT64_C(53830944705907); /* 7^((p - 1) / 2^26) */

fp fp_pow(fp a, uint64_t exponent)
{
    fp r = FP_ONE;
    for (; exponent; exponent >>= 1, a = fp_mul(a, a))
        if (exponent & 1)
            r = fp_mul(r, a);
    return r;
}

fp fp_inv(fp a)
{
    return fp_pow(a, FP_P - 2);
}

fp fp_root(unsigned log_order)
{
    CHECK(log_order <= FP_TWO_ADICITY);
    fp r = fp_from_u64(root_of_full_order);
    for (unsigned k = FP_TWO_ADICITY; k > log_order; k--)
        r = fp_mul(r, r);
    return r;
}

void fp_encode(uint8_t out[FP_BYTES], fp a)
{
    uint64_t x = fp_to_u64(a);
    for (int i = 0; i < FP_BYTES; i++, x >>= 8)
        out[i] = (uint8_t)x;
}

bool fp_decode(fp *out, const uint8_t in[FP_BYTES])
{
    uint64_t x = 0;
    for (int i = 0; i < FP_BYTES; i++)
        x |= (uint64_t)in[i] << (8 * i);
    *out = x < FP_P ? fp_from_u64(x) : 0;
    return x < FP_P;
}

/* The cofactors of the norm: a (A + B X + C X^2) is in F_p. */
fx fx_inv(fx a)
{
    fp a0 = a.c[0], a1 = a.c[1], a2 = a.c[2], two = fp_add(FP_ONE, FP_ONE);
    fp A = fp_sub(fp_mul(a0, a0), fp_mul(two, fp_mul(a1, a2)));
    fp B = fp_sub(fp_mul(two, fp_mul(a2, a2)), fp_mul(a0, a1));
    fp C = fp_sub(fp_mul(a1, a1), fp_mul(a0, a2));
    fp norm = fp_add(fp_mul(a0, A), fp_mul(two, fp_add(fp_mul(a1, C), fp_mul(a2, B))));
    return fx_mul_fp((fx){ { A, B, C } }, fp_inv(norm));
}

void fx_encode(uint8_t out[FX_BYTES], fx a)
{
    for (int i = 0; i < 3; i++)
        fp_encode(out + i * FP_BYTES, a.c[i]);
}

bool fx_decode(fx *out, const uint8_t in[FX_BYTES])
{
    bool ok = true;
    for (int i = 0; i < 3; i++)
        ok &= fp_decode(&out->c[i], in + i * FP_BYTES);
    return ok;
}
