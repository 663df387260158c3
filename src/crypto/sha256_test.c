/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/sha256.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void assert_hash(hash256 got, const char *want)
{
    char hex[65];
    base_hex_encode(hex, got.b, 32);
    assert_string_equal(hex, want);
}

static void fips_180_vectors(void **state)
{
    (void)state;
    assert_hash(cr_sha256(bytes_of(NULL, 0)), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    assert_hash(cr_sha256(bytes_of_str("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    assert_hash(cr_sha256(bytes_of_str("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
                "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

static void node_and_concat_are_plain_concatenation(void **state)
{
    (void)state;
    hash256 a = cr_sha256(bytes_of_str("a")), b = cr_sha256(bytes_of_str("b"));
    uint8_t joined[65] = { 1 };
    memcpy(joined + 1, a.b, 32);
    memcpy(joined + 33, b.b, 32);
    hash256 want = cr_sha256(bytes_of(joined, sizeof joined));
    hash256 node = cr_sha256_node(1, &a, &b);
    assert_memory_equal(node.b, want.b, 32);
    const bytes parts[] = { bytes_of(joined, 10), bytes_of(NULL, 0), bytes_of(joined + 10, 55) };
    hash256 concat = cr_sha256_concat(parts, COUNT_OF(parts));
    assert_memory_equal(concat.b, want.b, 32);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fips_180_vectors),
        cmocka_unit_test(node_and_concat_are_plain_concatenation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
