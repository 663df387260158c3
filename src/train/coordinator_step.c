/* SPDX-License-Identifier: Apache-2.0
 *
 * A step: publish the model, collect answers, sum them up, update; pay and checkpoint when it is due. */
#include "numerics/data.h"
#include "train/coordinator_int.h"

#include <stdlib.h>

enum { RANGE_TRIES = 16 };

static err calibrate(tr_coordinator *c, fault *f)
{
    uint64_t numbers[NUM_CALIBRATION_SEQUENCES];
    uint32_t t = c->cfg.shape.context;
    uint32_t n = num_calibration_sequences(numbers, &c->cfg.job, c->state.step, c->state.retries, tr_dataset_windows(c->cfg.data, t));
    uint16_t *tokens = malloc((size_t)n * (t + 1) * sizeof *tokens);
    if (!tokens)
        return fail(f, ERR_MEMORY, "calibration", n);
    for (uint32_t i = 0; i < n; i++)
        tr_dataset_sequence(tokens + (size_t)i * (t + 1), c->cfg.data, &c->cfg.job, numbers[i], t);
    bt_batch batch = { .job_id = c->cfg.job, .step = c->state.step, .count = n, .sequences = numbers, .tokens = tokens };
    err e = bt_gpt_calibrate(c->exec.gpt, &c->fractions, c->state.master, &batch, c->state.retries, f);
    free(tokens);
    return e;
}

static err publish(tr_coordinator *c, fault *f)
{
    if (bt_state_calibrates(&c->state))
        TRY(calibrate(c, f));
    pthread_mutex_lock(&c->mu);
    free(c->model_file);
    c->model_file = NULL;
    err e = bt_state_publish(&c->state, &c->fractions, &c->model, bt_gpt_tables(c->exec.gpt), f);
    if (e == OK)
        e = bt_model_encode(&c->model, &c->model_file, &c->model_file_len);
    pthread_mutex_unlock(&c->mu);
    return e;
}

static err begin(tr_coordinator *c, fault *f)
{
    TRY(publish(c, f));
    if (c->cfg.level_min == CHAIN_LEVEL_FULL)
        TRY(tr_coord_can_prove(c, f));
    TRY(tr_coord_ask_past(c, f));
    uint64_t from = c->state.step * c->cfg.batch_size;
    pthread_mutex_lock(&c->mu);
    err e = tr_book_init(&c->book, from, from + c->cfg.batch_size, c->cfg.sequences_per_lease, c->lease_next, c->escrow - c->owed_total, f);
    if (e == OK)
        e = tr_coord_replay_step(c, f);
    c->progress_ms = tr_coord_now_ms();
    c->open = e == OK;
    tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    if (e == OK)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_STEP_BEGIN, .step = c->state.step, .hash = &c->model.id });
    return e;
}

/* Takes back what is late. True when every slot is accepted. */
static err look_around(tr_coordinator *c, bool *complete, bool *work, fault *f)
{
    uint64_t height;
    err e = c->cfg.ledger.height(c->cfg.ledger.ctx, &height);
    if (e != OK)
        return fail(f, e, "ledger.height", 0);
    pthread_mutex_lock(&c->mu);
    size_t freed = tr_book_expire(&c->book, tr_coord_now_ms(), height), given_up = tr_book_own_exhausted(&c->book);
    if (given_up)
        c->progress_ms = tr_coord_now_ms();
    *complete = tr_book_count(&c->book, TR_SLOT_ACCEPTED) + tr_book_count(&c->book, TR_SLOT_OWN) == c->book.slot_count;
    *work = tr_book_count(&c->book, TR_SLOT_SUBMITTED) > 0;
    bool idle = c->cfg.patience_ms && tr_coord_now_ms() - c->progress_ms > c->cfg.patience_ms;
    if (freed)
        tr_coord_wake(c);
    if (!*complete && !*work && !idle && !atomic_load(&c->stopping))
        tr_coord_wait(c, tr_coord_now_ms() + TICK_MS);
    pthread_mutex_unlock(&c->mu);
    if (freed)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_REVOKED, .step = c->state.step, .at = freed });
    if (given_up)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_GIVEN_UP, .step = c->state.step, .at = given_up });
    if (atomic_load(&c->stopping))
        return fail(f, ERR_INTERRUPTED, "coordinator", 0);
    return idle && !*complete && !*work ? fail(f, ERR_TIMEOUT, "coordinator: no worker answers", c->state.step) : OK;
}

