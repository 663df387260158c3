/* SPDX-License-Identifier: Apache-2.0
 *
 * Amounts as people write them: "12", "0.5", "0.000000001" BLOCK, always exact. 1 BLOCK = 10^9 nBLOCK. */
#ifndef APPS_AMOUNT_H
#define APPS_AMOUNT_H

#include "base/err.h"

enum { TB_AMOUNT_TEXT = 32 };

/* ERR_USAGE: not digits with at most one point, more than nine decimals, or above the supply cap. */
err tb_amount_parse(uint64_t *nblock, const char *text, fault *f) MUST_USE;

/* "12.500", "0.000000001": at least three decimals, no trailing zeros behind them. */
void tb_amount_format(char out[TB_AMOUNT_TEXT], uint64_t nblock);

#endif
