/* SPDX-License-Identifier: Apache-2.0
 *
 * Byte views and little-endian access. A `bytes` borrows; it never owns. */
#ifndef BASE_BYTES_H
#define BASE_BYTES_H

#include "base/err.h"

#include <string.h>

typedef struct bytes {
    const uint8_t *data;
    size_t         len;
} bytes;

typedef struct hash256 {
    uint8_t b[32];
} hash256;

#define BYTES_OF(object) ((bytes){ (const uint8_t *)&(object), sizeof(object) })

static inline bytes bytes_of(const void *data, size_t len)
{
    return (bytes){ (const uint8_t *)data, len };
}

static inline bytes bytes_of_str(const char *text)
{
    return (bytes){ (const uint8_t *)text, strlen(text) };
}

static inline bool bytes_equal(bytes a, bytes b)
{
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

static inline bool hash256_equal(const hash256 *a, const hash256 *b)
{
    return memcmp(a->b, b->b, sizeof a->b) == 0;
}

static inline uint16_t load_le16(const uint8_t *p)
{
    return (uint16_t)(p[0] | (uint16_t)p[1] << 8);
}

static inline uint32_t load_le32(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static inline uint64_t load_le64(const uint8_t *p)
{
    return (uint64_t)load_le32(p) | (uint64_t)load_le32(p + 4) << 32;
}

static inline void store_le16(uint8_t *p, uint16_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static inline void store_le32(uint8_t *p, uint32_t v)
{
    store_le16(p, (uint16_t)v);
    store_le16(p + 2, (uint16_t)(v >> 16));
}

static inline void store_le64(uint8_t *p, uint64_t v)
{
    store_le32(p, (uint32_t)v);
    store_le32(p + 4, (uint32_t)(v >> 32));
}

static inline void store_be64(uint8_t *p, uint64_t v)
{
    for (int i = 0; i < 8; i++)
        p[i] = (uint8_t)(v >> (56 - 8 * i));
}

static inline void store_be32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> (24 - 8 * i));
}
static inline uint64_t load_be64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

/* Lower-case hex. `out` has room for 2 * len + 1 chars. */
void base_hex_encode(char *out, const uint8_t *data, size_t len);

/* Exactly 2 * len lower-case hex digits, then NUL; else ERR_SYNTAX and `out` is unspecified. */
err base_hex_decode(uint8_t *out, size_t len, const char *text) MUST_USE;

#endif
