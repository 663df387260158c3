/* SPDX-License-Identifier: Apache-2.0
 *
 * The rows of the state, as C structs, and their keys. The same records are the values in the state tree, in snapshots and in
 * the engine's checkpoints. */
#ifndef CHAIN_STATE_H
#define CHAIN_STATE_H

#include "base/int.h"
#include "chain/param.h"
#include "chain/record.h"
#include "chain/smt.h"

typedef enum chain_table {
#define ROW_BEGIN(ID, number, name, module, key_len, doc) CHAIN_TABLE_##ID = (number),
#define FIELD(record, type, field, max, doc)
#define ROW_END(ID, name)
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END
    CHAIN_TABLE_END = 128 /* numbers below it that no row has are unused */
} chain_table;

/* chain_row_account, chain_row_supply, chain_row_job, ... */
#define ROW_BEGIN(ID, number, name, module, key_len, doc) typedef struct chain_row_##name {
#define FIELD(record, type, field, max, doc) CHAIN_C_##type field;
#define ROW_END(ID, name) } chain_row_##name;
#include "chain/rows.def"
#undef ROW_BEGIN
#undef FIELD
#undef ROW_END

typedef enum chain_job_status { CHAIN_JOB_OPEN = 1, CHAIN_JOB_COMPLETE = 2, CHAIN_JOB_REFUNDED = 3 } chain_job_status;
typedef enum chain_bid_status { CHAIN_BID_OPEN = 0, CHAIN_BID_ACCEPTED = 1 } chain_bid_status;
typedef enum chain_worker_status { CHAIN_WORKER_ACTIVE = 0, CHAIN_WORKER_LEAVING = 1, CHAIN_WORKER_LEFT = 2 } chain_worker_status;
typedef enum chain_lease_status { CHAIN_LEASE_COMMITTED = 1, CHAIN_LEASE_PAID = 2, CHAIN_LEASE_SPOILED = 3 } chain_lease_status;
typedef enum chain_audit_status { CHAIN_AUDIT_OPEN = 1, CHAIN_AUDIT_VALID = 2, CHAIN_AUDIT_FALSE = 3, CHAIN_AUDIT_CLOSED = 4 } chain_audit_status;

typedef enum chain_badge_role { CHAIN_BADGE_OPERATOR = 1, CHAIN_BADGE_BUILDER = 2 } chain_badge_role;
typedef enum chain_overlay_rule { CHAIN_RULE_BADGE = 1, CHAIN_RULE_STAKE = 2, CHAIN_RULE_ATTESTATION = 3, CHAIN_RULE_VOUCH = 4 } chain_overlay_rule;
typedef enum chain_member_status { CHAIN_MEMBER_OUTSIDE = 0, CHAIN_MEMBER_INSIDE = 1, CHAIN_MEMBER_LEFT = 2 } chain_member_status;
typedef enum chain_ballot { CHAIN_BALLOT_YES = 1, CHAIN_BALLOT_NO = 2, CHAIN_BALLOT_ABSTAIN = 3 } chain_ballot;
typedef enum chain_role { CHAIN_ROLE_PACKS = 1, CHAIN_ROLE_RELEASES = 2 } chain_role; /* of authorities */

enum { CHAIN_KEY_MAX = 72 };

/* A state key: the bytes after the table number. */
typedef struct chain_key {
    uint8_t len;
    uint8_t b[CHAIN_KEY_MAX];
} chain_key;

static inline bytes chain_key_bytes(const chain_key *k)
{
    return (bytes){ k->b, k->len };
}

chain_key chain_key_address(const cr_address *a);                          /* ACCOUNT, WORKER, ISSUER, IDENTITY, CONSENT */
chain_key chain_key_supply(void);                                          /* SUPPLY */
chain_key chain_key_param(chain_param p);                                  /* PARAM */
chain_key chain_key_job(const hash256 *job);                               /* JOB, AUCTION */
chain_key chain_key_bid(const hash256 *job, const cr_address *worker);     /* BID, COMMIT */
chain_key chain_key_numbered(const hash256 *job, uint64_t number);         /* COVERAGE (block of 256), LEASE, AUDIT (lease id), POLL (of an overlay), COMMIT_AT (bid) */
chain_key chain_key_height(uint64_t height);                               /* BEACON, EPOCH, PROVIDER_AT (number), FEED (id) */
chain_key chain_key_one(uint8_t number);                                   /* ECONOMY, TREASURY, BREAKER (0), MARKET, PRODUCER, STANDBY, DISBURSEMENT_SLOT */
chain_key chain_key_provider(uint8_t market, const cr_address *a);         /* PROVIDER */
chain_key chain_key_award(uint64_t epoch, uint8_t market);                 /* AWARD */
chain_key chain_key_feed(uint64_t feed, const cr_address *source);         /* ORACLE */
chain_key chain_key_reading(uint64_t feed, uint64_t place);                /* READING */
chain_key chain_key_region(uint8_t market, uint32_t region);               /* REGION */
chain_key chain_key_person(const cr_address *issuer, const hash256 *commitment); /* PERSON */
chain_key chain_key_authority(uint8_t role, const cr_address *a);          /* AUTHORITY; NULL: the role itself */
chain_key chain_key_badge(uint8_t market, uint8_t role, const cr_address *a); /* BADGE */
chain_key chain_key_due(uint64_t epoch);                                   /* DUE */
chain_key chain_key_release(const cr_address *builder, const hash256 *release); /* RELEASE */
chain_key chain_key_overlay(const chain_name *community);                  /* OVERLAY; its bytes are the overlay's id */
chain_key chain_key_member(const hash256 *overlay, const cr_address *a);   /* MEMBER */
chain_key chain_key_pack(uint32_t region);                                 /* PACK */

/* The block in which a lease came to the ledger: its commitment, or its payment if there was none. */
static inline uint64_t chain_lease_first_block(const chain_row_lease *row)
{
    return row->commit_height ? row->commit_height : row->settle_height;
}

/* What a table is: NULL for an unknown number. */
typedef struct chain_table_info {
    chain_table         table;
    chain_module        module;
    uint8_t             key_len;
    const chain_record *record;
} chain_table_info;
const chain_table_info *chain_table_describe(uint64_t table);
/* The next number after this one that names a table; CHAIN_TABLE_END after the last. */
unsigned chain_table_next(unsigned table);

/* Everything that exists: between transactions minted - burned, but for the fees that the block has not credited yet. */
static inline u128 chain_supply_held(const chain_row_supply *s)
{
    return (u128)s->balances + s->escrow + s->bonds + s->treasury + s->subsidy + s->awarded + s->disbursing + s->stakes;
}

/* The treasury's address (kind chain); it is credited in the supply record and has no account row. */
cr_address chain_treasury_address(void);

#endif
