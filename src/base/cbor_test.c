/* SPDX-License-Identifier: Apache-2.0 */
#include "base/cbor.h"

#include "base/cbor_vectors_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* Reads whatever item comes and writes it again through the typed calls. */
static err copy_item(cbor_writer *w, cbor_reader *r)
{
    uint64_t u;
    int64_t i;
    bool b;
    bytes v;
    size_t count;
    if (cbor_take_null(r)) {
        cbor_put_null(w);
        return OK;
    }
    switch (r->at < r->in.len ? r->in.data[r->at] >> 5 : 0) {
    case 0:
        TRY(cbor_get_uint(r, "uint", &u));
        cbor_put_uint(w, u);
        return OK;
    case 1:
        TRY(cbor_get_int(r, "int", &i));
        cbor_put_int(w, i);
        return OK;
    case 2:
        TRY(cbor_get_bytes(r, "bytes", &v, SIZE_MAX));
        cbor_put_bytes(w, v);
        return OK;
    case 3:
        TRY(cbor_get_text(r, "text", &v, SIZE_MAX));
        cbor_put_text(w, v);
        return OK;
    case 4:
        TRY(cbor_get_array(r, "array", &count, SIZE_MAX));
        cbor_put_array(w, count);
        for (size_t k = 0; k < count; k++)
            TRY(copy_item(w, r));
        return OK;
    default:
        TRY(cbor_get_bool(r, "bool", &b));
        cbor_put_bool(w, b);
        return OK;
    }
}

static bytes from_hex(uint8_t out[1024], const char *hex)
{
    size_t len = strlen(hex) / 2;
    assert_true(len <= 1024);
    assert_int_equal(base_hex_decode(out, len, hex), OK);
    return bytes_of(out, len);
}

static void check_value(bytes in, char kind, uint64_t magnitude)
{
    cbor_reader r = cbor_reader_on(in);
    uint64_t u;
    int64_t i;
    bool b;
    bytes v;
    size_t count;
    switch (kind) {
    case '+':
        assert_int_equal(cbor_get_uint(&r, "v", &u), OK);
        assert_true(u == magnitude);
        r = cbor_reader_on(in);
        assert_int_equal(cbor_get_int(&r, "v", &i), magnitude > INT64_MAX ? ERR_RANGE : OK);
        break;
    case '-':
        assert_int_equal(cbor_get_int(&r, "v", &i), OK);
        assert_true(i == -1 - (int64_t)magnitude);
        break;
    case 'b':
        assert_int_equal(cbor_get_bytes(&r, "v", &v, (size_t)magnitude), OK);
        assert_int_equal(v.len, magnitude);
        break;
    case 's':
        assert_int_equal(cbor_get_text(&r, "v", &v, (size_t)magnitude), OK);
        assert_int_equal(v.len, magnitude);
        break;
    case 'a':
        assert_int_equal(cbor_get_array(&r, "v", &count, (size_t)magnitude), OK);
        assert_int_equal(count, magnitude);
        break;
    case '0':
        assert_true(cbor_take_null(&r));
        break;
    default:
        assert_int_equal(cbor_get_bool(&r, "v", &b), OK);
        assert_int_equal(b, kind == 't');
    }
}

static void vectors_of_another_encoder(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(cbor_vectors); i++) {
        uint8_t raw[1024], again[1024];
        bytes in = from_hex(raw, cbor_vectors[i].hex), out, item;
        check_value(in, cbor_vectors[i].kind, cbor_vectors[i].magnitude);

        cbor_reader r = cbor_reader_on(in);
        cbor_writer w = cbor_writer_on(again, sizeof again);
        assert_int_equal(copy_item(&w, &r), OK);
        assert_int_equal(cbor_end(&r), OK);
        assert_int_equal(cbor_finish(&w, &out), OK);
        assert_true(bytes_equal(in, out));

        r = cbor_reader_on(in);
        assert_int_equal(cbor_get_item(&r, "item", &item), OK);
        assert_true(bytes_equal(in, item));
        assert_int_equal(cbor_end(&r), OK);

        /* Every proper prefix is truncated, and says so. */
        for (size_t len = 0; len < in.len; len++) {
            r = cbor_reader_on(bytes_of(raw, len));
            assert_int_equal(cbor_get_item(&r, "item", &item), ERR_TRUNCATED);
        }
        /* Every smaller buffer is too small. */
        w = cbor_writer_on(again, in.len - 1);
        r = cbor_reader_on(in);
        assert_int_equal(copy_item(&w, &r), OK);
        assert_int_equal(cbor_finish(&w, &out), ERR_LIMIT);
    }
}

