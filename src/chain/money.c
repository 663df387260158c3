/* SPDX-License-Identifier: Apache-2.0
 * Every movement of BLOCK. The supply record changes in the same breath as the account or purse. */
#include "chain/chain_int.h"

static chain_row_supply *supply_edit(chain *c)
{
    chain_key key = chain_key_supply();
    return chain_row_edit(c, CHAIN_TABLE_SUPPLY, &key);
}

err chain_account_credit(chain *c, const cr_address *a, uint64_t amount)
{
    chain_key key = chain_key_address(a);
    chain_row_account *account = chain_row_edit_or_create(c, CHAIN_TABLE_ACCOUNT, &key);
    chain_row_supply *supply = supply_edit(c);
    TRY(checked_add_u64(&account->balance, account->balance, amount));
    return checked_add_u64(&supply->balances, supply->balances, amount);
}

err chain_account_debit(chain *c, const cr_address *a, uint64_t amount)
{
    chain_key key = chain_key_address(a);
    const chain_row_account *now = chain_row_get(c, CHAIN_TABLE_ACCOUNT, &key);
    if (!now || now->balance < amount)
        return ERR_FUNDS;
    chain_row_account *account = chain_row_edit(c, CHAIN_TABLE_ACCOUNT, &key);
    chain_row_supply *supply = supply_edit(c);
    TRY(checked_sub_u64(&account->balance, account->balance, amount));
    return checked_sub_u64(&supply->balances, supply->balances, amount);
}

static uint64_t *purse_of(chain_row_supply *supply, purse p)
{
    switch (p) {
    case PURSE_ESCROW:
        return &supply->escrow;
    case PURSE_BONDS:
        return &supply->bonds;
    case PURSE_TREASURY:
        return &supply->treasury;
    case PURSE_SUBSIDY:
        return &supply->subsidy;
    case PURSE_AWARDED:
        return &supply->awarded;
    case PURSE_DISBURSING:
        return &supply->disbursing;
    case PURSE_STAKES:
        return &supply->stakes;
    }
    CHECK(false);
    return NULL;
}

err chain_purse_add(chain *c, purse p, uint64_t amount)
{
    uint64_t *at = purse_of(supply_edit(c), p);
    return checked_add_u64(at, *at, amount);
}

err chain_purse_take(chain *c, purse p, uint64_t amount)
{
    uint64_t *at = purse_of(supply_edit(c), p);
    return checked_sub_u64(at, *at, amount);
}

err chain_supply_mint(chain *c, uint64_t amount)
{
    chain_row_supply *supply = supply_edit(c);
    if (amount > param(c, CHAIN_PARAM_SUPPLY_CAP) - supply->minted)
        return ERR_CAP;
    return checked_add_u64(&supply->minted, supply->minted, amount);
}

err chain_supply_burn(chain *c, uint64_t amount)
{
    chain_row_supply *supply = supply_edit(c);
    return checked_add_u64(&supply->burned, supply->burned, amount);
}

err chain_supply_check(const chain *c, uint64_t floating, fault *f)
{
    chain_key key = chain_key_supply();
    const chain_row_supply *s = chain_row_get(c, CHAIN_TABLE_SUPPLY, &key);
    if (!s)
        return fail(f, ERR_INVARIANT, "supply record", 0);
    if (s->minted > param(c, CHAIN_PARAM_SUPPLY_CAP))
        return fail(f, ERR_INVARIANT, "minted <= cap", s->minted);
    if (s->burned > s->minted)
        return fail(f, ERR_INVARIANT, "burned <= minted", s->burned);
    if (chain_supply_held(s) + floating != s->minted - s->burned)
        return fail(f, ERR_INVARIANT, "balances + purses = minted - burned", 0);
    return OK;
}
