/* SPDX-License-Identifier: Apache-2.0 */
#include "base/int.h"

err mul_div_u64(uint64_t *out, uint64_t a, uint64_t b, uint64_t c, rounding how)
{
    if (c == 0)
        return ERR_OVERFLOW;
    u128 product = (u128)a * b;
    u128 quotient = product / c;
    uint64_t rest = (uint64_t)(product % c);
    if (how == ROUND_UP && rest != 0)
        quotient++;
    if (how == ROUND_HALF_UP && rest >= c - rest)
        quotient++;
    if (quotient > UINT64_MAX)
        return ERR_OVERFLOW;
    *out = (uint64_t)quotient;
    return OK;
}

/* Digit by digit, two bits of x a step: exact for every input and the same on every machine. */
uint64_t isqrt_u128(u128 x)
{
    u128 root = 0;
    u128 bit = (u128)1 << 126;
    while (bit > x)
        bit >>= 2;
    while (bit != 0) {
        if (x >= root + bit) {
            x -= root + bit;
            root = (root >> 1) + bit;
        } else {
            root >>= 1;
        }
        bit >>= 2;
    }
    return (uint64_t)root;
}
