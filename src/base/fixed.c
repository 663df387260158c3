/* SPDX-License-Identifier: Apache-2.0 */
#include "base/fixed.h"

#include "exp2_table_int.h"

i128 q32_quotient(i128 a, i128 b, rounding how)
{
    CHECK(b > 0);
    i128 quotient = a / b, rest = a % b;
    if (how == ROUND_DOWN || rest == 0)
        return quotient;
    if (how == ROUND_UP)
        return rest > 0 ? quotient + 1 : quotient - 1;
    if (rest < 0) {
        quotient--;
        rest += b;
    }
    return how == ROUND_HALF_UP && rest >= b - rest ? quotient + 1 : quotient;
}

static err narrow(q32 *out, i128 x)
{
    if (x < INT64_MIN || x > INT64_MAX)
        return ERR_OVERFLOW;
    *out = (q32)x;
    return OK;
}

err q32_from_ratio(q32 *out, i128 a, uint64_t b, rounding how)
{
    const i128 limit = (i128)1 << 95;
    if (b == 0 || a >= limit || a <= -limit)
        return ERR_OVERFLOW;
    return narrow(out, q32_quotient(a * Q32_ONE, b, how));
}

err q32_add(q32 *out, q32 a, q32 b)
{
    return narrow(out, (i128)a + b);
}

err q32_sub(q32 *out, q32 a, q32 b)
{
    return narrow(out, (i128)a - b);
}

err q32_mul(q32 *out, q32 a, q32 b, rounding how)
{
    return narrow(out, q32_quotient((i128)a * b, Q32_ONE, how));
}

err q32_div(q32 *out, q32 a, q32 b, rounding how)
{
    if (b == 0)
        return ERR_OVERFLOW;
    const i128 sign = b < 0 ? -1 : 1;
    return narrow(out, q32_quotient(sign * a * Q32_ONE, sign * b, how));
}

err q32_scale(uint64_t *out, uint64_t amount, q32 factor, rounding how)
{
    if (factor < 0)
        return ERR_OVERFLOW;
    i128 scaled = q32_quotient((i128)amount * factor, Q32_ONE, how);
    if (scaled > UINT64_MAX)
        return ERR_OVERFLOW;
    *out = (uint64_t)scaled;
    return OK;
}

q32 q32_drift(q32 x, q32 target, uint64_t rate, uint64_t unit)
{
    CHECK(rate <= unit && unit <= (uint64_t)Q32_ONE);
    return (q32)(x + q32_quotient(((i128)target - x) * (i128)rate, (i128)unit, ROUND_FLOOR));
}

q32 q32_sqrt_product(q32 a, q32 b)
{
    CHECK(a >= 0 && b >= 0);
    return (q32)isqrt_u128((u128)a * (u128)b);
}

static q62 q62_mul(q62 a, q62 b)
{
    return (q62)((u128)a * b >> 62);
}

/* 2^(f / 2^64), in [1, 2): 2^(i/64) from the table for the top six bits, Taylor's polynomial of 2^t - 1 for the rest. */
static q62 exp2_fraction(uint64_t f)
{
    const q62 t = (f << 6) >> 8;
    q62 p = exp2_coefficient[EXP2_DEGREE - 1];
    for (unsigned k = EXP2_DEGREE - 1; k-- > 0;)
        p = exp2_coefficient[k] + q62_mul(p, t);
    const q62 step = exp2_step[f >> 58];
    return step + q62_mul(step, q62_mul(p, t));
}

/* value * 2^power in steps of 2^-32; value in [1, 2). */
static err shift_to_q32(q32 *out, q62 value, int64_t power)
{
    if (power > 30)
        return ERR_OVERFLOW;
    *out = power <= -34 ? 0 : (q32)(value >> (30 - power));
    return OK;
}

err q32_exp2(q32 *out, q32 x)
{
    const i128 power = q32_quotient(x, Q32_ONE, ROUND_FLOOR);
    return shift_to_q32(out, exp2_fraction((uint64_t)x << 32), (int64_t)power);
}

/* e^x = 2^(x log2 e): the integer part of the exponent, and its fraction in 64 bits. */
static int64_t exponent(uint64_t *fraction, q32 x)
{
    const i128 z = (i128)x * EXP2_LOG2_E, unit = (i128)1 << 94;
    const i128 power = q32_quotient(z, unit, ROUND_FLOOR);
    *fraction = (uint64_t)((u128)(z - power * unit) >> 30);
    return (int64_t)power;
}

err q32_exp(q32 *out, q32 x)
{
    uint64_t fraction;
    const int64_t power = exponent(&fraction, x);
    return shift_to_q32(out, exp2_fraction(fraction), power);
}

err q62_exp(q62 *out, q32 x)
{
    if (x > 0)
        return ERR_RANGE;
    uint64_t fraction;
    const int64_t power = exponent(&fraction, x);
    *out = power < -63 ? 0 : exp2_fraction(fraction) >> -power;
    return OK;
}
