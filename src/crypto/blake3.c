/* SPDX-License-Identifier: Apache-2.0 */
#include "crypto/blake3.h"

#include <blake3_impl.h>

_Static_assert(sizeof(blake3_hasher) <= sizeof(cr_blake3), "cr_blake3 is too small for the library's state");
_Static_assert(_Alignof(blake3_hasher) <= _Alignof(cr_blake3), "cr_blake3 is not aligned enough");

static blake3_hasher *inside(cr_blake3 *h)
{
    return (blake3_hasher *)(void *)h->opaque;
}

void cr_blake3_init(cr_blake3 *h)
{
    blake3_hasher_init(inside(h));
}

void cr_blake3_init_keyed(cr_blake3 *h, const uint8_t key[32])
{
    blake3_hasher_init_keyed(inside(h), key);
}

void cr_blake3_init_derive(cr_blake3 *h, const char *context)
{
    blake3_hasher_init_derive_key(inside(h), context);
}

void cr_blake3_reset(cr_blake3 *h)
{
    blake3_hasher_reset(inside(h));
}

void cr_blake3_update(cr_blake3 *h, bytes in)
{
    if (in.len != 0)
        blake3_hasher_update(inside(h), in.data, in.len);
}

hash256 cr_blake3_final(const cr_blake3 *h)
{
    hash256 out;
    cr_blake3_final_xof(h, 0, out.b, sizeof out.b);
    return out;
}

void cr_blake3_final_xof(const cr_blake3 *h, uint64_t at, uint8_t *out, size_t len)
{
    blake3_hasher_finalize_seek((const blake3_hasher *)(const void *)h->opaque, at, out, len);
}

hash256 cr_blake3_hash(bytes in)
{
    cr_blake3 h;
    cr_blake3_init(&h);
    cr_blake3_update(&h, in);
    return cr_blake3_final(&h);
}

hash256 cr_blake3_hash_in(const char *context, bytes in)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, context);
    cr_blake3_update(&h, in);
    return cr_blake3_final(&h);
}

void cr_blake3_chunk(uint8_t out[64], const uint32_t key[8], const uint8_t *in, size_t len)
{
    uint32_t cv[8];
    uint8_t  block[BLAKE3_BLOCK_LEN] = { 0 }, start = CHUNK_START;
    CHECK(len <= CR_BLAKE3_CHUNK_BYTES);
    memcpy(cv, key, sizeof cv);
    for (; len > BLAKE3_BLOCK_LEN; in += BLAKE3_BLOCK_LEN, len -= BLAKE3_BLOCK_LEN, start = 0)
        blake3_compress_in_place(cv, in, BLAKE3_BLOCK_LEN, 0, DERIVE_KEY_MATERIAL | start);
    if (len != 0)
        memcpy(block, in, len);
    blake3_compress_xof(cv, block, (uint8_t)len, 0, DERIVE_KEY_MATERIAL | start | CHUNK_END | ROOT, out);
}

/* ---- many messages ---- */

enum { LANES = 16, CHUNKS = CR_BLAKE3_MANY_BYTES / BLAKE3_CHUNK_LEN };

/* The chaining values cv[chunk][message], combined from the left as the tree of at most three chunks says. */
static void combine(const blake3_hasher *h, hash256 *out, hash256 cv[CHUNKS][LANES], size_t chunks, size_t n)
{
    uint8_t        pair[LANES][2][BLAKE3_OUT_LEN];
    const uint8_t *in[LANES];
    for (size_t c = 1; c < chunks; c++) {
        for (size_t i = 0; i < n; i++) {
            in[i] = pair[i][0];
            memcpy(pair[i][0], cv[0][i].b, sizeof pair[i][0]);
            memcpy(pair[i][1], cv[c][i].b, sizeof pair[i][1]);
        }
        uint8_t root = c + 1 == chunks ? ROOT : 0;
        blake3_hash_many(in, n, 1, h->key, 0, false, h->chunk.flags | PARENT | root, 0, 0, root ? out->b : cv[0]->b);
    }
}

static void hash_some(const blake3_hasher *h, hash256 *out, const uint8_t *messages, size_t len, size_t n)
{
    hash256 cv[CHUNKS][LANES];
    size_t  chunks = (len + BLAKE3_CHUNK_LEN - 1) / BLAKE3_CHUNK_LEN;
    for (size_t c = 0; c < chunks; c++) {
        const uint8_t *in[LANES];
        size_t         at = c * BLAKE3_CHUNK_LEN, part = len - at < BLAKE3_CHUNK_LEN ? len - at : BLAKE3_CHUNK_LEN;
        for (size_t i = 0; i < n; i++)
            in[i] = messages + i * len + at;
        uint8_t end = CHUNK_END | (chunks == 1 ? ROOT : 0);
        blake3_hash_many(in, n, part / BLAKE3_BLOCK_LEN, h->key, c, false, h->chunk.flags, CHUNK_START, end, chunks == 1 ? out->b : cv[c]->b);
    }
    combine(h, out, cv, chunks, n);
}

void cr_blake3_many(const cr_blake3 *start, hash256 *out, const uint8_t *messages, size_t len, size_t n)
{
    CHECK(len != 0 && len <= CR_BLAKE3_MANY_BYTES && len % BLAKE3_BLOCK_LEN == 0);
    const blake3_hasher *h = (const blake3_hasher *)(const void *)start->opaque;
    for (size_t i = 0; i < n; i += LANES)
        hash_some(h, out + i, messages + i * len, len, n - i < LANES ? n - i : LANES);
}
