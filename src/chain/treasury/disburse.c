/* SPDX-License-Identifier: Apache-2.0 */
#include "chain/treasury/disburse.h"

enum { WHOLE_PPM = 1000000 };

/* --- the lists in the row --- */

static const size_t payee_at[LIMIT_DISBURSEMENT_PARTS_N] = {
    offsetof(chain_row_disbursement, payee_1), offsetof(chain_row_disbursement, payee_2), offsetof(chain_row_disbursement, payee_3),
    offsetof(chain_row_disbursement, payee_4), offsetof(chain_row_disbursement, payee_5), offsetof(chain_row_disbursement, payee_6),
    offsetof(chain_row_disbursement, payee_7), offsetof(chain_row_disbursement, payee_8),
};
static const size_t amount_at[LIMIT_DISBURSEMENT_PARTS_N] = {
    offsetof(chain_row_disbursement, amount_1), offsetof(chain_row_disbursement, amount_2), offsetof(chain_row_disbursement, amount_3),
    offsetof(chain_row_disbursement, amount_4), offsetof(chain_row_disbursement, amount_5), offsetof(chain_row_disbursement, amount_6),
    offsetof(chain_row_disbursement, amount_7), offsetof(chain_row_disbursement, amount_8),
};
static const size_t dependency_at[LIMIT_DISBURSEMENT_PARTS_N] = {
    offsetof(chain_row_disbursement, dependency_1), offsetof(chain_row_disbursement, dependency_2),
    offsetof(chain_row_disbursement, dependency_3), offsetof(chain_row_disbursement, dependency_4),
    offsetof(chain_row_disbursement, dependency_5), offsetof(chain_row_disbursement, dependency_6),
    offsetof(chain_row_disbursement, dependency_7), offsetof(chain_row_disbursement, dependency_8),
};

chain_payee chain_disbursement_payee(const chain_row_disbursement *d, size_t i)
{
    chain_payee p;
    CHECK(i < d->payees);
    memcpy(&p.to, (const uint8_t *)d + payee_at[i], sizeof p.to);
    memcpy(&p.amount, (const uint8_t *)d + amount_at[i], sizeof p.amount);
    return p;
}

uint64_t chain_disbursement_dependency(const chain_row_disbursement *d, size_t i)
{
    uint64_t number;
    CHECK(i < d->dependencies);
    memcpy(&number, (const uint8_t *)d + dependency_at[i], sizeof number);
    return number;
}

chain_row_disbursement chain_disburse_draft(const chain_disbursement_spec *s, const cr_address *filer, uint64_t epoch)
{
    chain_row_disbursement d = {
        .status = CHAIN_DISBURSEMENT_DRAFT, .essential = s->essential, .filer = *filer, .title = s->title, .summary = s->summary,
        .summary_bytes = s->summary_bytes, .amount = s->amount, .scheduled_epoch = s->scheduled_epoch,
        .quorum_operators_ppm = s->quorum_operators_ppm, .quorum_builders_ppm = s->quorum_builders_ppm,
        .vote_epochs = s->vote_epochs, .timelock_epochs = s->timelock_epochs, .rollback_epochs = s->rollback_epochs,
        .filed_epoch = epoch, .payees = (uint8_t)s->payee_count, .dependencies = (uint8_t)s->dependency_count };
    cr_address nobody = chain_treasury_address();
    for (size_t i = 0; i < LIMIT_DISBURSEMENT_PARTS_N; i++) {
        bool used = i < s->payee_count;
        memcpy((uint8_t *)&d + payee_at[i], used ? &s->payees[i].to : &nobody, sizeof nobody);
        if (used)
            memcpy((uint8_t *)&d + amount_at[i], &s->payees[i].amount, sizeof s->payees[i].amount);
        if (i < s->dependency_count)
            memcpy((uint8_t *)&d + dependency_at[i], &s->dependencies[i], sizeof s->dependencies[i]);
    }
    return d;
}

/* --- filing --- */

static err check_payees(const chain_disbursement_spec *s, fault *f)
{
    uint64_t sum = 0;
    if (s->payee_count == 0 || s->payee_count > LIMIT_DISBURSEMENT_PARTS_N)
        return fail(f, ERR_RANGE, "disbursement_file.payees", s->payee_count);
    for (size_t i = 0; i < s->payee_count; i++) {
        const chain_payee *p = &s->payees[i];
        if (p->to.kind != CR_ADDRESS_ACCOUNT)
            return fail(f, ERR_ADDRESS, "disbursement_file.payees", i);
        if (i && memcmp(p[-1].to.hash, p->to.hash, sizeof p->to.hash) >= 0)
            return fail(f, ERR_CANONICAL, "disbursement_file.payees", i);
        if (p->amount == 0)
            return fail(f, ERR_RANGE, "disbursement_file.payees", i);
        if (checked_add_u64(&sum, sum, p->amount) != OK)
            return fail(f, ERR_OVERFLOW, "disbursement_file.payees", i);
    }
    return sum == s->amount ? OK : fail(f, ERR_RANGE, "disbursement_file.amount", s->amount);
}

