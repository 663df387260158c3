/* SPDX-License-Identifier: Apache-2.0
 * For the tests of audits: transactions in blocks that are first dropped, parameters, validators, and a lease to audit. */
#ifndef CHAIN_AUDIT_KIT_H
#define CHAIN_AUDIT_KIT_H

#include "chain/chain_kit.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static inline void audit(const kit *k)
{
    fault f = { 0 };
    if (chain_audit(k->c, &f) != OK)
        fail_msg("%s at %llu", f.what, (unsigned long long)f.at);
}

/* In a block of its own, which is first executed and dropped: that leaves nothing, and the second time gives the same state. */
static inline err run(kit *k, chain_tx tx, unsigned who)
{
    bytes raw = kit_sign(&tx, who);
    assert_int_equal(kit_execute(k, &raw, 1, false, NULL), OK);
    hash256 first = k->result.state_root;
    chain_abort(k->c);
    audit(k);
    assert_int_equal(kit_execute(k, &raw, 1, true, NULL), OK);
    assert_true(hash256_equal(&first, &k->result.state_root));
    audit(k);
    return k->result.txs[0].code;
}

static inline err run_open(kit *k, unsigned who, const hash256 *job, const chain_receipt *r)
{
    return run(k, kit_audit_open(k, who, job, r), who);
}

static inline err run_verdict(kit *k, unsigned who, const hash256 *job, uint64_t lease_id, uint32_t reason)
{
    return run(k, kit_audit_verdict(k, who, job, lease_id, reason), who);
}

static inline err run_close(kit *k, unsigned who, const hash256 *job, uint64_t lease_id)
{
    return run(k, kit_audit_close(k, who, job, lease_id), who);
}

/* It was refused with `code`, for this reason. */
#define REFUSED(call, code, why)                                   \
    do {                                                           \
        assert_int_equal(call, code);                              \
        assert_string_equal(k.result.txs[0].what, why);            \
    } while (0)

/* The block before the next is `height`. */
static inline void advance_to(kit *k, uint64_t height)
{
    assert_true(chain_head(k->c)->height <= height);
    kit_advance(k, height - chain_head(k->c)->height);
}

static const chain_row_audit *row(const kit *k, const hash256 *job, uint64_t lease_id)
{
    const chain_row_audit *a = chain_audit_row(k->c, job, lease_id);
    assert_non_null(a);
    return a;
}

enum { WINDOW = 6, PUSH = 5, VERDICT = 4 };

static inline void windows(chain_genesis *g)
{
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = 0;
    g->params.v[CHAIN_PARAM_AUDIT_WINDOW] = WINDOW;
    g->params.v[CHAIN_PARAM_AUDIT_PUSH] = PUSH;
    g->params.v[CHAIN_PARAM_AUDIT_VERDICT] = VERDICT;
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = WINDOW + PUSH + VERDICT;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = WINDOW + PUSH + VERDICT + 7;
}

static inline void windows_all_drawn(chain_genesis *g)
{
    windows(g);
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = 1000000;
}

static const unsigned validators[4] = { KIT_PRODUCER, 4, 5, 6 };

static inline void four_validators(chain_genesis *g)
{
    static cr_public_key keys[4];
    windows(g);
    for (size_t i = 0; i < 4; i++)
        keys[i] = kit_public(validators[i]);
    g->producers = keys;
    g->producer_count = 4;
}

/* A job of 8 steps with workers 1 and 2; lease 0 is worker 1's, committed or paid in the head. */
typedef enum standing { COMMITTED, PAID } standing;

static inline chain_receipt start(kit *k, void (*tweak)(chain_genesis *g), hash256 *job, standing s)
{
    kit_start(k, tweak);
    *job = kit_post_job_at(k, 8, 0, CHAIN_LEVEL_REFEREED);
    kit_add_worker(k, 1, job);
    kit_add_worker(k, 2, job);
    chain_receipt r = kit_proved_receipt(k, job, 1, 0);
    if (s == COMMITTED)
        assert_int_equal(kit_commit_trace(k, KIT_COORDINATOR, job, &r, 1), OK);
    else
        assert_int_equal(kit_pay(k, KIT_COORDINATOR, job, &r, 1), OK);
    return r;
}

#endif
