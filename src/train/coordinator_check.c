/* SPDX-License-Identifier: Apache-2.0
 *
 * Draw, re-execute, decide; and what follows when a worker is caught. */
#include "base/port/file.h"
#include "train/coordinator_int.h"
#include "train/dispute.h"

#include <stdio.h>
#include <stdlib.h>

void tr_coord_recompute(tr_coordinator *c, const answer *a, tr_task *out)
{
    *out = (tr_task){ .model = &c->model, .data = c->cfg.data, .job = c->cfg.job, .step = a->terms.step, .from = a->terms.from,
                      .to = a->terms.to };
}

static void say(const tr_coordinator *c, tr_event_kind kind, const answer *a, err code)
{
    tr_coord_event(c, &(tr_event){ .kind = kind, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &a->terms.worker,
                                .code = code });
}

static err accept(tr_coordinator *c, size_t i, fault *f)
{
    answer *a = &c->answers[i];
    pthread_mutex_lock(&c->mu);
    err e = tr_coord_journal(c, TR_JOURNAL_ACCEPTED, a->terms.lease_id, NULL, f);
    if (e == OK)
        e = tr_book_accept(&c->book, a->terms.lease_id, f);
    if (e == OK) {
        tr_worker_status *s = &c->members[c->book.entries[i].worker].status;
        s->accepted++;
        s->earned += a->terms.price;
    }
    c->progress_ms = tr_coord_now_ms();
    tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    if (e == OK)
        say(c, TR_EVENT_ACCEPTED, a, OK);
    return e;
}

/* --- evidence -------------------------------------------------------------------------------------------------------------- */

static err write_evidence(tr_coordinator *c, const answer *a, bytes evidence, char path[TR_PATH_MAX], fault *f)
{
    char name[48];
    snprintf(name, sizeof name, "lease-%llu.evidence", (unsigned long long)a->terms.lease_id);
    TRY(tr_store_name(path, c->evidence, name, f));
    return base_file_write_atomic(path, evidence, 0644, BASE_FILE_REPLACE, f);
}

typedef struct case_file {
    tr_dispute dispute;
    hash256   *leaves; /* of the accused; owned */
    tr_capture capture;
    tr_sum_dispute sum;
    int64_t   *theirs; /* gradient of the accused; owned */
    buf        evidence;
    pf_verdict verdict;
    char       path[TR_PATH_MAX];
} case_file;

/* Runs the lease again and keeps the sequence that the dispute is about. */
static err capture(tr_coordinator *c, const answer *a, case_file *k, tr_task *task, fault *f)
{
    int64_t loss;
    bt_result result;
    tr_observer see = { tr_capture_take, &k->capture, tr_capture_reset };
    tr_coord_recompute(c, a, task);
    TRY(tr_capture_init(&k->capture, &c->cfg.shape, k->dispute.place.sequence, f));
    return tr_exec_run(&c->exec, task, c->part, &loss, &result, &see, f);
}

static err take_tile(void *ctx, bytes tile, fault *f)
{
    case_file *k = ctx;
    return tr_dispute_tile(&k->dispute, tile, k->leaves, &k->capture, f);
}

/* The traces differ; `result` is ours. */
static err narrow(tr_coordinator *c, member *m, answer *a, const tr_trace *mine, const bt_result *result, case_file *k, fault *f)
{
    static const hash256 unreached;
    tr_dispute *d = &k->dispute;
    tr_task task;
    TRY(tr_coord_leaves(c, a, mine->leaf_count, &k->leaves, f));
    err e = tr_dispute_leaves(d, mine, k->leaves, &a->said, f);
    bool same = e == ERR_NOT_FOUND && result->range; /* NORMAL, and yet nothing where RANGE leaves nothing: none of that can be opened */
    if (e != OK && !same)
        return e;
    if (same || (result->range && hash256_equal(&mine->leaves[d->place.leaf], &unreached)))
        TRY(tr_dispute_domain(d, mine, result->tensor, result->sequence, result->index, f));
    TRY(capture(c, a, k, &task, f));
    TRY(tr_coord_tile(c, m, a, &d->place, &k->leaves[d->place.leaf], take_tile, k, f));
    bytes tile = buf_bytes(&m->challenge.data);
    TRY(tr_dispute_evidence(&k->evidence, &k->verdict, d, mine, k->leaves, tile, &k->capture, &task, f));
    return write_evidence(c, a, buf_bytes(&k->evidence), k->path, f);
}

