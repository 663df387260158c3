/* SPDX-License-Identifier: Apache-2.0
 * Transfers and identity. */
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"

err chain_exec_transfer(exec *x, const chain_tx_transfer *p, fault *f)
{
    chain *c = x->c;
    bool to_treasury = p->to.kind != CR_ADDRESS_ACCOUNT;
    if (to_treasury) {
        cr_address treasury = chain_treasury_address();
        if (!cr_address_equal(&p->to, &treasury))
            return fail(f, ERR_ADDRESS, "transfer.to", p->to.kind);
    }
    if (p->amount == 0)
        return fail(f, ERR_RANGE, "transfer.amount", 0);

    uint64_t tariff = 0;
    bool open = !to_treasury && !chain_kyc_valid_at(c, &x->sender, x->height);
    if (open)
        TRY(chain_tariff_of(c, &tariff, p->amount));
    if (chain_account_debit(c, &x->sender, p->amount) != OK)
        return fail(f, ERR_FUNDS, "transfer.amount", p->amount);
    uint64_t net = p->amount - tariff;
    if (to_treasury)
        TRY(chain_treasury_income(c, net));
    else
        TRY(chain_account_credit(c, &p->to, net));

    chain_event_add(c, CHAIN_EVENT_TRANSFERRED, x->tx_index)->data.transferred =
        (chain_event_transferred){ .from = x->sender, .to = p->to, .amount = net };
    chain_meter_volume(c, p->amount, open);
    chain_gov_disclose(x, p->amount);
    return chain_tariff_collect(c, &x->sender, tariff, x->tx_index);
}

static err check_issuer(const exec *x, const char *what, fault *f)
{
    chain_key key = chain_key_address(&x->sender);
    const chain_row_issuer *issuer = chain_row_get(x->c, CHAIN_TABLE_ISSUER, &key);
    return issuer && issuer->active ? OK : fail(f, ERR_PERMISSION, what, 0);
}

err chain_exec_kyc_attest(exec *x, const chain_tx_kyc_attest *p, fault *f)
{
    chain *c = x->c;
    TRY(check_issuer(x, "kyc_attest.sender", f));
    if (p->subject.kind != CR_ADDRESS_ACCOUNT)
        return fail(f, ERR_ADDRESS, "kyc_attest.subject", p->subject.kind);
    if (p->level == 0)
        return fail(f, ERR_RANGE, "kyc_attest.level", 0);
    if (p->jurisdiction == 0)
        return fail(f, ERR_RANGE, "kyc_attest.jurisdiction", 0);
    if (p->expiry_height <= x->height)
        return fail(f, ERR_EXPIRED, "kyc_attest.expiry_height", p->expiry_height);
    chain_key key = chain_key_address(&p->subject);
    const chain_row_identity *now = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    if (now && !cr_address_equal(&now->issuer, &x->sender) && chain_kyc_valid_at(c, &p->subject, x->height))
        return fail(f, ERR_EXISTS, "kyc_attest.subject", 0);

    chain_row_identity *row = chain_row_edit_or_create(c, CHAIN_TABLE_IDENTITY, &key);
    *row = (chain_row_identity){ .issuer = x->sender, .level = p->level, .jurisdiction = p->jurisdiction,
                                 .expiry_height = p->expiry_height, .commitment = p->commitment };
    chain_event_add(c, CHAIN_EVENT_KYC_CHANGED, x->tx_index)->data.kyc_changed =
        (chain_event_kyc_changed){ .subject = p->subject, .level = p->level };
    return OK;
}

err chain_exec_kyc_revoke(exec *x, const chain_tx_kyc_revoke *p, fault *f)
{
    chain *c = x->c;
    TRY(check_issuer(x, "kyc_revoke.sender", f));
    chain_key key = chain_key_address(&p->subject);
    const chain_row_identity *now = chain_row_get(c, CHAIN_TABLE_IDENTITY, &key);
    if (!now || now->level == 0)
        return fail(f, ERR_NOT_FOUND, "kyc_revoke.subject", 0);
    if (!cr_address_equal(&now->issuer, &x->sender))
        return fail(f, ERR_PERMISSION, "kyc_revoke.subject", 0);
    chain_row_identity *row = chain_row_edit(c, CHAIN_TABLE_IDENTITY, &key);
    row->level = 0;
    chain_event_add(c, CHAIN_EVENT_KYC_CHANGED, x->tx_index)->data.kyc_changed =
        (chain_event_kyc_changed){ .subject = p->subject };
    return OK;
}
