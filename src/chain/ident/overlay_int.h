/* SPDX-License-Identifier: Apache-2.0
 * What the three files of overlays share. */
#ifndef CHAIN_IDENT_OVERLAY_INT_H
#define CHAIN_IDENT_OVERLAY_INT_H

#include "chain/ident/ident_int.h"
#include "chain/ident/overlay.h"

/* The sender may act in overlays, and there is this one: fails by the pack, or ERR_NOT_FOUND naming `what`. */
err chain_overlay_enter(const exec *x, const hash256 *overlay, const char *what, fault *f) MUST_USE;
/* And it is a member that the rules still admit: ERR_PERMISSION naming `what` or the rule. */
err chain_overlay_enter_member(const exec *x, const hash256 *overlay, const char *what, fault *f) MUST_USE;

/* Rule i of the overlay, 0 <= i < LIMIT_OVERLAY_RULES; kind 0: there is none. */
chain_rule chain_overlay_rule_at(const chain_row_overlay *o, unsigned i);

/* Whether every rule admits the account in epoch `epoch`: ERR_PERMISSION "overlay.rule: badge" (stake, attestation, vouch). `m` may be NULL. */
err chain_overlay_admits(const chain *c, const chain_row_overlay *o, const chain_row_member *m, uint64_t stake, const cr_address *a,
                         uint64_t epoch, fault *f) MUST_USE;

/* The member's share up to now, out of the pot to its account. */
err chain_overlay_settle(exec *x, const hash256 *overlay, chain_row_overlay *o, chain_row_member *m, const cr_address *a) MUST_USE;

/* Settles, and gives the member the weights that its badges and stake have in epoch `epoch`; none unless it is inside. */
err chain_overlay_weigh(exec *x, const hash256 *overlay, chain_row_overlay *o, chain_row_member *m, const cr_address *a, uint64_t epoch) MUST_USE;

/* overlay_poll.c: the number of the poll that is open in epoch `epoch`, or 0. */
uint64_t chain_overlay_open_poll(const chain *c, const hash256 *overlay, const chain_row_overlay *o, uint64_t epoch);
/* The member's ballot in the open poll, if it has one, no longer counts. */
err chain_overlay_withdraw_ballot(chain *c, const hash256 *overlay, const chain_row_overlay *o, chain_row_member *m, uint64_t epoch) MUST_USE;

#endif
