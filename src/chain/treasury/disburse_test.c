/* SPDX-License-Identifier: Apache-2.0
 * The life of a disbursement, exhaustively: every state that any sequence of calls can reach, for small windows, against a table
 * of what may follow what; and two that depend on each other, as the end of an epoch drives them. Then the rules of form. */
#include "chain/treasury/disburse.h"

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>
#include <stdlib.h>

enum { EPOCHS = 12, QUORUM = 300000 };

/* What happened to one disbursement, as the row says it and as a witness noted it. */
typedef struct life {
    uint8_t status, reason, filed, vote_end, queued, ready, executed, final, ended;     /* the row */
    uint8_t opened, passed, locked, taken, taken_epoch, paid, returned;                 /* the witness */
} life;

typedef struct world {
    life    d[2];
    uint8_t epoch;
    uint8_t kyc_lost; /* bit i: a payee of d[i] */
} world;

typedef struct windows {
    uint8_t vote, timelock, rollback, wait, draft, scheduled;
} windows;

static chain_disbursement_terms terms_of(const windows *w)
{
    return (chain_disbursement_terms){ .draft = w->draft, .vote_min = 1, .timelock_min = 1, .rollback_min = 1, .window_max = 100,
                                       .wait_max = w->wait };
}

static chain_row_disbursement row_of(const life *l, const windows *w, uint64_t dependency)
{
    chain_row_disbursement d;
    memset(&d, 0, sizeof d);
    d.status = l->status, d.reason = l->reason, d.filed_epoch = l->filed, d.vote_end_epoch = l->vote_end, d.queued_epoch = l->queued;
    d.ready_epoch = l->ready, d.executed_epoch = l->executed, d.final_epoch = l->final, d.ended_epoch = l->ended;
    d.quorum_operators_ppm = d.quorum_builders_ppm = QUORUM;
    d.vote_epochs = w->vote, d.timelock_epochs = w->timelock, d.rollback_epochs = w->rollback, d.scheduled_epoch = w->scheduled;
    d.amount = d.amount_1 = 7, d.payees = 1;
    d.dependencies = dependency != 0, d.dependency_1 = dependency;
    return d;
}

static void note_row(life *l, const chain_row_disbursement *d)
{
    l->status = d->status, l->reason = d->reason, l->filed = (uint8_t)d->filed_epoch, l->vote_end = (uint8_t)d->vote_end_epoch;
    l->queued = (uint8_t)d->queued_epoch, l->ready = (uint8_t)d->ready_epoch, l->executed = (uint8_t)d->executed_epoch;
    l->final = (uint8_t)d->final_epoch, l->ended = (uint8_t)d->ended_epoch;
}

/* --- the set of states seen --- */

enum { SLOTS = 1 << 20 };
static world *queue;
static uint32_t *seen; /* index into the queue + 1 */
static size_t found;

static void see(const world *w)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < sizeof *w; i++)
        h = (h ^ ((const uint8_t *)w)[i]) * 0x100000001b3u;
    for (size_t s = (h ^ h >> 29) % SLOTS;; s = (s + 1) % SLOTS) {
        if (!seen[s]) {
            assert_true(found < SLOTS / 2);
            queue[found++] = *w;
            seen[s] = (uint32_t)found;
            return;
        }
        if (memcmp(&queue[seen[s] - 1], w, sizeof *w) == 0)
            return;
    }
}

static void see_first(size_t count)
{
    world w;
    memset(&w, 0, sizeof w);
    memset(seen, 0, SLOTS * sizeof *seen);
    found = 0;
    w.epoch = 1;
    for (size_t i = 0; i < count; i++)
        w.d[i].status = CHAIN_DISBURSEMENT_DRAFT, w.d[i].filed = 1;
    see(&w);
}

/* --- what must hold of every life, whoever calls --- */

