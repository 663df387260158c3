/* SPDX-License-Identifier: Apache-2.0 */
#include "rational.h"

enum { DEPTH = 24, ROOT_BITS = 512, EXPONENTS = 70 };

static mpz_t num[DEPTH], den[DEPTH], t, u;
static int top = -1;
/* base^-(2^(i - 64)), fractions of 2^128. */
static u128 factors[2][EXPONENTS];

static void push(void)
{
    CHECK(top + 1 < DEPTH);
    top++;
}

static void pop(void)
{
    CHECK(top >= 0);
    top--;
}

void rat_clear(void)
{
    top = -1;
}

void rat_int(int64_t x)
{
    push();
    mpz_set_si(num[top], x);
    mpz_set_ui(den[top], 1);
}

void rat_ratio(uint64_t a, uint64_t b)
{
    push();
    mpz_set_ui(num[top], a);
    mpz_set_ui(den[top], b);
}

void rat_uint(uint64_t x)
{
    rat_ratio(x, 1);
}

void rat_q32(q32 x)
{
    rat_int(x);
    mpz_set_ui(den[top], (uint64_t)Q32_ONE);
}

void rat_fraction(u128 f)
{
    push();
    mpz_set_ui(num[top], (uint64_t)(f >> 64));
    mpz_mul_2exp(num[top], num[top], 64);
    mpz_add_ui(num[top], num[top], (uint64_t)f);
    mpz_set_ui(den[top], 1);
    mpz_mul_2exp(den[top], den[top], 128);
}

void rat_same(void)
{
    push();
    mpz_set(num[top], num[top - 1]);
    mpz_set(den[top], den[top - 1]);
}

void rat_neg(void)
{
    mpz_neg(num[top], num[top]);
}

static void sum(void)
{
    pop();
    mpz_mul(num[top], num[top], den[top + 1]);
    mpz_addmul(num[top], num[top + 1], den[top]);
    mpz_mul(den[top], den[top], den[top + 1]);
}

void rat_add(void)
{
    sum();
}

void rat_sub(void)
{
    rat_neg();
    sum();
}

void rat_mul(void)
{
    pop();
    mpz_mul(num[top], num[top], num[top + 1]);
    mpz_mul(den[top], den[top], den[top + 1]);
}

void rat_div(void)
{
    CHECK(mpz_sgn(num[top]) > 0);
    pop();
    mpz_mul(num[top], num[top], den[top + 1]);
    mpz_mul(den[top], den[top], num[top + 1]);
}

static int compare(int a, int b)
{
    mpz_mul(t, num[a], den[b]);
    mpz_mul(u, num[b], den[a]);
    const int c = mpz_cmp(t, u);
    return c < 0 ? -1 : c > 0;
}

int rat_compare(void)
{
    const int c = compare(top - 1, top);
    pop();
    pop();
    return c;
}

static void choose(int below)
{
    const int c = compare(top - 1, top);
    pop();
    if (c == below) {
        mpz_set(num[top], num[top + 1]);
        mpz_set(den[top], den[top + 1]);
    }
}

void rat_max(void)
{
    choose(-1);
}

void rat_min(void)
{
    choose(1);
}

void rat_pow(unsigned n)
{
    mpz_pow_ui(num[top], num[top], n);
    mpz_pow_ui(den[top], den[top], n);
}

void rat_sqrt(void)
{
    mpz_mul_2exp(t, num[top], 256);
    mpz_fdiv_q(t, t, den[top]);
    mpz_sqrt(num[top], t);
    mpz_set_ui(den[top], 1);
    mpz_mul_2exp(den[top], den[top], 128);
}

/* got * den - num 2^bits is in t. */
static double off(unsigned bits)
{
    mpz_mul(t, t, den[top]);
    mpz_mul_2exp(u, num[top], bits);
    mpz_sub(t, t, u);
    mpz_mul_2exp(t, t, 20);
    mpz_tdiv_q(t, t, den[top]);
    pop();
    return mpz_get_d(t) / (1 << 20);
}

double rat_off(int64_t got, unsigned bits)
{
    mpz_set_si(t, got);
    return off(bits);
}

double rat_off_u64(uint64_t got)
{
    mpz_set_ui(t, got);
    return off(0);
}

uint64_t rat_floor(void)
{
    mpz_fdiv_q(t, num[top], den[top]);
    pop();
    CHECK(mpz_sgn(t) >= 0 && mpz_fits_ulong_p(t));
    return mpz_get_ui(t);
}

static u128 high_product(u128 a, u128 b)
{
    const uint64_t a1 = (uint64_t)(a >> 64), a0 = (uint64_t)a, b1 = (uint64_t)(b >> 64), b0 = (uint64_t)b;
    const u128 middle = (u128)a1 * b0 + ((u128)a0 * b0 >> 64);
    const u128 low = (u128)a0 * b1 + (uint64_t)middle;
    return (u128)a1 * b1 + (middle >> 64) + (low >> 64);
}

static u128 to_fraction(const mpz_t x)
{
    mpz_fdiv_q_2exp(t, x, ROOT_BITS - 128);
    mpz_fdiv_q_2exp(u, t, 64);
    const uint64_t high = mpz_get_ui(u);
    mpz_fdiv_r_2exp(t, t, 64);
    return (u128)high << 64 | mpz_get_ui(t);
}

/* x = 1 / base in ROOT_BITS bits: roots for the powers below, squares for those above. */
static void fill(u128 *factor, const mpz_t x)
{
    mpz_t r;
    mpz_init_set(r, x);
    for (int i = 64; i >= 0; i--) {
        factor[i] = to_fraction(r);
        mpz_mul_2exp(r, r, ROOT_BITS);
        mpz_sqrt(r, r);
    }
    mpz_set(r, x);
    for (int i = 65; i < EXPONENTS; i++) {
        mpz_mul(r, r, r);
        mpz_fdiv_q_2exp(r, r, ROOT_BITS);
        factor[i] = to_fraction(r);
    }
    mpz_clear(r);
}

void rat_start(void)
{
    for (int i = 0; i < DEPTH; i++) {
        mpz_init2(num[i], 1024);
        mpz_init2(den[i], 1024);
    }
    mpz_init2(t, 1024);
    mpz_init2(u, 1024);
    mpz_t x, term;
    mpz_init_set_ui(x, 1);
    mpz_init(term);
    mpz_mul_2exp(x, x, ROOT_BITS - 1);
    fill(factors[RAT_2], x);
    /* 1 / e = sum (-1)^k / k! */
    mpz_set_ui(x, 0);
    mpz_set_ui(term, 1);
    mpz_mul_2exp(term, term, ROOT_BITS);
    for (unsigned k = 1; mpz_sgn(term) != 0; k++) {
        k & 1 ? mpz_add(x, x, term) : mpz_sub(x, x, term);
        mpz_fdiv_q_ui(term, term, k);
    }
    fill(factors[RAT_E], x);
    mpz_clear(x);
    mpz_clear(term);
}

u128 rat_exp_minus(rat_base base, u128 x)
{
    if (x == 0)
        return ~(u128)0;
    u128 r = 0;
    bool any = false;
    for (unsigned i = 0; i < EXPONENTS; i++)
        if (x >> i & 1) {
            r = any ? high_product(r, factors[base][i]) : factors[base][i];
            any = true;
        }
    return x >> EXPONENTS ? 0 : r;
}
