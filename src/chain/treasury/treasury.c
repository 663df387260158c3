/* SPDX-License-Identifier: Apache-2.0
 * The treasury's rows, and what is done to them at the end of an epoch. */
#include "chain/treasury/treasury_int.h"

/* --- rows --- */

chain_key chain_key_outflow(chain_outflow_kind kind, uint64_t period)
{
    uint64_t places = kind == CHAIN_OUTFLOW_EPOCH ? CHAIN_DAY_EPOCHS : CHAIN_MONTH_BUCKETS;
    return (chain_key){ .len = 2, .b = { (uint8_t)kind, (uint8_t)(period % places) } };
}

const chain_row_treasury *chain_treasury(const chain *c)
{
    chain_key key = chain_key_one(0);
    return chain_row_get(c, CHAIN_TABLE_TREASURY, &key);
}

const chain_row_breaker *chain_treasury_breaker(const chain *c)
{
    chain_key key = chain_key_one(0);
    return chain_row_get(c, CHAIN_TABLE_BREAKER, &key);
}

const chain_row_disbursement *chain_disbursement(const chain *c, uint64_t number)
{
    chain_key key = chain_key_height(number);
    return chain_row_get(c, CHAIN_TABLE_DISBURSEMENT, &key);
}

void chain_treasury_genesis(chain *c)
{
    chain_key key = chain_key_one(0);
    ((chain_row_treasury *)chain_row_create(c, CHAIN_TABLE_TREASURY, &key))->epoch = 1;
    *(chain_row_breaker *)chain_row_create(c, CHAIN_TABLE_BREAKER, &key) = chain_breaker_new();
}

/* A proposal holds its slot for as long as its vote takes: so none takes longer than one of an amendment's. */
static uint64_t longest_vote(const chain *c)
{
    uint64_t least = param(c, CHAIN_PARAM_TREASURY_VOTE_MIN), most = param(c, CHAIN_PARAM_GOV_AMEND_VOTING);
    uint64_t window = param(c, CHAIN_PARAM_TREASURY_WINDOW_MAX);
    most = most < window ? most : window;
    return most > least ? most : least;
}

chain_disbursement_terms chain_treasury_terms(const chain *c)
{
    return (chain_disbursement_terms){
        .draft = param(c, CHAIN_PARAM_TREASURY_DRAFT), .vote_min = param(c, CHAIN_PARAM_TREASURY_VOTE_MIN), .vote_max = longest_vote(c),
        .timelock_min = param(c, CHAIN_PARAM_TREASURY_TIMELOCK_MIN), .rollback_min = param(c, CHAIN_PARAM_TREASURY_ROLLBACK_MIN),
        .window_max = param(c, CHAIN_PARAM_TREASURY_WINDOW_MAX), .wait_max = param(c, CHAIN_PARAM_TREASURY_WAIT_MAX) };
}

chain_velocity_limits chain_treasury_limits(const chain *c)
{
    return (chain_velocity_limits){
        .epoch_ppm = param(c, CHAIN_PARAM_TREASURY_EPOCH_MAX), .proposal_ppm = param(c, CHAIN_PARAM_TREASURY_PROPOSAL_MAX),
        .day_ppm = param(c, CHAIN_PARAM_TREASURY_DAY_MAX), .month_ppm = param(c, CHAIN_PARAM_TREASURY_MONTH_MAX),
        .large_ppm = param(c, CHAIN_PARAM_TREASURY_LARGE), .cooldown_epochs = param(c, CHAIN_PARAM_TREASURY_COOLDOWN) };
}

chain_breaker_rules chain_treasury_breaker_rules(const chain *c)
{
    return (chain_breaker_rules){
        .failures = param(c, CHAIN_PARAM_BREAKER_FAILURES), .window = param(c, CHAIN_PARAM_BREAKER_WINDOW),
        .open = param(c, CHAIN_PARAM_BREAKER_OPEN), .successes = param(c, CHAIN_PARAM_BREAKER_SUCCESSES),
        .tighten_ppm = param(c, CHAIN_PARAM_BREAKER_TIGHTEN), .scale_min_ppm = param(c, CHAIN_PARAM_BREAKER_SCALE_MIN),
        .recover_ppm = param(c, CHAIN_PARAM_BREAKER_RECOVER) };
}

