/* SPDX-License-Identifier: Apache-2.0 */
#include "torch/kernels/adam_int.h"

#include "adam_block.inc"

const bt_adam_kernel bt_adam_avx512 = {.run = run};
