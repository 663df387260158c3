/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/port/pages.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#if defined(__GLIBC__)
#include <malloc.h>
#endif

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
#if defined(__linux__)
    /* Private pages that are given back read as zero, and are there again only when they are touched. */
    if (p && size >= MANY && madvise(p, (size + LARGE_PAGE - 1) / LARGE_PAGE * LARGE_PAGE, MADV_DONTNEED) == 0)
        return p;
#endif
    if (p)
        memset(p, 0, size);
    return p;
}

void base_pages_trim(void)
{
#if defined(__GLIBC__)
    (void)malloc_trim(0);
#endif
}
