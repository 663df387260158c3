/* SPDX-License-Identifier: Apache-2.0
 *
 * Keys by name: files, development keys, addresses. The passphrases themselves are tests/cli/wallet.sh's. */
#define _GNU_SOURCE
#include "apps/wallet.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static tb_home home;

static int set_up(void **state)
{
    (void)state;
    char dir[] = "/tmp/tb-wallet-XXXXXX";
    CHECK(mkdtemp(dir));
    return tb_home_at(&home, dir, NULL) != OK || tb_home_make(&home, NULL) != OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path);
}

static int tear_down(void **state)
{
    (void)state;
    return nftw(home.dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

static chain_name name_of(const char *text)
{
    chain_name out;
    assert_int_equal(chain_name_set(&out, bytes_of_str(text)), OK);
    return out;
}

static void names(void **state)
{
    (void)state;
    static const char *const good[] = { "a", "worker-1", "x_y", "0", "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxyz" };
    static const char *const bad[] = { "", "-a", "A", "a/b", "..", "a.b", "a b", "\xc3\xa4", "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxyz0" };
    for (size_t i = 0; i < COUNT_OF(good); i++)
        assert_int_equal(tb_wallet_name_check(good[i], NULL), OK);
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_int_equal(tb_wallet_name_check(bad[i], NULL), ERR_USAGE);
}

static void development_keys(void **state)
{
    (void)state;
    tb_wallet_key made, opened;
    cr_secret_key secret;
    fault f = { 0 };
    chain_name dev = name_of("local-dev"), main_net = name_of("main"), looks_like = name_of("main-dev2");
    assert_int_equal(tb_wallet_create(&made, &home, "dev", bytes_of("", 0), CR_KEYSTORE_DEV, NULL), OK);
    assert_true(made.dev_only);
    assert_int_equal(tb_wallet_open(&secret, &opened, &home, "dev", bytes_of("", 0), &dev, NULL), OK);
    assert_memory_equal(&opened.key, &made.key, sizeof made.key);
    assert_int_equal(tb_wallet_open(&secret, &opened, &home, "dev", bytes_of("", 0), &main_net, &f), ERR_PERMISSION);
    static const cr_secret_key none;
    assert_memory_equal(&secret, &none, sizeof secret); /* wiped */
    assert_int_equal(tb_wallet_open(&secret, &opened, &home, "dev", bytes_of("", 0), &looks_like, NULL), ERR_PERMISSION);
    assert_int_equal(tb_wallet_open(&secret, &opened, &home, "dev", bytes_of_str("x"), &dev, NULL), ERR_PASSPHRASE);
    assert_int_equal(tb_wallet_create(&made, &home, "dev", bytes_of("", 0), CR_KEYSTORE_DEV, NULL), ERR_EXISTS);
}

static void addresses(void **state)
{
    (void)state;
    tb_wallet_key key;
    cr_address got;
    char text[CR_ADDRESS_TEXT_MAX];
    assert_int_equal(tb_wallet_create(&key, &home, "payee", bytes_of("", 0), CR_KEYSTORE_DEV, NULL), OK);
    assert_int_equal(tb_wallet_address(&got, &home, "tb", "payee", NULL), OK);
    assert_true(cr_address_equal(&got, &key.address));
    cr_address_encode(text, "tb", &key.address);
    assert_int_equal(tb_wallet_address(&got, &home, "tb", text, NULL), OK);
    assert_true(cr_address_equal(&got, &key.address));
    text[10] = text[10] == 'q' ? 'p' : 'q';
    assert_int_equal(tb_wallet_address(&got, &home, "tb", text, NULL), ERR_ADDRESS);
    assert_int_equal(tb_wallet_address(&got, &home, "tb", "nobody", NULL), ERR_ADDRESS);
}

static void lists(void **state)
{
    (void)state;
    tb_wallet_key key, *keys;
    size_t count, damaged;
    assert_int_equal(tb_wallet_create(&key, &home, "aaa", bytes_of("", 0), CR_KEYSTORE_DEV, NULL), OK);
    assert_int_equal(tb_wallet_list(&keys, &count, &damaged, &home, NULL), OK);
    assert_true(count == 3 && damaged == 0);
    assert_string_equal(keys[0].name, "aaa");
    assert_string_equal(keys[2].name, "payee");
    free(keys);
    assert_int_equal(tb_wallet_find(&key, &home, "zzz", NULL), ERR_NOT_FOUND);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(names), cmocka_unit_test(development_keys), cmocka_unit_test(addresses),
                                        cmocka_unit_test(lists) };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
