/* SPDX-License-Identifier: Apache-2.0
 *
 * Audits on a running engine, when somebody means harm or something fails: no honest worker loses by it, and no lease escapes. */
#include "world_kit.h"

/* Rubbish of the coordinator does not stand in the worker's way; the worker's own is dropped, and the right content taken after it. */
static void what_has_another_name_says_nothing(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    for (int k = 0; k < TR_SHOWN_KINDS; k++) {
        buf *good = &w.shown[k];
        good->data[good->len / 2] ^= 1;
        assert_int_equal(show_as(&w, COORDINATOR, (tr_shown)k, buf_bytes(good)), OK);
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(good)), OK);
        assert_int_equal(push_part(&w, WORKER, (tr_shown)k, 0, good->len, bytes_of("other", 5), &have), ERR_STATE); /* complete */
        good->data[good->len / 2] ^= 1;
    }
    for (unsigned shown = 0; shown != (1u << TR_SHOWN_KINDS) - 1;) /* one by one they are found to have another name */
        for (int k = 0; k < TR_SHOWN_KINDS; k++) {
            assert_int_equal(ask(&w, WORKER, (tr_shown)k, &have, &complete), OK);
            if (have == 0 && !(shown & 1u << k)) {
                assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
                shown |= 1u << k;
            }
            nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
        }
    until(&w, CHAIN_AUDIT_VALID);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* Who shows what is wrong again and again is not listened to any more. */
static void patience_ends(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    for (int k = 0; k < TR_SHOWN_PROOF; k++)
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
    for (int tries = 0; tries < 3; tries++) {
        assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, bytes_of_str("no proof")), OK);
        do
            assert_int_equal(ask(&w, WORKER, TR_SHOWN_PROOF, &have, &complete), OK);
        while (have);
    }
    assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), ERR_LIMIT);
    assert_int_equal(show_as(&w, COORDINATOR, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), OK);
    until(&w, CHAIN_AUDIT_VALID);
    end(&w);
}

/* A validator that was not there, or did not listen, has not heard a silence: the worker has a whole window from then on. */
static void who_did_not_listen_heard_no_silence(void **state)
{
    (void)state;
    world w;
    begin(&w, 0, LIE_NONE);
    eng_arbiter_stop(w.arbiter);
    dispute(&w);
    pass(&w, PUSH_WINDOW + 1);
    start_arbiter(&w);
    wait_for_audit(&w);
    pass(&w, 1);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);

    /* Nor is there a verdict if nothing comes and the time to judge ends first. */
    end(&w);
    begin(&w, 0, LIE_NONE);
    eng_arbiter_stop(w.arbiter);
    dispute(&w);
    pass(&w, PUSH_WINDOW + 1);
    start_arbiter(&w);
    wait_for_audit(&w);
    pass(&w, VERDICT_WINDOW);
    until(&w, CHAIN_AUDIT_CLOSED);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* The job gives a number of weights that its shape does not have: nothing of it can be right, and no place is as large as it says. */
static void an_impossible_job_is_judged(void **state)
{
    (void)state;
    static const uint64_t numbers[] = { 1, UINT64_MAX / 2, UINT64_MAX };
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        world w;
        uint64_t have;
        odd.parameters = numbers[i];
        begin(&w, 0, LIE_NONE);
        odd.parameters = 0;
        dispute(&w);
        wait_for_audit(&w);
        assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, 4097 + 2 * w.job.elements, bytes_of("model", 5), &have), ERR_LIMIT);
        show_all(&w);
        until(&w, CHAIN_AUDIT_FALSE);
        assert_int_equal(audit_row(&w).reason, ERR_SHAPE);
        end(&w);
    }
}

/* Bodies of the lease under other signatures, in front of it in its block, do not keep it from being audited. */
static void a_forged_copy_hides_nothing(void **state)
{
    (void)state;
    world w;
    odd.forged_first = true;
    begin(&w, 1000000, LIE_NONE);
    odd.forged_first = false;
    for (; audit_row(&w).status != CHAIN_AUDIT_OPEN; look_again(&w))
        assert_int_equal(w.troubles, 0);
    end(&w);
}

/* A lease that is spoiled on other grounds, before the validator has looked at its audit: the bond of its worker is not held for that any more. */
static void what_is_spoiled_meanwhile_is_closed(void **state)
{
    (void)state;
    world w;
    odd.committed = true;
    begin(&w, 0, LIE_NONE);
    odd.committed = false;
    eng_arbiter_stop(w.arbiter);
    chain_tx challenge = { .type = CHAIN_TX_TRACE_CHALLENGE }, slash = { .type = CHAIN_TX_SLASH };
    challenge.payload.trace_challenge = (chain_tx_trace_challenge){ .job = w.id, .lease = w.lease_bytes, .attestation = w.attestation_bytes };
    must(&w, challenge, COORDINATOR);
    dispute(&w);
    pass(&w, OPEN_WINDOW);
    slash.payload.slash = (chain_tx_slash){ .job = w.id, .lease = w.lease_bytes, .attestation = w.attestation_bytes };
    must(&w, slash, STRANGER);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_SPOILED);
    start_arbiter(&w);
    until(&w, CHAIN_AUDIT_CLOSED);
    assert_true(audit_row(&w).end_height <= audit_row(&w).open_height + PUSH_WINDOW + VERDICT_WINDOW);
    end(&w);
}

/* All that the validator has. */
static void empty_the_purse(world *w)
{
    hash256 id;
    eng_tx_result result;
    chain_tx tx = { .type = CHAIN_TX_TRANSFER };
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(STRANGER), .amount = balance(w, KIT_PRODUCER) - 10000000 };
    assert_int_equal(post(w, &tx, KIT_PRODUCER, &id), OK);
    assert_int_equal(eng_solo_result(w->engine, &result, &id), OK);
    tx.payload.transfer.amount = balance(w, KIT_PRODUCER) - result.fee;
    must(w, tx, KIT_PRODUCER);
}

static void until_trouble(world *w, unsigned count)
{
    while (atomic_load(&w->troubles) < count)
        nanosleep(&(struct timespec){ .tv_nsec = 2000000 }, NULL);
}

/* Without money for its fees a validator says so once a block, and votes when it has some. */
static void trouble_is_told_once_a_block(void **state)
{
    (void)state;
    world w;
    begin(&w, 0, LIE_NONE);
    dispute(&w);
    wait_for_audit(&w);
    empty_the_purse(&w);
    show_all(&w);
    until_trouble(&w, 1);
    nanosleep(&(struct timespec){ .tv_sec = 1 }, NULL); /* some looks more, if it has the time */
    assert_int_equal(w.troubles, 1);
    pass(&w, 1);
    until_trouble(&w, 2);
    chain_tx tx = { .type = CHAIN_TX_TRANSFER };
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(KIT_PRODUCER), .amount = 100000000 };
    must(&w, tx, STRANGER);
    until(&w, CHAIN_AUDIT_VALID);
    end(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_has_another_name_says_nothing), cmocka_unit_test(patience_ends), cmocka_unit_test(who_did_not_listen_heard_no_silence),
        cmocka_unit_test(an_impossible_job_is_judged), cmocka_unit_test(a_forged_copy_hides_nothing),
        cmocka_unit_test(what_is_spoiled_meanwhile_is_closed), cmocka_unit_test(trouble_is_told_once_a_block),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
