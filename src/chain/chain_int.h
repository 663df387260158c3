/* SPDX-License-Identifier: Apache-2.0
 *
 * The chain's insides: tables, trees, journal, and the small vocabulary that the transactions are written in. */
#ifndef CHAIN_CHAIN_INT_H
#define CHAIN_CHAIN_INT_H

#include "base/int.h"
#include "chain/chain.h"
#include "chain/table_int.h"
#include "chain/tree_int.h"

enum { PPM = 1000000, BPS = 10000 };

/* How to undo one change; the row as it was lies before it in the journal unless the row was created. */
typedef struct journal_entry {
    uint32_t number;
    uint8_t  table;
    bool     created;
    bool     first_in_block; /* the row was not in block_dirty before */
    uint8_t  pad;
} journal_entry;

/* For chain_propose: what orders a candidate. */
typedef struct candidate {
    cr_public_key sender;
    uint64_t      nonce;
    uint64_t      rate;  /* tip per 1024 bytes, the least among the sender's nonces up to this one */
    uint32_t      index; /* in the caller's list */
    uint32_t      group; /* least index of the sender */
} candidate;

/* What the transactions of a block add to the meters of the epoch (econ/econ_int.h). */
typedef struct chain_meter {
    uint64_t txs, volume, open_volume, tariff_income, other_income;
} chain_meter;

struct chain {
    chain_config  config;
    uint8_t      *genesis_data;
    size_t        genesis_len;
    hash256       network;
    chain_genesis genesis; /* its arrays are owned */

    chain_header head;
    hash256      head_hash;
    uint8_t      head_signed[1024]; /* LIMIT_HEADER_BYTES */
    size_t       head_signed_len;
    bool         loading;

    row_table tables[CHAIN_TABLE_END];
    uint32_t  param_rows[CHAIN_PARAM_COUNT]; /* numbers of the rows in table PARAM */
    tree  trees[CHAIN_MODULE_COUNT];

    uint8_t *journal;
    size_t   journal_len, journal_cap;

    chain_event     *events;
    size_t           event_count, event_cap;
    chain_tx_result *results;
    size_t           result_count, result_cap;
    hash256         *hashes; /* scratch: result_cap of them */
    candidate       *candidates, *candidates_spare;
    size_t           candidate_cap;

    bool         pending;
    bool         trees_ahead; /* the trees contain the pending block */
    chain_header pending_header;
    uint64_t     block_fees; /* nBLOCK taken from senders in this block, not yet credited */
    uint64_t     block_burn; /* of it, to be burned */
    chain_meter  meter;
};

/* One transaction while it executes. */
typedef struct exec {
    chain      *c;
    uint64_t    height;
    cr_address  sender;
    cr_public_key sender_key;
    hash256     tx_id;
    uint32_t    tx_index;
} exec;

/* --- rows --- */

/* NULL if absent. */
const void *chain_row_get(const chain *c, chain_table table, const chain_key *key);
/* A row that exists, for writing; its old value goes to the journal. */
void *chain_row_edit(chain *c, chain_table table, const chain_key *key);
/* A new zeroed row. */
void *chain_row_create(chain *c, chain_table table, const chain_key *key);
void *chain_row_edit_or_create(chain *c, chain_table table, const chain_key *key);

size_t chain_journal_mark(const chain *c);
void   chain_journal_undo(chain *c, size_t mark);

/* The row's canonical encoding in `buffer` (LIMIT_STATE_VALUE_BYTES). */
bytes chain_row_encode(const row_table *t, uint32_t number, uint8_t *buffer);

/* --- money: every movement is one of these, so that the supply record cannot drift --- */

typedef enum purse {
    PURSE_ESCROW,
    PURSE_BONDS,
    PURSE_TREASURY,
    PURSE_SUBSIDY,
    PURSE_AWARDED,
    PURSE_DISBURSING,
    PURSE_STAKES,
} purse;

err chain_account_credit(chain *c, const cr_address *a, uint64_t amount) MUST_USE;
err chain_account_debit(chain *c, const cr_address *a, uint64_t amount) MUST_USE; /* ERR_FUNDS */
err chain_purse_add(chain *c, purse p, uint64_t amount) MUST_USE;
err chain_purse_take(chain *c, purse p, uint64_t amount) MUST_USE;
err chain_supply_mint(chain *c, uint64_t amount) MUST_USE; /* ERR_CAP */
err chain_supply_burn(chain *c, uint64_t amount) MUST_USE;
/* ERR_INVARIANT unless balances, all purses and `floating` add up to minted - burned, and minted <= cap. */
err chain_supply_check(const chain *c, uint64_t floating, fault *f) MUST_USE;

