/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a model (spec/numerics.md section 11), made once and shared: EXP and EXPL of the helper set, GELU with its slope by
 * (f_h, f_g), packed so that one look-up gives both. */
#ifndef TORCH_TABLES_H
#define TORCH_TABLES_H

#include "base/port/pool.h"
#include "numerics/config.h"

typedef struct bt_tables bt_tables;

enum { BT_GELU_FINE = 20 }; /* fraction at which a calibration looks at GELU (section 10) */

/* Tables for one shape; GELU tables are made on demand and kept until the last user is gone. ERR_MEMORY. */
err  bt_tables_new(bt_tables **out, const num_shape *shape, fault *f) MUST_USE;
void bt_tables_free(bt_tables *t);

const int32_t *bt_tables_exp(const bt_tables *t);
const int32_t *bt_tables_exp_loss(const bt_tables *t);

/* An entry of a packed table. */
static inline int32_t bt_gelu_value(uint32_t entry)
{
    return (int16_t)(uint16_t)entry;
}

static inline int32_t bt_gelu_slope(uint32_t entry)
{
    return (int16_t)(uint16_t)(entry >> 16);
}

/* Centred: index h in [-D_t, D_t]. ERR_MEMORY. Safe from several threads. */
err bt_tables_gelu(bt_tables *t, int f_h, int f_g, const uint32_t **packed) MUST_USE;

/* The largest |GELU| of `count` indices at fraction f_h: at fraction BT_GELU_FINE, not saturated. ERR_MEMORY. */
err bt_tables_gelu_peak(const bt_tables *t, int f_h, const int32_t *index, uint64_t count, uint64_t *peak) MUST_USE;

/* Threads that hashing and quantising a model may use: those of the gpt's device; NULL for tables of their own. */
base_pool *bt_tables_pool(const bt_tables *t);
void       bt_tables_set_pool(bt_tables *t, base_pool *pool);

/* The tables hash of a model with these fractions; remembered while they stand still. */
err bt_tables_hash(bt_tables *t, const num_fractions *fractions, hash256 *out) MUST_USE;

#endif
