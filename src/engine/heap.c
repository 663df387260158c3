/* SPDX-License-Identifier: Apache-2.0 */
#include "engine/heap.h"

#include <stdlib.h>

static void *heap_alloc(void *ctx, size_t size)
{
    (void)ctx;
    return size <= SIZE_MAX - 63 ? aligned_alloc(64, (size + 63) & ~(size_t)63) : NULL;
}

static void heap_release(void *ctx, void *block, size_t size)
{
    (void)ctx, (void)size;
    free(block);
}

chain_memory eng_heap(void)
{
    return (chain_memory){ .alloc = heap_alloc, .release = heap_release };
}
