/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/address.h"

#include "crypto/sha256.h"

enum {
    SYMBOLS_HASH = 52,     /* 256 bits in 5-bit symbols, four zero bits of padding at the end */
    SYMBOLS_CHECKSUM = 6,
    SYMBOLS = 1 + SYMBOLS_HASH + SYMBOLS_CHECKSUM,
    PREFIX_MAX = CR_ADDRESS_TEXT_MAX - 1 - 1 - SYMBOLS,
    TEXT_LEN_MAX = 90,     /* BIP-173: a longer string may hide errors from the checksum */
    WITNESS_VERSION_MAX = 16,
};

static const uint32_t CONSTANT_BECH32 = 1;
static const uint32_t CONSTANT_BECH32M = 0x2bc830a3;

static const char charset[] = "qpzry9x8gf2tvdw0s3jn54khce6mua7l";

static uint32_t polymod_step(uint32_t c, uint8_t symbol)
{
    static const uint32_t generator[5] = { 0x3b6a57b2, 0x26508e6d, 0x1ea119fa, 0x3d4233dd, 0x2a1462b3 };
    uint32_t top = c >> 25;
    c = (c & 0x1ffffff) << 5 ^ symbol;
    for (int i = 0; i < 5; i++)
        if (top >> i & 1)
            c ^= generator[i];
    return c;
}

static uint32_t polymod_prefix(const char *prefix, size_t len)
{
    uint32_t c = 1;
    for (size_t i = 0; i < len; i++)
        c = polymod_step(c, (uint8_t)(prefix[i] >> 5 & 7));
    c = polymod_step(c, 0);
    for (size_t i = 0; i < len; i++)
        c = polymod_step(c, (uint8_t)(prefix[i] & 31));
    return c;
}

cr_address cr_address_of_key(const cr_public_key *key)
{
    const bytes parts[] = { bytes_of_str("theblock/account/v1"), bytes_of(key->b, sizeof key->b) };
    hash256 hash = cr_sha256_concat(parts, COUNT_OF(parts));
    cr_address out = { .kind = CR_ADDRESS_ACCOUNT };
    memcpy(out.hash, hash.b, sizeof out.hash);
    return out;
}

cr_address cr_address_of_chain(const char *name)
{
    const bytes parts[] = { bytes_of_str("theblock/chain/v1"), bytes_of_str(name) };
    hash256 hash = cr_sha256_concat(parts, COUNT_OF(parts));
    cr_address out = { .kind = CR_ADDRESS_CHAIN };
    memcpy(out.hash, hash.b, sizeof out.hash);
    return out;
}

static void symbols_of_hash(uint8_t out[SYMBOLS_HASH], const uint8_t hash[32])
{
    for (size_t i = 0; i < SYMBOLS_HASH; i++) {
        size_t bit = 5 * i;
        uint32_t pair = (uint32_t)hash[bit / 8] << 8 | (bit / 8 + 1 < 32 ? hash[bit / 8 + 1] : 0u);
        out[i] = (uint8_t)(pair >> (11 - bit % 8) & 31);
    }
}

/* False if the padding is not zero: two texts must not name one address. */
static bool hash_of_symbols(uint8_t hash[32], const uint8_t symbols[SYMBOLS_HASH])
{
    uint32_t acc = 0;
    unsigned bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < SYMBOLS_HASH; i++) {
        acc = acc << 5 | symbols[i];
        bits += 5;
        if (bits >= 8) {
            bits -= 8;
            hash[n++] = (uint8_t)(acc >> bits);
            acc &= (1u << bits) - 1;
        }
    }
    return acc == 0;
}

void cr_address_encode(char out[CR_ADDRESS_TEXT_MAX], const char *prefix, const cr_address *address)
{
    size_t len = strlen(prefix);
    CHECK(len >= 1 && len <= PREFIX_MAX);
    CHECK(address->kind > WITNESS_VERSION_MAX && address->kind < 32);
    uint8_t symbols[SYMBOLS] = { address->kind };
    symbols_of_hash(symbols + 1, address->hash);

    uint32_t c = polymod_prefix(prefix, len);
    for (size_t i = 0; i < SYMBOLS; i++)
        c = polymod_step(c, symbols[i]); /* the last six are zero here */
    c ^= CONSTANT_BECH32M;
    for (size_t i = 0; i < SYMBOLS_CHECKSUM; i++)
        symbols[1 + SYMBOLS_HASH + i] = (uint8_t)(c >> (5 * (5 - i)) & 31);

    memcpy(out, prefix, len);
    out[len] = '1';
    for (size_t i = 0; i < SYMBOLS; i++)
        out[len + 1 + i] = charset[symbols[i]];
    out[len + 1 + SYMBOLS] = 0;
}