static void refused_items(void **state)
{
    (void)state;
    const struct { const char *hex; err want; uint64_t at; } cases[] = {
        { "1800", ERR_CANONICAL, 0 }, { "1817", ERR_CANONICAL, 0 }, { "190018", ERR_CANONICAL, 0 },
        { "1900ff", ERR_CANONICAL, 0 }, { "1a0000ffff", ERR_CANONICAL, 0 }, { "1b00000000ffffffff", ERR_CANONICAL, 0 },
        { "3817", ERR_CANONICAL, 0 }, { "5800", ERR_CANONICAL, 0 }, { "7801" "61", ERR_CANONICAL, 0 }, { "9800", ERR_CANONICAL, 0 },
        { "5f4100ff", ERR_CANONICAL, 0 }, { "7f6161ff", ERR_CANONICAL, 0 }, { "9f01ff", ERR_CANONICAL, 0 },
        { "1c", ERR_SYNTAX, 0 }, { "5d", ERR_SYNTAX, 0 }, { "9e", ERR_SYNTAX, 0 },
        { "3b8000000000000000", ERR_RANGE, 0 }, { "3bffffffffffffffff", ERR_RANGE, 0 },
        { "a0", ERR_TYPE, 0 }, { "a10102", ERR_TYPE, 0 }, { "c000", ERR_TYPE, 0 }, { "c249010000000000000000", ERR_TYPE, 0 },
        { "f7", ERR_TYPE, 0 }, { "f0", ERR_TYPE, 0 }, { "f8ff", ERR_TYPE, 0 }, { "f93c00", ERR_TYPE, 0 }, { "fa3f800000", ERR_TYPE, 0 },
        { "fb3ff0000000000000", ERR_TYPE, 0 }, { "ff", ERR_TYPE, 0 }, { "bf", ERR_TYPE, 0 },
        { "6180", ERR_SYNTAX, 0 }, { "61c3", ERR_SYNTAX, 0 }, { "62c080", ERR_SYNTAX, 0 }, { "62c1bf", ERR_SYNTAX, 0 },
        { "63e08080", ERR_SYNTAX, 0 }, { "63eda080", ERR_SYNTAX, 0 }, { "63edbfbf", ERR_SYNTAX, 0 }, { "64f0808080", ERR_SYNTAX, 0 },
        { "64f4908080", ERR_SYNTAX, 0 }, { "64f5808080", ERR_SYNTAX, 0 }, { "62c341", ERR_SYNTAX, 0 }, { "63e28241", ERR_SYNTAX, 0 },
        { "8201a0", ERR_TYPE, 2 }, { "820182021817", ERR_CANONICAL, 4 }, { "8301", ERR_TRUNCATED, 0 },
        { "9bffffffffffffffff", ERR_TRUNCATED, 0 }, { "5bffffffffffffffff", ERR_TRUNCATED, 0 }, { "", ERR_TRUNCATED, 0 },
        { "8181818181818181818181818181818180", ERR_LIMIT, 16 },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        uint8_t raw[1024];
        bytes item = { NULL, 77 };
        cbor_reader r = cbor_reader_on(from_hex(raw, cases[i].hex));
        err got = cbor_get_item(&r, "item", &item);
        if (got != cases[i].want || r.fault.at != cases[i].at)
            fail_msg("%s: %s at %d", cases[i].hex, err_describe(got)->name, (int)r.fault.at);
        assert_int_equal(item.len, 77);
        assert_int_equal(r.fault.code, got);
        assert_string_equal(r.fault.what, "item");
        assert_false(cbor_take_null(&r));
        assert_int_equal(cbor_end(&r), got);
    }
}

