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
    u128 pending = 0;
    unsigned bits = 0;
    for (size_t i = 0; i < count; i++) {
        pending |= (u128)zigzag(values[i]) << bits;
        for (bits += width; bits >= 8; bits -= 8, pending >>= 8)
            *out++ = (uint8_t)pending;
    }
    if (bits)
        *out = (uint8_t)pending;
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

/* `in` holds packed_bytes(count, width) bytes. */
static err unpack_block(int64_t *values, size_t count, unsigned width, const uint8_t *in)
{
    const uint64_t mask = width == 64 ? UINT64_MAX : ((uint64_t)1 << width) - 1;
    u128 pending = 0;
    unsigned bits = 0;
    uint64_t all = 0;
    for (size_t i = 0; i < count; i++) {
        for (; bits < width; bits += 8)
            pending |= (u128)*in++ << bits;
        uint64_t u = (uint64_t)pending & mask;
        pending >>= width;
        bits -= width;
        all |= u;
        values[i] = unzigzag(u);
    }
    /* A smaller width would have done, or bits behind the last element are set: not what the writer writes. */
    return bit_length_u64(all) != width || pending != 0 ? ERR_CANONICAL : OK;
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
