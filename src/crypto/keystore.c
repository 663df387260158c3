/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/keystore_int.h"

#include "base/cbor.h"
#include "base/port/file.h"

#include <sodium.h>

_Static_assert(KEYSTORE_SALT == crypto_pwhash_SALTBYTES, "salt size");
_Static_assert(KEYSTORE_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "nonce size");
_Static_assert(KEYSTORE_SEED == crypto_sign_SEEDBYTES, "seed size");
_Static_assert(KEYSTORE_BOX == KEYSTORE_SEED + crypto_aead_xchacha20poly1305_ietf_ABYTES, "box size");

static const char magic[] = "theblock-keystore";

enum { FIELDS = 10 };

/* New files get the minimum. The maximum keeps a hostile file from taking all memory of who opens it. The DEV row is one
 * point: a file that claims it is what this code writes for a development chain, or it is refused. */
static const struct { uint64_t ops_min, ops_max, mem_min, mem_max; } costs[] = {
    [CR_KEYSTORE_DEV]         = { 1, 1, 64u << 10, 64u << 10 },
    [CR_KEYSTORE_INTERACTIVE] = { 2, 16, 64u << 20, 1024u << 20 },
    [CR_KEYSTORE_MODERATE]    = { 3, 16, 256u << 20, 1024u << 20 },
};

static err read_fields(cbor_reader *r, keystore_file *k)
{
    bytes text;
    uint64_t version, cost;
    TRY(cbor_get_array_fixed(r, "keystore", FIELDS));
    TRY(cbor_get_text(r, "keystore.magic", &text, sizeof magic - 1));
    if (!bytes_equal(text, bytes_of_str(magic)))
        return fail(&r->fault, ERR_MAGIC, "keystore.magic", 0);
    TRY(cbor_get_uint(r, "keystore.version", &version));
    if (version != KEYSTORE_VERSION)
        return fail(&r->fault, ERR_VERSION, "keystore.version", r->at);
    TRY(cbor_get_text(r, "keystore.label", &text, sizeof k->label - 1));
    if (text.len != 0 && memchr(text.data, 0, text.len))
        return fail(&r->fault, ERR_SYNTAX, "keystore.label", r->at);
    memcpy(k->label, text.data, text.len);
    k->label[text.len] = 0;
    TRY(cbor_get_bytes_fixed(r, "keystore.public_key", k->public_key.b, sizeof k->public_key.b));
    TRY(cbor_get_uint_max(r, "keystore.cost", &cost, COUNT_OF(costs) - 1));
    k->cost = (cr_keystore_cost)cost;
    TRY(cbor_get_uint_max(r, "keystore.opslimit", &k->opslimit, costs[cost].ops_max));
    if (k->opslimit < costs[cost].ops_min)
        return fail(&r->fault, ERR_RANGE, "keystore.opslimit", r->at);
    TRY(cbor_get_uint_max(r, "keystore.memlimit", &k->memlimit, costs[cost].mem_max));
    if (k->memlimit < costs[cost].mem_min)
        return fail(&r->fault, ERR_RANGE, "keystore.memlimit", r->at);
    TRY(cbor_get_bytes_fixed(r, "keystore.salt", k->salt, sizeof k->salt));
    TRY(cbor_get_bytes_fixed(r, "keystore.nonce", k->nonce, sizeof k->nonce));
    k->clear = bytes_of(r->in.data, r->at);
    TRY(cbor_get_bytes_fixed(r, "keystore.box", k->box, sizeof k->box));
    return cbor_end(r);
}

err keystore_parse(keystore_file *out, bytes file, fault *f)
{
    if (file.len > KEYSTORE_FILE_MAX)
        return fail(f, ERR_LIMIT, "keystore", KEYSTORE_FILE_MAX);
    keystore_file k;
    cbor_reader r = cbor_reader_on(file);
    err e = read_fields(&r, &k);
    if (e != OK)
        return fail(f, e, r.fault.what, r.fault.at);
    *out = k;
    return OK;
}

/* The fields that stand in clear: the array's head and everything before the box. */
static void put_clear(cbor_writer *w, const keystore_file *k)
{
    cbor_put_array(w, FIELDS);
    cbor_put_text(w, bytes_of_str(magic));
    cbor_put_uint(w, KEYSTORE_VERSION);
    cbor_put_text(w, bytes_of_str(k->label));
    cbor_put_bytes(w, bytes_of(k->public_key.b, sizeof k->public_key.b));
    cbor_put_uint(w, k->cost);
    cbor_put_uint(w, k->opslimit);
    cbor_put_uint(w, k->memlimit);
    cbor_put_bytes(w, bytes_of(k->salt, sizeof k->salt));
    cbor_put_bytes(w, bytes_of(k->nonce, sizeof k->nonce));
}

