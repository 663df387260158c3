/* SPDX-License-Identifier: Apache-2.0
 * Stakes of voters, and who votes for whom. */
#include "chain/gov/gov_int.h"
#include "chain/ident/ident.h"

static chain_row_voter *edit_voter(chain *c, const cr_address *a)
{
    chain_key key = chain_key_address(a);
    return chain_row_edit(c, CHAIN_TABLE_VOTER, &key);
}

static void stake_event(exec *x, const chain_row_voter *v)
{
    chain_event_add(x->c, CHAIN_EVENT_STAKE_CHANGED, x->tx_index)->data.stake_changed =
        (chain_event_stake_changed){ .voter = x->sender, .stake = v->stake, .unbonding = v->unbonding };
}

static err check_frozen(const exec *x, fault *f)
{
    uint64_t by = chain_gov_frozen(x->c, &x->sender, ECON_MARKETS, x->height);
    return by ? fail(f, ERR_STATE, "gov.freeze", by) : OK;
}

err chain_exec_stake_add(exec *x, const chain_tx_stake_add *p, fault *f)
{
    chain *c = x->c;
    if (p->amount == 0)
        return fail(f, ERR_RANGE, "stake_add.amount", 0);
    TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_STAKE, ECON_MARKETS, x->height, f));
    TRY(check_frozen(x, f));
    if (chain_account_debit(c, &x->sender, p->amount) != OK)
        return fail(f, ERR_FUNDS, "stake_add.amount", p->amount);
    TRY(chain_purse_add(c, PURSE_STAKES, p->amount));
    chain_key key = chain_key_address(&x->sender);
    chain_row_voter *v = chain_row_edit_or_create(c, CHAIN_TABLE_VOTER, &key);
    TRY(checked_add_u64(&v->stake, v->stake, p->amount));
    stake_event(x, v);
    return chain_gov_voter_refresh(c, &x->sender, epoch_of(c, x->height));
}

err chain_exec_stake_remove(exec *x, const chain_tx_stake_remove *p, fault *f)
{
    chain *c = x->c;
    const chain_row_voter *now = chain_voter(c, &x->sender);
    if (p->amount == 0)
        return fail(f, ERR_RANGE, "stake_remove.amount", 0);
    if (!now || now->stake < p->amount)
        return fail(f, ERR_FUNDS, "stake_remove.amount", now ? now->stake : 0);
    uint64_t epoch = epoch_of(c, x->height);
    if (epoch < now->lock_epoch)
        return fail(f, ERR_STATE, "voter.lock_epoch", now->lock_epoch);
    TRY(check_frozen(x, f));
    chain_row_voter *v = edit_voter(c, &x->sender);
    v->stake -= p->amount;
    TRY(checked_add_u64(&v->unbonding, v->unbonding, p->amount));
    TRY(checked_add_u64(&v->unbond_height, x->height, param(c, CHAIN_PARAM_GOV_UNSTAKE_DELAY)));
    stake_event(x, v);
    return chain_gov_voter_refresh(c, &x->sender, epoch);
}

err chain_exec_stake_withdraw(exec *x, const chain_tx_stake_withdraw *p, fault *f)
{
    (void)p;
    chain *c = x->c;
    const chain_row_voter *now = chain_voter(c, &x->sender);
    if (!now || now->unbonding == 0)
        return fail(f, ERR_NOT_FOUND, "voter.unbonding", 0);
    if (x->height < now->unbond_height)
        return fail(f, ERR_STATE, "voter.unbond_height", now->unbond_height);
    chain_row_voter *v = edit_voter(c, &x->sender);
    uint64_t amount = v->unbonding;
    v->unbonding = v->unbond_height = 0;
    stake_event(x, v);
    TRY(chain_purse_take(c, PURSE_STAKES, amount));
    return chain_account_credit(c, &x->sender, amount);
}

/* --- delegation: it names who may count an account's power; the power itself never moves --- */