static err check_dependencies(const chain_disbursement_spec *s, fault *f)
{
    if (s->dependency_count > LIMIT_DISBURSEMENT_PARTS_N)
        return fail(f, ERR_RANGE, "disbursement_file.dependencies", s->dependency_count);
    for (size_t i = 0; i < s->dependency_count; i++)
        if (s->dependencies[i] <= (i ? s->dependencies[i - 1] : 0))
            return fail(f, ERR_CANONICAL, "disbursement_file.dependencies", i);
    return OK;
}

err chain_disburse_check(const chain_disbursement_spec *s, const chain_disbursement_terms *terms, uint64_t epoch, fault *f)
{
    static const hash256 zero;
    if (s->title.len == 0)
        return fail(f, ERR_RANGE, "disbursement_file.title", 0);
    if (hash256_equal(&s->summary, &zero))
        return fail(f, ERR_RANGE, "disbursement_file.summary", 0);
    if (s->summary_bytes == 0)
        return fail(f, ERR_RANGE, "disbursement_file.summary_bytes", 0);
    if (s->amount == 0)
        return fail(f, ERR_RANGE, "disbursement_file.amount", 0);
    TRY(check_payees(s, f));
    TRY(check_dependencies(s, f));
    if (s->scheduled_epoch == 0 || (s->scheduled_epoch > epoch && s->scheduled_epoch - epoch > terms->window_max))
        return fail(f, ERR_RANGE, "disbursement_file.scheduled_epoch", s->scheduled_epoch);
    if (s->quorum_operators_ppm > WHOLE_PPM)
        return fail(f, ERR_RANGE, "disbursement_file.quorum_operators_ppm", s->quorum_operators_ppm);
    if (s->quorum_builders_ppm > WHOLE_PPM)
        return fail(f, ERR_RANGE, "disbursement_file.quorum_builders_ppm", s->quorum_builders_ppm);
    if (s->vote_epochs < terms->vote_min || s->vote_epochs > terms->vote_max)
        return fail(f, ERR_RANGE, "disbursement_file.vote_epochs", s->vote_epochs);
    if (s->timelock_epochs < terms->timelock_min || s->timelock_epochs > terms->window_max)
        return fail(f, ERR_RANGE, "disbursement_file.timelock_epochs", s->timelock_epochs);
    if (s->rollback_epochs < terms->rollback_min || s->rollback_epochs > terms->window_max)
        return fail(f, ERR_RANGE, "disbursement_file.rollback_epochs", s->rollback_epochs);
    return OK;
}

/* --- steps --- */

static err need(const chain_row_disbursement *d, chain_disbursement_status status, fault *f)
{
    return d->status == status ? OK : fail(f, ERR_STATE, "disbursement.status", d->status);
}

static void end(chain_row_disbursement *d, chain_disbursement_status status, chain_rollback_reason reason, uint64_t epoch)
{
    d->status = (uint8_t)status;
    d->reason = (uint8_t)reason;
    d->ended_epoch = epoch;
}

err chain_disburse_open(chain_row_disbursement *d, const chain_disbursement_terms *terms, uint64_t proposal, uint64_t epoch, fault *f)
{
    uint64_t vote_end;
    TRY(need(d, CHAIN_DISBURSEMENT_DRAFT, f));
    if (epoch - d->filed_epoch > terms->draft)
        return fail(f, ERR_EXPIRED, "treasury.draft", d->filed_epoch);
    if (checked_add_u64(&vote_end, epoch, d->vote_epochs) != OK)
        return fail(f, ERR_OVERFLOW, "disbursement.vote_epochs", d->vote_epochs);
    d->status = CHAIN_DISBURSEMENT_VOTING;
    d->vote_end_epoch = vote_end;
    d->proposal = proposal;
    return OK;
}

err chain_disburse_vote(chain_row_disbursement *d, const chain_vote_outcome *outcome, uint64_t epoch, fault *f)
{
    TRY(need(d, CHAIN_DISBURSEMENT_VOTING, f));
    if (epoch < d->vote_end_epoch)
        return fail(f, ERR_BUSY, "disbursement.vote_end_epoch", d->vote_end_epoch);
    if (!outcome->passed) {
        end(d, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_REJECTED, epoch);
    } else if (outcome->turnout_operators_ppm < d->quorum_operators_ppm || outcome->turnout_builders_ppm < d->quorum_builders_ppm) {
        end(d, CHAIN_DISBURSEMENT_ROLLED_BACK, CHAIN_ROLLBACK_QUORUM, epoch);
    } else {
        d->status = CHAIN_DISBURSEMENT_QUEUED;
        d->queued_epoch = epoch;
    }
    return OK;
}

