/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/cpu.h"

#include "torch/kernels/adam_int.h"
#include "torch/kernels/gemm_int.h"
#include "torch/kernels/round_int.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

typedef bool has_fn(void);

typedef struct row {
    bt_kernels kernels;
    has_fn    *has;
} row;

static bool always(void)
{
    return true;
}

/* __builtin_cpu_supports also asks the system whether it saves the wide registers. */
#if defined(__x86_64__)
static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2");
}

static bool has_avx512(void)
{
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512vl");
}

static bool has_avx512vnni(void)
{
    return has_avx512() && __builtin_cpu_supports("avx512vnni");
}
#endif

/* Best last. NEON is part of every 64-bit ARM. */
static const row table[] = {
    {{"scalar", &bt_gemm_scalar, &bt_round_scalar, &bt_adam_scalar}, always},
#if defined(__x86_64__)
    {{"avx2", &bt_gemm_avx2, &bt_round_avx2, &bt_adam_avx2}, has_avx2},
    {{"avx512", &bt_gemm_avx512, &bt_round_avx512, &bt_adam_avx512}, has_avx512},
    {{"avx512vnni", &bt_gemm_avx512vnni, &bt_round_avx512, &bt_adam_avx512}, has_avx512vnni},
#elif defined(__aarch64__)
    {{"neon", &bt_gemm_neon, &bt_round_neon, &bt_adam_neon}, always},
#endif
};

static _Atomic(const bt_kernels *) chosen;

static const bt_kernels *best(void)
{
    size_t i = COUNT_OF(table) - 1;
    while (!table[i].has())
        i--;
    return &table[i].kernels;
}

const bt_kernels *bt_cpu_kernels(void)
{
    const bt_kernels *k = atomic_load_explicit(&chosen, memory_order_acquire);
    if (!k) {
        /* Two threads may both look; they find the same, and a selection made meanwhile is kept. */
        const bt_kernels *none = NULL;
        k = best();
        if (!atomic_compare_exchange_strong(&chosen, &none, k))
            k = none;
    }
    return k;
}

err bt_cpu_select(const char *name)
{
    if (!name) {
        atomic_store(&chosen, best());
        return OK;
    }
    for (size_t i = 0; i < COUNT_OF(table); i++)
        if (strcmp(table[i].kernels.name, name) == 0) {
            if (!table[i].has())
                return ERR_UNSUPPORTED;
            atomic_store(&chosen, &table[i].kernels);
            return OK;
        }
    return ERR_NOT_FOUND;
}

const char *bt_cpu_name_at(size_t index)
{
    return index < COUNT_OF(table) ? table[index].kernels.name : NULL;
}

void bt_cpu_describe(char *out, size_t size)
{
#if defined(__x86_64__)
    const char *machine = "x86-64";
#elif defined(__aarch64__)
    const char *machine = "arm64";
#else
    const char *machine = "portable";
#endif
    if (size == 0)
        return;
    size_t at = 0;
    int    n = snprintf(out, size, "%s; kernels:", machine);
    for (size_t i = 0; n >= 0 && (at += (size_t)n) < size && i < COUNT_OF(table); i++)
        n = snprintf(out + at, size - at, "%s%s", table[i].has() ? " " : " no-", table[i].kernels.name);
    if (n >= 0 && at < size)
        (void)snprintf(out + at, size - at, "; in use: %s", bt_cpu_kernels()->name);
}