static hash256 *delegate_of(chain_row_voter *v, chain_house_id house)
{
    return house == CHAIN_HOUSE_OPERATORS ? &v->delegate_operators : &v->delegate_builders;
}

static uint64_t *delegators_of(chain_row_voter *v, chain_house_id house)
{
    return house == CHAIN_HOUSE_OPERATORS ? &v->delegators_operators : &v->delegators_builders;
}

static cr_address account_of(const hash256 *h)
{
    cr_address a = { .kind = CR_ADDRESS_ACCOUNT };
    memcpy(a.hash, h->b, sizeof a.hash);
    return a;
}

static bool nobody(const hash256 *h)
{
    static const hash256 zero;
    return hash256_equal(h, &zero);
}

static void delegate_event(exec *x, const cr_address *to, uint8_t house)
{
    chain_event_add(x->c, CHAIN_EVENT_DELEGATED, x->tx_index)->data.delegated =
        (chain_event_delegated){ .voter = x->sender, .to = *to, .house = house };
}

/* Ends the delegation that the sender has, if it has one. */
static err end_delegation(chain *c, const cr_address *a, chain_house_id house)
{
    hash256 *to = delegate_of(edit_voter(c, a), house);
    if (nobody(to))
        return OK;
    cr_address old = account_of(to);
    uint64_t *count = delegators_of(edit_voter(c, &old), house);
    *to = (hash256){ { 0 } };
    return checked_sub_u64(count, *count, 1);
}

err chain_exec_delegate(exec *x, const chain_tx_delegate *p, fault *f)
{
    chain *c = x->c;
    TRY(chain_gov_house_check(p->house, "delegate.house", f));
    chain_house_id house = (chain_house_id)p->house;
    if (p->to.kind != CR_ADDRESS_ACCOUNT || cr_address_equal(&p->to, &x->sender))
        return fail(f, ERR_ADDRESS, "delegate.to", p->to.kind);
    if (!chain_voter(c, &x->sender))
        return fail(f, ERR_NOT_FOUND, "voter", 0);
    const chain_row_voter *to = chain_voter(c, &p->to);
    bool member = to && (house == CHAIN_HOUSE_BUILDERS ? to->badges >> ECON_MARKETS & 1
                                                       : (to->badges & ((1u << ECON_MARKETS) - 1)) != 0);
    if (!member)
        return fail(f, ERR_PERMISSION, "delegate.to", 0);
    /* No chains: who votes for others votes itself. */
    if (!nobody(house == CHAIN_HOUSE_OPERATORS ? &to->delegate_operators : &to->delegate_builders))
        return fail(f, ERR_STATE, "delegate.to", 0);
    TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_VOTE, ECON_MARKETS, x->height, f));
    chain_row_voter *v = edit_voter(c, &x->sender);
    if (*delegators_of(v, house))
        return fail(f, ERR_STATE, "delegate.sender", *delegators_of(v, house));
    TRY(end_delegation(c, &x->sender, house));
    memcpy(delegate_of(edit_voter(c, &x->sender), house)->b, p->to.hash, 32);
    uint64_t *count = delegators_of(edit_voter(c, &p->to), house);
    delegate_event(x, &p->to, p->house);
    return checked_add_u64(count, *count, 1);
}

err chain_exec_undelegate(exec *x, const chain_tx_undelegate *p, fault *f)
{
    TRY(chain_gov_house_check(p->house, "undelegate.house", f));
    const chain_row_voter *now = chain_voter(x->c, &x->sender);
    if (!now || nobody(p->house == CHAIN_HOUSE_OPERATORS ? &now->delegate_operators : &now->delegate_builders))
        return fail(f, ERR_NOT_FOUND, "undelegate.house", 0);
    TRY(end_delegation(x->c, &x->sender, (chain_house_id)p->house));
    delegate_event(x, &x->sender, p->house);
    return OK;
}