/* --- the rest --- */

static inline uint64_t param(const chain *c, chain_param p)
{
    return ((const chain_row_param *)table_row_at(&c->tables[CHAIN_TABLE_PARAM], c->param_rows[p]))->value;
}
/* Finds the rows of all parameters, which never move: ERR_FIELD if one is missing or out of bounds. After it, param() works. */
err chain_params_index(chain *c, fault *f) MUST_USE;
/* Bounds and rules of the tables, and the bounds of the genesis: ERR_RANGE naming the row, the rule, or "genesis bound: KEY". */
err chain_params_allowed(const chain *c, const chain_params *p, fault *f) MUST_USE;
/* The same for the parameters in force, and for the tariff in force against the genesis bounds of its least and greatest: ERR_INVARIANT. */
err chain_params_hold(const chain *c, fault *f) MUST_USE;
bool chain_kyc_valid_at(const chain *c, const cr_address *a, uint64_t height); /* ident/kyc.c */

/* The next event of the transaction (or block); zeroed, type and index set. */
chain_event *chain_event_add(chain *c, chain_event_type type, uint32_t tx_index);

/* memory.c */
void *chain_alloc(const chain_config *config, size_t count, size_t size);
void  chain_release(const chain_config *config, void *block, size_t count, size_t size);
err   chain_table_room(chain *c, chain_table table, size_t extra) MUST_USE;
err   chain_tree_room(chain *c, tree *t, size_t extra) MUST_USE;
bool  chain_has_room(const chain *c, size_t tx_count, size_t tx_bytes);

/* Brings the trees up to the rows of block_dirty. */
void chain_trees_sync(chain *c);
/* Root over the module roots; `top` (may be NULL) gets them. */
hash256 chain_trees_root(chain *c, hash256 module_roots[CHAIN_MODULE_COUNT]);
/* The rows of block_dirty join mark_dirty. */
void chain_block_dirty_to_mark(chain *c);

/* exec.c: one transaction. An error of `admit` means that it has no place in a block. */
err chain_exec_admit(const chain *c, chain_admission *out, const chain_tx *tx, size_t len, uint64_t height, uint64_t nonce_window,
                     bool signature_known, fault *f) MUST_USE;
err chain_exec_tx(chain *c, const chain_tx *tx, size_t len, uint64_t height, uint32_t index, bool signature_known,
                  chain_tx_result *result, fault *f) MUST_USE;

/* exec_account.c */
err chain_exec_transfer(exec *x, const chain_tx_transfer *p, fault *f) MUST_USE;

/* ident/ */
err chain_exec_kyc_attest(exec *x, const chain_tx_kyc_attest *p, fault *f) MUST_USE;
err chain_exec_kyc_revoke(exec *x, const chain_tx_kyc_revoke *p, fault *f) MUST_USE;
err chain_exec_pack_publish(exec *x, const chain_tx_pack_publish *p, fault *f) MUST_USE;
err chain_exec_pack_consent(exec *x, const chain_tx_pack_consent *p, fault *f) MUST_USE;
err chain_exec_release_attest(exec *x, const chain_tx_release_attest *p, fault *f) MUST_USE;
err chain_exec_overlay_create(exec *x, const chain_tx_overlay_create *p, fault *f) MUST_USE;
err chain_exec_overlay_join(exec *x, const chain_tx_overlay_join *p, fault *f) MUST_USE;
err chain_exec_overlay_attest(exec *x, const chain_tx_overlay_attest *p, fault *f) MUST_USE;
err chain_exec_overlay_vouch(exec *x, const chain_tx_overlay_vouch *p, fault *f) MUST_USE;
err chain_exec_overlay_leave(exec *x, const chain_tx_overlay_leave *p, fault *f) MUST_USE;
err chain_exec_overlay_poll(exec *x, const chain_tx_overlay_poll *p, fault *f) MUST_USE;
err chain_exec_overlay_vote(exec *x, const chain_tx_overlay_vote *p, fault *f) MUST_USE;

/* exec_worker.c */
err chain_exec_worker_register(exec *x, const chain_tx_worker_register *p, fault *f) MUST_USE;
err chain_exec_worker_unregister(exec *x, const chain_tx_worker_unregister *p, fault *f) MUST_USE;
err chain_exec_worker_withdraw(exec *x, const chain_tx_worker_withdraw *p, fault *f) MUST_USE;
/* Registered, active, bonded: ERR_NOT_FOUND, ERR_STATE, ERR_BOND. */
err chain_worker_may_take_work(const chain *c, const cr_address *worker, fault *f) MUST_USE;

