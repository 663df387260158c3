/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

void buf_init(buf *b, size_t max)
{
    *b = (buf){ .max = max };
}

void buf_deinit(buf *b)
{
    free(b->data);
    *b = (buf){ 0 };
}

void buf_clear(buf *b)
{
    b->len = 0;
}

err buf_reserve(buf *b, size_t extra)
{
    if (extra > b->max - b->len)
        return ERR_LIMIT;
    size_t need = b->len + extra;
    if (need <= b->cap)
        return OK;
    size_t cap = b->cap > b->max / 2 ? b->max : b->cap * 2;
    if (cap < 256)
        cap = b->max < 256 ? b->max : 256;
    if (cap < need)
        cap = need;
    uint8_t *data = realloc(b->data, cap);
    if (!data)
        return ERR_MEMORY;
    b->data = data;
    b->cap = cap;
    return OK;
}

err buf_put(buf *b, const void *data, size_t len)
{
    if (len == 0)
        return OK;
    TRY(buf_reserve(b, len));
    memcpy(b->data + b->len, data, len);
    b->len += len;
    return OK;
}

err buf_put_str(buf *b, const char *text)
{
    return buf_put(b, text, strlen(text));
}

err buf_printf(buf *b, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    err e = n < 0 ? ERR_INTERNAL : buf_reserve(b, (size_t)n + 1);
    if (e == OK) {
        vsnprintf((char *)b->data + b->len, (size_t)n + 1, format, again);
        b->len += (size_t)n;
    }
    va_end(again);
    return e;
}
