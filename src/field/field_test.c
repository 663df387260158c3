/* SPDX-License-Identifier: Apache-2.0
 *
 * Against plain 128-bit arithmetic modulo p. */
#include "field/fx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static uint64_t seed = 1;

static uint64_t random_u64(void)
{
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

/* Canonical residues: edges first, then random ones. */
static uint64_t sample(unsigned i)
{
    static const uint64_t edge[] = { 0, 1, 2, 3, FP_P - 1, FP_P - 2, FP_P / 2, FP_P / 2 + 1, UINT64_C(1) << 46, UINT64_C(1) << 26 };
    return i < COUNT_OF(edge) ? edge[i] : random_u64() % FP_P;
}

static uint64_t mul_mod(uint64_t a, uint64_t b)
{
    return (uint64_t)((u128)a * b % FP_P);
}

static uint64_t pow_mod(uint64_t a, uint64_t e)
{
    uint64_t r = 1;
    for (; e; e >>= 1, a = mul_mod(a, a))
        if (e & 1)
            r = mul_mod(r, a);
    return r;
}

static void constants(void **state)
{
    (void)state;
    const uint64_t r = UINT64_C(1) << FP_R_BITS;
    assert_int_equal((FP_P * FP_NEG_INV + 1) & (r - 1), 0);
    assert_int_equal(FP_ONE, r % FP_P);
    assert_int_equal(FP_R2, mul_mod(r % FP_P, r % FP_P));
    assert_int_equal((FP_P - 1) % (UINT64_C(1) << FP_TWO_ADICITY), 0);
    assert_true(5 * FP_P < r); /* so a sum of five products is below 2^52 p, as fp_montgomery wants it */
    /* Pocklington: the factored part 2^26 of p - 1 exceeds sqrt(p), and 7 is a witness. */
    assert_int_equal(pow_mod(7, FP_P - 1), 1);
    assert_int_equal(pow_mod(7, (FP_P - 1) / 2), FP_P - 1);
    assert_true((u128)(1u << 26) * (1u << 26) > FP_P);
    assert_int_equal(FP_P % 3, 1);
    assert_int_not_equal(pow_mod(2, (FP_P - 1) / 3), 1); /* 2 is not a cube */
}

static void base_field(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 40; i++)
        for (unsigned j = 0; j < 40; j++) {
            uint64_t a = sample(i), b = sample(j);
            fp x = fp_from_u64(a), y = fp_from_u64(b);
            assert_true(x < FP_P && y < FP_P);
            assert_int_equal(fp_to_u64(x), a);
            assert_int_equal(fp_to_u64(fp_add(x, y)), (a + b) % FP_P);
            assert_int_equal(fp_to_u64(fp_sub(x, y)), (a + FP_P - b) % FP_P);
            assert_int_equal(fp_to_u64(fp_mul(x, y)), mul_mod(a, b));
            assert_int_equal(fp_to_u64(fp_neg(x)), (FP_P - a) % FP_P);
        }
    assert_int_equal(fp_to_u64(fp_from_u64(UINT64_MAX)), UINT64_MAX % FP_P);
    static const int64_t ints[] = { 0, 1, -1, 123456789, -(INT64_C(1) << 46), INT64_C(1) << 46 };
    for (size_t i = 0; i < COUNT_OF(ints); i++)
        assert_int_equal(fp_to_i64(fp_from_i64(ints[i])), ints[i]);
    assert_int_equal(fp_to_u64(fp_from_i64(INT64_MIN)), FP_P - (UINT64_C(1) << 63) % FP_P);
    assert_int_equal(fp_inv(0), 0);
    for (unsigned i = 1; i < 60; i++) {
        fp x = fp_from_u64(sample(i));
        assert_int_equal(fp_mul(x, fp_inv(x)), FP_ONE);
    }
}

static void roots_of_unity(void **state)
{
    (void)state;
    assert_int_equal(fp_root(0), FP_ONE);
    assert_int_equal(fp_to_u64(fp_root(1)), FP_P - 1);
    for (unsigned k = 1; k <= FP_TWO_ADICITY; k++)
        assert_int_equal(fp_mul(fp_root(k), fp_root(k)), fp_root(k - 1));
    assert_int_equal(fp_to_u64(fp_root(FP_TWO_ADICITY)), pow_mod(7, (FP_P - 1) >> FP_TWO_ADICITY));
}

static fx random_fx(unsigned i)
{
    return (fx){ { fp_from_u64(sample(i % 20)), fp_from_u64(sample((i / 20) % 20)), fp_from_u64(sample(i % 13)) } };
}

/* Schoolbook in canonical residues. */
static void mul_plain(uint64_t out[3], fx a, fx b)
{
    memset(out, 0, 3 * sizeof *out);
    for (unsigned i = 0; i < 3; i++)
        for (unsigned j = 0; j < 3; j++) {
            uint64_t t = mul_mod(fp_to_u64(a.c[i]), fp_to_u64(b.c[j]));
            if (i + j >= 3)
                t = mul_mod(t, 2);
            out[(i + j) % 3] = (out[(i + j) % 3] + t) % FP_P;
        }
}

static void extension_field(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 4000; i++) {
        fx a = random_fx(i), b = random_fx(i * 7 + 3), ab = fx_mul(a, b);
        uint64_t want[3];
        mul_plain(want, a, b);
        for (int k = 0; k < 3; k++)
            assert_int_equal(fp_to_u64(ab.c[k]), want[k]);
        assert_true(fx_equal(fx_sub(fx_add(a, b), b), a));
        assert_true(fx_equal(fx_add(a, fx_neg(a)), FX_ZERO));
        assert_true(fx_equal(fx_mul_fp(a, b.c[1]), fx_mul(a, fx_from_fp(b.c[1]))));
        fx inverse = fx_inv(a);
        assert_true(fx_equal(fx_mul(a, inverse), fx_equal(a, FX_ZERO) ? FX_ZERO : FX_ONE));
    }
    fx x = { { 0, FP_ONE, 0 } };
    assert_true(fx_equal(fx_mul(x, fx_mul(x, x)), fx_from_i64(2)));
}

static void encoding_is_canonical(void **state)
{
    (void)state;
    uint8_t b[FX_BYTES];
    fx back;
    for (unsigned i = 0; i < 500; i++) {
        fx a = random_fx(i);
        fx_encode(b, a);
        assert_true(fx_decode(&back, b));
        assert_true(fx_equal(a, back));
    }
    for (int k = 0; k < 3; k++) {
        memset(b, 0, sizeof b);
        for (int i = 0; i < FP_BYTES; i++)
            b[k * FP_BYTES + i] = (uint8_t)(FP_P >> (8 * i));
        assert_false(fx_decode(&back, b)); /* p itself */
        b[k * FP_BYTES]--;
        assert_true(fx_decode(&back, b));
    }
    memset(b, 0xff, sizeof b);
    assert_false(fx_decode(&back, b));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constants),       cmocka_unit_test(base_field),            cmocka_unit_test(roots_of_unity),
        cmocka_unit_test(extension_field), cmocka_unit_test(encoding_is_canonical),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