static void check_life(const life *l, const windows *w, uint8_t epoch)
{
    assert_true(l->taken <= 1 && l->paid + l->returned <= l->taken);              /* once, and paid or returned, not both */
    assert_int_equal(l->taken - l->paid - l->returned, l->status == CHAIN_DISBURSEMENT_EXECUTED); /* held exactly meanwhile */
    assert_int_equal(l->paid, l->status == CHAIN_DISBURSEMENT_FINALIZED);
    if (l->taken) {
        assert_true(l->passed && l->passed >= l->opened + w->vote);
        assert_true(l->taken_epoch >= l->locked + w->timelock && l->taken_epoch >= w->scheduled && l->locked >= l->passed);
    }
    if (l->paid)
        assert_true(l->ended == epoch ? epoch >= l->taken_epoch + w->rollback : l->ended >= l->taken_epoch + w->rollback);
    assert_int_equal(l->reason != 0, l->status == CHAIN_DISBURSEMENT_ROLLED_BACK);
    assert_int_equal(l->ended != 0, l->status >= CHAIN_DISBURSEMENT_FINALIZED);
}

typedef enum call { OPEN, PASS, REJECT, LOW_OPERATORS, LOW_BUILDERS, LOCK, EXECUTE, FINALIZE, ROLL_BACK, CALLS } call;

/* The table: from where a call leads where. */
static const struct {
    call    what;
    uint8_t from, to, reason;
} table[] = {
    { OPEN, 1, 2, 0 },       { PASS, 2, 3, 0 },       { REJECT, 2, 7, 2 },    { LOW_OPERATORS, 2, 7, 3 }, { LOW_BUILDERS, 2, 7, 3 },
    { LOCK, 3, 4, 0 },       { EXECUTE, 4, 5, 0 },    { FINALIZE, 5, 6, 0 },  { ROLL_BACK, 1, 7, 7 },     { ROLL_BACK, 2, 7, 7 },
    { ROLL_BACK, 3, 7, 7 },  { ROLL_BACK, 4, 7, 7 },  { ROLL_BACK, 5, 7, 7 },
};

/* ERR_STATE where the table has no row, and what comes too early or too late. */
static err expected(const life *l, const windows *w, uint8_t epoch, call what, uint8_t *to, uint8_t *reason)
{
    for (size_t i = 0; i < COUNT_OF(table); i++) {
        if (table[i].what != what || table[i].from != l->status)
            continue;
        *to = table[i].to, *reason = table[i].reason;
        if (what == OPEN && epoch > l->filed + w->draft)
            return ERR_EXPIRED;
        if (what >= PASS && what <= LOW_BUILDERS && epoch < l->opened + w->vote)
            return ERR_BUSY;
        if (what == EXECUTE && (epoch < l->locked + w->timelock || epoch < w->scheduled))
            return ERR_BUSY;
        if (what == FINALIZE && epoch < l->taken_epoch + w->rollback)
            return ERR_BUSY;
        return OK;
    }
    return ERR_STATE;
}

static err call_it(chain_row_disbursement *d, const chain_disbursement_terms *terms, call what, uint8_t epoch, bool *held)
{
    static const chain_vote_outcome outcomes[] = { [PASS] = { true, QUORUM, QUORUM }, [REJECT] = { false, 1000000, 1000000 },
                                                   [LOW_OPERATORS] = { true, QUORUM - 1, 1000000 },
                                                   [LOW_BUILDERS] = { true, 1000000, QUORUM - 1 } };
    fault f = { 0 };
    *held = false;
    switch (what) {
    case OPEN: return chain_disburse_open(d, terms, 5, epoch, &f);
    case PASS: case REJECT: case LOW_OPERATORS: case LOW_BUILDERS: return chain_disburse_vote(d, &outcomes[what], epoch, &f);
    case LOCK: return chain_disburse_lock(d, epoch, &f);
    case EXECUTE: return chain_disburse_execute(d, epoch, &f);
    case FINALIZE: return chain_disburse_finalize(d, epoch, &f);
    case ROLL_BACK: return chain_disburse_roll_back(d, CHAIN_ROLLBACK_VOTED, epoch, held, &f);
    case CALLS: break;
    }
    return ERR_INTERNAL;
}

