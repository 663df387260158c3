/* SPDX-License-Identifier: Apache-2.0 */
#include "apps/amount.h"

#include "chain/tx.h"

#include <inttypes.h>
#include <stdio.h>

enum { NBLOCK = 1000000000, DECIMALS = 9 };

err tb_amount_parse(uint64_t *nblock, const char *text, fault *f)
{
    uint64_t whole = 0, part = 0;
    size_t at = 0, digits = 0, decimals = 0;
    for (; text[at] >= '0' && text[at] <= '9'; at++, digits++) {
        whole = whole * 10 + (uint64_t)(text[at] - '0');
        if (whole > CHAIN_AMOUNT_MAX / NBLOCK)
            return fail(f, ERR_USAGE, "amount: above the supply cap", at);
    }
    if (text[at] == '.') {
        for (at++; text[at] >= '0' && text[at] <= '9'; at++, digits++, decimals++) {
            if (decimals == DECIMALS)
                return fail(f, ERR_USAGE, "amount: more than nine decimals", at);
            part = part * 10 + (uint64_t)(text[at] - '0');
        }
        if (decimals == 0)
            return fail(f, ERR_USAGE, "amount", at);
    }
    if (digits == 0 || text[at] != 0)
        return fail(f, ERR_USAGE, "amount", at);
    for (; decimals < DECIMALS; decimals++)
        part *= 10;
    if (whole * NBLOCK + part > CHAIN_AMOUNT_MAX)
        return fail(f, ERR_USAGE, "amount: above the supply cap", at);
    *nblock = whole * NBLOCK + part;
    return OK;
}

void tb_amount_format(char out[TB_AMOUNT_TEXT], uint64_t nblock)
{
    int len = snprintf(out, TB_AMOUNT_TEXT, "%" PRIu64 ".%09" PRIu64, nblock / NBLOCK, nblock % NBLOCK);
    for (int i = 0; i < DECIMALS - 3 && out[len - 1] == '0'; i++)
        out[--len] = 0;
}