/* --- slots --- */

static const chain_row_disbursement_slot *slot(const chain *c, uint8_t index)
{
    chain_key key = chain_key_one(index);
    return chain_row_get(c, CHAIN_TABLE_DISBURSEMENT_SLOT, &key);
}

static void slot_set(chain *c, uint8_t index, uint64_t number)
{
    chain_key key = chain_key_one(index);
    ((chain_row_disbursement_slot *)chain_row_edit_or_create(c, CHAIN_TABLE_DISBURSEMENT_SLOT, &key))->number = number;
}

err chain_slot_take(chain *c, chain_row_treasury *t, uint64_t number, fault *f)
{
    if (t->active >= param(c, CHAIN_PARAM_TREASURY_ACTIVE_MAX))
        return fail(f, ERR_LIMIT, "treasury.active_max", t->active);
    for (uint8_t i = 0; i < LIMIT_DISBURSEMENTS_N; i++)
        if (!slot(c, i) || slot(c, i)->number == 0) {
            slot_set(c, i, number);
            t->active++;
            return OK;
        }
    return fail(f, ERR_INVARIANT, "treasury.active", t->active);
}

err chain_slot_free(chain *c, chain_row_treasury *t, uint64_t number, fault *f)
{
    for (uint8_t i = 0; i < LIMIT_DISBURSEMENTS_N; i++)
        if (slot(c, i) && slot(c, i)->number == number) {
            slot_set(c, i, 0);
            t->active--;
            return OK;
        }
    return fail(f, ERR_INVARIANT, "disbursement_slot.number", number);
}

/* --- one disbursement --- */

void chain_disbursement_tell(chain *c, uint64_t number, const chain_row_disbursement *d, uint64_t epoch, uint32_t tx_index)
{
    chain_event_add(c, CHAIN_EVENT_DISBURSEMENT_CHANGED, tx_index)->data.disbursement_changed =
        (chain_event_disbursement_changed){ .number = number, .status = d->status, .reason = d->reason, .amount = d->amount, .epoch = epoch };
}

err chain_disbursement_check_kyc(const chain *c, const chain_row_disbursement *d, uint64_t height, const char *what, fault *f)
{
    for (size_t i = 0; i < d->payees; i++) {
        chain_payee p = chain_disbursement_payee(d, i);
        if (!chain_kyc_valid_at(c, &p.to, height))
            return fail(f, ERR_KYC, what, i);
    }
    return OK;
}

chain_dependencies chain_disbursement_dependencies(const chain *c, const chain_row_disbursement *d)
{
    chain_dependencies all = CHAIN_DEPENDENCIES_FINAL;
    for (size_t i = 0; i < d->dependencies; i++) {
        const chain_row_disbursement *on = chain_disbursement(c, chain_disbursement_dependency(d, i));
        if (!on || on->status == CHAIN_DISBURSEMENT_ROLLED_BACK)
            return CHAIN_DEPENDENCIES_DEAD;
        if (on->status != CHAIN_DISBURSEMENT_FINALIZED)
            all = CHAIN_DEPENDENCIES_OPEN;
    }
    return all;
}

err chain_disbursement_roll_back(chain *c, chain_row_treasury *t, uint64_t number, chain_row_disbursement *d, chain_rollback_reason reason,
                                 fault *f)
{
    bool held, active = chain_disbursement_active(d);
    TRY(chain_disburse_roll_back(d, reason, t->epoch, &held, f));
    if (held && (chain_purse_take(c, PURSE_DISBURSING, d->amount) != OK || chain_purse_add(c, PURSE_TREASURY, d->amount) != OK))
        return fail(f, ERR_INVARIANT, "disbursing", d->amount);
    return active ? chain_slot_free(c, t, number, f) : OK;
}

/* --- the end of an epoch --- */

