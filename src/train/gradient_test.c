/* SPDX-License-Identifier: Apache-2.0 */
#include "train/gradient.h"

#include "base/cbor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

enum { N_MAX = 4 * TR_CHUNK_ELEMENTS };

static int64_t values[N_MAX], got[N_MAX];
static size_t  N;
static buf     file;
static tr_gradient_head head = {
    .model = { { 1 } }, .lease = { { 2 } },
    .shape = { .vocab = 73, .context = 16, .width = 64, .layers = 2, .heads = 4, .bits = 12, .helper = NUM_NARROW },
};

static uint64_t mix(uint64_t *s)
{
    uint64_t z = (*s += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static int setup(void **state)
{
    (void)state;
    uint64_t s = 7;
    N = (size_t)num_parameter_count(&head.shape);
    assert_in_range(N, 3 * TR_CHUNK_ELEMENTS + 1, N_MAX - 1); /* four chunks, the last one short */
    for (size_t i = 0; i < N; i++) {
        int64_t v = (int64_t)(mix(&s) >> (16 + i / 997 % 40)) - (int64_t)(mix(&s) >> (16 + i / 997 % 40));
        values[i] = i % 5000 < 600 ? 0 : v;
    }
    values[5] = TR_GRADIENT_ABS_MAX;
    values[6] = -TR_GRADIENT_ABS_MAX;
    buf_init(&file, tr_gradient_bytes_max(N));
    assert_int_equal(tr_gradient_encode(&file, &head, values, NULL, NULL), OK);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    buf_deinit(&file);
    return 0;
}

static void round_trip_in_any_split(void **state)
{
    (void)state;
    hash256 root, plain;
    assert_int_equal(tr_gradient_decode(got, &root, &head, buf_bytes(&file), NULL), OK);
    assert_memory_equal(got, values, N * sizeof *values);
    assert_int_equal(tr_gradient_root(&plain, &head.shape, values, NULL, NULL), OK);
    assert_memory_equal(root.b, plain.b, 32);
    assert_true(file.len < N * sizeof *values);

    for (size_t step = 1; step < 70000; step = step * 7 + 1) {
        tr_gradient_reader *r;
        assert_int_equal(tr_gradient_reader_new(&r, &head, NULL, NULL), OK);
        for (size_t at = 0; at < file.len; at += step) {
            size_t n = file.len - at < step ? file.len - at : step;
            assert_int_equal(tr_gradient_reader_feed(r, bytes_of(file.data + at, n), NULL), OK);
        }
        assert_int_equal(tr_gradient_reader_at(r), file.len);
        assert_int_equal(tr_gradient_reader_finish(r, &root, NULL), OK);
        tr_gradient_reader_free(r);
    }
}

/* The tree as spec/gradient-wire.md lays it out, written a second time: tile by tile, and nodes level by level. */
static void root_is_over_tiles(void **state)
{
    (void)state;
    size_t count = (size_t)num_weight_leaves(&head.shape), n = 0;
    hash256 *level = malloc(count * sizeof *level), root;
    for (uint32_t i = 0; i < num_tensor_count(&head.shape); i++) {
        num_tensor_info t = num_tensor_describe(&head.shape, i);
        for (uint32_t r = 0; r < t.rows; r += 16)
            for (uint32_t c = 0; c < t.cols; c += 16) {
                uint8_t leaf[64 + 8 * 256] = { 0 };
                store_le32(leaf, i);
                store_le32(leaf + 4, r / 16);
                store_le32(leaf + 8, c / 16);
                for (uint32_t y = 0; y < 16 && r + y < t.rows; y++)
                    for (uint32_t x = 0; x < 16 && c + x < t.cols; x++)
                        store_le64(leaf + 64 + 8 * (16 * y + x), (uint64_t)values[t.offset + (uint64_t)(r + y) * t.cols + c + x]);
                level[n] = cr_blake3_hash_in("theblock 2026 merkle leaf v1", bytes_of(leaf, sizeof leaf));
                uint32_t tensor, row, col;
                num_weight_locate(&tensor, &row, &col, &head.shape, n++);
                assert_true(tensor == i && row == r / 16 && col == c / 16);
            }
    }
    assert_int_equal(n, count);
    for (; n > 1; n = (n + 1) / 2)
        for (size_t k = 0; k < n; k += 2) {
            bytes pair = bytes_of(level[k].b, 64);
            level[k / 2] = k + 1 < n ? cr_blake3_hash_in("theblock 2026 merkle node v1", pair) : level[k];
        }
    assert_int_equal(tr_gradient_root(&root, &head.shape, values, NULL, NULL), OK);
    assert_memory_equal(root.b, level[0].b, 32);
    free(level);
}

static void encoding_is_deterministic(void **state)
{
    (void)state;
    buf again;
    tr_gradient_head h = head;
    buf_init(&again, tr_gradient_bytes_max(N));
    assert_int_equal(tr_gradient_encode(&again, &h, values, NULL, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&file), buf_bytes(&again)));
    buf_deinit(&again);
}

static err decode_copy(uint8_t *copy, size_t len, fault *f)
{
    hash256 root;
    *f = (fault){ 0 };
    return tr_gradient_decode(got, &root, &head, bytes_of(copy, len), f);
}

static void every_altered_byte_is_refused(void **state)
{
    (void)state;
    uint8_t *copy = malloc(file.len);
    memcpy(copy, file.data, file.len);
    fault f;
    uint64_t s = 3;
    for (size_t round = 0; round < 300; round++) {
        size_t at = round < 180 ? round : mix(&s) % file.len;
        uint8_t bit = (uint8_t)(1u << (mix(&s) & 7));
        copy[at] ^= bit;
        assert_int_not_equal(decode_copy(copy, file.len, &f), OK);
        assert_non_null(f.what);
        copy[at] ^= bit;
    }
    assert_int_equal(decode_copy(copy, file.len, &f), OK);
    free(copy);
}

static void truncated_and_trailing(void **state)
{
    (void)state;
    fault f;
    for (size_t len = 0; len < file.len; len += len < 600 ? 1 : 20011) {
        assert_int_equal(decode_copy(file.data, len, &f), ERR_TRUNCATED);
        assert_true(f.at < file.len);
    }
    assert_int_equal(decode_copy(file.data, file.len - 1, &f), ERR_TRUNCATED);
    assert_string_equal(f.what, "gradient.chunk");
    assert_int_equal(f.at, 3);
    uint8_t *longer = malloc(file.len + 1);
    memcpy(longer, file.data, file.len);
    longer[file.len] = 0;
    assert_int_equal(decode_copy(longer, file.len + 1, &f), ERR_TRAILING);
    free(longer);
}

static size_t chunk_offset(uint64_t chunk)
{
    size_t at = 4 + load_le32(file.data) + 4 * 32;
    for (uint64_t c = 0; c < chunk; c++)
        at += 4 + load_le32(file.data + at);
    return at;
}

static void chunk_faults_name_the_chunk(void **state)
{
    (void)state;
    uint8_t *copy = malloc(file.len);
    memcpy(copy, file.data, file.len);
    fault f;
    size_t at = chunk_offset(2);
    store_le32(copy + at, TR_CHUNK_PACKED_MAX + 1);
    assert_int_equal(decode_copy(copy, file.len, &f), ERR_LIMIT);
    assert_string_equal(f.what, "gradient.chunk");
    assert_int_equal(f.at, 2);
    memcpy(copy, file.data, file.len);
    copy[at + 4 + 300] ^= 1;
    err e = decode_copy(copy, file.len, &f);
    assert_true(e == ERR_HASH || e == ERR_CANONICAL);
    assert_int_equal(f.at, 2);
    copy[at + 4] = 65;
    assert_int_equal(decode_copy(copy, file.len, &f), ERR_CANONICAL);
    assert_int_equal(f.at, 2);
    free(copy);
}

static void header_must_be_what_was_leased(void **state)
{
    (void)state;
    hash256 root;
    fault f;
    tr_gradient_head h = head;
    h.model.b[3] ^= 1;
    assert_int_equal(tr_gradient_decode(got, &root, &h, buf_bytes(&file), &f), ERR_STALE);
    h = head;
    h.lease.b[3] ^= 1;
    assert_int_equal(tr_gradient_decode(got, &root, &h, buf_bytes(&file), &f), ERR_HASH);
    h = head;
    h.shape.vocab--; /* as many tensors, fewer elements */
    assert_int_equal(tr_gradient_decode(got, &root, &h, buf_bytes(&file), &f), ERR_SHAPE);
    h = head;
    h.shape.layers++;
    assert_int_equal(tr_gradient_decode(got, &root, &h, buf_bytes(&file), &f), ERR_SHAPE);
    uint8_t junk[64] = { 40 };
    memset(junk + 4, 0x41, 60);
    assert_int_equal(tr_gradient_decode(got, &root, &head, bytes_of(junk, sizeof junk), &f), ERR_TYPE);
}

static void packing_is_canonical(void **state)
{
    (void)state;
    static uint8_t packed[TR_CHUNK_PACKED_MAX];
    int64_t v[300] = { 0 }, back[300];
    assert_int_equal(tr_chunk_pack(packed, v, 300), 2); /* all zero: two bytes of width */
    v[0] = -1; /* zigzag 1: width 1 */
    assert_int_equal(tr_chunk_pack(packed, v, 300), 2 + 32);
    packed[0] = 2; /* wider than needed */
    memset(packed + 1, 0, 64);
    packed[1] = 1;
    packed[65] = 0;
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, 66)), ERR_CANONICAL);
    v[0] = 0;
    v[299] = 3; /* zigzag 6: width 3, 44 elements = 132 bits in 17 bytes: 4 bits unused */
    size_t len = tr_chunk_pack(packed, v, 300);
    assert_int_equal(len, 1 + 1 + 17);
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, len)), OK);
    packed[len - 1] |= 0x80;
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, len)), ERR_CANONICAL);
    for (size_t i = 0; i < 300; i++)
        v[i] = i % 2 ? INT64_MIN : INT64_MAX;
    len = tr_chunk_pack(packed, v, 300);
    assert_int_equal(len, 2 + 8 * 300);
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, len)), OK);
    assert_memory_equal(back, v, sizeof v);
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, len - 1)), ERR_TRUNCATED);
    assert_int_equal(tr_chunk_unpack(back, 300, bytes_of(packed, len + 1)), ERR_TRAILING);
}

