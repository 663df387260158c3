/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keystore_int.h"

#include "base/cbor.h"
#include "base/port/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/keystore_test.XXXXXX";
static char path[64];
static cr_secret_key secret;
static cr_public_key public_key;
static uint8_t file[KEYSTORE_FILE_MAX];
static size_t file_len;

static int start(void **state)
{
    (void)state;
    uint8_t seed[32] = { 1, 2, 3 };
    buf b;
    buf_init(&b, KEYSTORE_FILE_MAX);
    if (cr_ed25519_self_test() != OK || !mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/key", folder);
    cr_ed25519_keypair(&secret, &public_key, seed);
    if (cr_keystore_create(path, "laptop", bytes_of_str("correct horse"), CR_KEYSTORE_DEV, &secret, NULL) != OK ||
        base_file_read(&b, path, NULL) != OK)
        return 1;
    memcpy(file, b.data, b.len);
    file_len = b.len;
    buf_deinit(&b);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return unlink(path) | rmdir(folder);
}

static err decode(size_t len, const char *passphrase, fault *f)
{
    cr_secret_key got;
    bool dev_only;
    return cr_keystore_decode(bytes_of(file, len), bytes_of_str(passphrase), &got, &dev_only, f);
}

static void opens_with_the_passphrase_only(void **state)
{
    (void)state;
    cr_secret_key got;
    cr_public_key key;
    char label[65];
    bool dev_only = false;
    fault f = { 0 };
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(cr_keystore_open(path, bytes_of_str("correct horse"), &got, &dev_only, NULL), OK);
    assert_memory_equal(got.b, secret.b, 64);
    assert_true(dev_only);
    assert_int_equal(cr_keystore_public(path, &key, label, NULL), OK);
    assert_memory_equal(key.b, public_key.b, 32);
    assert_string_equal(label, "laptop");

    memset(got.b, 7, sizeof got.b);
    assert_int_equal(cr_keystore_open(path, bytes_of_str("correct horsf"), &got, &dev_only, &f), ERR_PASSPHRASE);
    assert_string_equal(f.what, "keystore.box");
    assert_int_equal(cr_keystore_open(path, bytes_of_str(""), &got, &dev_only, NULL), ERR_PASSPHRASE);
    for (size_t i = 0; i < sizeof got.b; i++)
        assert_int_equal(got.b[i], 7);
}

static void never_overwrites(void **state)
{
    (void)state;
    cr_secret_key got;
    bool dev_only;
    assert_int_equal(cr_keystore_create(path, "x", bytes_of_str("y"), CR_KEYSTORE_DEV, &secret, NULL), ERR_EXISTS);
    assert_int_equal(cr_keystore_open(path, bytes_of_str("correct horse"), &got, &dev_only, NULL), OK);
    assert_int_equal(cr_keystore_open("/nonexistent/key", bytes_of_str(""), &got, &dev_only, NULL), ERR_NOT_FOUND);
    assert_int_equal(cr_keystore_create("/nonexistent/key", "x", bytes_of_str("y"), CR_KEYSTORE_DEV, &secret, NULL),
                     ERR_NOT_FOUND);
    char label[66];
    memset(label, 'a', 65);
    label[65] = 0;
    assert_int_equal(cr_keystore_create("/nonexistent/key", label, bytes_of_str("y"), CR_KEYSTORE_DEV, &secret, NULL),
                     ERR_LIMIT);
}

static void every_changed_byte_is_refused(void **state)
{
    (void)state;
    const uint8_t masks[] = { 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40, 0x80, 0xff };
    for (size_t i = 0; i < file_len; i++) {
        for (size_t m = 0; m < COUNT_OF(masks); m++) {
            fault f = { 0 };
            file[i] ^= masks[m];
            err e = decode(file_len, "correct horse", &f);
            file[i] ^= masks[m];
            assert_int_not_equal(e, OK);
            assert_int_equal(f.code, e);
            assert_non_null(f.what);
        }
    }
    assert_int_equal(decode(file_len, "correct horse", NULL), OK);
}

static void every_other_length_is_refused(void **state)
{
    (void)state;
    for (size_t len = 0; len < file_len; len++)
        assert_int_equal(decode(len, "correct horse", NULL), ERR_TRUNCATED);
    file[file_len] = 0;
    assert_int_equal(decode(file_len + 1, "correct horse", NULL), ERR_TRAILING);
}

/* A file with other parameters in the clear, as an attacker would write it. */
static err parse_with(uint64_t cost, uint64_t ops, uint64_t mem, const char **what)
{
    uint8_t made[KEYSTORE_FILE_MAX];
    const uint8_t zero[48] = { 0 };
    cbor_writer w = cbor_writer_on(made, sizeof made);
    cbor_put_array(&w, 10);
    cbor_put_text(&w, bytes_of_str("theblock-keystore"));
    cbor_put_uint(&w, 1);
    cbor_put_text(&w, bytes_of_str("laptop"));
    cbor_put_bytes(&w, bytes_of(public_key.b, 32));
    cbor_put_uint(&w, cost);
    cbor_put_uint(&w, ops);
    cbor_put_uint(&w, mem);
    cbor_put_bytes(&w, bytes_of(zero, 16));
    cbor_put_bytes(&w, bytes_of(zero, 24));
    cbor_put_bytes(&w, bytes_of(zero, 48));
    bytes out;
    assert_int_equal(cbor_finish(&w, &out), OK);
    keystore_file k;
    fault f = { 0 };
    err e = keystore_parse(&k, out, &f);
    *what = f.what;
    return e;
}

static void parameters_have_bounds(void **state)
{
    (void)state;
    const uint64_t kib = 1024, mib = 1024 * kib;
    const struct { uint64_t cost, ops, mem; const char *what; } cases[] = {
        { 0, 1, 64 * kib, NULL }, { 1, 2, 64 * mib, NULL }, { 1, 16, 1024 * mib, NULL }, { 2, 3, 256 * mib, NULL },
        { 0, 2, 64 * kib, "keystore.opslimit" }, { 0, 1, 8 * kib, "keystore.memlimit" },
        { 0, 1, 64 * mib, "keystore.memlimit" }, { 1, 1, 64 * mib, "keystore.opslimit" },
        { 1, 2, 64 * mib - 1, "keystore.memlimit" }, { 1, 2, 64 * kib, "keystore.memlimit" },
        { 1, 17, 64 * mib, "keystore.opslimit" }, { 1, 2, 1024 * mib + 1, "keystore.memlimit" },
        { 2, 2, 256 * mib, "keystore.opslimit" }, { 2, 3, 64 * mib, "keystore.memlimit" },
        { 2, UINT64_MAX, 256 * mib, "keystore.opslimit" }, { 3, 3, 256 * mib, "keystore.cost" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        const char *what;
        err e = parse_with(cases[i].cost, cases[i].ops, cases[i].mem, &what);
        assert_int_equal(e, cases[i].what ? ERR_RANGE : OK);
        if (cases[i].what)
            assert_string_equal(what, cases[i].what);
    }
}

/* The strong file is not marked for development, and cannot be passed off as one that is. */
static void interactive_cost_round_trip(void **state)
{
    (void)state;
    char strong[80];
    cr_secret_key got;
    bool dev_only = true;
    snprintf(strong, sizeof strong, "%s/strong", folder);
    assert_int_equal(cr_keystore_create(strong, "", bytes_of_str("p"), CR_KEYSTORE_INTERACTIVE, &secret, NULL), OK);
    assert_int_equal(cr_keystore_open(strong, bytes_of_str("p"), &got, &dev_only, NULL), OK);
    assert_false(dev_only);
    assert_memory_equal(got.b, secret.b, 64);
    assert_int_equal(unlink(strong), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(opens_with_the_passphrase_only),
        cmocka_unit_test(never_overwrites),
        cmocka_unit_test(every_changed_byte_is_refused),
        cmocka_unit_test(every_other_length_is_refused),
        cmocka_unit_test(parameters_have_bounds),
        cmocka_unit_test(interactive_cost_round_trip),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