/* The treasury while an epoch closes. */
typedef struct closing {
    chain                   *c;
    uint64_t                 height, epoch;
    chain_row_treasury      *t; /* the two rows are in the journal once */
    chain_row_breaker       *b;
    chain_disbursement_terms terms;
    chain_velocity_limits    limits;
    chain_breaker_rules      rules;
    uint64_t                 numbers[LIMIT_DISBURSEMENTS_N]; /* active: the essential ones first, then as they were filed */
    size_t                   count;
} closing;

static chain_row_disbursement *edit(const closing *k, uint64_t number)
{
    chain_key key = chain_key_height(number);
    return chain_row_edit(k->c, CHAIN_TABLE_DISBURSEMENT, &key);
}

static bool comes_before(const chain *c, uint64_t a, uint64_t b)
{
    bool a_essential = chain_disbursement(c, a)->essential, b_essential = chain_disbursement(c, b)->essential;
    return a_essential != b_essential ? a_essential : a < b;
}

static err list_active(closing *k, fault *f)
{
    for (uint8_t i = 0; i < LIMIT_DISBURSEMENTS_N; i++) {
        const chain_row_disbursement_slot *s = slot(k->c, i);
        if (!s || s->number == 0)
            continue;
        if (!chain_disbursement(k->c, s->number))
            return fail(f, ERR_INVARIANT, "disbursement_slot.number", s->number);
        size_t at = k->count++;
        for (; at > 0 && comes_before(k->c, s->number, k->numbers[at - 1]); at--)
            k->numbers[at] = k->numbers[at - 1];
        k->numbers[at] = s->number;
    }
    return OK;
}

static void tell_breaker(const closing *k, uint8_t before)
{
    if (k->b->state == before)
        return;
    chain_event_add(k->c, CHAIN_EVENT_BREAKER_CHANGED, CHAIN_EVENT_NO_TX)->data.breaker_changed =
        (chain_event_breaker_changed){ .state = k->b->state, .threshold = (uint32_t)chain_breaker_threshold(k->b, &k->rules) };
}

static void count_failure(const closing *k, uint64_t number, err why)
{
    uint8_t before = k->b->state;
    chain_event_add(k->c, CHAIN_EVENT_DISBURSEMENT_REFUSED, CHAIN_EVENT_NO_TX)->data.disbursement_refused =
        (chain_event_disbursement_refused){ .number = number, .why = (uint32_t)why };
    chain_breaker_failure(k->b, &k->rules, k->height, k->epoch);
    tell_breaker(k, before);
}

static err roll_back(const closing *k, uint64_t number, chain_rollback_reason reason, fault *f)
{
    chain_row_disbursement *d = edit(k, number);
    TRY(chain_disbursement_roll_back(k->c, k->t, number, d, reason, f));
    chain_disbursement_tell(k->c, number, d, k->epoch, CHAIN_EVENT_NO_TX);
    return OK;
}

/* All payees, or none: if one has lost its KYC, all of it returns. */
static err finalize(const closing *k, uint64_t number, fault *f)
{
    if (chain_disbursement_check_kyc(k->c, chain_disbursement(k->c, number), k->height, "disbursement.payees", NULL) != OK) {
        count_failure(k, number, ERR_KYC);
        return roll_back(k, number, CHAIN_ROLLBACK_KYC, f);
    }
    chain_row_disbursement *d = edit(k, number);
    TRY(chain_disburse_finalize(d, k->epoch, f));
    if (chain_purse_take(k->c, PURSE_DISBURSING, d->amount) != OK)
        return fail(f, ERR_INVARIANT, "disbursing", d->amount);
    for (size_t i = 0; i < d->payees; i++) {
        chain_payee p = chain_disbursement_payee(d, i);
        if (chain_account_credit(k->c, &p.to, p.amount) != OK)
            return fail(f, ERR_INVARIANT, "disbursement.payees", i);
        chain_event_add(k->c, CHAIN_EVENT_DISBURSEMENT_PAID, CHAIN_EVENT_NO_TX)->data.disbursement_paid =
            (chain_event_disbursement_paid){ .number = number, .to = p.to, .amount = p.amount };
    }
    chain_disbursement_tell(k->c, number, d, k->epoch, CHAIN_EVENT_NO_TX);
    return chain_slot_free(k->c, k->t, number, f);
}

