/* SPDX-License-Identifier: Apache-2.0
 *
 * The tables of a model (spec/numerics.md section 11), made once and shared: EXP and EXPL of the helper set, GELU and its
 * slope by (f_h, f_g). */
#ifndef TORCH_TABLES_H
#define TORCH_TABLES_H

#include "numerics/config.h"

typedef struct bt_tables bt_tables;

enum { BT_GELU_FINE = 20 }; /* fraction at which a calibration looks at GELU (section 10) */

/* Tables for one shape; GELU tables are made on demand and kept until the last user is gone. ERR_MEMORY. */
err  bt_tables_new(bt_tables **out, const num_shape *shape, fault *f) MUST_USE;
void bt_tables_free(bt_tables *t);

const int32_t *bt_tables_exp(const bt_tables *t);
const int32_t *bt_tables_exp_loss(const bt_tables *t);

/* Centred: index h in [-D_t, D_t]. ERR_MEMORY. Safe from several threads. */
err bt_tables_gelu(bt_tables *t, int f_h, int f_g, const int32_t **value) MUST_USE;
/* The function at fraction BT_GELU_FINE, not saturated. */
err bt_tables_gelu_fine(bt_tables *t, int f_h, const int32_t **value) MUST_USE;
err bt_tables_gelu_slope(bt_tables *t, int f_h, const int32_t **slope) MUST_USE;

/* The tables hash of a model with these fractions. */
err bt_tables_hash(bt_tables *t, const num_fractions *fractions, hash256 *out) MUST_USE;

#endif
