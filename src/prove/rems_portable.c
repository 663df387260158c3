/* SPDX-License-Identifier: Apache-2.0 */
#define REMS pv_rems_portable
#include "prove/rems.inc"
