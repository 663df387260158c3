/* SPDX-License-Identifier: Apache-2.0 */
#include "train/safetensors.h"

#include "base/port/file.h"
#include "numerics/test_model.h"
#include "train/dir_kit.h"
#include "train/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* A file with this header and `data` zero bytes. */
static err parse(const char *json, uint64_t data, fault *f)
{
    tr_st_file s;
    uint8_t head[2048];
    size_t len = strlen(json);
    store_le64(head, len);
    memcpy(head + 8, json, len);
    *f = (fault){ 0 };
    err e = tr_st_parse(&s, bytes_of(head, 8 + len), 8 + len + data, f);
    tr_st_deinit(&s);
    return e;
}

static void hostile_headers(void **state)
{
    (void)state;
    const struct { const char *json; uint64_t data; err want; } cases[] = {
        { "{}", 0, OK },
        { "{} ", 0, OK },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, OK },
        { "{\"b\":{\"dtype\":\"F32\",\"shape\":[],\"data_offsets\":[4,8]},\"a\":{\"dtype\":\"I32\",\"shape\":[1],\"data_offsets\":[0,4]}}", 8, OK },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[0],\"data_offsets\":[0,0]},\"b\":{\"dtype\":\"U8\",\"shape\":[3],\"data_offsets\":[0,3]}}", 3, OK },
        { "{\"__metadata__\":{\"x\":\"y\"}}", 0, OK },
        { "[]", 0, ERR_SYNTAX },
        { " {}", 0, ERR_SYNTAX },
        { "{\"a\":1", 0, ERR_SYNTAX },
        { "{\"a\":1}", 0, ERR_TYPE },
        { "{\"__metadata__\":1}", 0, ERR_TYPE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]},\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_FIELD },
        { "{\"a\":{\"dtype\":\"F32\",\"dtype\":\"I32\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_FIELD },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2]}}", 8, ERR_FIELD },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8],\"more\":1}}", 8, ERR_FIELD },
        { "{\"a\":{\"dtype\":\"F31\",\"shape\":[2],\"data_offsets\":[0,8]}}", 8, ERR_DTYPE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[-2],\"data_offsets\":[0,8]}}", 8, ERR_TYPE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2.0],\"data_offsets\":[0,8]}}", 8, ERR_TYPE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,8,9]}}", 8, ERR_TYPE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[0,12]}}", 12, ERR_RANGE },
        { "{\"a\":{\"dtype\":\"F32\",\"shape\":[2],\"data_offsets\":[8,0]}}", 8, ERR_RANGE },
        { "{\"a\":{\"dtype\":\"F64\",\"shape\":[4294967296,4294967296],\"data_offsets\":[0,0]}}", 0, ERR_OVERFLOW },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[9223372036854775808],\"data_offsets\":[0,0]}}", 0, ERR_SYNTAX },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data_offsets\":[0,1]}}", 1, ERR_LIMIT },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[2,6]}}", 6, ERR_OVERLAP },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]},\"b\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[5,9]}}", 9, ERR_OVERLAP },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 3, ERR_TRUNCATED },
        { "{\"a\":{\"dtype\":\"U8\",\"shape\":[4],\"data_offsets\":[0,4]}}", 5, ERR_TRAILING },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        fault f;
        err e = parse(cases[i].json, cases[i].data, &f);
        if (e != cases[i].want)
            fail_msg("case %zu: %d, wanted %d (%s)", i, (int)e, (int)cases[i].want, cases[i].json);
        assert_int_equal(f.code, e);
    }
    tr_st_file s;
    fault f;
    uint8_t head[16] = { 0 };
    assert_int_equal(tr_st_parse(&s, bytes_of(head, 7), 7, &f), ERR_TRUNCATED);
    store_le64(head, LIMIT_SAFETENSORS_HEADER_BYTES + 1);
    assert_int_equal(tr_st_parse(&s, bytes_of(head, 16), UINT64_MAX, &f), ERR_LIMIT);
    store_le64(head, 9);
    assert_int_equal(tr_st_parse(&s, bytes_of(head, 16), UINT64_MAX, &f), ERR_TRUNCATED);
}

static buf read_file(const char *path)
{
    buf b;
    buf_init(&b, 1 << 24);
    assert_int_equal(base_file_read(&b, path, NULL), OK);
    return b;
}

