/* SPDX-License-Identifier: Apache-2.0 */
#include "rpc/live.h"

#include "rpc/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

static cr_address worker_number(uint64_t n)
{
    cr_address a = { .kind = CR_ADDRESS_ACCOUNT };
    store_le64(a.hash, n);
    return a;
}

static void newest_and_oldest(void **state)
{
    (void)state;
    rpc_live_board *b;
    assert_int_equal(rpc_live_board_new(&b), OK);
    rpc_live face = rpc_live_of_board(b, "reported");
    rpc_live_worker w = { 0 }, got;
    uint64_t age;
    RPC_LIVE_SET(&w, state, rpc_text_of("idle"));
    for (uint64_t i = 0; i <= LIMIT_LIVE_ENTRIES; i++) {
        cr_address a = worker_number(i);
        RPC_LIVE_SET(&w, step, i);
        assert_int_equal(rpc_live_put_worker(b, &a, &w), OK);
    }
    cr_address last = worker_number(LIMIT_LIVE_ENTRIES), first = worker_number(0);
    assert_int_equal(face.worker(face.ctx, &got, &age, &last), OK);
    assert_true(got.step == LIMIT_LIVE_ENTRIES && age < 10000);
    assert_int_equal(face.worker(face.ctx, &got, &age, &first), ERR_NOT_FOUND); /* gave its place */
    hash256 job = { { 1 } };
    rpc_live_job j = { 0 };
    rpc_live_verification v = { 0 };
    assert_int_equal(face.job(face.ctx, &j, &age, &job), ERR_NOT_FOUND);
    RPC_LIVE_SET(&j, step, 5u);
    assert_int_equal(rpc_live_put_job(b, &job, &j), OK);
    assert_int_equal(face.job(face.ctx, &j, &age, &job), OK);
    assert_int_equal(face.verification(face.ctx, &v, &age, &job), ERR_NOT_FOUND);
    assert_int_equal(rpc_live_put_verification(b, &job, &v), OK);
    assert_int_equal(face.verification(face.ctx, &v, &age, &job), OK);
    rpc_live_board_free(b);
}

static void samples(void **state)
{
    (void)state;
    rpc_live_board *b;
    assert_int_equal(rpc_live_board_new(&b), OK);
    rpc_live face = rpc_live_of_board(b, "reported");
    cr_address a = worker_number(7);
    static rpc_live_sample out[RPC_LIVE_SAMPLES];
    size_t count = RPC_LIVE_SAMPLES;
    assert_int_equal(face.samples(face.ctx, out, &count, &a, 0), ERR_NOT_FOUND);
    for (uint64_t i = 0; i < RPC_LIVE_SAMPLES + 10; i++) {
        rpc_live_sample s = { 0 };
        RPC_LIVE_SET(&s, time_ms, 1000 * i);
        assert_int_equal(rpc_live_put_sample(b, &a, &s), OK);
    }
    rpc_live_sample old = { .time_ms = 1 };
    assert_int_equal(rpc_live_put_sample(b, &a, &old), ERR_STALE);
    count = RPC_LIVE_SAMPLES;
    assert_int_equal(face.samples(face.ctx, out, &count, &a, 0), OK);
    assert_true(count == RPC_LIVE_SAMPLES && out[0].time_ms == 10000 && out[count - 1].time_ms == 1000 * (RPC_LIVE_SAMPLES + 9));
    count = 4;
    assert_int_equal(face.samples(face.ctx, out, &count, &a, 0), OK);
    assert_true(count == 4 && out[3].time_ms == 1000 * (RPC_LIVE_SAMPLES + 9));
    count = RPC_LIVE_SAMPLES;
    assert_int_equal(face.samples(face.ctx, out, &count, &a, 1000 * (RPC_LIVE_SAMPLES + 8)), OK);
    assert_int_equal(count, 2);
    rpc_live_board_free(b);
}

static void round_trip(void **state)
{
    (void)state;
    rpc_live_job j = { 0 }, back;
    RPC_LIVE_SET(&j, step, UINT64_MAX);
    RPC_LIVE_SET(&j, steps_total, 3u);
    RPC_LIVE_SET(&j, sequences_done, 0u);
    RPC_LIVE_SET(&j, loss, -1234567890123);
    RPC_LIVE_SET(&j, checkpoint, (hash256){ { 0xab } });
    json_t *text = rpc_fields_write(&rpc_live_job_fields, &j, "tb");
    assert_int_equal(json_object_size(text), 5);
    buf scratch;
    buf_init(&scratch, 0);
    assert_int_equal(rpc_fields_read(&back, &rpc_live_job_fields, text, "tb", &scratch, NULL), OK);
    assert_true(back.step == UINT64_MAX && back.loss == -1234567890123 && back.checkpoint.b[0] == 0xab && !back.given_workers);
    static const char *const bad[] = { "-0", "--1", "-", "9223372036854775808", "-9223372036854775809", "1.5" };
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        json_object_set_new(text, "loss", json_string(bad[i]));
        assert_int_not_equal(rpc_fields_read(&back, &rpc_live_job_fields, text, "tb", &scratch, NULL), OK);
    }
    json_object_set_new(text, "loss", json_string("-9223372036854775808"));
    assert_int_equal(rpc_fields_read(&back, &rpc_live_job_fields, text, "tb", &scratch, NULL), OK);
    assert_true(back.loss == INT64_MIN);
    json_decref(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(newest_and_oldest), cmocka_unit_test(samples), cmocka_unit_test(round_trip) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
