/* SPDX-License-Identifier: Apache-2.0
 * Audits of proved leases: who may open, vote and close, and where the money goes. */
#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

/* A transaction in a block of its own, and every sum after it. */
static err run(kit *k, const chain_tx *tx, unsigned who)
{
    err e = kit_run(k, tx, who);
    audit(k);
    return e;
}

static err run_open(kit *k, unsigned who, const hash256 *job, const chain_receipt *r)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_OPEN, 0);
    tx.payload.audit_open = (chain_tx_audit_open){ .job = *job, .lease = r->lease, .attestation = r->attestation };
    return run(k, &tx, who);
}

static err run_verdict(kit *k, unsigned who, const hash256 *job, uint64_t lease_id, uint32_t reason)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_VERDICT, 0);
    tx.payload.audit_verdict = (chain_tx_audit_verdict){ .job = *job, .lease_id = lease_id, .valid = reason == 0, .reason = reason };
    CHECK(chain_name_set(&tx.payload.audit_verdict.relation, bytes_of_str("-")) == OK);
    return run(k, &tx, who);
}

static err run_close(kit *k, unsigned who, const hash256 *job, uint64_t lease_id)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_AUDIT_CLOSE, 0);
    tx.payload.audit_close = (chain_tx_audit_close){ .job = *job, .lease_id = lease_id };
    return run(k, &tx, who);
}

static chain_receipt proved_receipt(kit *k, const hash256 *job, unsigned worker, uint64_t id)
{
    chain_lease l = kit_lease(k, job, worker, id, 8 * id, 8 * id + 8);
    l.level_min = CHAIN_LEVEL_FULL;
    chain_attestation a = kit_attestation(&l);
    a.level = CHAIN_LEVEL_FULL;
    a.proof = (hash256){ { 5, (uint8_t)id } };
    return kit_receipt(&l, &a, worker);
}

static void disputed_and_valid(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, NULL);
    hash256 job = kit_post_job_at(&k, 4, 0, CHAIN_LEVEL_FULL);
    kit_add_worker(&k, 1, &job);
    chain_receipt r = proved_receipt(&k, &job, 1, 0);
    assert_int_equal(run_open(&k, 3, &job, &r), ERR_NOT_FOUND);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, 0), OK);
    assert_int_equal(chain_audit_row(k.c, &job, 0)->status, CHAIN_AUDIT_VALID);
    assert_int_equal(run_close(&k, 3, &job, 0), ERR_STATE);
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(disputed_and_valid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
