/* SPDX-License-Identifier: Apache-2.0 */
#include "train/wire.h"

#include "base/port/file.h"
#include "train/dir_kit.h"
#include "train/journal.h"
#include "train/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void requests_are_bound_to_everything(void **state)
{
    (void)state;
    cr_secret_key key, other;
    cr_public_key public_key;
    uint8_t seed[32] = { 1 };
    tr_addressee me = { .job = { { 5 } }, .coordinator = { { 6 } }, .session = { 9 } };
    assert_int_equal(cr_ed25519_self_test(), OK);
    cr_ed25519_keypair(&key, &public_key, seed);
    seed[0] = 2;
    cr_public_key other_public;
    cr_ed25519_keypair(&other, &other_public, seed);
    tr_request r = { "PUT", "/v1/train/gradient/7/0", NULL, bytes_of_str("body") };
    char text[TR_AUTH_BYTES], bad[TR_AUTH_BYTES];
    tr_auth a;
    fault f;
    tr_auth_sign(text, &key, &me, 0x1122334455667788u, &r);
    assert_int_equal(strlen(text), TR_AUTH_BYTES - 1);
    assert_int_equal(tr_auth_parse(&a, text, &f), OK);
    assert_int_equal(a.nonce, 0x1122334455667788u);
    assert_memory_equal(a.key.b, public_key.b, 32);
    assert_memory_equal(a.session, me.session, sizeof me.session);
    assert_int_equal(tr_auth_verify(&a, &me, &r, &f), OK);
    tr_request changed[] = { r, r, r };
    changed[0].method = "GET";
    changed[1].path = "/v1/train/gradient/7/1";
    changed[2].body = bytes_of_str("Body");
    for (size_t i = 0; i < COUNT_OF(changed); i++)
        assert_int_equal(tr_auth_verify(&a, &me, &changed[i], &f), ERR_SIGNATURE);
    tr_addressee others[] = { me, me, me };
    others[0].job.b[31] ^= 1;
    others[1].coordinator.b[31] ^= 1;
    others[2].session[15] ^= 1;
    for (size_t i = 0; i < COUNT_OF(others); i++)
        assert_int_equal(tr_auth_verify(&a, &others[i], &r, &f), i == 2 ? ERR_STALE : ERR_SIGNATURE);
    for (size_t i = 0; i < TR_AUTH_BYTES - 1; i++) {
        memcpy(bad, text, sizeof bad);
        bad[i] = bad[i] == '0' ? '1' : '0';
        err e = tr_auth_parse(&a, bad, &f);
        assert_true(e == ERR_SYNTAX || tr_auth_verify(&a, &me, &r, &f) != OK);
    }
    assert_int_equal(tr_auth_parse(&a, NULL, &f), ERR_SYNTAX);
    assert_int_equal(tr_auth_parse(&a, "", &f), ERR_SYNTAX);
}

