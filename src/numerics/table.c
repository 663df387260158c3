/* SPDX-License-Identifier: Apache-2.0
 *
 * How the entries come to be correctly rounded. A value is computed in fixed point with a proved absolute error far below
 * the distance of any entry from a rounding boundary; round_near() checks that distance at every entry, and table_test.c
 * runs it over every value that an admitted model can ask for. Exact values (D a multiple of 2^f, h = 0) carry no error;
 * their ties go up like all others. Outside |x| < 11 GELU differs from max(x, 0) by less than 2^-85, which only decides that
 * a tie of the positive side rounds down. */
#include "numerics/table.h"

#include "numerics/fixed_int.h"

enum {
    NORMAL_END = 11,  /* |x| from which the tail formulas hold */
    GRID_BITS = 126,  /* fraction of cdf and pdf */
    VALUE_BITS = 110, /* fraction of a GELU value before its last factor */
    /* Error of a cdf, of x pdf and of their sums: below 2^-98 (normal_step), times |x| < 2^4: below 2^-94. */
    VALUE_ERROR_BITS = 94,
};

/* floor(v 2^-s + 1/2), 1 <= s <= 127, for a v known up to +-error. The result must not depend on the error. */
static u128 round_near(u128 v, int s, u128 error)
{
    u128 half = (u128)1 << (s - 1), rest = (v + half) & (2 * half - 1);
    CHECK(rest >= error && rest <= 2 * half - error);
    return (v + half) >> s;
}

/* ---- EXP and EXPL ---- */

/* 2^(-1/2^f) at fraction 127, f <= 11, off by less than 2^6 units. */
static u128 exp_base(int f)
{
    u128 base = num_u128(0x7ff4e9597bed93aa, 0xeef8e9451bc521c6);
    for (int i = f; i < 11; i++)
        base = num_mul_127(base, base);
    return base;
}

/* round(top 2^-n power 2^-127), top < 2^20. `power` is off by at most 2^13 units: 2^f <= 2^11 products of a base off by one
 * unit, or fewer of one that is off by more. */
static int32_t exp_entry(int64_t top, u128 power, int64_t n)
{
    if (n > 20) /* below 1/2 */
        return 0;
    bool exact = power == (u128)1 << 127;
    return (int32_t)round_near((u128)top * (power >> 20), 107 + (int)n, exact ? 0 : (u128)2 * (u128)top);
}

static void exp_fill(int32_t *out, size_t len, int64_t top, int f)
{
    const u128 base = exp_base(f);
    u128 power = (u128)1 << 127;
    size_t period = (size_t)1 << f;
    for (size_t j = 0; j < period; j++) {
        for (size_t n = 0; j + n * period < len; n++)
            out[j + n * period] = exp_entry(top, power, (int64_t)n);
        power = num_mul_127(power, base);
    }
}

static int32_t exp_at(int64_t D, int64_t top, int f)
{
    const u128 base = exp_base(f);
    u128 power = (u128)1 << 127;
    CHECK(D >= 0);
    for (int64_t j = D & (((int64_t)1 << f) - 1); j > 0; j--)
        power = num_mul_127(power, base);
    return exp_entry(top, power, D >> f);
}

void num_table_exp(int32_t *out, const num_const *c)
{
    exp_fill(out, num_table_len(c), c->q_max, c->f_z);
}

void num_table_exp_loss(int32_t *out, const num_const *c)
{
    exp_fill(out, num_table_len(c), c->q_l, c->f_l);
}

int32_t num_exp_at(const num_const *c, int64_t D)
{
    return exp_at(D, c->q_max, c->f_z);
}

int32_t num_exp_loss_at(const num_const *c, int64_t D)
{
    return exp_at(D, c->q_l, c->f_l);
}

/* ---- the normal distribution ---- */

/* a i 2^-2f towards zero, for 0 <= i < 2^17, 2f <= 24. */
static i128 mul_small(i128 a, uint64_t i, int f)
{
    u128 size = a < 0 ? -(u128)a : (u128)a;
    u128 r = ((size >> 64) * i << (64 - 2 * f)) + ((u128)(uint64_t)size * i >> (2 * f));
    return a < 0 ? -(i128)r : (i128)r;
}

/* From x = i h to x + h, h = 2^-f: the Taylor series of both functions at x. With u_k = phi^(k)(x) h^k / k!,
 * u_(k+1) = -(h x u_k + h^2 u_(k-1)) / (k + 1), phi(x + h) = sum u_k, Phi(x + h) = Phi(x) + h sum u_k / (k + 1).
 * Error: fewer than 2^6 terms of at most 4 units each, 2^8 a step. A grid has fewer than 2^16 steps and phi only falls, so
 * phi is off by less than 2^24 units and Phi, which adds h of it a step over a distance of 11, by less than 2^28: 2^-98. */
static void normal_step(num_normal *at, uint64_t i, int f)
{
    i128 before = 0, term = (i128)at->pdf, pdf = 0, area = 0;
    for (int k = 0; term != 0 || before != 0; k++) {
        pdf += term;
        area += term / (k + 1);
        i128 next = -(mul_small(term, i, f) + mul_small(before, 1, f)) / (k + 1);
        before = term;
        term = next;
    }
    at->pdf = (u128)pdf;
    at->cdf += (u128)(area >> f);
}

static num_normal normal_start(void)
{
    return (num_normal){ .cdf = (u128)1 << (GRID_BITS - 1), .pdf = num_u128(0x19884533d436508d, 0x0fcb3c500bab8e2f) };
}