static err collect(tr_coordinator *c, fault *f)
{
    for (;;) {
        bool complete, work, idle;
        TRY(look_around(c, &complete, &work, f));
        if (complete)
            return OK;
        if (!work)
            continue;
        TRY(tr_coord_verify(c, f));
        if (c->cfg.sample_ppm)
            TRY(tr_coord_commit(c, f));
        TRY(tr_coord_judge(c, &idle, f));
        if (!idle)
            continue;
        pthread_mutex_lock(&c->mu);
        tr_coord_wait(c, tr_coord_now_ms() + TICK_MS);
        pthread_mutex_unlock(&c->mu);
    }
}

/* The gradient of a slot into c->part: from the file of its accepted answer, or computed here if the file did not survive or the
 * slot is our own. */
static err load_gradient(tr_coordinator *c, const tr_slot *slot, int64_t *loss, bool *range, fault *f)
{
    const answer *a = &c->answers[slot->entry];
    bool own = slot->status == TR_SLOT_OWN;
    *range = !own && a->said.result == CHAIN_RESULT_RANGE;
    *loss = a->said.loss;
    if (*range || (!own && tr_coord_uploaded(c, a, c->part, NULL) == OK))
        return OK;
    tr_task task;
    int64_t mine;
    bt_result result;
    tr_coord_recompute(c, a, &task);
    TRY(tr_exec_run(&c->exec, &task, c->part, &mine, &result, NULL, f));
    if (own)
        *loss = mine;
    *range = own && result.range;
    return result.range && !own ? fail(f, ERR_STEP_RANGE, "gradient", a->terms.lease_id) : OK;
}

/* Sum over the slots; *range if any of them ended so. */
static err sum_up(tr_coordinator *c, int64_t *loss, bool *range, fault *f)
{
    memset(c->sum, 0, (size_t)c->elements * sizeof *c->sum);
    *loss = 0;
    for (size_t i = 0; i < c->book.slot_count; i++) {
        int64_t part;
        bool part_range;
        TRY(load_gradient(c, &c->book.slots[i], &part, &part_range, f));
        *range = *range || part_range;
        if (part_range)
            continue;
        TRY(tr_gradient_add(c->sum, c->part, c->elements, f));
        *loss += part;
    }
    return OK;
}

/* RANGE: new fractions, a new model, and the step again. Its sequences are paid for (each worker answered its lease right), and the ledger
 * pays a sequence once: so the coordinator computes the repetition itself. */
static err repeat(tr_coordinator *c, int64_t *loss, fault *f)
{
    uint64_t from = c->state.step * c->cfg.batch_size, to = from + c->cfg.batch_size;
    for (unsigned tries = 0; tries < RANGE_TRIES; tries++) {
        c->state.retries++;
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_RANGE, .step = c->state.step, .at = c->state.retries });
        TRY(publish(c, f));
        memset(c->sum, 0, (size_t)c->elements * sizeof *c->sum);
        *loss = 0;
        bt_result result = { 0 };
        for (uint64_t at = from; at < to && !result.range; at += c->cfg.sequences_per_lease) {
            uint64_t end = to - at < c->cfg.sequences_per_lease ? to : at + c->cfg.sequences_per_lease;
            tr_task task = { &c->model, c->cfg.data, c->cfg.job, c->state.step, at, end };
            int64_t part;
            TRY(tr_exec_run(&c->exec, &task, c->part, &part, &result, NULL, f));
            TRY(tr_gradient_add(c->sum, c->part, c->elements, f));
            *loss += part;
        }
        if (!result.range)
            return OK;
    }
    return fail(f, ERR_STEP_RANGE, "coordinator: RANGE again and again", c->state.step);
}

