/* SPDX-License-Identifier: Apache-2.0 */
#define REMS pv_rems_avx512ifma
#include "prove/rems.inc"
