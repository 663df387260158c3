/* SPDX-License-Identifier: Apache-2.0
 *
 * The memory of a chain in a process: the C library's heap. */
#ifndef ENGINE_HEAP_H
#define ENGINE_HEAP_H

#include "chain/chain.h"

/* Blocks begin on whole cache lines: a row of an account is one. */
chain_memory eng_heap(void);

#endif
