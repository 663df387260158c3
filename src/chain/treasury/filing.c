/* SPDX-License-Identifier: Apache-2.0
 * Disbursements until the end of their vote: filing, withdrawal, and what the count of votes calls. */
#include "chain/treasury/treasury_int.h"
#include "chain/econ/econ_int.h"

/* --- the transaction's lists --- */

static err read_payees(cbor_reader *r, chain_disbursement_spec *out)
{
    TRY(cbor_get_array(r, "disbursement_file.payees", &out->payee_count, LIMIT_DISBURSEMENT_PARTS));
    for (size_t i = 0; i < out->payee_count; i++) {
        uint8_t packed[33];
        TRY(cbor_get_array_fixed(r, "disbursement_file.payees", 2));
        TRY(cbor_get_bytes_fixed(r, "disbursement_file.payees", packed, sizeof packed));
        TRY(cbor_get_uint_max(r, "disbursement_file.payees", &out->payees[i].amount, CHAIN_AMOUNT_MAX));
        out->payees[i].to.kind = packed[0];
        memcpy(out->payees[i].to.hash, packed + 1, sizeof out->payees[i].to.hash);
    }
    return cbor_end(r);
}

static err read_dependencies(cbor_reader *r, chain_disbursement_spec *out)
{
    TRY(cbor_get_array(r, "disbursement_file.dependencies", &out->dependency_count, LIMIT_DISBURSEMENT_PARTS));
    for (size_t i = 0; i < out->dependency_count; i++)
        TRY(cbor_get_uint(r, "disbursement_file.dependencies", &out->dependencies[i]));
    return cbor_end(r);
}

static err read_spec(chain_disbursement_spec *out, const chain_tx_disbursement_file *p, fault *f)
{
    *out = (chain_disbursement_spec){
        .title = p->title, .summary = p->summary, .summary_bytes = p->summary_bytes, .essential = p->essential != 0, .amount = p->amount,
        .scheduled_epoch = p->scheduled_epoch, .quorum_operators_ppm = p->quorum_operators_ppm,
        .quorum_builders_ppm = p->quorum_builders_ppm, .vote_epochs = p->vote_epochs, .timelock_epochs = p->timelock_epochs,
        .rollback_epochs = p->rollback_epochs };
    cbor_reader payees = cbor_reader_on(p->payees), dependencies = cbor_reader_on(p->dependencies);
    err e = read_payees(&payees, out);
    if (e != OK) {
        *f = payees.fault;
        return e;
    }
    e = read_dependencies(&dependencies, out);
    if (e != OK)
        *f = dependencies.fault;
    return e;
}

err chain_payees_encode(bytes *out, uint8_t *buffer, size_t cap, const chain_payee *payees, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++) {
        uint8_t packed[33];
        chain_address_pack(packed, &payees[i].to);
        cbor_put_array(&w, 2);
        cbor_put_bytes(&w, BYTES_OF(packed));
        cbor_put_uint(&w, payees[i].amount);
    }
    return cbor_finish(&w, out);
}

err chain_dependencies_encode(bytes *out, uint8_t *buffer, size_t cap, const uint64_t *numbers, size_t count)
{
    cbor_writer w = cbor_writer_on(buffer, cap);
    cbor_put_array(&w, count);
    for (size_t i = 0; i < count; i++)
        cbor_put_uint(&w, numbers[i]);
    return cbor_finish(&w, out);
}

/* --- filing --- */

static chain_row_treasury *edit_treasury(chain *c)
{
    chain_key key = chain_key_one(0);
    return chain_row_edit(c, CHAIN_TABLE_TREASURY, &key);
}

/* ERR_NOT_FOUND naming `what`. */
static err find(const chain *c, const chain_row_disbursement **out, uint64_t number, const char *what, fault *f)
{
    *out = chain_disbursement(c, number);
    return *out ? OK : fail(f, ERR_NOT_FOUND, what, number);
}

static chain_row_disbursement *edit(chain *c, uint64_t number)
{
    chain_key key = chain_key_height(number);
    return chain_row_edit(c, CHAIN_TABLE_DISBURSEMENT, &key);
}

/* What the state says about it; the same when it is filed and when it is put to the vote. */
static err check_against_state(const chain *c, const chain_row_disbursement *d, uint64_t height, fault *f)
{
    chain_velocity_limits limits = chain_treasury_limits(c);
    for (size_t i = 0; i < d->dependencies; i++) {
        const chain_row_disbursement *on;
        TRY(find(c, &on, chain_disbursement_dependency(d, i), "disbursement_file.dependencies", f));
        if (on->status == CHAIN_DISBURSEMENT_ROLLED_BACK)
            return fail(f, ERR_STATE, "disbursement_file.dependencies", i);
    }
    TRY(chain_disbursement_check_kyc(c, d, height, "disbursement_file.payees", f));
    return chain_velocity_check_proposal(chain_treasury(c), &limits, d->amount, f);
}

