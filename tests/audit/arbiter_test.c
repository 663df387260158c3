/* SPDX-License-Identifier: Apache-2.0
 *
 * Audits on a running engine: what is drawn and what is disputed, who shows what, and what follows. */
#include "world_kit.h"

/* Drawn: the validator opens it, the worker shows, and nothing is lost. */
static void a_drawn_lease_holds(void **state)
{
    (void)state;
    world w;
    begin(&w, 1000000, LIE_NONE);
    uint64_t before = balance(&w, WORKER);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    assert_int_equal(audit_row(&w).deposit, 0);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    assert_int_equal(balance(&w, WORKER), before);
    end(&w);
}

/* Disputed: who was wrong pays worker and validator. */
static void a_dispute_is_lost(void **state)
{
    (void)state;
    world w;
    begin(&w, 0, LIE_NONE);
    uint64_t worker = balance(&w, WORKER), disputer = balance(&w, DISPUTER);
    dispute(&w);
    assert_true(balance(&w, DISPUTER) <= disputer - 500001);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    assert_int_equal(balance(&w, WORKER), worker + 250000);
    assert_true(balance(&w, DISPUTER) <= disputer - 500001);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* The result RANGE is proved like any other; it has no gradient, and none is waited for. */
static void a_range_holds(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 1000000, TRUE_RANGE);
    wait_for_audit(&w);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_GRADIENT, &have, &complete), OK);
    assert_true(complete);
    show_all(&w);
    until(&w, CHAIN_AUDIT_VALID);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_PAID);
    end(&w);
}

/* Everything has its name, and the proof does not hold, or is of what the job is not about. */
static void a_false_lease_is_spoiled(void **state)
{
    (void)state;
    static const err reasons[] = { [LIE_LOSS] = ERR_UNPROVED, [LIE_SHAPE] = ERR_SHAPE, [LIE_TOKENS] = ERR_RANGE, [LIE_RANGE] = ERR_UNPROVED };
    for (lie l = LIE_LOSS; l <= LIE_RANGE; l++) {
        world w;
        begin(&w, 0, l);
        uint64_t disputer = balance(&w, DISPUTER);
        dispute(&w);
        show_all(&w);
        until(&w, CHAIN_AUDIT_FALSE);
        assert_int_equal(audit_row(&w).reason, reasons[l]);
        assert_int_equal(lease_status(&w), CHAIN_LEASE_SPOILED);
        assert_true(balance(&w, DISPUTER) > disputer); /* the deposit is back, and a part of the bond beside it */
        end(&w);
    }
}

static void silence_is_no_proof(void **state)
{
    (void)state;
    world w;
    begin(&w, 1000000, LIE_NONE);
    wait_for_audit(&w);
    assert_int_equal(show_as(&w, WORKER, TR_SHOWN_PROOF, buf_bytes(&w.shown[TR_SHOWN_PROOF])), OK);
    pass(&w, PUSH_WINDOW + 1);
    until(&w, CHAIN_AUDIT_FALSE);
    assert_int_equal(audit_row(&w).reason, ERR_NOT_FOUND);
    assert_true(audit_row(&w).end_height > audit_row(&w).open_height + PUSH_WINDOW);
    assert_int_equal(lease_status(&w), CHAIN_LEASE_SPOILED);
    end(&w);
}