static void witness(life *l, call what, uint8_t epoch, bool held)
{
    l->opened = what == OPEN ? epoch : l->opened;
    l->passed = what == PASS ? epoch : l->passed;
    l->locked = what == LOCK ? epoch : l->locked;
    l->taken_epoch = what == EXECUTE ? epoch : l->taken_epoch;
    l->taken = (uint8_t)(l->taken + (what == EXECUTE));
    l->paid = (uint8_t)(l->paid + (what == FINALIZE));
    l->returned = (uint8_t)(l->returned + held);
}

static void step_single(const world *from, const windows *w, call what)
{
    world to = *from;
    chain_disbursement_terms terms = terms_of(w);
    life *l = &to.d[0];
    chain_row_disbursement before = row_of(l, w, 0), d = before;
    uint8_t status = l->status, reason = l->reason;
    bool held;
    err want = expected(l, w, to.epoch, what, &status, &reason);
    assert_int_equal(call_it(&d, &terms, what, to.epoch, &held), want);
    if (want != OK) {
        assert_memory_equal(&d, &before, sizeof d);
        return;
    }
    assert_int_equal(d.status, status);
    assert_int_equal(d.reason, reason);
    note_row(l, &d);
    witness(l, what, to.epoch, held);
    check_life(l, w, to.epoch);
    see(&to);
}

static windows windows_at(unsigned i)
{
    return (windows){ .vote = i & 1 ? 2 : 1, .timelock = i & 2 ? 2 : 1, .rollback = i & 4 ? 2 : 1, .wait = i & 8 ? 2 : 1,
                      .draft = i & 16 ? 3 : 1, .scheduled = i & 32 ? 6 : 1 };
}

static void any_caller(void **state)
{
    (void)state;
    unsigned finalized = 0, returned = 0;
    size_t states = 0;
    for (unsigned i = 0; i < 64; i++) {
        windows w = windows_at(i);
        see_first(1);
        for (size_t at = 0; at < found; at++) {
            world now = queue[at];
            for (unsigned what = 0; what < CALLS; what++)
                step_single(&now, &w, (call)what);
            finalized += now.d[0].paid;
            returned += now.d[0].returned;
            now.epoch++;
            if (now.epoch <= EPOCHS)
                see(&now);
        }
        states += found;
    }
    assert_true(finalized > 0 && returned > 0 && states > 10000);
}

/* --- two, the second after the first, driven by the ends of epochs --- */

static chain_dependencies dependencies_of(const world *w, unsigned i)
{
    if (i == 0 || w->d[0].status == CHAIN_DISBURSEMENT_FINALIZED)
        return CHAIN_DEPENDENCIES_FINAL;
    return w->d[0].status == CHAIN_DISBURSEMENT_ROLLED_BACK ? CHAIN_DEPENDENCIES_DEAD : CHAIN_DEPENDENCIES_OPEN;
}

static void do_due(world *to, const windows *w, unsigned i, chain_disburse_due due, chain_rollback_reason reason)
{
    life *l = &to->d[i];
    chain_row_disbursement d = row_of(l, w, i);
    bool held = false, lost = to->kyc_lost >> i & 1;
    call what = due == CHAIN_DUE_LOCK ? LOCK : due == CHAIN_DUE_EXECUTE ? EXECUTE : due == CHAIN_DUE_FINALIZE ? FINALIZE : ROLL_BACK;
    if (lost && (what == EXECUTE || what == FINALIZE))
        what = ROLL_BACK, reason = CHAIN_ROLLBACK_KYC;
    if (what == ROLL_BACK)
        assert_int_equal(chain_disburse_roll_back(&d, reason, to->epoch, &held, NULL), OK);
    else
        assert_int_equal(call_it(&d, &(chain_disbursement_terms){ 0 }, what, to->epoch, &held), OK); /* what is due is never refused */
    note_row(l, &d);
    witness(l, what, to->epoch, held);
}

