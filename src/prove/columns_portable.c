/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/columns_int.h"

#define LANES 4
#include "columns.inc"

const pv_column_kernels pv_columns_portable = { compress, absorb_cells, absorb_symbols, spread };