static void messages_round_trip(void **state)
{
    (void)state;
    buf b;
    fault f;
    buf_init(&b, 4096);
    tr_session s = { .id = { 1 }, .job = { { 2 } }, .coordinator = { { 3 } }, .dataset = { { 4 } }, .batch_size = 16, .steps = 9,
                     .shape = { 50, 16, 32, 2, 2, 12, 0 }, .spec_version = 1, .gradient_version = 1 }, t;
    assert_int_equal(chain_name_set(&s.chain_id, bytes_of_str("theblock-dev")), OK);
    assert_int_equal(tr_session_encode(&b, &s), OK);
    assert_int_equal(tr_session_decode(&t, buf_bytes(&b), &f), OK);
    assert_memory_equal(&s, &t, sizeof s);
    for (size_t len = 0; len < b.len; len++)
        assert_int_not_equal(tr_session_decode(&t, bytes_of(b.data, len), &f), OK);
    s.shape.heads = 3;
    buf_clear(&b);
    assert_int_equal(tr_session_encode(&b, &s), OK);
    assert_int_equal(tr_session_decode(&t, buf_bytes(&b), &f), ERR_SHAPE);

    tr_work w = { TR_WORK_TILE, bytes_of_str("lease"), 7, UINT64_MAX }, v;
    buf_clear(&b);
    assert_int_equal(tr_work_encode(&b, &w), OK);
    assert_int_equal(tr_work_decode(&v, buf_bytes(&b), &f), OK);
    assert_true(v.kind == w.kind && v.lease_id == 7 && v.leaf == UINT64_MAX && bytes_equal(v.lease, w.lease));
    uint64_t total;
    bytes piece;
    buf_clear(&b);
    assert_int_equal(tr_part_encode(&b, 99, bytes_of_str("piece")), OK);
    assert_int_equal(tr_part_decode(&total, &piece, buf_bytes(&b), &f), OK);
    assert_true(total == 99 && bytes_equal(piece, bytes_of_str("piece")));
    buf_clear(&b);
    assert_int_equal(tr_count_encode(&b, 12345), OK);
    assert_int_equal(tr_count_decode(&total, buf_bytes(&b), &f), OK);
    assert_int_equal(total, 12345);
    assert_int_equal(tr_count_decode(&total, bytes_of(b.data, 1), &f), ERR_TRUNCATED);
    buf_deinit(&b);
}

static err count_records(void *ctx, const tr_journal_record *r)
{
    size_t *n = ctx;
    assert_int_equal(r->lease_id, *n);
    ++*n;
    return OK;
}

static void a_torn_journal_loses_its_tail_only(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    char path[TR_PATH_MAX];
    fault f;
    tr_journal j;
    size_t n = 0;
    uint64_t lost = 1, ends[6];
    assert_int_equal(tr_store_name(path, d.path, "journal", &f), OK);
    assert_int_equal(tr_journal_open(&j, path, count_records, &n, &lost, &f), OK);
    assert_int_equal(lost, 0);
    for (uint64_t i = 0; i < 6; i++) {
        tr_journal_record r = { TR_JOURNAL_ANSWER, 3, i, bytes_of_str("lease"), bytes_of_str("attestation"), { { 1 } } };
        assert_int_equal(tr_journal_add(&j, &r, &f), OK);
        ends[i] = j.len;
    }
    tr_journal_close(&j);
    buf whole;
    buf_init(&whole, 1 << 16);
    assert_int_equal(base_file_read(&whole, path, &f), OK);
    for (size_t len = 0; len <= whole.len; len++) {
        assert_int_equal(base_file_write_atomic(path, bytes_of(whole.data, len), 0600, BASE_FILE_REPLACE, &f), OK);
        size_t want = 0;
        while (want < 6 && ends[want] <= len)
            want++;
        n = 0;
        assert_int_equal(tr_journal_open(&j, path, count_records, &n, &lost, &f), OK);
        assert_int_equal(n, want);
        assert_int_equal(lost, len - (want ? ends[want - 1] : 0));
        assert_int_equal(j.len, want ? ends[want - 1] : 0);
        tr_journal_close(&j);
    }
    whole.data[ends[2] + 20] ^= 1;
    assert_int_equal(base_file_write_atomic(path, buf_bytes(&whole), 0600, BASE_FILE_REPLACE, &f), OK);
    n = 0;
    assert_int_equal(tr_journal_open(&j, path, count_records, &n, &lost, &f), OK);
    assert_int_equal(n, 3);
    assert_int_equal(tr_journal_clear(&j, &f), OK);
    tr_journal_close(&j);
    n = 0;
    assert_int_equal(tr_journal_open(&j, path, count_records, &n, &lost, &f), OK);
    assert_int_equal(n, 0);
    tr_journal_close(&j);
    buf_deinit(&whole);
    dir_kit_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(requests_are_bound_to_everything), cmocka_unit_test(messages_round_trip),
                                        cmocka_unit_test(a_torn_journal_loses_its_tail_only) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
