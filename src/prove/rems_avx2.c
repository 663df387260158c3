/* SPDX-License-Identifier: Apache-2.0 */
#define REMS pv_rems_avx2
#include "prove/rems.inc"