static void getters_enforce_their_bounds(void **state)
{
    (void)state;
    uint8_t raw[1024], fixed[4];
    uint64_t u = 5;
    size_t count = 5;
    bool b;
    bytes v;
    const struct { const char *hex; int call; err want; } cases[] = {
        { "0a", 0, OK }, { "0b", 0, ERR_RANGE }, { "29", 0, ERR_TYPE },
        { "43010203", 1, OK }, { "4401020304", 1, ERR_LIMIT }, { "63616263", 1, ERR_TYPE },
        { "4401020304", 2, OK }, { "43010203", 2, ERR_RANGE }, { "450102030405", 2, ERR_RANGE },
        { "83010203", 3, OK }, { "8401020304", 3, ERR_LIMIT }, { "f6", 3, ERR_TYPE },
        { "820102", 4, OK }, { "8101", 4, ERR_FIELD }, { "83010203", 4, ERR_FIELD },
        { "f5", 5, OK }, { "f6", 5, ERR_TYPE }, { "01", 5, ERR_TYPE },
        { "63616263", 6, OK }, { "6461626364", 6, ERR_LIMIT }, { "43010203", 6, ERR_TYPE },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        cbor_reader r = cbor_reader_on(from_hex(raw, cases[i].hex));
        err got = OK;
        switch (cases[i].call) {
        case 0: got = cbor_get_uint_max(&r, "f", &u, 10); break;
        case 1: got = cbor_get_bytes(&r, "f", &v, 3); break;
        case 2: got = cbor_get_bytes_fixed(&r, "f", fixed, 4); break;
        case 3: got = cbor_get_array(&r, "f", &count, 3); break;
        case 4: got = cbor_get_array_fixed(&r, "f", 2); break;
        case 5: got = cbor_get_bool(&r, "f", &b); break;
        default: got = cbor_get_text(&r, "f", &v, 3); break;
        }
        if (got != cases[i].want)
            fail_msg("%s: %s", cases[i].hex, err_describe(got)->name);
        if (got != OK)
            assert_int_equal(r.at, 0);
    }
}

static void errors_stick(void **state)
{
    (void)state;
    uint8_t raw[8] = { 0x01, 0xf5, 0x02 };
    uint64_t u;
    cbor_reader r = cbor_reader_on(bytes_of(raw, 3));
    assert_int_equal(cbor_get_uint(&r, "first", &u), OK);
    assert_int_equal(cbor_get_uint(&r, "second", &u), ERR_TYPE);
    assert_int_equal(cbor_get_uint(&r, "third", &u), ERR_TYPE);
    assert_string_equal(r.fault.what, "second");
    assert_int_equal(r.fault.at, 1);

    r = cbor_reader_on(bytes_of(raw, 2));
    assert_int_equal(cbor_get_uint(&r, "first", &u), OK);
    assert_int_equal(cbor_end(&r), ERR_TRAILING);

    uint8_t out[8];
    bytes view = { 0 };
    cbor_writer w = cbor_writer_on(out, sizeof out);
    cbor_put_text(&w, bytes_of("\xff", 1));
    cbor_put_uint(&w, 1);
    assert_int_equal(cbor_finish(&w, &view), ERR_SYNTAX);
    assert_int_equal(w.len, 0);
}

static void raw_items_and_views(void **state)
{
    (void)state;
    uint8_t inner[8], outer[16];
    bytes part, all, item;
    cbor_writer w = cbor_writer_on(inner, sizeof inner);
    cbor_put_array(&w, 2);
    cbor_put_int(&w, -5);
    cbor_put_null(&w);
    assert_int_equal(cbor_finish(&w, &part), OK);
    w = cbor_writer_on(outer, sizeof outer);
    cbor_put_array(&w, 2);
    cbor_put_raw(&w, part);
    cbor_put_bool(&w, false);
    assert_int_equal(cbor_finish(&w, &all), OK);

    bool b = true;
    cbor_reader r = cbor_reader_on(all);
    assert_int_equal(cbor_get_array_fixed(&r, "outer", 2), OK);
    assert_int_equal(cbor_get_item(&r, "inner", &item), OK);
    assert_true(bytes_equal(item, part));
    assert_ptr_equal(item.data, outer + 1);
    assert_int_equal(cbor_get_bool(&r, "flag", &b), OK);
    assert_false(b);
    assert_int_equal(cbor_end(&r), OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_of_another_encoder),
        cmocka_unit_test(refused_items),
        cmocka_unit_test(getters_enforce_their_bounds),
        cmocka_unit_test(errors_stick),
        cmocka_unit_test(raw_items_and_views),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