/* RANGE was attested for an element that is inside its domain. */
static err narrow_range(tr_coordinator *c, const answer *a, const tr_trace *mine, const bt_result *result, case_file *k, fault *f)
{
    tr_dispute *d = &k->dispute;
    tr_task task;
    TRY(tr_coord_leaves(c, a, mine->leaf_count, &k->leaves, f));
    TRY(tr_dispute_range(d, mine, &a->said, f));
    TRY(capture(c, a, k, &task, f));
    err e = tr_dispute_evidence(&k->evidence, &k->verdict, d, mine, k->leaves, (bytes){ 0 }, &k->capture, &task, f);
    /* Another element leaves its domain before: then this one may do so, too, and nothing is wrong with our executor. */
    if (e == ERR_EVIDENCE && result->range)
        return fail(f, ERR_UNSUPPORTED, "dispute: RANGE of two elements", d->element);
    TRY(e);
    return write_evidence(c, a, buf_bytes(&k->evidence), k->path, f);
}

/* Which element of the gradient differs: the accused uploaded its own under the root that it signed, ours is in c->part. */
static err find_gradient(tr_coordinator *c, const answer *a, case_file *k, const tr_task *task, fault *f)
{
    k->theirs = malloc((size_t)c->elements * sizeof *k->theirs);
    if (!k->theirs)
        return fail(f, ERR_MEMORY, "dispute.gradient", c->elements);
    TRY(tr_coord_uploaded(c, a, k->theirs, f));
    return tr_dispute_gradient(&k->sum, c->part, k->theirs, task, c->exec.device->pool, f);
}

/* The traces are equal, gradient or loss (`loss` is ours) differ: there is nothing to ask. */
static err narrow_sum(tr_coordinator *c, const answer *a, const tr_trace *mine, bool gradient, int64_t loss, case_file *k, fault *f)
{
    tr_sum_dispute *d = &k->sum;
    tr_task task;
    bt_result result;
    tr_coord_recompute(c, a, &task);
    *d = (tr_sum_dispute){ .lease = bytes_of(a->lease, a->lease_len), .attestation = bytes_of(a->attestation, a->attestation_len),
                           .trace = mine };
    TRY(gradient ? find_gradient(c, a, k, &task, f) : tr_dispute_loss(d, loss, a->said.loss, &task, f));
    tr_observer see = { tr_dispute_sum_take, d, NULL };
    TRY(tr_exec_run(&c->exec, &task, c->part, &loss, &result, &see, f));
    TRY(tr_dispute_sum_evidence(&k->evidence, &k->verdict, d, &task, f));
    return write_evidence(c, a, buf_bytes(&k->evidence), k->path, f);
}

/* What we got. */
typedef struct outcome {
    int64_t   loss;
    bt_result result;
} outcome;

/* Where an answer departs from ours. */
typedef enum departure { DEPARTS_NOWHERE, DEPARTS_TRACE, DEPARTS_RANGE, DEPARTS_GRADIENT, DEPARTS_LOSS, DEPARTS_OTHERWISE } departure;

/* Evidence if there can be any, and the slash. Only errors of our own come back: that there is no evidence is not one. *spoiled: the
 * ledger knows the lease as spoiled. */
