/* SPDX-License-Identifier: Apache-2.0
 *
 * The treasury on the ledger: disbursements from filing to payment. Nothing leaves it but by a disbursement that a vote passed:
 * there is no other function that takes from PURSE_TREASURY for a payee. Who counts votes calls chain_disbursement_open, _voted and
 * _vote_back; the end of each epoch calls chain_treasury_epoch, once, after the votes of that epoch are counted.
 * spec/treasury.md. Functions that return an error have changed nothing, or the block is invalid (ERR_INVARIANT). */
#ifndef CHAIN_TREASURY_TREASURY_H
#define CHAIN_TREASURY_TREASURY_H

#include "chain/chain_int.h"
#include "chain/treasury/breaker.h"
#include "chain/treasury/disburse.h"
#include "chain/treasury/velocity.h"

chain_key chain_key_outflow(chain_outflow_kind kind, uint64_t period); /* OUTFLOW */

/* The rows that a genesis begins with. */
void chain_treasury_genesis(chain *c);

/* The parameters, as the pure rules take them. */
chain_disbursement_terms chain_treasury_terms(const chain *c);
chain_velocity_limits    chain_treasury_limits(const chain *c);
chain_breaker_rules      chain_treasury_breaker_rules(const chain *c);

/* --- filing and the vote -------------------------------------------------------------------------------------------------- */

/* A draft under the next number: ERR_KYC a payee has none, ERR_NOT_FOUND or ERR_STATE a dependency is not there or rolled back,
 * ERR_LIMIT above treasury.proposal_max, and what chain_disburse_check refuses. */
err chain_disbursement_file(chain *c, uint64_t *number, const chain_disbursement_spec *spec, const cr_address *filer, uint64_t height,
                            uint32_t tx_index, fault *f) MUST_USE;

/* Puts a draft to the vote as `proposal`: ERR_NOT_FOUND; ERR_STATE no draft, or a dependency is rolled back; ERR_EXPIRED; ERR_KYC;
 * ERR_LIMIT treasury.active_max are active, or it is above treasury.proposal_max. The vote counts from row->vote_end_epoch on. */
err chain_disbursement_open(chain *c, uint64_t number, uint64_t proposal, uint64_t height, uint32_t tx_index, fault *f) MUST_USE;

/* The vote on it has ended: ERR_NOT_FOUND, ERR_STATE, ERR_BUSY before row->vote_end_epoch. */
err chain_disbursement_voted(chain *c, uint64_t number, const chain_vote_outcome *outcome, fault *f) MUST_USE;

/* A vote to roll it back has passed: ERR_NOT_FOUND, ERR_STATE unless it is queued, timelocked or executed. */
err chain_disbursement_vote_back(chain *c, uint64_t number, fault *f) MUST_USE;

/* --- epochs --------------------------------------------------------------------------------------------------------------- */

/* What subsidies were awarded in the epoch that ends, for the reserve: before chain_treasury_epoch. */
err chain_treasury_set_subsidy_rate(chain *c, uint64_t rate, fault *f) MUST_USE;

/* An incident that tightens the breaker (at most one counts an epoch). */
void chain_treasury_incident(chain *c);

/* In the last block of each epoch, at its end. At most LIMIT_DISBURSEMENTS disbursements are looked at. */
err chain_treasury_epoch(chain *c, uint64_t height, fault *f) MUST_USE;

/* Bounds of what chain_treasury_epoch writes, for the reserve of a block. */
enum {
    CHAIN_TREASURY_ACCOUNTS = LIMIT_DISBURSEMENTS_N * LIMIT_DISBURSEMENT_PARTS_N,  /* new account rows */
    CHAIN_TREASURY_EVENTS = LIMIT_DISBURSEMENTS_N * (LIMIT_DISBURSEMENT_PARTS_N + 4) + 2,
};
size_t chain_treasury_journal_bytes(void);

/* --- checks --------------------------------------------------------------------------------------------------------------- */

/* What is held for executed disbursements, slots and sums against the rows: ERR_INVARIANT naming the rule. Walks all rows. */
err chain_treasury_audit(const chain *c, fault *f) MUST_USE;

#endif
