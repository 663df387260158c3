/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/blake3.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* From the official test_vectors.json: input byte i is i % 251; the key and the context are the file's. */
static const struct { size_t len; const char *hash, *keyed, *derived; } vectors[] = {
    { 0, "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262",
      "92b2b75604ed3c761f9d6f62392c8a9227ad0ea3f09573e783f1498a4ed60d26",
      "2cc39783c223154fea8dfb7c1b1660f2ac2dcbd1c1de8277b0b0dd39b7e50d7d" },
    { 1, "2d3adedff11b61f14c886e35afa036736dcd87a74d27b5c1510225d0f592e213",
      "6d7878dfff2f485635d39013278ae14f1454b8c0a3a2d34bc1ab38228a80c95b",
      "b3e2e340a117a499c6cf2398a19ee0d29cca2bb7404c73063382693bf66cb06c" },
    { 1024, "42214739f095a406f3fc83deb889744ac00df831c10daa55189b5d121c855af7",
      "75c46f6f3d9eb4f55ecaaee480db732e6c2105546f1e675003687c31719c7ba4",
      "7356cd7720d5b66b6d0697eb3177d9f8d73a4a5c5e968896eb6a689684302706" },
};

static void official_vectors(void **state)
{
    (void)state;
    static uint8_t input[1024];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i % 251);
    for (size_t i = 0; i < COUNT_OF(vectors); i++) {
        bytes in = bytes_of(input, vectors[i].len);
        char hex[65];
        hash256 h = cr_blake3_hash(in);
        base_hex_encode(hex, h.b, 32);
        assert_string_equal(hex, vectors[i].hash);

        cr_blake3 state_keyed;
        cr_blake3_init_keyed(&state_keyed, (const uint8_t *)"whats the Elvish word for friend");
        cr_blake3_update(&state_keyed, in);
        h = cr_blake3_final(&state_keyed);
        base_hex_encode(hex, h.b, 32);
        assert_string_equal(hex, vectors[i].keyed);

        h = cr_blake3_hash_in("BLAKE3 2019-12-27 16:29:52 test vectors context", in);
        base_hex_encode(hex, h.b, 32);
        assert_string_equal(hex, vectors[i].derived);
    }
}

static void pieces_reset_and_seek_agree(void **state)
{
    (void)state;
    static uint8_t input[70000];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i * 31 >> 3);
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 test v1");
    cr_blake3_update(&h, bytes_of("left over", 9));
    cr_blake3_reset(&h);
    for (size_t at = 0, n = 1; at < sizeof input; at += n, n = n * 3 % 4099) {
        n = n < sizeof input - at ? n : sizeof input - at;
        cr_blake3_update(&h, bytes_of(input + at, n));
    }
    hash256 one = cr_blake3_hash_in("theblock 2026 test v1", bytes_of(input, sizeof input));
    hash256 two = cr_blake3_final(&h);
    assert_memory_equal(one.b, two.b, 32);

    uint8_t all[200], part[50];
    cr_blake3_final_xof(&h, 0, all, sizeof all);
    assert_memory_equal(all, one.b, 32);
    cr_blake3_final_xof(&h, 77, part, sizeof part);
    assert_memory_equal(all + 77, part, sizeof part);
}

static void many_are_each_one(void **state)
{
    (void)state;
    enum { MOST = 37 }; /* more than two groups of lanes */
    static uint8_t input[MOST * CR_BLAKE3_MANY_BYTES];
    hash256 out[MOST];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i * 37 >> 4);
    const uint8_t key[32] = "whats the Elvish word for friend";
    cr_blake3 starts[3];
    cr_blake3_init(&starts[0]);
    cr_blake3_init_keyed(&starts[1], key);
    cr_blake3_init_derive(&starts[2], "theblock 2026 test v1");
    for (size_t s = 0; s < COUNT_OF(starts); s++)
        for (size_t len = 64; len <= CR_BLAKE3_MANY_BYTES; len += 64)
            for (size_t n = 0; n <= MOST; n += n < 3 ? 1 : 17) {
                cr_blake3_many(&starts[s], out, input, len, n);
                for (size_t i = 0; i < n; i++) {
                    cr_blake3 h = starts[s];
                    cr_blake3_update(&h, bytes_of(input + i * len, len));
                    hash256 one = cr_blake3_final(&h);
                    assert_memory_equal(out[i].b, one.b, 32);
                }
            }
}

/* The short way against the long one, around every border of a block. */
static void chunks(void **state)
{
    (void)state;
    const char *context = "theblock 2026 proof absorb v1";
    const uint32_t key[8] = { 0xfa22f4cd, 0x2bfb67ad, 0x0c1c8270, 0x9e4b2a81, 0xb9ca88a3, 0x4c7a0ac1, 0x70f115ce, 0x231e311d };
    uint8_t input[CR_BLAKE3_CHUNK_BYTES], out[64], wanted[64];
    for (size_t i = 0; i < sizeof input; i++)
        input[i] = (uint8_t)(i % 251);
    for (size_t len = 0; len <= sizeof input; len += len % 64 == 1 && len > 2 ? 61 : 1) {
        cr_blake3 h;
        cr_blake3_init_derive(&h, context);
        cr_blake3_update(&h, bytes_of(input, len));
        cr_blake3_final_xof(&h, 0, wanted, sizeof wanted);
        cr_blake3_chunk(out, key, input, len);
        assert_memory_equal(out, wanted, sizeof wanted);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(chunks),
        cmocka_unit_test(official_vectors),
        cmocka_unit_test(pieces_reset_and_seek_agree),
        cmocka_unit_test(many_are_each_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
