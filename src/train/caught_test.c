/* SPDX-License-Identifier: Apache-2.0
 *
 * A worker that was caught has a bond left, and honest leases that may be audited: it gets no more work, and stays to show them. */
#include "train/audit.h"
#include "train/net_kit.h"

/* The first lease that was paid to the last of two workers, and what that shows of it. */
static struct {
    uint8_t     lease[2048], attestation[2048];
    atomic_size_t lease_len;
    size_t      attestation_len;
    atomic_uint complete; /* a bit for each kind */
} past;

static void note_paid(const tr_event *e)
{
    cr_public_key last = kit_public(FIRST_WORKER + 1);
    if (e->kind != TR_EVENT_PAID || e->code != OK || atomic_load(&past.lease_len) || memcmp(e->worker, &last, sizeof last) != 0)
        return;
    memcpy(past.lease, e->lease.data, e->lease.len);
    memcpy(past.attestation, e->attestation.data, e->attestation.len);
    past.attestation_len = e->attestation.len;
    atomic_store(&past.lease_len, e->lease.len);
}

static err hand_audits(void *ctx, const hash256 *job, uint8_t *status, const uint64_t *lease_ids, size_t count)
{
    net *n = ((net_hand *)ctx)->net;
    pthread_mutex_lock(&n->mu);
    for (size_t i = 0; i < count; i++) {
        const chain_row_audit *row = chain_audit_row(n->kit.c, job, lease_ids[i]);
        status[i] = row ? row->status : 0;
    }
    pthread_mutex_unlock(&n->mu);
    return OK;
}

/* A validator that takes everything. */
static err hand_show(void *ctx, const tr_push *p, uint64_t *have, bool *complete, fault *f)
{
    chain_name id;
    cr_public_key key = kit_public(((net_hand *)ctx)->who);
    assert_int_equal(chain_name_set(&id, bytes_of_str("kit-dev")), OK);
    TRY(tr_push_verify(p, &id, f));
    assert_memory_equal(&p->key, &key, sizeof key);
    if (p->total && p->at + p->body.len == p->total)
        atomic_fetch_or(&past.complete, 1u << p->kind);
    *complete = atomic_load(&past.complete) >> p->kind & 1;
    *have = p->at + p->body.len;
    return OK;
}

static void can_show(tr_ledger *face)
{
    face->audits = hand_audits;
    face->show = hand_show;
    face->audit_window = face->audit_reopen_window = 200;
}

/* Waits for a condition, not for ever. */
#define SOON(condition)                                  \
    do                                                   \
        for (unsigned t = 0; !(condition); t++) {        \
            assert_true(t < 20000);                      \
            nap_ms(10);                                  \
        }                                                \
    while (0)

/* An honest lease of a worker that was caught afterwards, and got no more work, is audited: it stays to show what is asked for. */
static void who_was_caught_answers_for_what_was_honest(void **state)
{
    (void)state;
    for (net_salt = 0; net_salt < 20; net_salt++) {
        dir_kit d = dir_kit_make();
        net n;
        crew hands;
        fault f = { 0 };
        uint64_t height;
        seen events = { .also = note_paid };
        memset(&past, 0, sizeof past);
        net_start(&n, 0);
        setup_t s = { .net = &n, .dir = d.path, .per_lease = 1, .workers = 2, .watches = true, .face = can_show, .checkpoint_steps = 1, .patience_ms = 60000,
                      .lie = LIE_REPLAY /* the first proof is its own */ };
        crew_start(&hands, &s, &events);
        tr_coordinator *c = coordinator_start(&s, &events);
        crew_connect(&hands, c);
        assert_int_equal(tr_coordinator_run(c, &f), OK);
        bool caught = atomic_load(&events.unproved) > 0 && atomic_load(&past.lease_len);
        if (caught) {
            SOON(atomic_load(&events.turned_away));
            nap_ms(50); /* if it is to leave, it has */
            chain_tx open = { .type = CHAIN_TX_AUDIT_OPEN };
            open.payload.audit_open = (chain_tx_audit_open){ .job = n.job, .lease = bytes_of(past.lease, atomic_load(&past.lease_len)),
                                                             .attestation = bytes_of(past.attestation, past.attestation_len) };
            assert_int_equal(net_submit_as(&n, 0, &open, &height, &f), OK);
            SOON(atomic_load(&past.complete) == (1u << TR_SHOWN_KINDS) - 1);
        }
        crew_connect(&hands, NULL);
        tr_coordinator_free(c);
        crew_stop(&hands);
        if (caught)
            assert_int_equal(hands.result[1], ERR_CHEAT); /* it says why it got no more */
        net_stop(&n);
        dir_kit_remove(&d);
        if (caught)
            break;
    }
    assert_true(net_salt < 20);
    net_salt = 0;
}

static int setup(void **state)
{
    net_level = CHAIN_LEVEL_FULL;
    return net_setup(state);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(who_was_caught_answers_for_what_was_honest) };
    return cmocka_run_group_tests(tests, setup, net_teardown);
}