static err accuse(tr_coordinator *c, member *m, answer *a, const tr_trace *mine, const outcome *own, departure where,
                  bool *spoiled, fault *f)
{
    case_file k = { .dispute = { .lease = bytes_of(a->lease, a->lease_len),
                                 .attestation = bytes_of(a->attestation, a->attestation_len) } };
    buf_init(&k.evidence, LIMIT_EVIDENCE_BYTES);
    fault why = { 0 };
    uint64_t height = 0;
    bool unsent = false;
    err e = where == DEPARTS_TRACE       ? narrow(c, m, a, mine, &own->result, &k, &why)
            : where == DEPARTS_RANGE     ? narrow_range(c, a, mine, &own->result, &k, &why)
            : where == DEPARTS_OTHERWISE ? fail(&why, ERR_UNSUPPORTED, "dispute: RANGE is right, its trace is not", 0)
                                         : narrow_sum(c, a, mine, where == DEPARTS_GRADIENT, own->loss, &k, &why);
    if (!a->challenged)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_EVIDENCE, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &m->key,
                                       .code = e, .path = k.path });
    if (e == OK) {
        e = tr_coord_slash(c, a, buf_bytes(&k.evidence), &height, &why);
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_SLASHED, .step = c->state.step, .lease_id = a->terms.lease_id, .worker = &m->key,
                                    .code = e, .at = height });
        *spoiled = e == OK;
        unsent = e != OK && height == 0;
    }
    free(k.leaves);
    free(k.theirs);
    tr_capture_deinit(&k.capture);
    tr_dispute_sum_deinit(&k.sum);
    buf_deinit(&k.evidence);
    if (e != OK && atomic_load(&c->stopping)) /* perhaps because of that: the next life tries again */
        return fail(f, ERR_INTERRUPTED, "dispute", a->terms.lease_id);
    if (unsent || e == ERR_EVIDENCE || e == ERR_MEMORY || e == ERR_DISK_FULL || e == ERR_IO) {
        /* ERR_EVIDENCE: by the relation the worker is right, so our own executor is not. Nothing may be decided then. Nor if the ledger
         * never looked at the evidence: the next run sends it. */
        if (f)
            *f = why;
        return e;
    }
    return OK;
}

err tr_coord_dismiss(tr_coordinator *c, size_t i, bool own, err code, fault *f)
{
    const answer *a = &c->answers[i];
    pthread_mutex_lock(&c->mu);
    err e = own ? tr_book_own(&c->book, a->terms.lease_id, f) : tr_book_reject(&c->book, a->terms.lease_id, f);
    if (e == OK)
        e = tr_coord_journal(c, own ? TR_JOURNAL_OWN : TR_JOURNAL_REJECTED, a->terms.lease_id, NULL, f);
    c->members[c->book.entries[i].worker].status.rejected++;
    c->progress_ms = tr_coord_now_ms();
    tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    if (e == OK)
        tr_coord_event(c, &(tr_event){ .kind = TR_EVENT_REJECTED, .step = c->state.step, .lease_id = a->terms.lease_id,
                                       .worker = &a->terms.worker, .code = code, .at = own });
    return e;
}

/* What else a caught worker has answered in this step. What is on the ledger, or may be, is re-executed, drawn or not: its range is
 * reserved, so it is paid or convicted. With mu. */
static err suspect(tr_coordinator *c, uint32_t worker, fault *f)
{
    tr_worker_status *s = &c->members[worker].status;
    for (size_t i = 0; i < c->book.entry_count; i++) {
        const tr_lease_entry *entry = &c->book.entries[i];
        answer *a = &c->answers[i];
        bool accepted = entry->status == TR_LEASE_ACCEPTED;
        if (entry->worker != worker || a->verified || a->proved || (!accepted && entry->status != TR_LEASE_SUBMITTED))
            continue;
        a->suspect = a->suspect || a->committed || a->look;
        if (!accepted)
            continue;
        s->accepted--;
        s->earned -= entry->price;
        TRY(tr_book_reopen(&c->book, entry->id, f));
    }
    return OK;
}

