/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static err read_text(const char *text, fault *f)
{
    json_t *v = NULL;
    err e = rpc_json_read(&v, bytes_of_str(text), f);
    assert_true((e == OK) == (v != NULL));
    json_decref(v);
    return e;
}

static void refusals(void **state)
{
    (void)state;
    static const struct { const char *text; err e; } cases[] = {
        { "{}", OK }, { "[1,\"a\",null,true]", OK }, { "7", OK }, { "\"[[[\"", OK },
        { "", ERR_SYNTAX }, { "{", ERR_SYNTAX }, { "{}x", ERR_SYNTAX }, { "{\"a\":1,}", ERR_SYNTAX }, { "nan", ERR_SYNTAX },
        { "\"\xff\"", ERR_SYNTAX }, { "\"\\u0000\"", ERR_SYNTAX }, { "'a'", ERR_SYNTAX }, { "[1}", ERR_SYNTAX }, { "\"", ERR_SYNTAX },
        { "\"\\", ERR_SYNTAX }, { "]]]]]", ERR_SYNTAX }, { "{\"a\":1,\"a\":2}", ERR_FIELD }, { "[{\"b\":{\"a\":1,\"a\":1}}]", ERR_FIELD },
        { "123456789012345678901234567890", ERR_RANGE },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fault f = { 0 };
        err e = read_text(cases[i].text, &f);
        if (e != cases[i].e)
            fail_msg("%s gives %d", cases[i].text, (int)e);
        assert_int_equal(f.code, cases[i].e);
    }
}

static void bounds(void **state)
{
    (void)state;
    char deep[256];
    for (size_t depth = LIMIT_JSON_DEPTH; depth <= LIMIT_JSON_DEPTH + 1; depth++) {
        memset(deep, '[', depth);
        memset(deep + depth, ']', depth);
        deep[2 * depth] = 0;
        fault f = { 0 };
        assert_int_equal(read_text(deep, &f), depth > LIMIT_JSON_DEPTH ? ERR_LIMIT : OK);
        if (depth > LIMIT_JSON_DEPTH)
            assert_true(f.at == LIMIT_JSON_DEPTH);
    }
    static char many[2 * 65536 + 2];
    many[0] = '[';
    for (size_t i = 0; i < 65536; i++)
        many[2 * i + 1] = '0', many[2 * i + 2] = ',';
    many[2 * 65536] = ']';
    assert_int_equal(read_text(many, NULL), ERR_LIMIT);
}

static void decimals(void **state)
{
    (void)state;
    static const struct { const char *text; err e; uint64_t v; } cases[] = {
        { "0", OK, 0 }, { "18446744073709551615", OK, UINT64_MAX }, { "18446744073709551616", ERR_RANGE, 0 },
        { "99999999999999999999999", ERR_RANGE, 0 }, { "", ERR_SYNTAX, 0 }, { "01", ERR_SYNTAX, 0 }, { "+1", ERR_SYNTAX, 0 },
        { "-1", ERR_SYNTAX, 0 }, { " 1", ERR_SYNTAX, 0 }, { "1 ", ERR_SYNTAX, 0 }, { "1e3", ERR_SYNTAX, 0 }, { "0x10", ERR_SYNTAX, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint64_t v = 0;
        assert_int_equal(rpc_decimal_u64(&v, cases[i].text), cases[i].e);
        assert_true(v == cases[i].v);
    }
}

static void writing(void **state)
{
    (void)state;
    buf out;
    buf_init(&out, 64);
    json_t *v = json_pack("{s:o, s:o, s:o}", "a", rpc_json_u64(UINT64_MAX), "b", rpc_json_i64(-5), "c", rpc_json_hex(bytes_of("\x00\xff", 2)));
    assert_int_equal(rpc_json_write(&out, v), OK);
    assert_true(bytes_equal(buf_bytes(&out), bytes_of_str("{\"a\":\"18446744073709551615\",\"b\":\"-5\",\"c\":\"00ff\"}")));
    size_t len = out.len;
    assert_int_equal(rpc_json_write(&out, v), ERR_LIMIT); /* the bound is reached: nothing is half written */
    assert_true(out.len == len);
    json_decref(v);
    buf_deinit(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(refusals), cmocka_unit_test(bounds), cmocka_unit_test(decimals), cmocka_unit_test(writing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
