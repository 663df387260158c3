/* SPDX-License-Identifier: Apache-2.0 */
#include "base/bytes.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void hex_round_trip(void **state)
{
    (void)state;
    uint8_t in[256], out[256];
    char text[513];
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (uint8_t)i;
    base_hex_encode(text, in, sizeof in);
    assert_memory_equal(text, "000102", 6);
    assert_string_equal(text + 508, "feff");
    assert_int_equal(base_hex_decode(out, sizeof out, text), OK);
    assert_memory_equal(in, out, sizeof in);
    base_hex_encode(text, in, 0);
    assert_string_equal(text, "");
    assert_int_equal(base_hex_decode(out, 0, ""), OK);
}

static void hex_refuses(void **state)
{
    (void)state;
    uint8_t out[2];
    const char *const cases[] = { "", "1", "12", "123", "12345", "123456", "12g4", "AB12", "0x12", " 123", "12 4", "\xff\xff\xff\xff" };
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(base_hex_decode(out, sizeof out, cases[i]), ERR_SYNTAX);
}

static void loads_and_stores(void **state)
{
    (void)state;
    uint8_t p[8];
    store_le64(p, 0x0123456789abcdefull);
    assert_memory_equal(p, ((uint8_t[]){ 0xef, 0xcd, 0xab, 0x89, 0x67, 0x45, 0x23, 0x01 }), 8);
    assert_true(load_le64(p) == 0x0123456789abcdefull);
    assert_true(load_le32(p) == 0x89abcdefu);
    assert_true(load_le16(p) == 0xcdefu);
    assert_true(load_be64(p) == 0xefcdab8967452301ull);
    store_be64(p, 0x0123456789abcdefull);
    assert_true(load_be64(p) == 0x0123456789abcdefull);
    assert_int_equal(p[0], 0x01);
    store_le32(p, 0xfffefdfcu);
    store_le16(p + 4, 0xfbfau);
    assert_memory_equal(p, ((uint8_t[]){ 0xfc, 0xfd, 0xfe, 0xff, 0xfa, 0xfb }), 6);
}

static void views_compare(void **state)
{
    (void)state;
    assert_true(bytes_equal(bytes_of(NULL, 0), bytes_of("x", 0)));
    assert_true(bytes_equal(bytes_of_str("ab"), bytes_of("abc", 2)));
    assert_false(bytes_equal(bytes_of_str("ab"), bytes_of_str("abc")));
    assert_false(bytes_equal(bytes_of_str("ab"), bytes_of_str("ac")));
    uint32_t object = 7;
    assert_int_equal(BYTES_OF(object).len, 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hex_round_trip),
        cmocka_unit_test(hex_refuses),
        cmocka_unit_test(loads_and_stores),
        cmocka_unit_test(views_compare),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
