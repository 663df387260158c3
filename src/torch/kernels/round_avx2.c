/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/round_int.h"

#define SHIFT_BIASED
#include "round_row.inc"

const bt_round_kernel bt_round_avx2 = {.row = row, .max = row_max};
