/* SPDX-License-Identifier: Apache-2.0
 * Transfers. */
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "chain/ident/ident.h"

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
    if (p->memo.len > 0)
        TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_TRANSFER_MEMO, ECON_MARKETS, x->height, f));
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
