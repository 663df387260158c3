/* SPDX-License-Identifier: Apache-2.0
 *
 * Against spec/vectors/field.json. */
#include "field/field_vectors_int.h"
#include "field/vec.h"

#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

static fx element(const uint64_t c[3])
{
    return (fx){ { fp_from_u64(c[0]), fp_from_u64(c[1]), fp_from_u64(c[2]) } };
}

static void base_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vector_base); i++) {
        const uint64_t *v = vector_base[i];
        fp a = fp_from_u64(v[0]), b = fp_from_u64(v[1]);
        assert_int_equal(fp_to_u64(fp_add(a, b)), v[2]);
        assert_int_equal(fp_to_u64(fp_sub(a, b)), v[3]);
        assert_int_equal(fp_to_u64(fp_mul(a, b)), v[4]);
        assert_int_equal(fp_to_u64(fp_inv(a)), v[5]);
    }
    assert_int_equal(COUNT_OF(vector_roots), FP_TWO_ADICITY + 1);
    for (unsigned k = 0; k < COUNT_OF(vector_roots); k++)
        assert_int_equal(fp_to_u64(fp_root(k)), vector_roots[k]);
}

static void extension_field(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(vector_extension); i++) {
        fx a = element(vector_extension[i].a), b = element(vector_extension[i].b);
        uint8_t ours[FX_BYTES], wanted[FX_BYTES];
        assert_true(fx_equal(fx_mul(a, b), element(vector_extension[i].product)));
        assert_true(fx_equal(fx_inv(a), element(vector_extension[i].inverse)));
        fx_encode(ours, a);
        assert_int_equal(base_hex_decode(wanted, sizeof wanted, vector_extension[i].encoding), OK);
        assert_memory_equal(ours, wanted, sizeof ours);
    }
}

static void check_vectors(void)
{
    enum { VARS = COUNT_OF(vector_point), M = COUNT_OF(vector_message) };
    fx point[VARS];
    fp row[M], parity[M];
    fxv *eq = fxv_alloc(COUNT_OF(vector_eq));
    assert_non_null(eq);
    for (size_t b = 0; b < VARS; b++)
        point[b] = element(vector_point[b]);
    fxv_eq(eq, point, VARS, FX_ONE);
    assert_int_equal(COUNT_OF(vector_eq), 1 << VARS);
    for (size_t i = 0; i < COUNT_OF(vector_eq); i++)
        assert_true(fx_equal(fxv_get(eq, i), element(vector_eq[i])));
    free(eq);
    for (size_t i = 0; i < M; i++)
        row[i] = fp_from_u64(vector_message[i]);
    assert_int_equal(M, 8);
    fp_rs_parity(parity, row, 3);
    for (size_t i = 0; i < M; i++)
        assert_int_equal(fp_to_u64(parity[i]), vector_parity[i]);
}

static void eq_and_code_on_every_instruction_set(void **state)
{
    (void)state;
    fx_isa was = fx_isa_in_use();
    for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++) {
        if (!fx_isa_available(isa))
            continue;
        fx_isa_use(isa);
        check_vectors();
    }
    fx_isa_use(was);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(base_field), cmocka_unit_test(extension_field), cmocka_unit_test(eq_and_code_on_every_instruction_set) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