err chain_disburse_lock(chain_row_disbursement *d, uint64_t epoch, fault *f)
{
    uint64_t ready;
    TRY(need(d, CHAIN_DISBURSEMENT_QUEUED, f));
    if (checked_add_u64(&ready, epoch, d->timelock_epochs) != OK)
        return fail(f, ERR_OVERFLOW, "disbursement.timelock_epochs", d->timelock_epochs);
    d->status = CHAIN_DISBURSEMENT_TIMELOCKED;
    d->ready_epoch = ready > d->scheduled_epoch ? ready : d->scheduled_epoch;
    return OK;
}

err chain_disburse_execute(chain_row_disbursement *d, uint64_t epoch, fault *f)
{
    uint64_t final;
    TRY(need(d, CHAIN_DISBURSEMENT_TIMELOCKED, f));
    if (epoch < d->ready_epoch)
        return fail(f, ERR_BUSY, "disbursement.ready_epoch", d->ready_epoch);
    if (checked_add_u64(&final, epoch, d->rollback_epochs) != OK)
        return fail(f, ERR_OVERFLOW, "disbursement.rollback_epochs", d->rollback_epochs);
    d->status = CHAIN_DISBURSEMENT_EXECUTED;
    d->executed_epoch = epoch;
    d->final_epoch = final;
    return OK;
}

err chain_disburse_finalize(chain_row_disbursement *d, uint64_t epoch, fault *f)
{
    TRY(need(d, CHAIN_DISBURSEMENT_EXECUTED, f));
    if (epoch < d->final_epoch)
        return fail(f, ERR_BUSY, "disbursement.final_epoch", d->final_epoch);
    end(d, CHAIN_DISBURSEMENT_FINALIZED, CHAIN_ROLLBACK_NONE, epoch);
    return OK;
}

err chain_disburse_roll_back(chain_row_disbursement *d, chain_rollback_reason reason, uint64_t epoch, bool *held, fault *f)
{
    if (d->status < CHAIN_DISBURSEMENT_DRAFT || d->status > CHAIN_DISBURSEMENT_EXECUTED)
        return fail(f, ERR_STATE, "disbursement.status", d->status);
    *held = d->status == CHAIN_DISBURSEMENT_EXECUTED;
    end(d, CHAIN_DISBURSEMENT_ROLLED_BACK, reason, epoch);
    return OK;
}

/* --- what is due --- */

static bool waited(uint64_t since, const chain_disbursement_terms *terms, uint64_t epoch)
{
    return epoch > since && epoch - since > terms->wait_max;
}

chain_disburse_due chain_disburse_next(const chain_row_disbursement *d, chain_dependencies dependencies,
                                       const chain_disbursement_terms *terms, uint64_t epoch, chain_rollback_reason *reason)
{
    *reason = CHAIN_ROLLBACK_EXPIRED;
    switch ((chain_disbursement_status)d->status) {
    case CHAIN_DISBURSEMENT_VOTING:
        return waited(d->vote_end_epoch, terms, epoch) ? CHAIN_DUE_ROLL_BACK : CHAIN_DUE_NOTHING;
    case CHAIN_DISBURSEMENT_QUEUED:
        if (dependencies == CHAIN_DEPENDENCIES_FINAL)
            return CHAIN_DUE_LOCK;
        if (dependencies == CHAIN_DEPENDENCIES_DEAD) {
            *reason = CHAIN_ROLLBACK_DEPENDENCY;
            return CHAIN_DUE_ROLL_BACK;
        }
        return waited(d->queued_epoch, terms, epoch) ? CHAIN_DUE_ROLL_BACK : CHAIN_DUE_NOTHING;
    case CHAIN_DISBURSEMENT_TIMELOCKED:
        if (epoch < d->ready_epoch)
            return CHAIN_DUE_NOTHING;
        return waited(d->ready_epoch, terms, epoch) ? CHAIN_DUE_ROLL_BACK : CHAIN_DUE_EXECUTE;
    case CHAIN_DISBURSEMENT_EXECUTED:
        return epoch >= d->final_epoch ? CHAIN_DUE_FINALIZE : CHAIN_DUE_NOTHING;
    case CHAIN_DISBURSEMENT_DRAFT:
    case CHAIN_DISBURSEMENT_FINALIZED:
    case CHAIN_DISBURSEMENT_ROLLED_BACK:
        break;
    }
    return CHAIN_DUE_NOTHING;
}
