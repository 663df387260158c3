/* SPDX-License-Identifier: Apache-2.0
 * KYC: attestations, the persons behind them, and the list of issuers. */
#include "chain/chain_int.h"
#include "chain/ident/ident.h"

static bool issuer_active(const chain *c, const cr_address *issuer)
{
    chain_key key = chain_key_address(issuer);
    const chain_row_issuer *row = chain_row_get(c, CHAIN_TABLE_ISSUER, &key);
    return row && row->active;
}

const chain_row_identity *chain_kyc_at(const chain *c, const cr_address *a, uint64_t height)
{
    chain_key key = chain_key_address(a);
    const chain_row_identity *id = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    return id && id->level > 0 && id->expiry_height >= height && issuer_active(c, &id->issuer) ? id : NULL;
}

bool chain_kyc_valid_at(const chain *c, const cr_address *a, uint64_t height)
{
    return chain_kyc_at(c, a, height) != NULL;
}

uint32_t chain_region_at(const chain *c, const cr_address *a, uint64_t height)
{
    const chain_row_identity *id = chain_kyc_at(c, a, height);
    return id ? id->jurisdiction : 0;
}

bool chain_person_at(const chain *c, chain_key *person, const cr_address *a, uint64_t height)
{
    const chain_row_identity *id = chain_kyc_at(c, a, height);
    if (id)
        *person = chain_key_person(&id->issuer, &id->commitment);
    return id != NULL;
}

err chain_issuer_set(chain *c, const cr_address *issuer, bool active, uint64_t height, fault *f)
{
    if (issuer->kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "issuer.address", issuer->kind);
    if (issuer_active(c, issuer) == active)
        return OK;
    chain_key key = chain_key_address(issuer);
    chain_row_issuer *row = chain_row_edit_or_create(c, CHAIN_TABLE_ISSUER, &key);
    *row = (chain_row_issuer){ .active = active, .changed_height = height };
    chain_event_add(c, CHAIN_EVENT_ISSUER_CHANGED, CHAIN_EVENT_NO_TX)->data.issuer_changed =
        (chain_event_issuer_changed){ .issuer = *issuer, .active = active };
    return OK;
}

/* --- persons: every attestation that is not withdrawn counts once, expired or not --- */

static err person_leave(chain *c, const chain_row_identity *id)
{
    chain_key key = chain_key_person(&id->issuer, &id->commitment);
    chain_row_person *person = chain_row_edit(c, CHAIN_TABLE_PERSON, &key);
    return checked_sub_u64(&person->accounts, person->accounts, 1);
}

static err person_enter(chain *c, const chain_row_identity *id)
{
    chain_key key = chain_key_person(&id->issuer, &id->commitment);
    chain_row_person *person = chain_row_edit_or_create(c, CHAIN_TABLE_PERSON, &key);
    return checked_add_u64(&person->accounts, person->accounts, 1);
}

/* --- transactions --- */

static err check_attestation(const exec *x, const chain_tx_kyc_attest *p, fault *f)
{
    if (!issuer_active(x->c, &x->sender))
        return fail(f, ERR_PERMISSION, "kyc_attest.sender", 0);
    if (p->subject.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "kyc_attest.subject", p->subject.kind);
    if (p->level == 0)
        return fail(f, ERR_RANGE, "kyc_attest.level", 0);
    if (p->jurisdiction == 0)
        return fail(f, ERR_RANGE, "kyc_attest.jurisdiction", 0);
    if (p->expiry_height <= x->height)
        return fail(f, ERR_EXPIRED, "kyc_attest.expiry_height", p->expiry_height);
    const chain_row_identity *valid = chain_kyc_at(x->c, &p->subject, x->height);
    if (valid && !cr_address_equal(&valid->issuer, &x->sender))
        return fail(f, ERR_EXISTS, "kyc_attest.subject", 0);
    return OK;
}

err chain_exec_kyc_attest(exec *x, const chain_tx_kyc_attest *p, fault *f)
{
    chain *c = x->c;
    TRY(check_attestation(x, p, f));
    chain_key key = chain_key_address(&p->subject);
    const chain_row_identity *now = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    if (now && now->level > 0)
        TRY(person_leave(c, now));
    chain_row_identity *row = chain_row_edit_or_create(c, CHAIN_TABLE_IDENTITY, &key);
    *row = (chain_row_identity){ .issuer = x->sender, .level = p->level, .jurisdiction = p->jurisdiction,
                                 .expiry_height = p->expiry_height, .commitment = p->commitment };
    TRY(person_enter(c, row));
    chain_event_add(c, CHAIN_EVENT_KYC_CHANGED, x->tx_index)->data.kyc_changed =
        (chain_event_kyc_changed){ .subject = p->subject, .level = p->level };
    return OK;
}

err chain_exec_kyc_revoke(exec *x, const chain_tx_kyc_revoke *p, fault *f)
{
    chain *c = x->c;
    if (!issuer_active(c, &x->sender))
        return fail(f, ERR_PERMISSION, "kyc_revoke.sender", 0);
    chain_key key = chain_key_address(&p->subject);
    const chain_row_identity *now = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    if (!now || now->level == 0)
        return fail(f, ERR_NOT_FOUND, "kyc_revoke.subject", 0);
    if (!cr_address_equal(&now->issuer, &x->sender))
        return fail(f, ERR_PERMISSION, "kyc_revoke.subject", 0);
    TRY(person_leave(c, now));
    chain_row_identity *row = chain_row_edit(c, CHAIN_TABLE_IDENTITY, &key);
    row->level = 0;
    chain_event_add(c, CHAIN_EVENT_KYC_CHANGED, x->tx_index)->data.kyc_changed =
        (chain_event_kyc_changed){ .subject = p->subject };
    return OK;
}
