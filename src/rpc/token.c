/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "rpc/token.h"

#include "base/port/file.h"
#include "crypto/blake3.h"
#include "crypto/ed25519.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

static const char token_prefix[] = "tbt1_";

const char *rpc_scope_name(rpc_scope scope)
{
    static const char *const names[] = { "none", "read", "operate", "spend" };
    return names[scope];
}

rpc_token_hash rpc_token_hash_of(const char *token, rpc_scope scope)
{
    return (rpc_token_hash){ cr_blake3_hash_in("theblock 2026 rpc token v1", bytes_of_str(token)), scope };
}

static err check_private(int fd, fault *f)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail(f, ERR_IO, "token file: stat", (uint64_t)errno);
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid())
        return fail(f, ERR_PERMISSION, "token file: not a regular file of this user", st.st_uid);
    if (st.st_mode & 077)
        return fail(f, ERR_PERMISSION, "token file: others may use it (chmod 600)", st.st_mode & 0777);
    return OK;
}

err rpc_token_load(char out[RPC_TOKEN_TEXT], const char *path, fault *f)
{
    char text[2 * RPC_TOKEN_TEXT]; /* more than a token, so that a longer file is seen */
    uint8_t secret[32];
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (fd < 0)
        return fail(f, base_errno_err(errno), "token file: open", (uint64_t)errno);
    err e = check_private(fd, f);
    ssize_t n = e == OK ? read(fd, text, sizeof text) : 0;
    close(fd);
    TRY(e);
    if (n == RPC_TOKEN_TEXT && text[RPC_TOKEN_TEXT - 1] == '\n')
        n--;
    if (n != RPC_TOKEN_TEXT - 1 || memcmp(text, token_prefix, 5) != 0)
        return fail(f, ERR_SYNTAX, "token file", 0);
    text[n] = 0;
    e = base_hex_decode(secret, sizeof secret, text + 5);
    cr_wipe(secret, sizeof secret);
    if (e != OK)
        return fail(f, ERR_SYNTAX, "token file", 5);
    memcpy(out, text, RPC_TOKEN_TEXT);
    cr_wipe(text, sizeof text);
    return OK;
}

err rpc_token_ensure(char out[RPC_TOKEN_TEXT], const char *path, fault *f)
{
    fault local;
    err e = rpc_token_load(out, path, &local);
    if (e != ERR_NOT_FOUND)
        return e == OK ? OK : fail(f, e, local.what, local.at);
    uint8_t secret[32];
    char line[RPC_TOKEN_TEXT + 1];
    cr_random(secret, sizeof secret);
    memcpy(line, token_prefix, 5);
    base_hex_encode(line + 5, secret, sizeof secret);
    cr_wipe(secret, sizeof secret);
    line[RPC_TOKEN_TEXT - 1] = '\n';
    e = base_file_write_atomic(path, bytes_of(line, RPC_TOKEN_TEXT), 0600, BASE_FILE_NEW, f);
    cr_wipe(line, sizeof line);
    if (e != OK && e != ERR_EXISTS)
        return e;
    return rpc_token_load(out, path, f); /* ERR_EXISTS: another process was first, and its token counts */
}

rpc_scope rpc_token_scope(const rpc_token_hash *tokens, size_t count, const char *token)
{
    rpc_token_hash given = rpc_token_hash_of(token, RPC_SCOPE_NONE);
    rpc_scope best = RPC_SCOPE_NONE;
    for (size_t i = 0; i < count; i++) {
        uint32_t differ = 0;
        for (size_t k = 0; k < sizeof given.hash.b; k++)
            differ |= (uint32_t)(tokens[i].hash.b[k] ^ given.hash.b[k]);
        uint32_t equal = (differ - 1) >> 31; /* differ < 2^31, so the sign bit says zero; no branch on a secret */
        uint32_t scope = equal * (uint32_t)tokens[i].scope;
        best = scope > best ? (rpc_scope)scope : best;
    }
    return best;
}