/* What the finished step owes. Takes the receipts out of the answers. With mu. */
static err book_debts(tr_coordinator *c, fault *f)
{
    size_t need = c->debt_count + c->book.slot_count;
    if (need > c->debt_room) {
        owed *more = realloc(c->debts, need * sizeof *more);
        if (!more)
            return fail(f, ERR_MEMORY, "debts", need);
        c->debts = more;
        c->debt_room = need;
    }
    for (size_t i = 0; i < c->book.slot_count; i++) {
        size_t at = c->book.slots[i].entry;
        if (c->book.slots[i].status == TR_SLOT_OWN)
            continue;
        answer *a = &c->answers[at];
        c->debts[c->debt_count++] = (owed){ .lease = a->lease, .attestation = a->attestation, .lease_len = a->lease_len,
                                            .attestation_len = a->attestation_len, .lease_id = a->terms.lease_id, .step = a->terms.step,
                                            .price = a->paid ? 0 : a->terms.price, .file = a->file, .member = c->book.entries[at].worker,
                                            .look = a->restored };
        c->owed_total += a->paid ? 0 : a->terms.price;
        a->lease = a->attestation = NULL;
    }
    return OK;
}

/* Pays before the checkpoint: clearing the journal forgets the receipts. What could not be paid stays due. */
static err settle_up(tr_coordinator *c, fault *f)
{
    if (!c->due)
        return OK;
    TRY(tr_coord_pay(c, f));
    TRY(tr_coord_checkpoint(c, f));
    tr_store_clear(c->gradients);
    c->due = false;
    return OK;
}

static err finish(tr_coordinator *c, fault *f)
{
    int64_t loss;
    bool range = false;
    uint64_t tokens = (uint64_t)c->cfg.batch_size * c->cfg.shape.context;
    TRY(sum_up(c, &loss, &range, f));
    if (range)
        TRY(repeat(c, &loss, f));
    pthread_mutex_lock(&c->mu);
    c->open = false;
    err e = book_debts(c, f);
    if (e == OK) {
        tr_coord_forget_step(c);
        for (size_t i = 0; i < c->member_count; i++) /* of leases that nobody waits for any more */
            if (!c->members[i].busy)
                tr_coord_drop_uploads(&c->members[i]);
        e = bt_state_update(&c->state, &c->fractions, c->sum, tokens, &c->cfg.schedule);
        if (e != OK)
            e = fail(f, e, "update", tokens);
    }
    pthread_mutex_unlock(&c->mu);
    if (e == OK)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_STEP_END, .step = c->state.step - 1, .loss = loss, .at = tokens });
    uint32_t every = c->cfg.checkpoint_steps ? c->cfg.checkpoint_steps : 1;
    c->due = e == OK && (c->state.step % every == 0 || c->state.step == c->cfg.steps);
    return e == OK ? settle_up(c, f) : e;
}

err tr_coordinator_step(tr_coordinator *c, fault *f)
{
    if (c->state.step >= c->cfg.steps)
        return fail(f, ERR_STATE, "coordinator: all steps are done", c->state.step);
    err e = settle_up(c, f);
    if (e == OK)
        e = begin(c, f);
    if (e == OK)
        e = collect(c, f);
    if (e == OK)
        e = finish(c, f);
    if (e != OK && atomic_load(&c->stopping))
        e = fail(f, ERR_INTERRUPTED, "coordinator", c->state.step);
    if (e != OK && c->book.entries) {
        /* What was answered is in the journal; the next life, or the next try, takes it from there. */
        pthread_mutex_lock(&c->mu);
        c->open = false;
        tr_coord_forget_step(c);
        pthread_mutex_unlock(&c->mu);
    }
    return e;
}

err tr_coordinator_run(tr_coordinator *c, fault *f)
{
    while (c->state.step < c->cfg.steps)
        TRY(tr_coordinator_step(c, f));
    TRY(settle_up(c, f)); /* of a run before that could not */
    pthread_mutex_lock(&c->mu);
    c->done = true;
    tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    return OK;
}
