/* SPDX-License-Identifier: Apache-2.0
 * What the files of this folder share. */
#ifndef CHAIN_IDENT_IDENT_INT_H
#define CHAIN_IDENT_IDENT_INT_H

#include "chain/econ/econ_int.h"
#include "chain/ident/ident.h"

/* Which badge: its key, in parts. The account is always of kind account. */
typedef struct badge_id {
    uint8_t market, role;
    hash256 account;
} badge_id;

static inline cr_address chain_badge_account(const badge_id *id)
{
    cr_address a = { .kind = CR_ADDRESS_ACCOUNT };
    memcpy(a.hash, id->account.b, sizeof a.hash);
    return a;
}

static inline chain_key chain_badge_key(const badge_id *id)
{
    cr_address a = chain_badge_account(id);
    return chain_key_badge(id->market, id->role, &a);
}

static inline badge_id chain_badge_id(uint8_t market, uint8_t role, const cr_address *a)
{
    badge_id id = { .market = market, .role = role };
    memcpy(id.account.b, a->hash, sizeof id.account.b);
    return id;
}

typedef enum badge_change { BADGE_EARNED = 1, BADGE_LAPSED = 2, BADGE_LOST = 3, BADGE_REVOKED = 4 } badge_change;

/* badge.c: a badge that does not count begins with epoch `epoch`; one that does is renewed; one that is marked live ends before `epoch`.
 * They change the row and say so, but for the standing. */
err chain_badge_begin(chain *c, const badge_id *id, uint64_t epoch, uint32_t tx_index, fault *f) MUST_USE;
err chain_badge_renew(chain *c, chain_row_badge *row, uint64_t epoch) MUST_USE;
void chain_badge_end(chain *c, const badge_id *id, uint64_t epoch, badge_change why, uint32_t tx_index);

/* Epochs that the badge was held before `epoch`. */
uint64_t chain_badge_held(const chain_row_badge *row, uint64_t epoch);

/* reputation.c: the score of the row with the epoch's contribution. */
err chain_reputation_record(chain *c, chain_row_badge *row, const chain_service_epoch *e, fault *f) MUST_USE;
q32 chain_reputation_of_row(const chain *c, const chain_row_badge *row, uint64_t epoch);

/* calendar.c: the badge is looked at when the epoch before its next change ends (the one before `epoch` is over). It is in no list yet. */
err chain_calendar_add(chain *c, const badge_id *id, uint64_t epoch, fault *f) MUST_USE;

#endif
