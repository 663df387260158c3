/* SPDX-License-Identifier: Apache-2.0
 *
 * Memory for arrays of many megabytes. In small pages a pass over them waits for address translation as long as it computes. */
#ifndef BASE_PORT_PAGES_H
#define BASE_PORT_PAGES_H

#include <stddef.h>

/* size > 0 bytes, 64-byte aligned, with anything in them; in large pages if they are many and the system has such. NULL: no memory. For free(). */
void *base_pages_alloc(size_t size);

/* The same, zero; of many, those that nobody touches take no memory where the system can do that. */
void *base_pages_zeroed(size_t size);

/* Gives memory that was freed back to the system, as far as that is possible: between phases that need much of it in different pieces. */
void base_pages_trim(void);

#endif