static void end_epoch(const world *from, const windows *w, bool admitted)
{
    static const chain_disburse_due steps[] = { CHAIN_DUE_FINALIZE, CHAIN_DUE_ROLL_BACK, CHAIN_DUE_LOCK, CHAIN_DUE_EXECUTE };
    chain_disbursement_terms terms = terms_of(w);
    world to = *from;
    for (size_t s = 0; s < COUNT_OF(steps); s++)
        for (unsigned i = 0; i < 2; i++) {
            chain_rollback_reason reason;
            chain_row_disbursement d = row_of(&to.d[i], w, i);
            chain_disburse_due due = chain_disburse_next(&d, dependencies_of(&to, i), &terms, to.epoch, &reason);
            if (due == steps[s] && (admitted || due != CHAIN_DUE_EXECUTE))
                do_due(&to, w, i, due, reason);
        }
    for (unsigned i = 0; i < 2; i++)
        check_life(&to.d[i], w, to.epoch);
    /* The second never outruns the first, and dies with it. */
    if (to.d[1].taken)
        assert_int_equal(to.d[0].status, CHAIN_DISBURSEMENT_FINALIZED);
    if (to.d[0].status == CHAIN_DISBURSEMENT_ROLLED_BACK)
        assert_true(to.d[1].status <= CHAIN_DISBURSEMENT_QUEUED || to.d[1].status == CHAIN_DISBURSEMENT_ROLLED_BACK);
    if (from->d[0].status == CHAIN_DISBURSEMENT_ROLLED_BACK)
        assert_true(to.d[1].status <= CHAIN_DISBURSEMENT_VOTING || to.d[1].status == CHAIN_DISBURSEMENT_ROLLED_BACK);
    /* Nothing stays longer than its waits allow. */
    for (unsigned i = 0; i < 2; i++) {
        const life *l = &to.d[i];
        if (l->status == CHAIN_DISBURSEMENT_QUEUED)
            assert_true(to.epoch <= l->queued + w->wait);
        if (l->status == CHAIN_DISBURSEMENT_TIMELOCKED)
            assert_true(to.epoch <= l->ready + w->wait);
        if (l->status == CHAIN_DISBURSEMENT_EXECUTED)
            assert_true(to.epoch < l->final);
    }
    to.epoch++;
    if (to.epoch <= EPOCHS)
        see(&to);
}

static void vote_and_tick(const world *now, const windows *w)
{
    static const call calls[] = { OPEN, PASS, REJECT, ROLL_BACK };
    for (unsigned i = 0; i < 2; i++) {
        for (size_t k = 0; k < COUNT_OF(calls); k++) {
            world to = *now;
            bool held;
            chain_disbursement_terms terms = terms_of(w);
            chain_row_disbursement d = row_of(&to.d[i], w, i);
            if (calls[k] == ROLL_BACK && to.d[i].status < CHAIN_DISBURSEMENT_QUEUED)
                continue;
            if (call_it(&d, &terms, calls[k], to.epoch, &held) != OK)
                continue;
            note_row(&to.d[i], &d);
            witness(&to.d[i], calls[k], to.epoch, held);
            check_life(&to.d[i], w, to.epoch);
            see(&to);
        }
        world to = *now;
        to.kyc_lost |= (uint8_t)(1 << i);
        if (to.d[i].status >= CHAIN_DISBURSEMENT_TIMELOCKED)
            see(&to);
    }
    end_epoch(now, w, true);
    end_epoch(now, w, false);
}