static void masters_there_and_back(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    char path[TR_PATH_MAX];
    fault f;
    num_shape shape = test_model_shape();
    uint64_t n = num_parameter_count(&shape), s = 9;
    int32_t *master = malloc(n * 4), *back = malloc(n * 4);
    for (uint64_t i = 0; i < n; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        master[i] = (int32_t)(s >> 42) - (1 << 21); /* 22 bits: a float holds them */
    }
    master[3] = INT32_MAX & ~127;
    master[4] = -master[3];
    assert_int_equal(tr_store_name(path, d.path, "m.safetensors", &f), OK);
    assert_int_equal(tr_st_export_master(path, &shape, master, &f), OK);
    assert_int_equal(tr_st_import_master(back, &shape, path, &f), OK);
    assert_memory_equal(master, back, n * 4);

    buf b = read_file(path);
    size_t data_at = 8 + (size_t)load_le64(b.data);
    assert_int_equal(data_at % 8, 0);
    const struct { uint32_t bits; err want; int32_t value; } values[] = {
        { 0x7fc00000, ERR_RANGE, 0 }, { 0x7f800000, ERR_RANGE, 0 }, { 0xff800000, ERR_RANGE, 0 },
        { 0x41000000, ERR_RANGE, 0 },                                      /* 8.0 = 2^31 at fraction 28 */
        { 0x40ffffff, OK, 2147483520 }, { 0x31000000, OK, 0 },             /* 2^-29: a tie, to even */
        { 0x31400000, OK, 1 }, { 0x31c00000, OK, 2 }, { 0xb1c00000, OK, -2 }, /* 0.75; 1.5 is a tie, to even */
        { 0x00000001, OK, 0 }, { 0x80000000, OK, 0 },
    };
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        store_le32(b.data + data_at + 4 * 11, values[i].bits);
        memset(back, 1, n * 4);
        assert_int_equal(tr_st_import_master_bytes(back, &shape, buf_bytes(&b), &f), values[i].want);
        assert_int_equal(back[11], values[i].want == OK ? values[i].value : 0x01010101);
    }
    num_shape other = shape;
    other.layers = 1;
    store_le32(b.data + data_at + 44, 0);
    assert_int_equal(tr_st_import_master_bytes(back, &other, buf_bytes(&b), &f), ERR_FIELD);
    other.layers = 3;
    int32_t *large = malloc(num_parameter_count(&other) * 4);
    assert_int_equal(tr_st_import_master_bytes(large, &other, buf_bytes(&b), &f), ERR_NOT_FOUND);
    free(large);
    other = shape;
    other.context += 1;
    large = malloc(num_parameter_count(&other) * 4);
    assert_int_equal(tr_st_import_master_bytes(large, &other, buf_bytes(&b), &f), ERR_SHAPE);
    assert_int_equal(f.at, 1);
    free(large);
    assert_int_equal(tr_st_import_master_bytes(back, &shape, bytes_of(b.data, b.len - 1), &f), ERR_TRUNCATED);
    buf_deinit(&b);
    free(master);
    free(back);
    dir_kit_remove(&d);
}

static void operands_out(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    char path[TR_PATH_MAX];
    fault f;
    num_shape shape = test_model_shape();
    bt_model m = { .shape = shape, .fractions = test_model_fractions(&shape), .id = { { 0xab } } };
    uint64_t n = num_parameter_count(&shape);
    m.weights = malloc(n * 2);
    for (uint64_t i = 0; i < n; i++)
        m.weights[i] = (int16_t)((int)(i * 37 % 4095) - 2047);
    assert_int_equal(tr_store_name(path, d.path, "o.safetensors", &f), OK);
    assert_int_equal(tr_st_export_operands(path, &m, &f), OK);
    buf b = read_file(path);
    tr_st_file s;
    assert_int_equal(tr_st_parse(&s, buf_bytes(&b), b.len, &f), OK);
    assert_int_equal(s.count, num_tensor_count(&shape));
    const tr_st_tensor *t = tr_st_find(&s, "layer1.w1");
    assert_non_null(t);
    num_tensor_info info = num_tensor_describe(&shape, num_tensor_of_layer(1, NUM_W_1));
    assert_int_equal(t->dtype, TR_ST_I16);
    assert_int_equal(t->shape[1], info.cols);
    for (uint64_t i = 0; i < (uint64_t)info.rows * info.cols; i++)
        assert_int_equal((int16_t)load_le16(b.data + s.data_at + t->begin + 2 * i), m.weights[info.offset + i]);
    assert_non_null(strstr((const char *)b.data + 8, "\"layer1.w1.fraction\":\"13\""));
    int32_t *master = malloc(n * 4);
    assert_int_equal(tr_st_import_master_bytes(master, &shape, buf_bytes(&b), &f), ERR_DTYPE);
    free(master);
    tr_st_deinit(&s);
    buf_deinit(&b);
    free(m.weights);
    dir_kit_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(hostile_headers), cmocka_unit_test(masters_there_and_back),
                                        cmocka_unit_test(operands_out) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