/* exec_job.c */
err chain_exec_job_post(exec *x, const chain_tx_job_post *p, fault *f) MUST_USE;
err chain_exec_job_bid(exec *x, const chain_tx_job_bid *p, fault *f) MUST_USE;
err chain_exec_job_match(exec *x, const chain_tx_job_match *p, fault *f) MUST_USE;
err chain_exec_job_close(exec *x, const chain_tx_job_close *p, fault *f) MUST_USE;
/* ERR_NOT_FOUND (naming `what`) or ERR_STATE. */
err chain_find_open_job(const exec *x, const hash256 *id, const char *what, const chain_row_job **out, fault *f) MUST_USE;
/* The sender is the job's buyer or coordinator. */
bool chain_job_sender_leads(const exec *x, const chain_row_job *job);

/* exec_receipt.c */
err chain_exec_trace_commit(exec *x, const chain_tx_trace_commit *p, fault *f) MUST_USE;
err chain_exec_receipt_pay(exec *x, const chain_tx_receipt_pay *p, fault *f) MUST_USE;

/* exec_dispute.c */
err chain_exec_trace_challenge(exec *x, const chain_tx_trace_challenge *p, fault *f) MUST_USE;
err chain_exec_trace_open(exec *x, const chain_tx_trace_open *p, fault *f) MUST_USE;
err chain_exec_slash(exec *x, const chain_tx_slash *p, fault *f) MUST_USE;

/* econ/standby.c */
err chain_exec_standby_answer(exec *x, const chain_tx_standby_answer *p, fault *f) MUST_USE;

/* gov/exec_stake.c */
err chain_exec_stake_add(exec *x, const chain_tx_stake_add *p, fault *f) MUST_USE;
err chain_exec_stake_remove(exec *x, const chain_tx_stake_remove *p, fault *f) MUST_USE;
err chain_exec_stake_withdraw(exec *x, const chain_tx_stake_withdraw *p, fault *f) MUST_USE;
err chain_exec_delegate(exec *x, const chain_tx_delegate *p, fault *f) MUST_USE;
err chain_exec_undelegate(exec *x, const chain_tx_undelegate *p, fault *f) MUST_USE;

/* gov/exec_proposal.c, gov/exec_vote.c */
err chain_exec_proposal_submit(exec *x, const chain_tx_proposal_submit *p, fault *f) MUST_USE;
err chain_exec_membership_propose(exec *x, const chain_tx_membership_propose *p, fault *f) MUST_USE;
err chain_exec_vote(exec *x, const chain_tx_vote *p, fault *f) MUST_USE;
err chain_exec_vote_for(exec *x, const chain_tx_vote_for *p, fault *f) MUST_USE;
/* treasury/filing.c */
err chain_exec_disbursement_file(exec *x, const chain_tx_disbursement_file *p, fault *f) MUST_USE;
err chain_exec_disbursement_withdraw(exec *x, const chain_tx_disbursement_withdraw *p, fault *f) MUST_USE;

/* auction/exec_auction.c */
err chain_exec_auction_open(exec *x, const chain_tx_auction_open *p, fault *f) MUST_USE;
err chain_exec_auction_commit(exec *x, const chain_tx_auction_commit *p, fault *f) MUST_USE;
err chain_exec_auction_reveal(exec *x, const chain_tx_auction_reveal *p, fault *f) MUST_USE;
err chain_exec_auction_settle(exec *x, const chain_tx_auction_settle *p, fault *f) MUST_USE;

/* auction/exec_oracle.c */
err chain_exec_oracle_register(exec *x, const chain_tx_oracle_register *p, fault *f) MUST_USE;
err chain_exec_oracle_report(exec *x, const chain_tx_oracle_report *p, fault *f) MUST_USE;
err chain_exec_oracle_close(exec *x, const chain_tx_oracle_close *p, fault *f) MUST_USE;
err chain_exec_oracle_leave(exec *x, const chain_tx_oracle_leave *p, fault *f) MUST_USE;
err chain_exec_oracle_withdraw(exec *x, const chain_tx_oracle_withdraw *p, fault *f) MUST_USE;

/* exec_audit.c */
err chain_exec_audit_open(exec *x, const chain_tx_audit_open *p, fault *f) MUST_USE;
err chain_exec_audit_verdict(exec *x, const chain_tx_audit_verdict *p, fault *f) MUST_USE;
err chain_exec_audit_close(exec *x, const chain_tx_audit_close *p, fault *f) MUST_USE;
/* As chain_audit_drawn, while block `height` executes or after it. */
err chain_audit_draw(const chain *c, bool *out, const chain_row_lease *row, uint64_t height) MUST_USE;

#endif