/* Its leases go to others. What it answered and nobody has committed is worth nothing. */
static err ban(tr_coordinator *c, member *m, fault *f)
{
    uint32_t worker = (uint32_t)(m - c->members);
    TRY(tr_coord_ban(c, &m->key, f));
    pthread_mutex_lock(&c->mu);
    m->status.banned = true;
    if (!m->busy)
        tr_coord_drop_uploads(m);
    tr_book_worker_lost(&c->book, worker);
    err e = suspect(c, worker, f);
    tr_coord_wake(c);
    pthread_mutex_unlock(&c->mu);
    for (size_t i = 0; e == OK; i++) {
        pthread_mutex_lock(&c->mu);
        bool end = i >= c->book.entry_count;
        bool worthless = !end && c->book.entries[i].worker == worker && c->book.entries[i].status == TR_LEASE_SUBMITTED &&
                         !c->answers[i].suspect && !c->answers[i].verified && !c->answers[i].proved;
        pthread_mutex_unlock(&c->mu);
        if (end)
            break;
        if (worthless)
            e = tr_coord_dismiss(c, i, false, ERR_CHEAT, f);
    }
    return e;
}

/* --- re-execution --------------------------------------------------------------------------------------------------------- */

/* `root` is that of our trace, c->part our gradient. */
static err compare(tr_coordinator *c, const chain_attestation *said, const bt_result *mine, const hash256 *root, int64_t loss,
                   departure *where, fault *f)
{
    bool same_trace = hash256_equal(root, &said->trace_root);
    *where = DEPARTS_OTHERWISE;
    if (said->result == CHAIN_RESULT_RANGE) {
        bool same = mine->range && said->range_tensor == mine->tensor && said->range_sequence == mine->sequence &&
                    said->range_index == mine->index;
        *where = !same ? DEPARTS_RANGE : same_trace ? DEPARTS_NOWHERE : DEPARTS_OTHERWISE;
        return OK;
    }
    if (!same_trace || mine->range) {
        *where = DEPARTS_TRACE;
        return OK;
    }
    hash256 gradient;
    TRY(tr_gradient_root(&gradient, &c->cfg.shape, c->part, c->exec.device->pool, f));
    if (!hash256_equal(&gradient, &said->gradient))
        *where = DEPARTS_GRADIENT;
    else
        *where = loss == said->loss ? DEPARTS_NOWHERE : DEPARTS_LOSS;
    return OK;
}

static void reset_trace(void *ctx)
{
    tr_trace_reset(ctx);
}

static err reexecute(tr_coordinator *c, const answer *a, tr_trace *trace, outcome *own, departure *where, fault *f)
{
    tr_task task;
    hash256 root;
    tr_observer see = { tr_trace_take, trace, reset_trace };
    tr_coord_recompute(c, a, &task);
    TRY(tr_exec_run(&c->exec, &task, c->part, &own->loss, &own->result, &see, f));
    if (own->result.range)
        root = tr_trace_root_partial(trace);
    else
        TRY(tr_trace_root(trace, &root, f));
    return compare(c, &a->said, &own->result, &root, own->loss, where, f);
}

static err convict(tr_coordinator *c, member *m, size_t i, const tr_trace *mine, const outcome *own, departure where, fault *f)
{
    answer *a = &c->answers[i];
    bool spoiled = false;
    a->challenged = false;
    TRY(accuse(c, m, a, mine, own, where, &spoiled, f));
    if (a->challenged)
        return ban(c, m, f);
    /* A committed range is free for another worker only when the ledger has spoiled the lease. */
    TRY(tr_coord_dismiss(c, i, a->committed && !spoiled, ERR_CHEAT, f));
    return ban(c, m, f);
}

/* Whether a right answer may be summed: it is committed, if answers have to be. */
static bool counts(const tr_coordinator *c, const answer *a)
{
    return a->committed || c->cfg.sample_ppm == 0;
}

/* The right answer without a proof of it: not what the lease asks for, and nothing that a bond could be cut for. */
static err turn_down(tr_coordinator *c, member *m, size_t i, fault *f)
{
    TRY(tr_coord_dismiss(c, i, c->answers[i].committed, ERR_UNPROVED, f));
    return ban(c, m, f);
}

