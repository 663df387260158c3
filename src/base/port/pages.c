/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/port/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Below `MANY` bytes the rounding up to whole pages would cost too much. */
enum { LARGE_PAGE = 2 << 20, MANY = 2 * LARGE_PAGE, LINE = 64 };

void *base_pages_alloc(size_t size)
{
    size_t unit = size < MANY ? LINE : LARGE_PAGE;
    if (size > SIZE_MAX - unit)
        return NULL;
    size = (size + unit - 1) / unit * unit;
    void *p = aligned_alloc(unit, size);
#if defined(MADV_HUGEPAGE)
    if (p && unit == LARGE_PAGE)
        (void)madvise(p, size, MADV_HUGEPAGE); /* a wish: without it everything works, slower */
#endif
    return p;
}

void *base_pages_zeroed(size_t size)
{
    void *p = base_pages_alloc(size);
    if (p)
        memset(p, 0, size);
    return p;
}