static void pairs(void **state)
{
    (void)state;
    static const unsigned picks[] = { 0, 16, 16 + 8, 16 + 3, 16 + 4 };
    size_t both = 0, dead = 0, killed = 0, states = 0;
    for (size_t i = 0; i < COUNT_OF(picks); i++) {
        windows w = windows_at(picks[i]);
        see_first(2);
        for (size_t at = 0; at < found; at++) {
            world now = queue[at];
            both += now.d[0].paid && now.d[1].paid;
            dead += now.d[1].reason == CHAIN_ROLLBACK_DEPENDENCY;
            killed += now.d[0].reason == CHAIN_ROLLBACK_KYC && now.d[0].returned;
            vote_and_tick(&now, &w);
        }
        states += found;
    }
    assert_true(both > 0 && dead > 0 && killed > 0 && states > 20000);
}

/* --- form --- */

static chain_disbursement_spec good_spec(void)
{
    chain_disbursement_spec s = { .summary = { { 1 } }, .summary_bytes = 1, .amount = 10, .payee_count = 2, .scheduled_epoch = 1,
                                  .dependencies = { 3, 9 }, .dependency_count = 2, .quorum_operators_ppm = 1000000,
                                  .quorum_builders_ppm = 1000000, .vote_epochs = 2, .timelock_epochs = 3, .rollback_epochs = 4 };
    CHECK(chain_name_set(&s.title, bytes_of_str("t")) == OK);
    s.payees[0] = (chain_payee){ .to = { .kind = CR_ADDRESS_ACCOUNT, .hash = { 1 } }, .amount = 4 };
    s.payees[1] = (chain_payee){ .to = { .kind = CR_ADDRESS_ACCOUNT, .hash = { 2 } }, .amount = 6 };
    return s;
}

static const chain_disbursement_terms form_terms = { .draft = 5, .vote_min = 2, .timelock_min = 3, .rollback_min = 4, .window_max = 9,
                                                     .vote_max = 8, .wait_max = 2 };

static void form(void **state)
{
    (void)state;
    fault f = { 0 };
    chain_disbursement_spec s = good_spec();
    assert_int_equal(chain_disburse_check(&s, &form_terms, 20, &f), OK);
#define ACCEPT(change)                                                         \
    do {                                                                       \
        s = good_spec();                                                       \
        change;                                                                \
        assert_int_equal(chain_disburse_check(&s, &form_terms, 20, &f), OK);   \
    } while (0)
#define REFUSE(change, code, field)                                            \
    do {                                                                       \
        s = good_spec();                                                       \
        change;                                                                \
        assert_int_equal(chain_disburse_check(&s, &form_terms, 20, &f), code); \
        assert_string_equal(f.what, "disbursement_file." field);               \
    } while (0)
    REFUSE(s.title.len = 0, ERR_RANGE, "title");
    REFUSE(memset(&s.summary, 0, sizeof s.summary), ERR_RANGE, "summary");
    REFUSE(s.summary_bytes = 0, ERR_RANGE, "summary_bytes");
    REFUSE(s.amount = 0, ERR_RANGE, "amount");
    REFUSE(s.amount = 9, ERR_RANGE, "amount");
    REFUSE(s.amount = 11, ERR_RANGE, "amount");
    REFUSE(s.payee_count = 0, ERR_RANGE, "payees");
    REFUSE(s.payee_count = 9, ERR_RANGE, "payees");
    REFUSE(s.payees[1].to.kind = CR_ADDRESS_CHAIN, ERR_ADDRESS, "payees");
    REFUSE(s.payees[1].to = s.payees[0].to, ERR_CANONICAL, "payees");
    REFUSE(s.payees[1].to.hash[0] = 0, ERR_CANONICAL, "payees");
    REFUSE((s.payees[0].amount = 0, s.payees[1].amount = 10), ERR_RANGE, "payees");
    REFUSE((s.payees[0].amount = UINT64_MAX, s.payees[1].amount = 11), ERR_OVERFLOW, "payees"); /* wraps to 10 */
    REFUSE(s.dependency_count = 9, ERR_RANGE, "dependencies");
    REFUSE(s.dependencies[0] = 0, ERR_CANONICAL, "dependencies");
    REFUSE(s.dependencies[0] = 9, ERR_CANONICAL, "dependencies");
    ACCEPT(s.dependency_count = 0);
    ACCEPT(s.dependencies[0] = 8);
    REFUSE(s.scheduled_epoch = 0, ERR_RANGE, "scheduled_epoch");
    ACCEPT(s.scheduled_epoch = 29);
    REFUSE(s.scheduled_epoch = 30, ERR_RANGE, "scheduled_epoch");
    REFUSE(s.quorum_operators_ppm = 1000001, ERR_RANGE, "quorum_operators_ppm");
    REFUSE(s.quorum_builders_ppm = 1000001, ERR_RANGE, "quorum_builders_ppm");
    ACCEPT(s.quorum_operators_ppm = s.quorum_builders_ppm = 0);
    REFUSE(s.vote_epochs = 1, ERR_RANGE, "vote_epochs");
    REFUSE(s.timelock_epochs = 2, ERR_RANGE, "timelock_epochs");
    REFUSE(s.rollback_epochs = 3, ERR_RANGE, "rollback_epochs");
    ACCEPT((s.vote_epochs = 8, s.timelock_epochs = s.rollback_epochs = 9));
    REFUSE(s.vote_epochs = 9, ERR_RANGE, "vote_epochs");
    REFUSE(s.timelock_epochs = 10, ERR_RANGE, "timelock_epochs");
    REFUSE(s.rollback_epochs = 10, ERR_RANGE, "rollback_epochs");
}

