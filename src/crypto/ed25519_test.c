/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/ed25519.h"

#include "crypto/ed25519_vectors_int.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void pinned_vectors_get_their_verdict(void **state)
{
    (void)state;
    unsigned accepted = 0, rejected = 0;
    for (size_t i = 0; i < COUNT_OF(ed25519_vectors); i++) {
        cr_public_key key;
        cr_signature signature;
        uint8_t message[64];
        size_t len = strlen(ed25519_vectors[i].message) / 2;
        assert_int_equal(base_hex_decode(key.b, 32, ed25519_vectors[i].key), OK);
        assert_int_equal(base_hex_decode(signature.b, 64, ed25519_vectors[i].signature), OK);
        assert_int_equal(base_hex_decode(message, len, ed25519_vectors[i].message), OK);
        err want = ed25519_vectors[i].accept ? OK : ERR_SIGNATURE;
        if (cr_ed25519_verify(&key, bytes_of(message, len), &signature) != want)
            fail_msg("%s", ed25519_vectors[i].name);
        want == OK ? accepted++ : rejected++;
    }
    assert_true(accepted >= 6);
    assert_true(rejected >= 30);
    assert_int_equal(cr_ed25519_self_test(), OK);
}

static void every_bit_of_a_signature_counts(void **state)
{
    (void)state;
    uint8_t seed[32] = { 7 };
    cr_secret_key secret;
    cr_public_key key;
    cr_signature signature;
    cr_ed25519_keypair(&secret, &key, seed);
    assert_memory_equal(secret.b, seed, 32);
    assert_memory_equal(secret.b + 32, key.b, 32);
    bytes message = bytes_of_str("pay");
    cr_ed25519_sign(&signature, &secret, message);
    assert_int_equal(cr_ed25519_verify(&key, message, &signature), OK);
    assert_int_equal(cr_ed25519_verify(&key, bytes_of_str("paz"), &signature), ERR_SIGNATURE);
    for (size_t bit = 0; bit < 512; bit++) {
        cr_signature bad = signature;
        bad.b[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(cr_ed25519_verify(&key, message, &bad), ERR_SIGNATURE);
    }
    cr_ed25519_sign(&signature, &secret, bytes_of(NULL, 0));
    assert_int_equal(cr_ed25519_verify(&key, bytes_of(NULL, 0), &signature), OK);
}

static void wipe_and_random(void **state)
{
    (void)state;
    uint8_t a[32] = { 0 }, zero[32] = { 0 };
    cr_random(a, sizeof a);
    assert_memory_not_equal(a, zero, sizeof a);
    cr_wipe(a, sizeof a);
    assert_memory_equal(a, zero, sizeof a);
}

static int start(void **state)
{
    (void)state;
    return cr_ed25519_self_test() != OK;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pinned_vectors_get_their_verdict),
        cmocka_unit_test(every_bit_of_a_signature_counts),
        cmocka_unit_test(wipe_and_random),
    };
    return cmocka_run_group_tests(tests, start, NULL);
}