void num_normal_fill(num_normal *grid, const num_const *c)
{
    num_normal at = normal_start();
    for (size_t i = 0; i < num_normal_len(c); i++) {
        grid[i] = at;
        normal_step(&at, i, c->f_h_max);
    }
}

/* The value at i 2^-f by steps of 1/16, then 1/256, then 1/4096: at most 176 + 15 + 15 of them. */
static num_normal normal_at(uint64_t i, int f)
{
    num_normal at = normal_start();
    uint64_t done = 0; /* in units of 2^-fine */
    for (int fine = 4; fine <= f; fine += 4) {
        uint64_t until = i >> (f - fine);
        for (done = fine == 4 ? 0 : done << 4; done < until; done++)
            normal_step(&at, done, fine);
    }
    return at;
}

/* ---- GELU ---- */

/* |x| = index 2^-f_h,max for x = h 2^-f_h. */
static uint64_t grid_index(const num_const *c, int f_h, int64_t h)
{
    CHECK(f_h >= -32 && f_h <= c->f_h_max && h <= c->d_t && h >= -c->d_t);
    return (uint64_t)(h < 0 ? -h : h) << (c->f_h_max - f_h);
}

static bool in_tail(const num_const *c, uint64_t index)
{
    return index >= num_normal_len(c);
}

/* x >= 11: round(x 2^f_g - a little); x <= -11: 0. */
static int32_t gelu_tail(int f_h, int f_g, int64_t h, int32_t q_max)
{
    int up = f_g - f_h;
    if (h < 0)
        return 0;
    if (up >= 31)
        return q_max;
    i128 value = up >= 0 ? (i128)h << up : ((i128)h + ((i128)1 << (-up - 1)) - 1) >> -up;
    return value > q_max ? q_max : (int32_t)value;
}

static int32_t gelu_entry(const num_const *c, num_normal at, uint64_t index, bool negative, int f_g, int32_t q_max)
{
    int f = c->f_h_max, s = VALUE_BITS + f - f_g;
    if (s > 127 || index == 0) /* below 1/2 */
        return 0;
    u128 cdf = at.cdf >> (GRID_BITS - VALUE_BITS);
    u128 size = (negative ? ((u128)1 << VALUE_BITS) - cdf : cdf) * index;
    if (size >> s > (u128)q_max)
        return negative ? -q_max : q_max;
    u128 rounded = round_near(size, s, (u128)1 << (VALUE_BITS + f - VALUE_ERROR_BITS));
    int32_t value = rounded > (u128)q_max ? q_max : (int32_t)rounded;
    return negative ? -value : value;
}

static int32_t slope_entry(const num_const *c, num_normal at, uint64_t index, bool negative)
{
    u128 one = (u128)1 << VALUE_BITS, cdf = at.cdf >> (GRID_BITS - VALUE_BITS);
    u128 x_pdf = (at.pdf >> (GRID_BITS - VALUE_BITS)) * index >> c->f_h_max;
    /* Shifted by 1 so that the rounded number is positive: the slope is above -0.13. */
    u128 value = negative ? one + (one - cdf) - x_pdf : one + cdf + x_pdf;
    u128 rounded = round_near(value, VALUE_BITS - c->f_gd, (u128)1 << (VALUE_BITS - VALUE_ERROR_BITS));
    return (int32_t)((int64_t)rounded - ((int64_t)1 << c->f_gd));
}

static int32_t slope_tail(const num_const *c, int64_t h)
{
    return h < 0 ? 0 : 1 << c->f_gd;
}

void num_table_gelu(int32_t *out, const num_const *c, const num_normal *grid, int f_h, int f_g, int32_t q_max)
{
    for (int64_t h = -c->d_t; h <= c->d_t; h++) {
        uint64_t i = grid_index(c, f_h, h);
        *out++ = in_tail(c, i) ? gelu_tail(f_h, f_g, h, q_max) : gelu_entry(c, grid[i], i, h < 0, f_g, q_max);
    }
}

void num_table_gelu_slope(int32_t *out, const num_const *c, const num_normal *grid, int f_h)
{
    for (int64_t h = -c->d_t; h <= c->d_t; h++) {
        uint64_t i = grid_index(c, f_h, h);
        *out++ = in_tail(c, i) ? slope_tail(c, h) : slope_entry(c, grid[i], i, h < 0);
    }
}

int32_t num_gelu_at(const num_const *c, int f_h, int f_g, int64_t h)
{
    uint64_t i = grid_index(c, f_h, h);
    return in_tail(c, i) ? gelu_tail(f_h, f_g, h, c->q_max)
                         : gelu_entry(c, normal_at(i, c->f_h_max), i, h < 0, f_g, c->q_max);
}

int32_t num_gelu_slope_at(const num_const *c, int f_h, int64_t h)
{
    uint64_t i = grid_index(c, f_h, h);
    return in_tail(c, i) ? slope_tail(c, h) : slope_entry(c, normal_at(i, c->f_h_max), i, h < 0);
}

/* ---- hash ---- */

void num_table_hash_add(cr_blake3 *hash, const int32_t *table, size_t len)
{
    uint8_t chunk[4096];
    while (len > 0) {
        size_t n = len < sizeof chunk / 4 ? len : sizeof chunk / 4;
        for (size_t i = 0; i < n; i++)
            store_le32(chunk + 4 * i, (uint32_t)table[i]);
        cr_blake3_update(hash, bytes_of(chunk, 4 * n));
        table += n;
        len -= n;
    }
}
