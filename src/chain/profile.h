/* SPDX-License-Identifier: Apache-2.0
 *
 * Profiles of sovereign forks (schema/profiles.def): values and bounds that a genesis starts with. Nothing of them stands in the
 * document but what they set: the network knows values and bounds, not names. */
#ifndef CHAIN_PROFILE_H
#define CHAIN_PROFILE_H

#include "chain/genesis.h"

typedef enum chain_profile {
#define PROFILE(ID, name, doc) CHAIN_PROFILE_##ID,
#define PROFILE_PARAM(profile, param, value, doc)
#define PROFILE_BOUND(profile, param, least, most, doc)
#include "profiles.def"
#undef PROFILE
#undef PROFILE_PARAM
#undef PROFILE_BOUND
    CHAIN_PROFILE_COUNT
} chain_profile;

const char *chain_profile_name(chain_profile p);
/* CHAIN_PROFILE_COUNT if there is none. */
chain_profile chain_profile_by_name(const char *name);

/* Parameters and bounds of the genesis become the profile's: what is there is replaced. */
void chain_profile_apply(chain_genesis *g, chain_profile p);

#endif