static void sums_are_exact_and_order_free(void **state)
{
    (void)state;
    enum { LEASES = 5, M = 1000 };
    static int64_t part[LEASES][M], sum[M], other[M];
    uint64_t s = 11;
    for (size_t l = 0; l < LEASES; l++)
        for (size_t i = 0; i < M; i++)
            part[l][i] = (int64_t)(mix(&s) % (2 * (uint64_t)TR_GRADIENT_ABS_MAX + 1)) - TR_GRADIENT_ABS_MAX;
    for (size_t l = 0; l < LEASES; l++) {
        assert_int_equal(tr_gradient_add(sum, part[l], M, NULL), OK);
        assert_int_equal(tr_gradient_add(other, part[(3 * l + 2) % LEASES], M, NULL), OK);
    }
    assert_memory_equal(sum, other, sizeof sum);
    fault f;
    sum[700] = INT64_MAX;
    part[0][700] = 1;
    memcpy(other, sum, sizeof sum);
    assert_int_equal(tr_gradient_add(sum, part[0], M, &f), ERR_OVERFLOW);
    assert_int_equal(f.at, 700);
    assert_memory_equal(other, sum, sizeof sum);
}

static void out_of_range_is_not_written(void **state)
{
    (void)state;
    int64_t kept = values[1];
    tr_gradient_head h = head;
    buf b;
    buf_init(&b, 4096);
    fault f;
    values[1] = TR_GRADIENT_ABS_MAX + 1;
    assert_int_equal(tr_gradient_encode(&b, &h, values, NULL, &f), ERR_RANGE);
    values[1] = kept;
    assert_int_equal(f.at, 1);
    assert_int_equal(b.len, 0);
    buf_deinit(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(root_is_over_tiles),             cmocka_unit_test(round_trip_in_any_split),        cmocka_unit_test(encoding_is_deterministic),
        cmocka_unit_test(every_altered_byte_is_refused),  cmocka_unit_test(truncated_and_trailing),
        cmocka_unit_test(chunk_faults_name_the_chunk),    cmocka_unit_test(header_must_be_what_was_leased),
        cmocka_unit_test(packing_is_canonical),           cmocka_unit_test(sums_are_exact_and_order_free),
        cmocka_unit_test(out_of_range_is_not_written),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