/* What refuses a payment that the limits admit: the breaker counts it. */
static err check_execution(const closing *k, const chain_row_disbursement *d)
{
    uint64_t treasury = chain_supply(k->c)->treasury;
    TRY(chain_disbursement_check_kyc(k->c, d, k->height, "disbursement.payees", NULL));
    if (treasury < d->amount)
        return ERR_FUNDS;
    uint64_t epochs = param(k->c, CHAIN_PARAM_RESERVE_EPOCHS), emergency = param(k->c, CHAIN_PARAM_TREASURY_EMERGENCY);
    if (!d->essential && chain_reserve_judge(treasury - d->amount, k->t->subsidy_rate, epochs, emergency) == CHAIN_RESERVE_EMERGENCY)
        return ERR_STATE;
    return OK;
}

static err add_outflow(const closing *k, chain_outflow_kind kind, uint64_t period, uint64_t amount)
{
    chain_key key = chain_key_outflow(kind, period);
    chain_row_outflow *row = chain_row_edit_or_create(k->c, CHAIN_TABLE_OUTFLOW, &key);
    if (row->period != period)
        *row = (chain_row_outflow){ .period = period };
    return checked_add_u64(&row->amount, row->amount, amount);
}

static err take(const closing *k, uint64_t number, fault *f)
{
    uint8_t before = k->b->state;
    chain_row_disbursement *d = edit(k, number);
    TRY(chain_disburse_execute(d, k->epoch, f));
    if (chain_purse_take(k->c, PURSE_TREASURY, d->amount) != OK || chain_purse_add(k->c, PURSE_DISBURSING, d->amount) != OK ||
        chain_velocity_take(k->t, d->amount) != OK || add_outflow(k, CHAIN_OUTFLOW_EPOCH, k->epoch, d->amount) != OK ||
        add_outflow(k, CHAIN_OUTFLOW_DAY, chain_day_of_epoch(k->epoch), d->amount) != OK)
        return fail(f, ERR_INVARIANT, "treasury", d->amount);
    chain_breaker_success(k->b, &k->rules, k->height);
    chain_disbursement_tell(k->c, number, d, k->epoch, CHAIN_EVENT_NO_TX);
    tell_breaker(k, before);
    return OK;
}

/* The limits and the breaker make it wait; what else refuses it is a failure. It is one failure: whoever has a disbursement that
 * cannot be paid neither holds the breaker open with it nor uses up the probes of others. */
static err attempt(const closing *k, uint64_t number, fault *f)
{
    const chain_row_disbursement *now = chain_disbursement(k->c, number);
    if (chain_velocity_check(k->t, &k->limits, now->amount, NULL) != OK || !chain_breaker_admits(k->b, k->height))
        return OK;
    err why = check_execution(k, now);
    if (why == OK)
        return take(k, number, f);
    if (now->refused_epoch == 0) {
        edit(k, number)->refused_epoch = k->epoch;
        count_failure(k, number, why);
    }
    return why == ERR_KYC ? roll_back(k, number, CHAIN_ROLLBACK_KYC, f) : OK;
}

static err lock(const closing *k, uint64_t number, fault *f)
{
    chain_row_disbursement *d = edit(k, number);
    TRY(chain_disburse_lock(d, k->epoch, f));
    chain_disbursement_tell(k->c, number, d, k->epoch, CHAIN_EVENT_NO_TX);
    return OK;
}

/* One kind of step for every disbursement to which it is due. */
static err run_step(const closing *k, chain_disburse_due step, fault *f)
{
    for (size_t i = 0; i < k->count; i++) {
        chain_rollback_reason reason;
        uint64_t number = k->numbers[i];
        const chain_row_disbursement *d = chain_disbursement(k->c, number);
        if (chain_disburse_next(d, chain_disbursement_dependencies(k->c, d), &k->terms, k->epoch, &reason) != step)
            continue;
        switch (step) {
        case CHAIN_DUE_FINALIZE:
            TRY(finalize(k, number, f));
            break;
        case CHAIN_DUE_ROLL_BACK:
            TRY(roll_back(k, number, reason, f));
            break;
        case CHAIN_DUE_LOCK:
            TRY(lock(k, number, f));
            break;
        case CHAIN_DUE_EXECUTE:
            TRY(attempt(k, number, f));
            break;
        case CHAIN_DUE_NOTHING:
            break;
        }
    }
    return OK;
}