static err derive_key(uint8_t key[32], const keystore_file *k, bytes passphrase, fault *f)
{
    if (sodium_init() < 0)
        return fail(f, ERR_INTERNAL, "keystore: crypto library", 0);
    if (crypto_pwhash(key, 32, passphrase.len ? (const char *)passphrase.data : "", passphrase.len, k->salt, k->opslimit,
                      (size_t)k->memlimit, crypto_pwhash_ALG_ARGON2ID13) != 0)
        return fail(f, ERR_MEMORY, "keystore: key derivation", k->memlimit);
    return OK;
}

static err seal(cbor_writer *w, keystore_file *k, bytes passphrase, const cr_secret_key *secret, bytes *out, fault *f)
{
    uint8_t key[32];
    put_clear(w, k);
    bytes clear;
    err e = cbor_finish(w, &clear);
    if (e != OK)
        return fail(f, e, "keystore.label", 0);
    TRY(derive_key(key, k, passphrase, f));
    CHECK(crypto_aead_xchacha20poly1305_ietf_encrypt(k->box, NULL, secret->b, KEYSTORE_SEED, clear.data, clear.len, NULL,
                                                     k->nonce, key) == 0);
    cr_wipe(key, sizeof key);
    cbor_put_bytes(w, bytes_of(k->box, sizeof k->box));
    return cbor_finish(w, out);
}

err cr_keystore_create(const char *path, const char *label, bytes passphrase, cr_keystore_cost cost,
                       const cr_secret_key *secret, fault *f)
{
    keystore_file k = { .cost = cost };
    CHECK((size_t)cost < COUNT_OF(costs));
    k.opslimit = costs[cost].ops_min;
    k.memlimit = costs[cost].mem_min;
    if (strlen(label) >= sizeof k.label)
        return fail(f, ERR_LIMIT, "keystore.label", sizeof k.label - 1);
    memcpy(k.label, label, strlen(label) + 1);
    memcpy(k.public_key.b, secret->b + KEYSTORE_SEED, sizeof k.public_key.b);
    cr_random(k.salt, sizeof k.salt);
    cr_random(k.nonce, sizeof k.nonce);

    uint8_t file[KEYSTORE_FILE_MAX];
    cbor_writer w = cbor_writer_on(file, sizeof file);
    bytes content;
    TRY(seal(&w, &k, passphrase, secret, &content, f));
    return base_file_write_atomic(path, content, 0600, BASE_FILE_NEW, f);
}

err cr_keystore_decode(bytes file, bytes passphrase, cr_secret_key *secret, bool *dev_only, fault *f)
{
    keystore_file k;
    uint8_t key[32], seed[KEYSTORE_SEED];
    TRY(keystore_parse(&k, file, f));
    TRY(derive_key(key, &k, passphrase, f));
    int refused = crypto_aead_xchacha20poly1305_ietf_decrypt(seed, NULL, NULL, k.box, sizeof k.box, k.clear.data,
                                                             k.clear.len, k.nonce, key);
    cr_wipe(key, sizeof key);
    if (refused)
        return fail(f, ERR_PASSPHRASE, "keystore.box", k.clear.len);
    cr_secret_key got;
    cr_public_key public_key;
    cr_ed25519_keypair(&got, &public_key, seed);
    cr_wipe(seed, sizeof seed);
    bool same = memcmp(public_key.b, k.public_key.b, sizeof public_key.b) == 0;
    if (same) {
        *secret = got;
        *dev_only = k.cost == CR_KEYSTORE_DEV;
    }
    cr_wipe(&got, sizeof got);
    return same ? OK : fail(f, ERR_KEY, "keystore.public_key", 0);
}

err cr_keystore_decode_public(bytes file, cr_public_key *out, char label[65], fault *f)
{
    keystore_file k;
    TRY(keystore_parse(&k, file, f));
    *out = k.public_key;
    memcpy(label, k.label, sizeof k.label);
    return OK;
}

err cr_keystore_open(const char *path, bytes passphrase, cr_secret_key *secret, bool *dev_only, fault *f)
{
    buf b;
    buf_init(&b, KEYSTORE_FILE_MAX);
    err e = base_file_read(&b, path, f);
    if (e == OK)
        e = cr_keystore_decode(buf_bytes(&b), passphrase, secret, dev_only, f);
    buf_deinit(&b);
    return e;
}

err cr_keystore_public(const char *path, cr_public_key *out, char label[65], fault *f)
{
    buf b;
    buf_init(&b, KEYSTORE_FILE_MAX);
    err e = base_file_read(&b, path, f);
    if (e == OK)
        e = cr_keystore_decode_public(buf_bytes(&b), out, label, f);
    buf_deinit(&b);
    return e;
}