err chain_disbursement_file(chain *c, uint64_t *number, const chain_disbursement_spec *spec, const cr_address *filer, uint64_t height,
                            uint32_t tx_index, fault *f)
{
    uint64_t next, epoch = chain_treasury(c)->epoch;
    chain_disbursement_terms terms = chain_treasury_terms(c);
    TRY(chain_disburse_check(spec, &terms, epoch, f));
    chain_row_disbursement d = chain_disburse_draft(spec, filer, epoch);
    TRY(check_against_state(c, &d, height, f));
    if (checked_add_u64(&next, chain_treasury(c)->disbursements, 1) != OK)
        return fail(f, ERR_OVERFLOW, "treasury.disbursements", 0);
    edit_treasury(c)->disbursements = *number = next;
    chain_key key = chain_key_height(next);
    *(chain_row_disbursement *)chain_row_create(c, CHAIN_TABLE_DISBURSEMENT, &key) = d;
    chain_disbursement_tell(c, next, &d, epoch, tx_index);
    return OK;
}

err chain_exec_disbursement_file(exec *x, const chain_tx_disbursement_file *p, fault *f)
{
    chain_disbursement_spec spec;
    uint64_t number, fee = param(x->c, CHAIN_PARAM_TREASURY_FILE_FEE);
    TRY(read_spec(&spec, p, f));
    TRY(chain_disbursement_file(x->c, &number, &spec, &x->sender, x->height, x->tx_index, f));
    if (chain_account_debit(x->c, &x->sender, fee) != OK)
        return fail(f, ERR_FUNDS, "treasury.file_fee", fee);
    return chain_treasury_income(x->c, fee);
}

err chain_exec_disbursement_withdraw(exec *x, const chain_tx_disbursement_withdraw *p, fault *f)
{
    const chain_row_disbursement *now;
    TRY(find(x->c, &now, p->number, "disbursement_withdraw.number", f));
    if (!cr_address_equal(&now->filer, &x->sender))
        return fail(f, ERR_PERMISSION, "disbursement_withdraw.sender", p->number);
    if (now->status != CHAIN_DISBURSEMENT_DRAFT)
        return fail(f, ERR_STATE, "disbursement.status", now->status);
    chain_row_treasury *t = edit_treasury(x->c);
    chain_row_disbursement *d = edit(x->c, p->number);
    TRY(chain_disbursement_roll_back(x->c, t, p->number, d, CHAIN_ROLLBACK_WITHDRAWN, f));
    chain_disbursement_tell(x->c, p->number, d, t->epoch, x->tx_index);
    return OK;
}

/* --- the vote --- */

err chain_disbursement_open(chain *c, uint64_t number, uint64_t proposal, uint64_t height, uint32_t tx_index, fault *f)
{
    const chain_row_disbursement *now;
    chain_disbursement_terms terms = chain_treasury_terms(c);
    TRY(find(c, &now, number, "disbursement", f));
    chain_row_disbursement voting = *now;
    TRY(chain_disburse_open(&voting, &terms, proposal, chain_treasury(c)->epoch, f));
    TRY(check_against_state(c, now, height, f));
    chain_row_treasury *t = edit_treasury(c);
    TRY(chain_slot_take(c, t, number, f));
    *edit(c, number) = voting;
    chain_disbursement_tell(c, number, &voting, t->epoch, tx_index);
    return OK;
}

err chain_disbursement_voted(chain *c, uint64_t number, const chain_vote_outcome *outcome, fault *f)
{
    const chain_row_disbursement *now;
    TRY(find(c, &now, number, "disbursement", f));
    chain_row_disbursement d = *now;
    TRY(chain_disburse_vote(&d, outcome, chain_treasury(c)->epoch, f));
    chain_row_treasury *t = edit_treasury(c);
    if (!chain_disbursement_active(&d))
        TRY(chain_slot_free(c, t, number, f));
    *edit(c, number) = d;
    chain_disbursement_tell(c, number, &d, t->epoch, CHAIN_EVENT_NO_TX);
    return OK;
}

err chain_disbursement_vote_back(chain *c, uint64_t number, fault *f)
{
    const chain_row_disbursement *now;
    TRY(find(c, &now, number, "disbursement", f));
    if (now->status < CHAIN_DISBURSEMENT_QUEUED || now->status > CHAIN_DISBURSEMENT_EXECUTED)
        return fail(f, ERR_STATE, "disbursement.status", now->status);
    chain_row_treasury *t = edit_treasury(c);
    chain_row_disbursement *d = edit(c, number);
    TRY(chain_disbursement_roll_back(c, t, number, d, CHAIN_ROLLBACK_VOTED, f));
    chain_disbursement_tell(c, number, d, t->epoch, CHAIN_EVENT_NO_TX);
    return OK;
}
