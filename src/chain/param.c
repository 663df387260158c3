/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/param.h"

#include "base/limits.h"

#include <string.h>

const chain_param_row chain_param_rows[CHAIN_PARAM_COUNT] = {
#define PARAM(ID, wire, name, unit_text, def, least, most, kind, who, text)                                             \
    [CHAIN_PARAM_##ID] = { .number = (wire), .id = #ID, .key = (name), .unit = (unit_text), .initial = (def),          \
                           .min = (least), .max = (most), .class = CHAIN_CLASS_##kind, .changer = CHAIN_CHANGER_##who, .doc = (text) },
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
#undef PARAM_RULE
};

const char *const chain_class_names[] = { [CHAIN_CLASS_OPERATIONAL] = "operational", [CHAIN_CLASS_STRUCTURAL] = "structural",
                                          [CHAIN_CLASS_CONSTITUTIONAL] = "constitutional" };

const chain_param_rule chain_param_rules[] = {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc)
#define PARAM_RULE(words, holds) { .text = (words), .condition = #holds },
#include "params.def"
#undef PARAM
#undef PARAM_RULE
};
const size_t chain_param_rule_count = COUNT_OF(chain_param_rules);

void chain_params_default(chain_params *out)
{
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        out->v[i] = chain_param_rows[i].initial;
}

static const char *const bound_names[CHAIN_PARAM_COUNT] = {
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc) [CHAIN_PARAM_##ID] = "genesis bound: " key,
#define PARAM_RULE(text, condition)
#include "params.def"
#undef PARAM
#undef PARAM_RULE
};

static size_t note(fault *out, size_t cap, size_t count, const char *what, uint64_t at)
{
    if (count < cap)
        out[count] = (fault){ .code = ERR_RANGE, .what = what, .at = at };
    return count + 1;
}

size_t chain_params_problems(const chain_params *p, fault *out, size_t cap)
{
    size_t count = 0;
    for (size_t i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (p->v[i] < chain_param_rows[i].min || p->v[i] > chain_param_rows[i].max)
            count = note(out, cap, count, chain_param_rows[i].key, p->v[i]);
    if (count)
        return count;
#define P(ID) (p->v[CHAIN_PARAM_##ID])
#define PARAM(ID, number, key, unit, def, min, max, class, changer, doc)
#define PARAM_RULE(text, condition) \
    if (!(condition))               \
        count = note(out, cap, count, (text), 0);
#include "params.def"
#undef PARAM
#undef PARAM_RULE
#undef P
    return count;
}

err chain_params_check(const chain_params *p, fault *f)
{
    fault first;
    return chain_params_problems(p, &first, 1) == 0 ? OK : fail(f, first.code, first.what, first.at);
}

const char *chain_bound_name(chain_param p)
{
    return bound_names[p];
}

err chain_bounds_check(const chain_bound *bounds, size_t count, const chain_params *p, fault *f)
{
    for (size_t i = 0; i < count; i++) {
        const chain_bound *b = &bounds[i];
        if (p->v[b->param] < b->min || p->v[b->param] > b->max)
            return fail(f, ERR_RANGE, bound_names[b->param], p->v[b->param]);
    }
    return OK;
}

chain_param chain_param_by_key(const char *key)
{
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        if (strcmp(chain_param_rows[i].key, key) == 0)
            return (chain_param)i;
    return CHAIN_PARAM_COUNT;
}

chain_param chain_param_by_number(uint64_t number)
{
    unsigned i = 0;
    while (i < CHAIN_PARAM_COUNT && chain_param_rows[i].number != number)
        i++;
    return (chain_param)i;
}
