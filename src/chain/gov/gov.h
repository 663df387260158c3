/* SPDX-License-Identifier: Apache-2.0
 *
 * Two-house governance on the ledger: voters, proposals, votes (spec/governance.md). The transactions are in exec_stake.c,
 * exec_proposal.c and exec_vote.c of this folder; epoch.c counts votes and activates changes at the end of an epoch.
 * Other modules of the chain call the functions under "For other modules". */
#ifndef CHAIN_GOV_GOV_H
#define CHAIN_GOV_GOV_H

#include "chain/chain.h"
#include "econ/unit.h"

typedef enum chain_house_id { CHAIN_HOUSE_OPERATORS = 1, CHAIN_HOUSE_BUILDERS = 2 } chain_house_id;

/* Who decides: all operators, the operators of one market (1 + econ_market), the builders. */
typedef enum chain_electorate {
    CHAIN_ELECTORATE_OPERATORS = 0,
    CHAIN_ELECTORATE_BUILDERS = 1 + ECON_MARKETS,
    CHAIN_ELECTORATE_COUNT,
} chain_electorate;

/* What a proposal of kind membership does. */
typedef enum chain_membership {
    CHAIN_MEMBERSHIP_ISSUER_ADMIT = 1,
    CHAIN_MEMBERSHIP_ISSUER_REMOVE = 2,
    CHAIN_MEMBERSHIP_AUTHORITY_ADMIT = 3,
    CHAIN_MEMBERSHIP_AUTHORITY_REMOVE = 4,
    CHAIN_MEMBERSHIP_BADGE_END = 5,
} chain_membership;

typedef enum chain_proposal_kind {
    CHAIN_PROPOSAL_PARAMETERS = 1,   /* operational and structural parameters */
    CHAIN_PROPOSAL_AMENDMENT = 2,    /* constitutional ones, too */
    CHAIN_PROPOSAL_DISBURSEMENT = 3, /* pays a filed draft (spec/treasury.md), bounties included */
    CHAIN_PROPOSAL_MEMBERSHIP = 5,   /* issuers, authorities, badges */
    CHAIN_PROPOSAL_EMERGENCY = 6,    /* tightens parameters for a while */
    CHAIN_PROPOSAL_ROLLBACK = 7,     /* takes back what a proposal changed */
} chain_proposal_kind;

typedef enum chain_proposal_status {
    CHAIN_PROPOSAL_OPEN = 1,       /* comments, votes, and what lies between two votes */
    CHAIN_PROPOSAL_TIMELOCKED = 2, /* passed */
    CHAIN_PROPOSAL_ACTIVATED = 3,
    CHAIN_PROPOSAL_REJECTED = 4,
    CHAIN_PROPOSAL_FAILED = 5,     /* passed, but broke a rule when it was to act */
    CHAIN_PROPOSAL_ROLLED_BACK = 6,
    CHAIN_PROPOSAL_IN_FORCE = 7,   /* an emergency that acts */
    CHAIN_PROPOSAL_EXPIRED = 8,    /* one that did */
} chain_proposal_status;

typedef enum chain_vote_choice { CHAIN_VOTE_YES = 1, CHAIN_VOTE_NO = 2, CHAIN_VOTE_ABSTAIN = 3 } chain_vote_choice;

/* Which way an emergency may move a parameter. */
typedef enum chain_tightens { CHAIN_TIGHTENS_NONE, CHAIN_TIGHTENS_UP, CHAIN_TIGHTENS_DOWN } chain_tightens;
chain_tightens chain_param_tightens(chain_param p);
/* Whose operators decide on it. */
chain_electorate chain_param_electorate(chain_param p);

/* --- keys --- */

chain_key chain_key_governance(void);
chain_key chain_key_house(chain_electorate e);
chain_key chain_key_voter_at(const cr_address *a, uint64_t checkpoint);
chain_key chain_key_proposal(uint64_t number);
chain_key chain_key_change(uint64_t number, uint8_t place);
chain_key chain_key_vote(uint64_t number, uint8_t round, chain_house_id house, const cr_address *a);
chain_key chain_key_person_vote(uint64_t number, uint8_t round, chain_house_id house, const hash256 *person);

/* --- queries: NULL if absent; valid until the next call that changes the chain --- */

const chain_row_governance *chain_governance(const chain *c);
const chain_row_house      *chain_house(const chain *c, chain_electorate e);
const chain_row_voter      *chain_voter(const chain *c, const cr_address *a);
const chain_row_proposal   *chain_proposal(const chain *c, uint64_t number);
const chain_row_change     *chain_proposal_change(const chain *c, uint64_t number, uint8_t place);
const chain_row_vote       *chain_vote(const chain *c, uint64_t number, uint8_t round, chain_house_id house, const cr_address *a);

/* What would refuse the proposal if its vote were counted, or its timelock ended, now: "quorum", "operators" or "builders" as long as it
 * is open; a parameter's key, a rule or a bound of the genesis that its changes would break. NULL: nothing, or it has ended. */
const char *chain_proposal_obstacle(const chain *c, uint64_t number);

/* The parameter changes of proposal_submit: canonical array of [number, value], ascending by number, at most
 * LIMIT_PROPOSAL_CHANGES (1 at least on decoding: ERR_RANGE). Decoding refuses a number without a parameter (ERR_NOT_FOUND), an
 * order that does not ascend (ERR_DUPLICATE). */
typedef struct chain_param_change {
    chain_param param;
    uint64_t    value;
} chain_param_change;
err chain_changes_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_param_change *changes, size_t count) MUST_USE;
err chain_changes_decode(chain_param_change changes[LIMIT_PROPOSAL_CHANGES_N], size_t *count, bytes items, fault *f) MUST_USE;

#endif
