/* SPDX-License-Identifier: Apache-2.0
 *
 * What the chain's other modules call, and what governance shares inside. */
#ifndef CHAIN_GOV_GOV_INT_H
#define CHAIN_GOV_GOV_INT_H

#include "chain/econ/econ_int.h"
#include "chain/gov/gov.h"

/* --- for other modules ---------------------------------------------------------------------------------------------------- */

/* What identity knows about a voter. A badge that is not live does not count, whatever its months. */
typedef struct chain_voter_inputs {
    uint32_t operator_months[ECON_MARKETS]; /* badge-months as an operator */
    uint32_t builder_months;
    uint32_t reputation_ppm;                      /* at most 10^6 */
    uint8_t  markets;                             /* bit m: live operator badge of market m */
    bool     builder;                             /* live builder badge */
} chain_voter_inputs;

/* Identity calls it whenever one of these changed: a badge earned, renewed, revoked or lapsed, a month more, a reputation. Power
 * from the next snapshot on. At most one new row of VOTER and one of VOTER_AT, and CHAIN_VOTER_UPDATE_JOURNAL bytes of journal. */
err chain_voter_update(chain *c, const cr_address *a, const chain_voter_inputs *in, uint64_t height, fault *f) MUST_USE;

#define CHAIN_JOURNAL_OF(name) (sizeof(chain_row_##name) + 8 + sizeof(journal_entry))
#define CHAIN_VOTER_UPDATE_JOURNAL \
    (2 * CHAIN_JOURNAL_OF(voter) + CHAIN_JOURNAL_OF(voter_at) + CHAIN_ELECTORATE_COUNT * CHAIN_JOURNAL_OF(house))

/* Blind execution window (Rec. 9.10): the number of a change that acts within gov.freeze epochs, concerns `market` (ECON_MARKETS:
 * any), and that `a` proposed or voted yes on; 0 if there is none. Who registers as a provider or changes a stake asks first. */
uint64_t chain_gov_frozen(const chain *c, const cr_address *a, econ_market market, uint64_t height);

/* The same for whoever proposed or voted at all, in any market: a transfer of at least gov.disclosure of the supply is disclosed by an
 * event. */
void chain_gov_disclose(exec *x, uint64_t amount);

/* Rows that exist from the first block. */
void chain_gov_genesis(chain *c);

/* Called once at the end of the last block of an epoch: counts the votes that end, activates, expires. ERR_INVARIANT only. */
err chain_gov_epoch(chain *c, uint64_t height, fault *f) MUST_USE;

/* The last step of that block, when no badge and no power changes any more: the second votes on amendments that begin with the next
 * epoch get their eligible power, which is that at the end of this one. */
void chain_gov_second_votes(chain *c, uint64_t height);

/* What is the most that a block needs for governance. */
size_t chain_gov_tx_journal(void);
size_t chain_gov_epoch_journal(void);
size_t chain_gov_epoch_events(void);

/* For chain_audit: the sum of all stakes, and whether houses, delegations, list and tallies agree with the rows. */
u128 chain_gov_stakes(const chain *c);
err  chain_gov_audit(const chain *c, fault *f) MUST_USE;

/* --- inside --------------------------------------------------------------------------------------------------------------- */

typedef struct gov_powers {
    uint64_t v[CHAIN_ELECTORATE_COUNT];
} gov_powers;

/* change.c: parameters that get other values together */
typedef struct gov_diff {
    size_t             count;
    chain_param_change change[LIMIT_PROPOSAL_CHANGES_N];
} gov_diff;

/* What the proposal does when it acts: its own changes, or for a rollback those of its target taken back. */
void chain_gov_diff_of(const chain *c, gov_diff *out, uint64_t number);
/* What takes the changes of this proposal back: the parameters that have their value from it, as they were before. */
void chain_gov_diff_restore(const chain *c, gov_diff *out, uint64_t number);
/* Bounds, rules and who may change: ERR_RANGE naming the parameter or rule, ERR_PERMISSION naming the parameter. The set must be
 * good as it will be, and also (unless the diff is an emergency's) as it will be once the emergencies in force have ended. */
err chain_gov_diff_check(const chain *c, const gov_diff *d, bool emergency, fault *f) MUST_USE;
void chain_gov_diff_apply(chain *c, const gov_diff *d, uint64_t number, uint64_t from_epoch);
/* Each tightens, and no emergency in force holds it: ERR_PERMISSION, ERR_EXISTS naming the parameter. */
err  chain_gov_emergency_check(const chain *c, const gov_diff *d, fault *f) MUST_USE;
/* Keeps the values that a proposal's changes are about to replace; for what an emergency holds, the value from before it. */
void chain_gov_changes_remember(chain *c, uint64_t number);

typedef struct gov_filing {
    cr_address          proposer;
    chain_proposal_kind kind;
    chain_param_class   class;
    chain_house_id      house;
    chain_electorate    electorate;
    uint64_t            target;
    hash256             document;
    uint64_t            stake;
    gov_diff            diff;
} gov_filing;

/* carry.c: what votes carry out in other modules */
err chain_gov_read_disbursement(const exec *x, gov_filing *n, const chain_tx_proposal_submit *p, fault *f) MUST_USE;
err chain_gov_disbursement_open(exec *x, uint64_t disbursement, fault *f) MUST_USE; /* by the newest proposal */
err chain_gov_disbursement_counted(chain *c, const chain_row_proposal *p, bool passed) MUST_USE;
/* The vote to take an accepted disbursement back has passed; ERR_STATE if it is too late. */
err chain_gov_disbursement_back(chain *c, uint64_t disbursement, fault *f) MUST_USE;
err chain_gov_membership_act(chain *c, uint64_t number, uint64_t height, fault *f) MUST_USE;

/* proposal.c */
/* Checks the proposer, its stake, cooldown and slots, takes the stake, and lists the proposal. Faults name "proposal.x". */
err chain_gov_proposal_open(exec *x, const gov_filing *n, fault *f) MUST_USE;
chain_row_proposal *chain_gov_proposal_edit(chain *c, uint64_t number);
/* Off the list of active ones. */
void chain_gov_proposal_close(chain *c, uint64_t number);
/* Gives the stake back, or burns gov.proposal_burn of it. */
err chain_gov_stake_release(chain *c, uint64_t number, bool burn) MUST_USE;

/* vote.c */
bool chain_gov_quorum_reached(const chain_row_proposal *p);

/* voter.c */
gov_powers chain_gov_powers_of(const chain_row_voter *v);
/* At the end of an epoch that is over; zeros for who was no voter then. */
gov_powers chain_gov_powers_at(const chain *c, const cr_address *a, uint64_t epoch);
/* Computes the powers of a voter by its row and the rules of now; checkpoints, row and houses follow. */
err chain_gov_voter_refresh(chain *c, const cr_address *a, uint64_t epoch) MUST_USE;
uint64_t chain_gov_eligible(const chain *c, chain_electorate e, uint64_t epoch); /* at the end of epoch: the one before now, or now */
/* ERR_RANGE unless it is 1 or 2. */
err chain_gov_house_check(uint8_t house, const char *what, fault *f) MUST_USE;
/* Whether the pack of the account's region lets it propose, or vote on, this kind. PERMISSION or KYC, naming the pack's rule. */
err chain_gov_pack_check(const exec *x, const cr_address *a, chain_proposal_kind kind, fault *f) MUST_USE;
static inline chain_electorate gov_electorate(const chain_row_proposal *p, chain_house_id house)
{
    return house == CHAIN_HOUSE_BUILDERS ? CHAIN_ELECTORATE_BUILDERS : (chain_electorate)p->electorate;
}

#endif
