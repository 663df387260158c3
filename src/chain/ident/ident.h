/* SPDX-License-Identifier: Apache-2.0
 *
 * Who somebody is on the ledger: KYC attestations and persons, authorities, jurisdiction packs, service badges and reputation
 * (spec/identity.md). The face for the other parts of the chain; the transactions are declared in chain_int.h.
 *
 * Functions that change the state run while a block executes: they journal, and allocate nothing. */
#ifndef CHAIN_IDENT_IDENT_H
#define CHAIN_IDENT_IDENT_H

#include "chain/chain.h"
#include "econ/unit.h"

/* --- KYC (kyc.c) --- */

/* The attestation of the account that counts at `height`: level >= 1, not expired, issuer active; NULL if there is none. */
const chain_row_identity *chain_kyc_at(const chain *c, const cr_address *a, uint64_t height);

/* Its jurisdiction; 0 without a valid attestation. */
uint32_t chain_region_at(const chain *c, const cr_address *a, uint64_t height);

/* The key of the person behind the account: equal for two accounts exactly if one issuer attested both with one commitment. False
 * without a valid attestation. What a person may have once (voting power up to a cap) is counted under this key. */
bool chain_person_at(const chain *c, chain_key *person, const cr_address *a, uint64_t height);

/* For votes: admits or removes an issuer in block `height`; its attestations count, or no longer count, from the next block on.
 * Nothing happens if it is so already. ERR_ADDRESS: not an account. At most LIMIT_AUTHORITY_CHANGES calls in a block. */
err chain_issuer_set(chain *c, const cr_address *issuer, bool active, uint64_t height, fault *f) MUST_USE;

/* --- authorities (authority.c) --- */

/* For votes, as chain_issuer_set. A change voids what the role's list has begun and not finished. ERR_RANGE: role or scope; ERR_LIMIT:
 * the role has had LIMIT_AUTHORITY_SLOTS. */
err chain_authority_set(chain *c, chain_role role, const cr_address *a, uint32_t scope, bool active, fault *f) MUST_USE;

/* The row of an authority that may act, or NULL. */
const chain_row_authority *chain_authority_get(const chain *c, chain_role role, const cr_address *a);

/* How often the role's list has changed. */
uint64_t chain_authority_generation(const chain *c, chain_role role);

/* --- jurisdiction packs (pack.c) --- */

typedef enum chain_feature {
#define PACK_FEATURE(ID, bit, name, gated, doc) CHAIN_FEATURE_##ID = (bit),
#include "pack.def"
#undef PACK_FEATURE
} chain_feature;

/* Whether the pack of the account's region, and its parents, let it use the feature at `height`; `market` is the market it thereby takes part
 * in, or ECON_MARKETS for none. The first rule that does not is named: ERR_PERMISSION "pack.banned: NAME" (the market is closed),
 * "pack.features_off: NAME", "pack.consent: NAME" (gated features: no consent to the version that stands), ERR_KYC "pack.kyc_level: NAME". */
err chain_pack_check(const chain *c, const cr_address *a, chain_feature feature, econ_market market, uint64_t height, fault *f) MUST_USE;

/* --- badges and reputation (badge.c, standing.c, calendar.c) --- */

/* One provider's service in one market in the epoch that ends; what was not measured is 0. */
typedef struct chain_service_epoch {
    uint64_t epoch;
    uint64_t served, spoiled;       /* units of paid work, and of them found wrong; spoiled <= served */
    uint64_t answered, missed;      /* what was asked of it: answered in time, or not */
    uint64_t latency_p95_blocks;    /* 95th percentile over what was answered; 0 if nothing was */
    uint64_t proofs_ok, proofs_failed;
} chain_service_epoch;

/* The epoch sweep calls it when the epoch is over, once for each provider and market; at most chain_sweep_block_max times in a block. An
 * epoch in which nothing was measured leaves the row as it is. ERR_RANGE: market, or spoiled
 * above served; ERR_ADDRESS; ERR_DUPLICATE: the epoch, or a later one, is recorded already; ERR_OVERFLOW: sums of counts. */
err chain_badge_record(chain *c, econ_market market, const cr_address *a, const chain_service_epoch *e, fault *f) MUST_USE;

/* For votes: ends the badge (market ECON_MARKETS for builders); it has to be earned anew. ERR_NOT_FOUND: there is none that counts. */
err chain_badge_revoke(chain *c, uint8_t market, chain_badge_role role, const cr_address *a, uint64_t epoch, fault *f) MUST_USE;

/* Whether the badge counts in epoch `epoch`. */
bool chain_badge_live(const chain_row_badge *row, uint64_t epoch);

/* Reputation at the start of epoch `epoch`, in ppm (Q32.32), and whether it makes eligible; 0 and false for who has no row. */
q32  chain_reputation_at(const chain *c, econ_market market, const cr_address *a, uint64_t epoch);
bool chain_reputation_eligible(const chain *c, econ_market market, const cr_address *a, uint64_t epoch);

/* What badges and reputation of an account weigh in votes. Months are complete ones, over all times that the badge was held. */
typedef struct chain_standing {
    uint32_t operator_months[ECON_MARKETS]; /* 0 unless bit m of markets is set */
    uint32_t builder_months;                /* 0 unless builder */
    uint32_t reputation_ppm;                /* the greatest in a market with a live badge; at most 1,000,000 */
    uint8_t  markets;                       /* bit m: a live operator badge of market m */
    bool     builder;                       /* a live builder badge */
} chain_standing;
void chain_standing_at(const chain *c, chain_standing *out, const cr_address *a, uint64_t epoch);

/* The one place where a change of standing becomes known: a badge earned, ended or a month older, or a reputation that moved by 50,000 ppm
 * since it was last known. `epoch` is the first one for which it holds. */
void chain_standing_changed(chain *c, const cr_address *a, uint64_t epoch, uint32_t tx_index);

/* At the end of the last block of an epoch: badges whose time is over end, months tick; at most LIMIT_BADGE_SWEEP badges, the rest with the
 * next epoch. Whether a badge counts never waits for it: what waits is what others have added up. */
err chain_ident_epoch(chain *c, uint64_t height, fault *f) MUST_USE;

/* --- checks (audit.c) --- */

/* What the rows of this folder hold of the purses: sums over members' stakes, and over the pots of overlays. */
void chain_ident_held(const chain *c, u128 *stakes, u128 *pots);

/* Counts of this folder's rows against the rows that they count: for chain_audit. ERR_INVARIANT naming the rule. */
err chain_ident_audit(const chain *c, fault *f) MUST_USE;

#endif
