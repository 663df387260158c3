/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/profile.h"

static const char *const names[CHAIN_PROFILE_COUNT] = {
#define PROFILE(ID, name, doc) [CHAIN_PROFILE_##ID] = name,
#define PROFILE_PARAM(profile, param, value, doc)
#define PROFILE_BOUND(profile, param, least, most, doc)
#include "profiles.def"
#undef PROFILE
#undef PROFILE_PARAM
#undef PROFILE_BOUND
};

static const struct {
    chain_profile profile;
    chain_param   param;
    uint64_t      value;
} values[] = {
#define PROFILE(ID, name, doc)
#define PROFILE_PARAM(profile, param, value, doc) { CHAIN_PROFILE_##profile, CHAIN_PARAM_##param, value },
#define PROFILE_BOUND(profile, param, least, most, doc)
#include "profiles.def"
#undef PROFILE
#undef PROFILE_PARAM
#undef PROFILE_BOUND
};

static const struct {
    chain_profile profile;
    chain_bound   bound;
} bounds[] = {
#define PROFILE(ID, name, doc)
#define PROFILE_PARAM(profile, param, value, doc)
#define PROFILE_BOUND(profile, param, least, most, doc) { CHAIN_PROFILE_##profile, { CHAIN_PARAM_##param, least, most } },
#include "profiles.def"
#undef PROFILE
#undef PROFILE_PARAM
#undef PROFILE_BOUND
};

const char *chain_profile_name(chain_profile p)
{
    return names[p];
}

chain_profile chain_profile_by_name(const char *name)
{
    unsigned i = 0;
    while (i < CHAIN_PROFILE_COUNT && strcmp(names[i], name) != 0)
        i++;
    return (chain_profile)i;
}

void chain_profile_apply(chain_genesis *g, chain_profile p)
{
    chain_params_default(&g->params);
    g->bound_count = 0;
    for (size_t i = 0; i < COUNT_OF(values); i++)
        if (values[i].profile == p)
            g->params.v[values[i].param] = values[i].value;
    for (size_t i = 0; i < COUNT_OF(bounds); i++)
        if (bounds[i].profile == p)
            g->bounds[g->bound_count++] = bounds[i].bound;
}
