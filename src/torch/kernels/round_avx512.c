/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/round_int.h"

#include "round_row.inc"

const bt_round_kernel bt_round_avx512 = {.row = row, .max = row_max};
