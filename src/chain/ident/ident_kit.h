/* SPDX-License-Identifier: Apache-2.0
 * For the tests of this folder: attestations, and what votes and epoch sweeps do, done between blocks: it stands in the next block. */
#ifndef CHAIN_IDENT_IDENT_KIT_H
#define CHAIN_IDENT_IDENT_KIT_H

#include "chain/chain_int.h"
#include "chain/chain_kit.h"
#include "chain/ident/ident.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

/* Room for what functions called between blocks may add to the rows: a block has it for its own providers and transactions. */
static inline void make_room(chain *c)
{
    CHECK(chain_reserve(c, 100, 100000) == OK);
}

/* Forgets what functions called between blocks have listed, as a new block would. */
static inline void settle(kit *k)
{
    k->c->event_count = 0;
    kit_advance(k, 1);
}

static inline uint64_t next_height(const kit *k)
{
    return chain_head(k->c)->height + 1;
}

static inline err attest(kit *k, unsigned issuer, unsigned subject, uint8_t level, uint32_t jurisdiction, uint8_t commitment)
{
    chain_tx tx = kit_tx(k, issuer, CHAIN_TX_KYC_ATTEST, 0);
    tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(subject), .level = level, .jurisdiction = jurisdiction,
                                                   .expiry_height = next_height(k) + 100000, .commitment = { { commitment } } };
    return kit_run(k, &tx, issuer);
}

/* A record of faultless service in the epoch that has just ended. */
static inline void serve(kit *k, unsigned who, econ_market m)
{
    cr_address a = kit_address(who);
    chain_service_epoch e = { .epoch = chain_head(k->c)->height / param(k->c, CHAIN_PARAM_EPOCH), .answered = 1, .proofs_ok = 1, .served = 1 };
    make_room(k->c);
    CHECK(chain_badge_record(k->c, m, &a, &e, NULL) == OK);
}

/* The transaction is refused with this code, and the refusal names this. */
#define REFUSED(k, tx, who, code, text)                            \
    do {                                                           \
        assert_int_equal(kit_run(k, tx, who), code);               \
        assert_string_equal((k)->result.txs[0].what, text);        \
    } while (0)

/* The row under a key. */
#define ROW(k, TABLE, key) chain_row_get((k)->c, CHAIN_TABLE_##TABLE, &(chain_key[]){ key }[0])

#endif
