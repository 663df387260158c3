/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/param.h"

#include "base/limits.h"

#include <string.h>

const chain_param_row chain_param_rows[CHAIN_PARAM_COUNT] = {
#define PARAM(ID, wire, name, unit_text, def, least, most, kind, who, text)                                             \
    [CHAIN_PARAM_##ID] = { .number = (wire), .key = (name), .unit = (unit_text), .initial = (def), .min = (least),      \
                           .max = (most), .class = CHAIN_CLASS_##kind, .changer = CHAIN_CHANGER_##who, .doc = (text) },
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
#undef PARAM_RULE
};

void chain_params_default(chain_params *out)
{
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        out->v[i] = chain_param_rows[i].initial;
}

err chain_params_check(const chain_params *p, fault *f)
{
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (p->v[i] < chain_param_rows[i].min || p->v[i] > chain_param_rows[i].max)
            return fail(f, ERR_RANGE, chain_param_rows[i].key, p->v[i]);
#define P(ID) (p->v[CHAIN_PARAM_##ID])
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc)
#define PARAM_RULE(text, condition)       \
    if (!(condition))                     \
        return fail(f, ERR_RANGE, (text), 0);
#include "params.def"
#undef PARAM
#undef PARAM_RULE
#undef P
    return OK;
}

chain_param chain_param_by_key(const char *key)
{
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (strcmp(chain_param_rows[i].key, key) == 0)
            return (chain_param)i;
    return CHAIN_PARAM_COUNT;
}
