/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/wallet.h"

#include "base/port/file.h"
#include "chain/genesis.h"

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

enum { KEY_FILE_MAX = 4096, KEYS_MAX = 4096 };

err tb_wallet_name_check(const char *name, fault *f)
{
    size_t n = 0;
    for (; name[n]; n++) {
        char c = name[n];
        bool fine = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_' || (c == '-' && n > 0);
        if (!fine || n == 64)
            return fail(f, ERR_USAGE, "key name: up to 64 of a-z 0-9 - _", n);
    }
    return n ? OK : fail(f, ERR_USAGE, "key name: empty", 0);
}

static err key_path(char out[TB_PATH_MAX], const tb_home *home, const char *name, fault *f)
{
    char file[96];
    TRY(tb_wallet_name_check(name, f));
    snprintf(file, sizeof file, "keys/%s.key", name);
    return tb_home_path(out, home, file, f);
}

/* Field 4 of the file, in clear: whether the cheap cost protects it. */
static bool says_dev(bytes file)
{
    cbor_reader r = cbor_reader_on(file);
    bytes skipped;
    uint64_t version, cost;
    uint8_t key[32];
    return cbor_get_array_fixed(&r, "keystore", 10) == OK && cbor_get_text(&r, "magic", &skipped, 64) == OK &&
           cbor_get_uint(&r, "version", &version) == OK && cbor_get_text(&r, "label", &skipped, 64) == OK &&
           cbor_get_bytes_fixed(&r, "public_key", key, sizeof key) == OK && cbor_get_uint(&r, "cost", &cost) == OK &&
           cost == CR_KEYSTORE_DEV;
}

static err read_public(tb_wallet_key *out, bytes file, const char *name, fault *f)
{
    char label[65];
    *out = (tb_wallet_key){ 0 };
    TRY(cr_keystore_decode_public(file, &out->key, label, f));
    snprintf(out->name, sizeof out->name, "%s", name);
    out->address = cr_address_of_key(&out->key);
    out->dev_only = says_dev(file);
    return OK;
}

static err read_key_file(buf *file, const tb_home *home, const char *name, fault *f)
{
    char path[TB_PATH_MAX];
    TRY(key_path(path, home, name, f));
    err e = base_file_read(file, path, f);
    return e == ERR_NOT_FOUND ? fail(f, e, "key: no such name here", 0) : e;
}

err tb_wallet_create(tb_wallet_key *out, const tb_home *home, const char *name, bytes passphrase, cr_keystore_cost cost, fault *f)
{
    char path[TB_PATH_MAX];
    uint8_t seed[32];
    cr_secret_key secret;
    *out = (tb_wallet_key){ .dev_only = cost == CR_KEYSTORE_DEV };
    TRY(key_path(path, home, name, f));
    TRY(cr_ed25519_self_test());
    cr_random(seed, sizeof seed);
    cr_ed25519_keypair(&secret, &out->key, seed);
    cr_wipe(seed, sizeof seed);
    err e = cr_keystore_create(path, name, passphrase, cost, &secret, f);
    cr_wipe(&secret, sizeof secret);
    snprintf(out->name, sizeof out->name, "%s", name);
    out->address = cr_address_of_key(&out->key);
    return e;
}

err tb_wallet_find(tb_wallet_key *out, const tb_home *home, const char *name, fault *f)
{
    buf file;
    buf_init(&file, KEY_FILE_MAX);
    err e = read_key_file(&file, home, name, f);
    if (e == OK)
        e = read_public(out, buf_bytes(&file), name, f);
    buf_deinit(&file);
    return e;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tb_wallet_key *)a)->name, ((const tb_wallet_key *)b)->name);
}

err tb_wallet_list(tb_wallet_key **out, size_t *count, size_t *damaged, const tb_home *home, fault *f)
{
    char path[TB_PATH_MAX];
    err e = OK;
    *out = NULL;
    *count = *damaged = 0;
    TRY(tb_home_path(path, home, "keys", f));
    DIR *dir = opendir(path);
    for (struct dirent *entry; e == OK && dir && (entry = readdir(dir)) != NULL;) {
        size_t len = strlen(entry->d_name);
        char name[65];
        if (len < 5 || len > 68 || strcmp(entry->d_name + len - 4, ".key") != 0)
            continue;
        memcpy(name, entry->d_name, len - 4);
        name[len - 4] = 0;
        tb_wallet_key key, *more;
        if (tb_wallet_find(&key, home, name, NULL) != OK) {
            ++*damaged;
        } else if (*count == KEYS_MAX) {
            e = fail(f, ERR_LIMIT, "keys", KEYS_MAX);
        } else if (!(more = realloc(*out, (*count + 1) * sizeof **out))) {
            e = fail(f, ERR_MEMORY, "keys", *count);
        } else {
            *out = more;
            more[(*count)++] = key;
        }
    }
    if (dir)
        closedir(dir);
    if (e != OK) {
        free(*out);
        *out = NULL;
        *count = 0;
    }
    if (*count)
        qsort(*out, *count, sizeof **out, by_name);
    return e;
}

static err open_file(cr_secret_key *secret, tb_wallet_key *key, bytes file, const char *name, bytes passphrase,
                     const chain_name *chain_id, fault *f)
{
    TRY(read_public(key, file, name, f));
    TRY(cr_keystore_decode(file, passphrase, secret, &key->dev_only, f));
    if (key->dev_only && chain_id && !chain_id_is_dev(chain_id)) {
        cr_wipe(secret, sizeof *secret);
        return fail(f, ERR_PERMISSION, "a development key signs only for chains that end in -dev", 0);
    }
    return OK;
}

err tb_wallet_open(cr_secret_key *secret, tb_wallet_key *key, const tb_home *home, const char *name, bytes passphrase,
                   const chain_name *chain_id, fault *f)
{
    buf file;
    buf_init(&file, KEY_FILE_MAX);
    err e = cr_ed25519_self_test();
    if (e == OK)
        e = read_key_file(&file, home, name, f);
    if (e == OK)
        e = open_file(secret, key, buf_bytes(&file), name, passphrase, chain_id, f);
    buf_deinit(&file);
    return e;
}

err tb_wallet_unlock(cr_secret_key *secret, tb_wallet_key *key, const tb_cli *cli, const tb_home *home, const char *name,
                     const chain_name *chain_id, fault *f)
{
    TRY(tb_wallet_find(key, home, name, f));
    if (key->dev_only && !tb_given(cli, "passphrase-fd")) {
        err e = tb_wallet_open(secret, key, home, name, bytes_of("", 0), chain_id, f);
        if (e != ERR_PASSPHRASE)
            return e;
    }
    tb_secret passphrase = { 0 };
    err e = tb_secret_get(&passphrase, cli, name, false, f);
    if (e == OK)
        e = tb_wallet_open(secret, key, home, name, tb_secret_bytes(&passphrase), chain_id, f);
    tb_secret_wipe(&passphrase);
    return e;
}

err tb_wallet_address(cr_address *out, const tb_home *home, const char *prefix, const char *text, fault *f)
{
    if (tb_wallet_name_check(text, NULL) == OK) {
        tb_wallet_key key;
        if (tb_wallet_find(&key, home, text, NULL) == OK) {
            *out = key.address;
            return OK;
        }
    }
    return cr_address_decode(out, prefix, text, f);
}