/* The row holds what was filed, and fits into one state value at its greatest. */
static void row_holds_spec(void **state)
{
    (void)state;
    chain_disbursement_spec s = good_spec();
    cr_address filer = { .kind = CR_ADDRESS_ACCOUNT, .hash = { 7 } };
    chain_row_disbursement d = chain_disburse_draft(&s, &filer, 77);
    assert_int_equal(d.payees, 2);
    assert_int_equal(d.dependencies, 2);
    for (size_t i = 0; i < 2; i++) {
        chain_payee p = chain_disbursement_payee(&d, i);
        assert_true(cr_address_equal(&p.to, &s.payees[i].to));
        assert_int_equal(p.amount, s.payees[i].amount);
        assert_int_equal(chain_disbursement_dependency(&d, i), s.dependencies[i]);
    }
    cr_address nobody = chain_treasury_address();
    assert_true(cr_address_equal(&d.payee_8, &nobody));

    const chain_record *r = chain_table_describe(CHAIN_TABLE_DISBURSEMENT)->record;
    uint8_t buffer[1024];
    chain_row_disbursement back;
    for (size_t i = 0; i < r->count; i++) { /* the greatest value of each field */
        uint8_t *at = (uint8_t *)&d + r->fields[i].offset;
        uint64_t max = r->fields[i].max;
        if (r->fields[i].type == CHAIN_TYPE_U8)
            *at = (uint8_t)max;
        else if (r->fields[i].type == CHAIN_TYPE_U32)
            memcpy(at, &(uint32_t){ (uint32_t)max }, 4);
        else if (r->fields[i].type == CHAIN_TYPE_U64)
            memcpy(at, &max, 8);
    }
    memset(d.title.text, 'x', 64);
    d.title.len = 64;
    cbor_writer w = cbor_writer_on(buffer, sizeof buffer);
    bytes out;
    chain_record_encode(&w, r, &d);
    assert_int_equal(cbor_finish(&w, &out), OK);
    assert_true(out.len <= LIMIT_STATE_VALUE_BYTES);
    assert_int_equal(chain_record_decode_all(out, r, &back, NULL), OK);
    assert_int_equal(back.dependency_8, UINT64_MAX);
}

int main(void)
{
    queue = malloc(SLOTS / 2 * sizeof *queue);
    seen = malloc(SLOTS * sizeof *seen);
    CHECK(queue && seen);
    const struct CMUnitTest tests[] = { cmocka_unit_test(any_caller), cmocka_unit_test(pairs), cmocka_unit_test(form),
                                        cmocka_unit_test(row_holds_spec) };
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    free(queue);
    free(seen);
    return failed;
}
