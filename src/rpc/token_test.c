/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/token.h"

#include "base/port/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[] = "/tmp/tb-token-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return -1;
    snprintf(path, sizeof path, "%s/token", folder);
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(folder);
}

static void made_once_and_private(void **state)
{
    (void)state;
    char first[RPC_TOKEN_TEXT], second[RPC_TOKEN_TEXT];
    fault f;
    struct stat st;
    assert_int_equal(rpc_token_load(first, path, &f), ERR_NOT_FOUND);
    assert_int_equal(rpc_token_ensure(first, path, &f), OK);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(rpc_token_ensure(second, path, &f), OK);
    assert_string_equal(first, second);
    assert_int_equal(rpc_token_load(second, path, &f), OK);
    assert_string_equal(first, second);
    assert_int_equal(strlen(first), RPC_TOKEN_TEXT - 1);

    chmod(path, 0640);
    assert_int_equal(rpc_token_load(second, path, &f), ERR_PERMISSION);
    assert_int_equal(rpc_token_ensure(second, path, &f), ERR_PERMISSION);
    static const char *const bad[] = { "", "tbt1_", "tbt1_zz", "nothing like a token", "tbt1_00000000000000000000000000000000000000000000000000000000000000000" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        assert_int_equal(base_file_write_atomic(path, bytes_of_str(bad[i]), 0600, BASE_FILE_REPLACE, &f), OK);
        assert_int_equal(rpc_token_load(second, path, &f), ERR_SYNTAX);
    }
}

static void scopes(void **state)
{
    (void)state;
    const rpc_token_hash tokens[] = {
        rpc_token_hash_of("alpha", RPC_SCOPE_READ), rpc_token_hash_of("beta", RPC_SCOPE_SPEND), rpc_token_hash_of("gamma", RPC_SCOPE_OPERATE),
        rpc_token_hash_of("alpha", RPC_SCOPE_OPERATE),
    };
    assert_int_equal(rpc_token_scope(tokens, 4, "alpha"), RPC_SCOPE_OPERATE);
    assert_int_equal(rpc_token_scope(tokens, 1, "alpha"), RPC_SCOPE_READ);
    assert_int_equal(rpc_token_scope(tokens, 4, "beta"), RPC_SCOPE_SPEND);
    assert_int_equal(rpc_token_scope(tokens, 4, "gamma"), RPC_SCOPE_OPERATE);
    assert_int_equal(rpc_token_scope(tokens, 4, "alph"), RPC_SCOPE_NONE);
    assert_int_equal(rpc_token_scope(tokens, 4, ""), RPC_SCOPE_NONE);
    assert_int_equal(rpc_token_scope(NULL, 0, "alpha"), RPC_SCOPE_NONE);
    /* Every single bit counts. */
    rpc_token_hash t = rpc_token_hash_of("alpha", RPC_SCOPE_READ);
    for (size_t bit = 0; bit < 256; bit++) {
        rpc_token_hash other = t;
        other.hash.b[bit / 8] ^= (uint8_t)(1 << bit % 8);
        assert_int_equal(rpc_token_scope(&other, 1, "alpha"), RPC_SCOPE_NONE);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(made_once_and_private), cmocka_unit_test(scopes) };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
