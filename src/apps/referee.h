/* SPDX-License-Identifier: Apache-2.0
 *
 * The one-element referee of proof/referee.h as the chain asks for it. */
#ifndef APPS_REFEREE_H
#define APPS_REFEREE_H

#include "chain/chain.h"

/* A chain_referee_fn: pure, integers only. */
err tb_referee(bytes evidence, const chain_dispute *dispute, fault *f);

#endif
