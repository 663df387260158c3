/* SPDX-License-Identifier: Apache-2.0
 *
 * Cultural overlays (Rec. 6.1; spec/overlay.md): communities with rules of membership, polls and a pot of their own. What they decide and
 * pay stays among their members: nothing outside this folder reads an overlay's weights. */
#ifndef CHAIN_IDENT_OVERLAY_H
#define CHAIN_IDENT_OVERLAY_H

#include "chain/chain.h"

/* One rule of membership, as it stands in overlay_create.rules. */
typedef struct chain_rule {
    uint8_t  kind;     /* chain_overlay_rule */
    uint64_t number;   /* badge: epochs held, 0 or more; stake: nBLOCK; vouch: members, 1 to LIMIT_OVERLAY_VOUCHERS; attestation: 0 */
    uint32_t detail;   /* badge: market, ECON_MARKETS for builders; attestation: a topic that the attestor knows; else 0 */
    hash256  attestor; /* attestation: hash of the attestor's address */
} chain_rule;

/* The array of overlay_create.rules: the attestor is an empty string but for attestations. */
err chain_rules_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_rule *rules, size_t count) MUST_USE;
/* rules has LIMIT_OVERLAY_RULES elements. Form and bounds: ERR_RANGE "overlay_create.rules: kind" (number, detail, attestor). */
err chain_rules_decode(chain_rule *rules, size_t *count, bytes items, fault *f) MUST_USE;

const chain_row_overlay *chain_overlay(const chain *c, const hash256 *overlay);
const chain_row_member  *chain_overlay_member(const chain *c, const hash256 *overlay, const cr_address *a);

typedef enum chain_poll_outcome { CHAIN_POLL_OPEN, CHAIN_POLL_PASSED, CHAIN_POLL_REJECTED } chain_poll_outcome;

/* Of a poll in epoch `epoch`: decided by its row alone. ERR_NOT_FOUND. */
err chain_overlay_outcome(const chain *c, chain_poll_outcome *out, const hash256 *overlay, uint64_t poll, uint64_t epoch) MUST_USE;

#endif