/* A bech32 string of any kind, taken apart. Characters are lower-cased. */
typedef struct parts {
    char    text[TEXT_LEN_MAX + 1];
    uint8_t symbols[TEXT_LEN_MAX];
    size_t  prefix_len;
    size_t  symbol_count;
    uint32_t checksum; /* CONSTANT_BECH32 or CONSTANT_BECH32M if it is right */
} parts;

static err take_apart(parts *p, const char *text, fault *f)
{
    size_t len = strnlen(text, TEXT_LEN_MAX + 1);
    if (len > TEXT_LEN_MAX)
        return fail(f, ERR_ADDRESS, "address: too long", TEXT_LEN_MAX);
    bool lower = false, upper = false;
    size_t one = len;
    for (size_t i = 0; i < len; i++) {
        char c = text[i];
        if (c < 33 || c > 126)
            return fail(f, ERR_ADDRESS, "address: not a printable character", i);
        lower |= c >= 'a' && c <= 'z';
        upper |= c >= 'A' && c <= 'Z';
        if (lower && upper)
            return fail(f, ERR_ADDRESS, "address: mixed case", i);
        p->text[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
        if (c == '1')
            one = i;
    }
    p->text[len] = 0;
    if (one == len || one == 0)
        return fail(f, ERR_ADDRESS, "address: no prefix", 0);
    if (len - one - 1 < SYMBOLS_CHECKSUM)
        return fail(f, ERR_ADDRESS, "address: too short", len);
    p->prefix_len = one;
    p->symbol_count = len - one - 1;
    p->checksum = polymod_prefix(p->text, one);
    for (size_t i = 0; i < p->symbol_count; i++) {
        const char *at = strchr(charset, p->text[one + 1 + i]);
        if (!at)
            return fail(f, ERR_ADDRESS, "address: character outside the alphabet", one + 1 + i);
        p->symbols[i] = (uint8_t)(at - charset);
        p->checksum = polymod_step(p->checksum, p->symbols[i]);
    }
    return OK;
}

static bool prefix_is(const parts *p, const char *prefix)
{
    return strlen(prefix) == p->prefix_len && memcmp(prefix, p->text, p->prefix_len) == 0;
}

static bool is_segwit(const parts *p)
{
    return (prefix_is(p, "tb") || prefix_is(p, "bc") || prefix_is(p, "bcrt")) &&
           p->symbol_count > SYMBOLS_CHECKSUM && p->symbols[0] <= WITNESS_VERSION_MAX &&
           (p->checksum == CONSTANT_BECH32 || p->checksum == CONSTANT_BECH32M);
}

err cr_address_decode(cr_address *out, const char *prefix, const char *text, fault *f)
{
    parts p;
    TRY(take_apart(&p, text, f));
    if (is_segwit(&p))
        return fail(f, ERR_ADDRESS, "address: a Bitcoin segwit address", 0);
    if (!prefix_is(&p, prefix))
        return fail(f, ERR_ADDRESS, "address: prefix of another network", 0);
    if (p.symbol_count != SYMBOLS)
        return fail(f, ERR_ADDRESS, "address: length", p.prefix_len + 1 + p.symbol_count);
    if (p.checksum != CONSTANT_BECH32M)
        return fail(f, ERR_ADDRESS, "address: checksum", p.prefix_len + 1 + p.symbol_count - SYMBOLS_CHECKSUM);
    uint8_t kind = p.symbols[0];
    if (kind != CR_ADDRESS_ACCOUNT && kind != CR_ADDRESS_MULTISIG && kind != CR_ADDRESS_CHAIN)
        return fail(f, ERR_ADDRESS, "address: unknown kind", p.prefix_len + 1);
    cr_address got = { .kind = kind };
    if (!hash_of_symbols(got.hash, p.symbols + 1))
        return fail(f, ERR_ADDRESS, "address: padding", p.prefix_len + 1 + SYMBOLS_HASH);
    *out = got;
    return OK;
}