static void parts_are_refused(void **state)
{
    (void)state;
    world w;
    uint64_t have;
    bool complete;
    begin(&w, 0, LIE_NONE);
    bytes model = buf_bytes(&w.shown[TR_SHOWN_MODEL]), some = bytes_of(model.data, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), ERR_STATE); /* no audit */
    dispute(&w);
    wait_for_audit(&w);
    assert_int_equal(push_part(&w, STRANGER, TR_SHOWN_MODEL, 0, model.len, some, &have), ERR_PERMISSION);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 1, model.len, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, 999, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, bytes_of(model.data, 0), &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, UINT64_MAX, some, &have), ERR_LIMIT);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_PROOF, 0, LIMIT_PROOF_BYTES + 1, some, &have), ERR_LIMIT);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, UINT64_MAX - 10, model.len, some, &have), ERR_RANGE);

    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), OK);
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, some, &have), OK); /* again: it is there */
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 500, model.len, bytes_of(model.data + 500, 400), &have), OK);
    assert_int_equal(have, 1000);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 500, model.len, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 1000, model.len + 1, some, &have), ERR_RANGE);
    assert_int_equal(push_part(&w, COORDINATOR, TR_SHOWN_MODEL, 1000, model.len, some, &have), ERR_RANGE); /* a place of its own */
    assert_int_equal(push_part(&w, WORKER, TR_SHOWN_MODEL, 0, model.len, bytes_of(model.data + 1, 300), &have), OK); /* anew */
    assert_int_equal(have, 300);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_int_equal(have, 300);
    assert_false(complete);
    assert_int_equal(ask(&w, STRANGER, TR_SHOWN_MODEL, &have, &complete), ERR_PERMISSION);

    /* Started again, a validator has nothing, and gets it again. */
    eng_arbiter_stop(w.arbiter);
    start_arbiter(&w);
    wait_for_audit(&w);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_int_equal(have, 0);
    assert_int_equal(show_as(&w, COORDINATOR, TR_SHOWN_MODEL, model), OK);
    assert_int_equal(ask(&w, WORKER, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_false(complete); /* whatever it may be, it is not the worker's */
    assert_int_equal(ask(&w, COORDINATOR, TR_SHOWN_MODEL, &have, &complete), OK);
    assert_true(complete);
    for (int k = TR_SHOWN_TOKENS; k < TR_SHOWN_KINDS; k++)
        assert_int_equal(show_as(&w, WORKER, (tr_shown)k, buf_bytes(&w.shown[k])), OK);
    until(&w, CHAIN_AUDIT_VALID);
    end(&w);
}

static void a_stranger_is_no_validator(void **state)
{
    (void)state;
    world w;
    eng_arbiter *second = NULL;
    cr_secret_key secret;
    cr_public_key ignored;
    char other[700];
    begin(&w, 0, LIE_NONE);
    kit_key(&secret, &ignored, STRANGER);
    snprintf(other, sizeof other, "%s2", w.inbox);
    const eng_arbiter_options options = { .engine = w.engine, .dir = other, .validator = &secret };
    assert_int_equal(eng_arbiter_start(&second, &options, NULL), ERR_PERMISSION);
    end(&w);
}

/* Only what is signed for this place is taken; paths are read as they are written. */
static void requests_are_bound(void **state)
{
    (void)state;
    char url[TR_PUSH_URL_MAX], auth[TR_PUSH_AUTH_BYTES];
    cr_secret_key secret;
    cr_public_key key;
    chain_name id, other;
    tr_push back, p = { .job = { { 1, 2 } }, .lease_id = UINT64_MAX, .kind = TR_SHOWN_GRADIENT, .at = 4194304, .total = UINT64_MAX, .body = bytes_of("part", 4) };
    kit_key(&secret, &key, WORKER);
    assert_int_equal(chain_name_set(&id, bytes_of_str("one")), OK);
    assert_int_equal(chain_name_set(&other, bytes_of_str("two")), OK);
    tr_push_sign(&p, &id, &secret);
    tr_push_write(url, auth, &p);
    assert_int_equal(strncmp(url, TR_AUDIT_PREFIX, sizeof TR_AUDIT_PREFIX - 1), 0);
    const char *rest = url + sizeof TR_AUDIT_PREFIX - 1;
    assert_int_equal(tr_push_read(&back, rest, auth, NULL), OK);
    back.body = p.body;
    assert_int_equal(tr_push_verify(&back, &id, NULL), OK);
    assert_int_equal(tr_push_verify(&back, &other, NULL), ERR_SIGNATURE);
#define CHANGED(member, value)                                            \
    do {                                                                  \
        tr_push c = back;                                                 \
        c.member = (value);                                               \
        assert_int_equal(tr_push_verify(&c, &id, NULL), ERR_SIGNATURE);   \
    } while (0)
    CHANGED(job.b[31], 1);
    CHANGED(lease_id, 1);
    CHANGED(kind, TR_SHOWN_PROOF);
    CHANGED(at, 0);
    CHANGED(total, 1);
    CHANGED(total, 0);
    CHANGED(body, bytes_of("parT", 4));
    CHANGED(key, key_of(STRANGER));
#undef CHANGED
    static const char *const bad[] = { "", "00", "/1/model/0/1", "1/model/0", "1/model/0/", "1/model/00/1", "1/model/0/1/", "1/models/0/1", "-1/model/0/1",
                                       "1/model/0/18446744073709551616", "01/model/0/1", "1/model/0x/1", "1//0/1" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        char text[TR_PUSH_URL_MAX];
        snprintf(text, sizeof text, "%.65s%s", rest, bad[i]);
        assert_int_equal(tr_push_read(&back, text, auth, NULL), ERR_SYNTAX);
    }
    assert_int_equal(tr_push_read(&back, rest, NULL, NULL), ERR_SYNTAX);
    auth[3] = 'x';
    assert_int_equal(tr_push_read(&back, rest, auth, NULL), ERR_SYNTAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_drawn_lease_holds), cmocka_unit_test(a_dispute_is_lost), cmocka_unit_test(a_range_holds),
        cmocka_unit_test(a_false_lease_is_spoiled), cmocka_unit_test(silence_is_no_proof), cmocka_unit_test(parts_are_refused),
        cmocka_unit_test(a_stranger_is_no_validator), cmocka_unit_test(requests_are_bound),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