/* What a period took that leaves the sums now; 0 if nothing. */
static uint64_t outflow_of(const chain *c, chain_outflow_kind kind, uint64_t period)
{
    chain_key key = chain_key_outflow(kind, period);
    const chain_row_outflow *row = chain_row_get(c, CHAIN_TABLE_OUTFLOW, &key);
    return row && row->period == period ? row->amount : 0;
}

static err next_epoch(const closing *k, fault *f)
{
    uint64_t next = k->epoch + 1, old_epoch = 0, old_day = 0, day = chain_day_of_epoch(next);
    uint64_t treasury = chain_supply(k->c)->treasury, taken = k->t->epoch_out;
    if (next > CHAIN_DAY_EPOCHS)
        old_epoch = outflow_of(k->c, CHAIN_OUTFLOW_EPOCH, next - CHAIN_DAY_EPOCHS);
    if (day != chain_day_of_epoch(k->epoch) && day >= CHAIN_MONTH_BUCKETS)
        old_day = outflow_of(k->c, CHAIN_OUTFLOW_DAY, day - CHAIN_MONTH_BUCKETS);
    TRY(chain_velocity_next(k->t, &k->limits, treasury, old_epoch, old_day, f));
    k->t->health = (uint8_t)chain_reserve_judge(treasury, k->t->subsidy_rate, param(k->c, CHAIN_PARAM_RESERVE_EPOCHS),
                                                param(k->c, CHAIN_PARAM_TREASURY_EMERGENCY));
    chain_event_add(k->c, CHAIN_EVENT_TREASURY_EPOCH, CHAIN_EVENT_NO_TX)->data.treasury_epoch =
        (chain_event_treasury_epoch){ .epoch = k->epoch, .taken = taken, .treasury = treasury, .health = k->t->health };
    return OK;
}

err chain_treasury_epoch(chain *c, uint64_t height, fault *f)
{
    chain_key key = chain_key_one(0);
    closing k = { .c = c, .height = height, .t = chain_row_edit(c, CHAIN_TABLE_TREASURY, &key),
                  .b = chain_row_edit(c, CHAIN_TABLE_BREAKER, &key), .terms = chain_treasury_terms(c),
                  .limits = chain_treasury_limits(c), .rules = chain_treasury_breaker_rules(c) };
    k.epoch = k.t->epoch;
    if (k.epoch != height / param(c, CHAIN_PARAM_EPOCH))
        return fail(f, ERR_INVARIANT, "treasury.epoch", k.epoch);
    TRY(list_active(&k, f));
    uint8_t before = k.b->state;
    chain_breaker_epoch(k.b, &k.rules, height);
    tell_breaker(&k, before);
    /* What becomes final frees dependencies, and what is rolled back kills them, before anything is locked or executed. */
    static const chain_disburse_due steps[] = { CHAIN_DUE_FINALIZE, CHAIN_DUE_ROLL_BACK, CHAIN_DUE_LOCK, CHAIN_DUE_EXECUTE };
    for (size_t i = 0; i < COUNT_OF(steps); i++)
        TRY(run_step(&k, steps[i], f));
    return next_epoch(&k, f);
}

err chain_treasury_set_subsidy_rate(chain *c, uint64_t rate, fault *f)
{
    chain_key key = chain_key_one(0);
    if (rate > param(c, CHAIN_PARAM_SUPPLY_CAP))
        return fail(f, ERR_RANGE, "treasury.subsidy_rate", rate);
    ((chain_row_treasury *)chain_row_edit(c, CHAIN_TABLE_TREASURY, &key))->subsidy_rate = rate;
    return OK;
}

void chain_treasury_incident(chain *c)
{
    chain_key key = chain_key_one(0);
    chain_breaker_rules rules = chain_treasury_breaker_rules(c);
    chain_breaker_incident(chain_row_edit(c, CHAIN_TABLE_BREAKER, &key), &rules, chain_treasury(c)->epoch);
}
