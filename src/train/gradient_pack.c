/* SPDX-License-Identifier: Apache-2.0
 *
 * The packing of a chunk: blocks of 256 elements, each one byte of width and then the elements as zigzag numbers of that many
 * bits, least significant bit first. The width is the smallest that holds the block's largest number, so that one chunk has
 * one encoding. Gradients are symmetric around zero and rows of unused tokens are zero: this is within a bit or two of
 * their entropy. */
#include "base/int.h"
#include "train/gradient.h"

static uint64_t zigzag(int64_t v)
{
    return ((uint64_t)v << 1) ^ (v < 0 ? UINT64_MAX : 0);
}

static int64_t unzigzag(uint64_t u)
{
    return (int64_t)((u >> 1) ^ (0 - (u & 1)));
}

static size_t packed_bytes(size_t count, unsigned width)
{
    return (count * width + 7) / 8;
}

static void pack_block(uint8_t *out, const int64_t *values, size_t count, unsigned width)
{
    uint64_t pending = 0;
    unsigned bits = 0; /* of them */
    for (size_t i = 0; i < count; i++) {
        uint64_t u = zigzag(values[i]);
        pending |= u << bits;
        bits += width;
        if (bits >= 64) {
            store_le64(out, pending);
            out += 8;
            bits -= 64;
            pending = bits ? u >> (width - bits) : 0;
        }
    }
    for (; bits > 0; bits -= bits < 8 ? bits : 8, pending >>= 8)
        *out++ = (uint8_t)pending;
}

size_t tr_chunk_pack(uint8_t out[TR_CHUNK_PACKED_MAX], const int64_t *values, size_t count)
{
    CHECK(count <= TR_CHUNK_ELEMENTS);
    uint8_t *p = out;
    for (size_t at = 0; at < count; at += TR_BLOCK_ELEMENTS) {
        size_t n = count - at < TR_BLOCK_ELEMENTS ? count - at : TR_BLOCK_ELEMENTS;
        uint64_t all = 0;
        for (size_t i = 0; i < n; i++)
            all |= zigzag(values[at + i]);
        unsigned width = bit_length_u64(all);
        *p++ = (uint8_t)width;
        pack_block(p, values + at, n, width);
        p += packed_bytes(n, width);
    }
    return (size_t)(p - out);
}

/* `width` <= 64 bits from bit `at` of `in`, of which `len` bytes may be read. */
static inline uint64_t bits_at(const uint8_t *in, size_t len, size_t at, unsigned width)
{
    size_t   byte = at / 8, left = len - byte < 9 ? len - byte : 9;
    unsigned shift = at % 8;
    uint64_t low = 0, high = 0;
    if (left >= 8)
        low = load_le64(in + byte);
    else
        for (size_t i = 0; i < left; i++)
            low |= (uint64_t)in[byte + i] << 8 * i;
    if (shift + width > 64)
        high = (uint64_t)in[byte + 8] << (64 - shift);
    uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    return (low >> shift | high) & mask;
}

/* `in` holds packed_bytes(count, width) bytes. */
static err unpack_block(int64_t *values, size_t count, unsigned width, const uint8_t *in)
{
    size_t   len = packed_bytes(count, width);
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        uint64_t u = width == 0 ? 0 : bits_at(in, len, i * width, width);
        all |= u;
        values[i] = unzigzag(u);
    }
    /* A smaller width would have done, or bits behind the last element are set: not what the writer writes. */
    unsigned spare = (unsigned)(8 * len - count * width);
    bool     clean = spare == 0 || in[len - 1] >> (8 - spare) == 0;
    return bit_length_u64(all) != width || !clean ? ERR_CANONICAL : OK;
}

err tr_chunk_unpack(int64_t *values, size_t count, bytes packed)
{
    size_t p = 0;
    for (size_t at = 0; at < count; at += TR_BLOCK_ELEMENTS) {
        size_t n = count - at < TR_BLOCK_ELEMENTS ? count - at : TR_BLOCK_ELEMENTS;
        if (p == packed.len)
            return ERR_TRUNCATED;
        unsigned width = packed.data[p++];
        if (width > 64)
            return ERR_CANONICAL;
        if (packed.len - p < packed_bytes(n, width))
            return ERR_TRUNCATED;
        TRY(unpack_block(values + at, n, width, packed.data + p));
        p += packed_bytes(n, width);
    }
    return p == packed.len ? OK : ERR_TRAILING;
}
