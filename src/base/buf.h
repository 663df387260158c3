/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing byte buffer with a bound given at the start. Not for consensus code (it allocates). */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include "base/bytes.h"

typedef struct buf {
    uint8_t *data;
    size_t   len;
    size_t   cap;
    size_t   max; /* a write past it gives ERR_LIMIT, and the buffer keeps what it had */
} buf;

void buf_init(buf *b, size_t max);
void buf_deinit(buf *b);
void buf_clear(buf *b);

err buf_reserve(buf *b, size_t extra) MUST_USE;
err buf_put(buf *b, const void *data, size_t len) MUST_USE;
err buf_put_str(buf *b, const char *text) MUST_USE;
err buf_printf(buf *b, const char *format, ...) MUST_USE __attribute__((format(printf, 2, 3)));

static inline bytes buf_bytes(const buf *b)
{
    return (bytes){ b->data, b->len };
}

#endif
