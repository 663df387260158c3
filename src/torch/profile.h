/* SPDX-License-Identifier: Apache-2.0
 *
 * The profiling hook of seed section 12.1: when BLOCKTORCH_PROFILE (or its alias ORCHARD_TENSOR_PROFILE) names a file ("-": standard error),
 * every launched operation writes one JSON line: step, op, tensor id, shape, nanoseconds, bytes, multiply-adds. When it is
 * not set, the cost is one test of a null pointer per operation. */
#ifndef TORCH_PROFILE_H
#define TORCH_PROFILE_H

#include "torch/backend.h"

typedef struct bt_profile bt_profile;

/* NULL if the environment asks for none or the file cannot be opened (said once on standard error). One per process, shared. */
bt_profile *bt_profile_get(void);

/* Launches, timed and written if `profile` is not NULL. */
err bt_profile_launch(bt_profile *profile, bt_device *device, bt_op op, const bt_args *args, uint64_t step, uint32_t tensor_id) MUST_USE;

/* A line for what is no launch: `op` (of this program's text), what it took and the bytes that it held. Nothing if `profile` is NULL. */
void bt_profile_note(bt_profile *profile, const char *op, uint64_t step, uint64_t ns, uint64_t n_bytes);

/* Sums since the start of the process, for pricing and metrics; zeros without a profile. */
typedef struct bt_profile_totals {
    uint64_t launches, ns, bytes, macs;
} bt_profile_totals;

bt_profile_totals bt_profile_sum(const bt_profile *profile);

#endif