err tr_coord_check(tr_coordinator *c, size_t i, fault *f)
{
    answer *a = &c->answers[i];
    member *m = &c->members[c->book.entries[i].worker];
    uint64_t count = a->terms.to - a->terms.from, *numbers = malloc((size_t)count * sizeof *numbers);
    tr_trace trace = { 0 };
    departure where = DEPARTS_OTHERWISE;
    outcome own;
    if (!numbers)
        return fail(f, ERR_MEMORY, "check", count);
    for (uint64_t k = 0; k < count; k++)
        numbers[k] = a->terms.from + k;
    err e = tr_trace_init(&trace, &c->cfg.shape, (uint32_t)count, numbers, NULL, f);
    if (e == OK)
        e = reexecute(c, a, &trace, &own, &where, f);
    if (e == OK) {
        a->verified = where == DEPARTS_NOWHERE;
        if (!a->challenged) /* else it was said before */
            say(c, TR_EVENT_CHECKED, a, a->verified ? OK : ERR_CHEAT);
        e = !a->verified ? convict(c, m, i, &trace, &own, where, f) : a->unproved ? turn_down(c, m, i, f) : counts(c, a) ? accept(c, i, f) : OK;
    }
    tr_trace_deinit(&trace);
    free(numbers);
    return e;
}

/* Whether the block after the commitment draws this lease. */
static err drawn(tr_coordinator *c, const answer *a, bool *yes, fault *f)
{
    hash256 randomness;
    *yes = false;
    if (c->cfg.sample_ppm == 0)
        return OK;
    TRY(tr_coord_randomness(c, a->commit_height, &randomness, f));
    *yes = chain_sample_selected(&randomness, &a->lease_hash, c->cfg.sample_ppm);
    return OK;
}

/* A challenged worker had its time, or has it still. */
static err follow(tr_coordinator *c, size_t i, bool *waits, fault *f)
{
    answer *a = &c->answers[i];
    bool opened, spoiled;
    TRY(tr_coord_follow(c, a, &opened, &spoiled, f));
    *waits = !opened && !spoiled;
    if (spoiled)
        return tr_coord_dismiss(c, i, false, ERR_CHEAT, f);
    return opened ? tr_coord_check(c, i, f) : OK;
}

static err judge_one(tr_coordinator *c, size_t i, bool *waits, fault *f)
{
    bool sampled;
    const answer *a = &c->answers[i];
    if (a->challenged)
        return follow(c, i, waits, f);
    if (a->unproved)
        return tr_coord_check(c, i, f);
    TRY(drawn(c, a, &sampled, f));
    if (sampled) {
        pthread_mutex_lock(&c->mu);
        c->members[c->book.entries[i].worker].status.sampled++;
        pthread_mutex_unlock(&c->mu);
        say(c, TR_EVENT_SAMPLED, a, OK);
    }
    return !a->verified && (sampled || a->suspect) ? tr_coord_check(c, i, f) : accept(c, i, f);
}

/* The verdicts of one round reach the disk together. */
static err sync_verdicts(tr_coordinator *c, fault *f)
{
    pthread_mutex_lock(&c->mu);
    err e = tr_journal_sync(&c->journal, f);
    pthread_mutex_unlock(&c->mu);
    return e;
}

err tr_coord_judge(tr_coordinator *c, bool *idle, fault *f)
{
    *idle = true;
    for (size_t i = 0;; i++) {
        pthread_mutex_lock(&c->mu);
        bool end = i >= c->book.entry_count;
        bool ready = !end && c->book.entries[i].status == TR_LEASE_SUBMITTED && !tr_coord_wants_look(&c->answers[i]) &&
                     (counts(c, &c->answers[i]) || c->answers[i].unproved);
        pthread_mutex_unlock(&c->mu);
        if (end)
            return *idle ? OK : sync_verdicts(c, f);
        if (!ready)
            continue;
        bool waits = false;
        TRY(judge_one(c, i, &waits, f));
        *idle = *idle && waits;
    }
}
