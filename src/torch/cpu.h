/* SPDX-License-Identifier: Apache-2.0
 *
 * Which instruction sets this processor has, and the table of kernels chosen for it, once, at first use. Every entry of every
 * table gives the same bytes; only speed differs. */
#ifndef TORCH_CPU_H
#define TORCH_CPU_H

#include "base/err.h"

struct bt_gemm_kernel;
struct bt_round_kernel;
struct bt_adam_kernel;

/* The kernels of one instruction set. All const, static. */
typedef struct bt_kernels {
    const char *name; /* "scalar", "avx2", "avx512", "avx512vnni", "neon" */
    const struct bt_gemm_kernel  *gemm;
    const struct bt_round_kernel *round;
    const struct bt_adam_kernel  *adam;
} bt_kernels;

/* The table in use. The first call chooses the best that the processor (and the system, which must save the wide registers)
 * supports. Safe from any thread. */
const bt_kernels *bt_cpu_kernels(void);

/* Overrides the choice, for tests and comparisons; NULL goes back to the best. Takes effect for work started later; do not call it while
 * kernels run. ERR_NOT_FOUND: no such name in this build. ERR_UNSUPPORTED: the processor lacks the instructions. */
err bt_cpu_select(const char *name) MUST_USE;

/* The names in this build, best last, whether or not the processor has them: NULL past the end. */
const char *bt_cpu_name_at(size_t index);

/* One line for logs and reports: architecture, the features found, the table in use. Truncated to `size`, always terminated. */
void bt_cpu_describe(char *out, size_t size);

#endif
