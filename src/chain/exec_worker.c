/* SPDX-License-Identifier: Apache-2.0
 * Workers: bond, capability, leaving. */
#include "chain/econ/econ_int.h"
#include "chain/gov/gov_int.h"
#include "chain/ident/ident.h"

err chain_worker_may_take_work(const chain *c, const cr_address *worker, fault *f)
{
    chain_key key = chain_key_address(worker);
    const chain_row_worker *w = chain_row_get(c, CHAIN_TABLE_WORKER, &key);
    if (!w)
        return fail(f, ERR_NOT_FOUND, "worker", 0);
    if (w->status != CHAIN_WORKER_ACTIVE)
        return fail(f, ERR_STATE, "worker.status", w->status);
    if (w->bond < param(c, CHAIN_PARAM_WORKER_BOND_MIN))
        return fail(f, ERR_BOND, "worker.bond", w->bond);
    return OK;
}

err chain_exec_worker_register(exec *x, const chain_tx_worker_register *p, fault *f)
{
    chain *c = x->c;
    if (p->supported_backends == 0)
        return fail(f, ERR_RANGE, "worker_register.supported_backends", 0);
    if (p->max_model_parameters == 0)
        return fail(f, ERR_RANGE, "worker_register.max_model_parameters", 0);
    if (p->max_batch_size == 0)
        return fail(f, ERR_RANGE, "worker_register.max_batch_size", 0);
    TRY(chain_pack_check(c, &x->sender, CHAIN_FEATURE_WORKER_REGISTER, ECON_COMPUTE, x->height, f));
    chain_key key = chain_key_address(&x->sender);
    const chain_row_worker *now = chain_row_get(c, CHAIN_TABLE_WORKER, &key);
    if (now && now->status == CHAIN_WORKER_LEAVING)
        return fail(f, ERR_STATE, "worker.status", now->status);
    uint64_t frozen = now && now->status == CHAIN_WORKER_ACTIVE ? 0 : chain_gov_frozen(c, &x->sender, ECON_COMPUTE, x->height);
    if (frozen)
        return fail(f, ERR_STATE, "gov.freeze", frozen);
    uint64_t bond = now ? now->bond : 0;
    TRY(checked_add_u64(&bond, bond, p->bond));
    if (bond < param(c, CHAIN_PARAM_WORKER_BOND_MIN))
        return fail(f, ERR_BOND, "worker_register.bond", bond);
    if (chain_account_debit(c, &x->sender, p->bond) != OK)
        return fail(f, ERR_FUNDS, "worker_register.bond", p->bond);
    TRY(chain_purse_add(c, PURSE_BONDS, p->bond));

    chain_row_worker *w = chain_row_edit_or_create(c, CHAIN_TABLE_WORKER, &key);
    w->key = x->sender_key;
    w->status = CHAIN_WORKER_ACTIVE;
    w->bond = bond;
    w->withdraw_height = 0;
    w->blocktorch_version = p->blocktorch_version;
    w->supported_backends = p->supported_backends;
    w->max_model_parameters = p->max_model_parameters;
    w->max_batch_size = p->max_batch_size;
    w->measured_throughput = p->measured_throughput;
    w->proof_overhead_ppm = p->proof_overhead_ppm;
    TRY(chain_provider_set(c, ECON_COMPUTE, &x->sender, bond, true, x->height, f));
    chain_event_add(c, CHAIN_EVENT_WORKER_REGISTERED, x->tx_index)->data.worker_registered =
        (chain_event_worker_registered){ .worker = x->sender, .bond = bond };
    return OK;
}

err chain_exec_worker_unregister(exec *x, const chain_tx_worker_unregister *p, fault *f)
{
    (void)p;
    chain *c = x->c;
    chain_key key = chain_key_address(&x->sender);
    const chain_row_worker *now = chain_row_get(c, CHAIN_TABLE_WORKER, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "worker", 0);
    if (now->status != CHAIN_WORKER_ACTIVE)
        return fail(f, ERR_STATE, "worker.status", now->status);
    chain_row_worker *w = chain_row_edit(c, CHAIN_TABLE_WORKER, &key);
    w->status = CHAIN_WORKER_LEAVING;
    TRY(chain_provider_set(c, ECON_COMPUTE, &x->sender, 0, false, x->height, f));
    TRY(checked_add_u64(&w->withdraw_height, x->height, param(c, CHAIN_PARAM_WORKER_UNBOND)));
    chain_event_add(c, CHAIN_EVENT_WORKER_LEFT, x->tx_index)->data.worker_left = (chain_event_worker_left){ .worker = x->sender };
    return OK;
}

err chain_exec_worker_withdraw(exec *x, const chain_tx_worker_withdraw *p, fault *f)
{
    (void)p;
    chain *c = x->c;
    chain_key key = chain_key_address(&x->sender);
    const chain_row_worker *now = chain_row_get(c, CHAIN_TABLE_WORKER, &key);
    if (!now)
        return fail(f, ERR_NOT_FOUND, "worker", 0);
    if (now->status != CHAIN_WORKER_LEAVING)
        return fail(f, ERR_STATE, "worker.status", now->status);
    if (x->height < now->withdraw_height)
        return fail(f, ERR_STATE, "worker.withdraw_height", now->withdraw_height);
    if (now->live_leases && x->height <= now->live_until_height)
        return fail(f, ERR_STATE, "worker.live_leases", now->live_leases);
    if (now->audits)
        return fail(f, ERR_STATE, "worker.audits", now->audits);
    chain_row_worker *w = chain_row_edit(c, CHAIN_TABLE_WORKER, &key);
    uint64_t bond = w->bond;
    w->bond = 0;
    w->status = CHAIN_WORKER_LEFT;
    TRY(chain_purse_take(c, PURSE_BONDS, bond));
    TRY(chain_account_credit(c, &x->sender, bond));
    chain_event_add(c, CHAIN_EVENT_WORKER_LEFT, x->tx_index)->data.worker_left =
        (chain_event_worker_left){ .worker = x->sender, .returned = bond };
    return OK;
}
