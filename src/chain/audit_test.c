/* SPDX-License-Identifier: Apache-2.0
 * Audits of proved leases: who may open, vote and close, and when. Money: audit_money_test.c. */
#include "chain/audit_kit.h"

#include "base/int.h"
#include "crypto/sha256.h"

/* --- the pair behind a row -------------------------------------------------------------------------------------------------- */

/* What is found in a block is the row's only under both signatures. */
static void a_pair_is_known_by_hashes_and_signatures(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, windows, &job, PAID);
    chain_row_lease row = *chain_lease_row(k.c, &job, 0);
    cr_public_key coordinator = kit_public(KIT_COORDINATOR), other = kit_public(1);
    assert_true(chain_receipt_is(&r, &row.lease_hash, &row.attestation_hash, &coordinator));
    assert_false(chain_receipt_is(&r, &row.lease_hash, &row.attestation_hash, &other));
    assert_false(chain_receipt_is(&r, &row.attestation_hash, &row.attestation_hash, &coordinator));
    assert_false(chain_receipt_is(&r, &row.lease_hash, &row.lease_hash, &coordinator));
    bytes *const parts[] = { &r.lease, &r.attestation };
    for (size_t i = 0; i < COUNT_OF(parts); i++) { /* a signature is the last field */
        bytes good = *parts[i], bad = kit_keep(good);
        ((uint8_t *)(uintptr_t)bad.data)[bad.len - 1] ^= 1;
        *parts[i] = bad;
        assert_false(chain_receipt_is(&r, &row.lease_hash, &row.attestation_hash, &coordinator));
        *parts[i] = bytes_of(good.data, good.len - 1);
        assert_false(chain_receipt_is(&r, &row.lease_hash, &row.attestation_hash, &coordinator));
        *parts[i] = good;
    }
    kit_stop(&k);
}

/* --- opening -------------------------------------------------------------------------------------------------------------- */

static void opening_refused(void **state)
{
    (void)state;
    kit k;
    hash256 job, none = { { 1 } };
    chain_receipt r = start(&k, windows, &job, PAID), bad = r;
    REFUSED(run_open(&k, 3, &none, &r), ERR_NOT_FOUND, "audit_open.job");
    bad.lease.len--;
    assert_int_equal(run_open(&k, 3, &job, &bad), ERR_TRUNCATED);
    /* Another lease, another attestation, and other signers under the same number. */
    chain_lease l = kit_lease(&k, &job, 1, 0, 0, 8);
    chain_attestation a = kit_attestation(&l);
    bad = kit_receipt(&l, &a, 1);
    REFUSED(run_open(&k, 3, &job, &bad), ERR_HASH, "lease");
    chain_signed s;
    assert_int_equal(chain_lease_decode(&l, &s, r.lease, NULL), OK);
    assert_int_equal(chain_attestation_decode(&a, &s, r.attestation, NULL), OK);
    a.loss++;
    bad = kit_receipt(&l, &a, 1);
    REFUSED(run_open(&k, 3, &job, &bad), ERR_HASH, "attestation");
    a.loss--;
    bad = kit_receipt(&l, &a, 2);
    REFUSED(run_open(&k, 3, &job, &bad), ERR_SIGNATURE, "attestation.signature");
    kit_stop(&k);

    /* Not on the ledger, not proved, or spoiled. */
    r = start(&k, windows, &job, PAID);
    chain_receipt unknown = kit_proved_receipt(&k, &job, 1, 1);
    REFUSED(run_open(&k, 3, &job, &unknown), ERR_NOT_FOUND, "lease.lease_id");
    l = kit_lease(&k, &job, 2, 2, 16, 24);
    a = kit_attestation(&l);
    chain_receipt unproved = kit_receipt(&l, &a, 2);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &unproved, 1), OK);
    REFUSED(run_open(&k, 3, &job, &unproved), ERR_LEVEL, "lease.level");
    assert_int_equal(chain_lease_decode(&l, &s, r.lease, NULL), OK);
    assert_int_equal(chain_attestation_decode(&a, &s, r.attestation, NULL), OK);
    chain_tx slash = kit_tx(&k, 3, CHAIN_TX_SLASH, 0);
    slash.payload.slash = (chain_tx_slash){ .job = job, .lease = r.lease, .attestation = r.attestation, .evidence = kit_evidence(&l, &a) };
    assert_int_equal(run(&k, slash, 3), OK);
    REFUSED(run_open(&k, 3, &job, &r), ERR_STATE, "lease.status");
    kit_stop(&k);

    /* Who has less than the deposit; and the same with the whole of it. */
    r = start(&k, windows, &job, PAID);
    chain_tx all = kit_tx(&k, 3, CHAIN_TX_TRANSFER, 0);
    uint64_t deposit = chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT);
    all.payload.transfer = (chain_tx_transfer){ .to = kit_address(5), .amount = kit_balance(&k, 3) - deposit };
    assert_int_equal(run(&k, all, 3), OK);
    REFUSED(run_open(&k, 3, &job, &r), ERR_FUNDS, "audit.deposit");
    assert_int_equal(run_open(&k, 5, &job, &r), OK);
    REFUSED(run_open(&k, 4, &job, &r), ERR_DUPLICATE, "audit");
    assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, ERR_UNPROVED), OK);
    REFUSED(run_open(&k, 4, &job, &r), ERR_DUPLICATE, "audit"); /* nor after it has ended */
    kit_stop(&k);
}

/* The window begins with the first word on the ledger: the commitment, whenever it is paid. */
static void window(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    for (standing s = COMMITTED; s <= PAID; s++)
        for (unsigned late = 0; late < 2; late++) {
            chain_receipt r = start(&k, windows, &job, s);
            uint64_t first = chain_head(k.c)->height;
            if (s == COMMITTED) {
                kit_advance(&k, 2);
                assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), OK);
            }
            advance_to(&k, first + WINDOW - 1 + late);
            if (late) {
                REFUSED(run_open(&k, 3, &job, &r), ERR_EXPIRED, "audit.window");
            } else {
                assert_int_equal(run_open(&k, 3, &job, &r), OK);
                assert_int_equal(row(&k, &job, 0)->open_height, first + WINDOW);
            }
            kit_stop(&k);
        }
}

/* Formula of spec/audit.md, written again. */
static bool draw_of(const hash256 *randomness, const chain_receipt *r, uint64_t rate_ppm)
{
    chain_lease l;
    chain_signed s;
    CHECK(chain_lease_decode(&l, &s, r->lease, NULL) == OK);
    uint8_t text[17 + 32 + 32];
    memcpy(text, "theblock/audit/v1", 17);
    memcpy(text + 17, randomness->b, 32);
    hash256 lease_hash = cr_sha256(s.body);
    memcpy(text + 49, lease_hash.b, 32);
    hash256 h = cr_sha256(BYTES_OF(text));
    return (uint64_t)((u128)load_be64(h.b) * 1000000 >> 64) < rate_ppm;
}

static void half_drawn(chain_genesis *g)
{
    windows(g);
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = 500000;
}

static void drawn(void **state)
{
    (void)state;
    kit k;
    hash256 job, none = { { 1 } };
    unsigned free = 0;
    bool out;
    for (standing s = COMMITTED; s <= PAID; s++) {
        chain_receipt r = start(&k, half_drawn, &job, s), next;
        for (uint64_t id = 0; id < 8; id++, r = next) {
            assert_int_equal(chain_audit_drawn(k.c, &out, &job, id), ERR_BUSY);
            next = kit_proved_receipt(&k, &job, 1, id + 1);
            uint64_t first = chain_head(k.c)->height;
            kit_advance(&k, 1);
            assert_int_equal(chain_audit_drawn(k.c, &out, &job, id), OK);
            assert_int_equal(out, draw_of(&chain_head(k.c)->randomness, &r, 500000));
            free += out;
            assert_int_equal(run_open(&k, 3, &job, &r), OK);
            assert_int_equal(row(&k, &job, id)->deposit, out ? 0 : chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT));
            assert_int_equal(row(&k, &job, id)->fee, chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT));
            assert_true(chain_beacon(k.c, first + 1));
            if (id < 7)
                assert_int_equal(s == COMMITTED ? kit_commit_trace(&k, KIT_COORDINATOR, &job, &next, 1)
                                                : kit_pay(&k, KIT_COORDINATOR, &job, &next, 1), OK);
        }
        assert_int_equal(chain_audit_drawn(k.c, &out, &job, 99), ERR_NOT_FOUND);
        assert_int_equal(chain_audit_drawn(k.c, &out, &none, 0), ERR_NOT_FOUND);
        kit_stop(&k);
    }
    assert_in_range(free, 2, 14);
    /* A payment without a proof is not drawn, and asks for no randomness. */
    (void)start(&k, windows_all_drawn, &job, PAID);
    chain_lease l = kit_lease(&k, &job, 2, 5, 40, 48);
    chain_attestation a = kit_attestation(&l);
    chain_receipt unproved = kit_receipt(&l, &a, 2);
    assert_int_equal(kit_pay(&k, KIT_COORDINATOR, &job, &unproved, 1), OK);
    kit_advance(&k, 1);
    assert_int_equal(chain_audit_drawn(k.c, &out, &job, 5), ERR_NOT_FOUND);
    assert_null(chain_beacon(k.c, chain_head(k.c)->height));
    kit_stop(&k);
}

/* In the first block itself nobody knows the draw: an opening there is a dispute, even if everything is drawn. */
static void opening_in_the_first_block(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    uint8_t buffer[4096];
    for (unsigned wait = 0; wait < 2; wait++) {
        (void)start(&k, windows_all_drawn, &job, COMMITTED);
        chain_receipt r = kit_proved_receipt(&k, &job, 1, 1);
        chain_tx pay = kit_tx(&k, KIT_COORDINATOR, CHAIN_TX_RECEIPT_PAY, 0), open = kit_audit_open(&k, 3, &job, &r);
        pay.payload.receipt_pay.job = job;
        CHECK(chain_receipts_encode(&pay.payload.receipt_pay.receipts, buffer, sizeof buffer, &r, 1) == OK);
        bytes txs[2] = { kit_sign(&pay, KIT_COORDINATOR), kit_sign(&open, 3) };
        assert_int_equal(kit_block(&k, txs, 2 - wait), OK);
        if (wait)
            assert_int_equal(kit_block(&k, &txs[1], 1), OK);
        assert_int_equal(k.result.txs[1 - wait].code, OK);
        assert_int_equal(row(&k, &job, 1)->deposit, wait ? 0 : chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT));
        assert_int_equal(k.result.events[k.result.txs[1 - wait].event_first].type, CHAIN_EVENT_AUDIT_OPENED);
        audit(&k);
        kit_stop(&k);
    }
}

/* --- verdicts ------------------------------------------------------------------------------------------------------------- */

static void verdict_refused(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, four_validators, &job, PAID);
    REFUSED(run_verdict(&k, 4, &job, 0, 0), ERR_NOT_FOUND, "audit_verdict.lease_id");
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    REFUSED(run_verdict(&k, 3, &job, 0, 0), ERR_PERMISSION, "audit_verdict.sender"); /* not the opener, nor the worker */
    REFUSED(run_verdict(&k, 1, &job, 0, 0), ERR_PERMISSION, "audit_verdict.sender");
    chain_tx tx = kit_audit_verdict(&k, 4, &job, 0, 0);
    tx.payload.audit_verdict.reason = ERR_UNPROVED;
    REFUSED(run(&k, tx, 4), ERR_RANGE, "audit_verdict.reason");
    kit_stop(&k);

    r = start(&k, four_validators, &job, PAID);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    tx = kit_audit_verdict(&k, 4, &job, 0, ERR_UNPROVED);
    tx.payload.audit_verdict.reason = 0;
    REFUSED(run(&k, tx, 4), ERR_RANGE, "audit_verdict.reason");
    assert_int_equal(run_verdict(&k, 4, &job, 0, ERR_UNPROVED), OK);
    /* One vote each, whatever it says. */
    REFUSED(run_verdict(&k, 4, &job, 0, ERR_PROOF), ERR_DUPLICATE, "audit_verdict.sender");
    REFUSED(run_verdict(&k, 4, &job, 0, 0), ERR_DUPLICATE, "audit_verdict.sender");
    assert_int_equal(run_verdict(&k, 5, &job, 0, 0), OK);
    REFUSED(run_verdict(&k, 5, &job, 0, 0), ERR_DUPLICATE, "audit_verdict.sender");
    REFUSED(run_verdict(&k, 5, &job, 0, ERR_PROOF), ERR_DUPLICATE, "audit_verdict.sender");
    kit_stop(&k);

    /* What is missing may come until the last block of its time; the verdict may come until the last of its own. */
    for (unsigned late = 0; late < 2; late++) {
        r = start(&k, windows, &job, PAID);
        assert_int_equal(run_open(&k, 3, &job, &r), OK);
        uint64_t open = chain_head(k.c)->height;
        advance_to(&k, open + PUSH - 1);
        REFUSED(run_verdict(&k, KIT_PRODUCER, &job, 0, ERR_NOT_FOUND), ERR_BUSY, "audit.push_window");
        advance_to(&k, open + PUSH + (late ? VERDICT : 0));
        if (late) {
            REFUSED(run_verdict(&k, KIT_PRODUCER, &job, 0, ERR_NOT_FOUND), ERR_EXPIRED, "audit.verdict_window");
            assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_OPEN);
        } else {
            assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, ERR_NOT_FOUND), OK);
            assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_FALSE);
            assert_int_equal(row(&k, &job, 0)->reason, ERR_NOT_FOUND);
            REFUSED(run_verdict(&k, KIT_PRODUCER, &job, 0, 0), ERR_STATE, "audit.status");
        }
        kit_stop(&k);
    }
    r = start(&k, windows, &job, PAID);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    kit_advance(&k, PUSH + VERDICT - 1);
    assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, 0), OK); /* the last block for it */
    kit_stop(&k);
}

static bool has_bit(const hash256 *votes, size_t i)
{
    return votes->b[i / 8] >> (i % 8) & 1;
}

/* Place among the validators by key, as the genesis sorts them. */
static size_t place(unsigned who)
{
    cr_public_key me = kit_public(who);
    size_t n = 0;
    for (size_t i = 0; i < 4; i++) {
        cr_public_key other = kit_public(validators[i]);
        n += memcmp(other.b, me.b, sizeof me.b) < 0;
    }
    return n;
}

/* Four validators: the votes of each, in their order, and after how many of them it has ended. */
static void quorum(void **state)
{
    (void)state;
    static const struct {
        uint32_t           reason[4];
        size_t             votes, ends_after; /* 0: not by votes */
        chain_audit_status status;
    } cases[] = {
        { { 0, 0, 0 }, 3, 3, CHAIN_AUDIT_VALID },
        { { ERR_UNPROVED, ERR_UNPROVED, ERR_UNPROVED }, 3, 3, CHAIN_AUDIT_FALSE },
        { { ERR_UNPROVED, ERR_PROOF, ERR_SHAPE }, 3, 3, CHAIN_AUDIT_FALSE }, /* they need not agree on what is false */
        { { ERR_UNPROVED, 0, 0, 0 }, 4, 4, CHAIN_AUDIT_VALID },               /* a liar */
        { { 0, ERR_PROOF, ERR_PROOF, ERR_PROOF }, 4, 4, CHAIN_AUDIT_FALSE },
        { { 0, 0, ERR_PROOF, ERR_PROOF }, 4, 0, CHAIN_AUDIT_OPEN },
        { { 0, 0 }, 2, 0, CHAIN_AUDIT_OPEN },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        hash256 job;
        chain_receipt r = start(&k, four_validators, &job, PAID);
        assert_int_equal(run_open(&k, 3, &job, &r), OK);
        uint64_t open = chain_head(k.c)->height;
        for (size_t v = 0; v < cases[i].votes; v++) {
            uint32_t reason = cases[i].reason[v];
            assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_OPEN);
            assert_int_equal(run_verdict(&k, validators[v], &job, 0, reason), OK);
            const chain_event *e = &k.result.events[k.result.txs[0].event_first];
            assert_int_equal(e->type, CHAIN_EVENT_AUDIT_VOTED);
            assert_int_equal(e->data.audit_voted.reason, reason);
            assert_int_equal(has_bit(&row(&k, &job, 0)->valid, place(validators[v])), reason == 0);
            assert_int_equal(has_bit(&row(&k, &job, 0)->invalid, place(validators[v])), reason != 0);
            if (reason)
                assert_int_equal(row(&k, &job, 0)->reason, reason);
        }
        assert_int_equal(row(&k, &job, 0)->status, cases[i].status);
        assert_int_equal(row(&k, &job, 0)->end_height, cases[i].ends_after ? open + cases[i].ends_after : 0);
        assert_int_equal(chain_lease_row(k.c, &job, 0)->status,
                         cases[i].status == CHAIN_AUDIT_FALSE ? CHAIN_LEASE_SPOILED : CHAIN_LEASE_PAID);
        cr_address worker = kit_address(1);
        assert_int_equal(chain_worker(k.c, &worker)->audits, cases[i].status == CHAIN_AUDIT_OPEN);
        kit_stop(&k);
    }
}

static void three_validators(chain_genesis *g)
{
    four_validators(g);
    g->producer_count = 3; /* the producer and two more */
}

/* Two of three are two thirds, and not more. */
static void quorum_of_three(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, three_validators, &job, PAID);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    assert_int_equal(run_verdict(&k, 4, &job, 0, 0), OK);
    assert_int_equal(run_verdict(&k, 5, &job, 0, 0), OK);
    assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_OPEN);
    REFUSED(run_verdict(&k, 6, &job, 0, 0), ERR_PERMISSION, "audit_verdict.sender");
    assert_int_equal(run_verdict(&k, KIT_PRODUCER, &job, 0, 0), OK);
    assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_VALID);
    kit_stop(&k);
}

/* --- end without a verdict ------------------------------------------------------------------------------------------------ */

static void closing(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, four_validators, &job, PAID);
    REFUSED(run_close(&k, 2, &job, 0), ERR_NOT_FOUND, "audit_close.lease_id");
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    uint64_t open = chain_head(k.c)->height, opener = kit_balance(&k, 3);
    assert_int_equal(run_verdict(&k, 4, &job, 0, ERR_PROOF), OK);
    advance_to(&k, open + PUSH + VERDICT - 1);
    REFUSED(run_close(&k, 2, &job, 0), ERR_BUSY, "audit.verdict_window");
    uint64_t bonds = chain_supply(k.c)->bonds;
    assert_int_equal(run_close(&k, 2, &job, 0), OK); /* by anybody */
    assert_int_equal(k.result.events[k.result.txs[0].event_first].data.audit_ended.status, CHAIN_AUDIT_CLOSED);
    assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_CLOSED);
    assert_int_equal(row(&k, &job, 0)->end_height, open + PUSH + VERDICT + 1);
    assert_int_equal(kit_balance(&k, 3), opener + chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT));
    assert_int_equal(chain_supply(k.c)->bonds, bonds);
    assert_int_equal(chain_lease_row(k.c, &job, 0)->status, CHAIN_LEASE_PAID);
    REFUSED(run_close(&k, 2, &job, 0), ERR_STATE, "audit.status");
    REFUSED(run_verdict(&k, 5, &job, 0, 0), ERR_STATE, "audit.status");
    kit_stop(&k);
}

/* --- once more ------------------------------------------------------------------------------------------------------------- */

enum { CLAIMS = 7 /* job.claim_delay + trace.open_window */, AGAIN = 21 /* blocks after the first in which a closed audit may be opened again */ };

/* The bond is what ends the time for it. */
static void four_wide(chain_genesis *g)
{
    four_validators(g);
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = AGAIN + PUSH + VERDICT;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = AGAIN + PUSH + VERDICT + CLAIMS + 1;
}

/* The worker's claim is. */
static void four_claimed(chain_genesis *g)
{
    four_validators(g);
    g->params.v[CHAIN_PARAM_WORKER_UNBOND] = AGAIN + PUSH + VERDICT + 1;
    g->params.v[CHAIN_PARAM_CLAIM_WINDOW] = AGAIN + PUSH + VERDICT + CLAIMS;
}

static void four_wide_drawn(chain_genesis *g)
{
    four_wide(g);
    g->params.v[CHAIN_PARAM_AUDIT_RATE] = 1000000;
}

/* An audit that nobody judged, closed as soon as it may be. */
static chain_receipt closed(kit *k, void (*tweak)(chain_genesis *g), hash256 *job, standing s)
{
    chain_receipt r = start(k, tweak, job, s);
    kit_advance(k, 1); /* the draw */
    assert_int_equal(run_open(k, 3, job, &r), OK);
    assert_int_equal(run_verdict(k, 4, job, 0, ERR_PROOF), OK);
    kit_advance(k, PUSH + VERDICT - 1);
    assert_int_equal(run_close(k, 2, job, 0), OK);
    return r;
}

/* As anew: another opener and deposit, no votes, the whole time. */
static void opened_again(void **state)
{
    (void)state;
    for (standing s = COMMITTED; s <= PAID; s++)
        for (unsigned drawn = 0; drawn < 2; drawn++) {
            kit k;
            hash256 job;
            cr_address worker = kit_address(1), opener = kit_address(7);
            chain_receipt r = closed(&k, drawn ? four_wide_drawn : four_wide, &job, s);
            uint64_t deposit = drawn ? 0 : chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT), escrow = chain_supply(k.c)->escrow;
            assert_int_equal(run_open(&k, 7, &job, &r), OK);
            const chain_row_audit *a = row(&k, &job, 0);
            assert_true(cr_address_equal(&a->opener, &opener));
            assert_int_equal(a->status, CHAIN_AUDIT_OPEN);
            assert_int_equal(a->deposit, deposit);
            assert_int_equal(a->open_height, chain_head(k.c)->height);
            assert_int_equal(a->end_height, 0);
            assert_int_equal(a->reason, 0);
            assert_int_equal(chain_supply(k.c)->escrow, escrow + deposit);
            assert_int_equal(chain_worker(k.c, &worker)->audits, 1);
            REFUSED(run_open(&k, 3, &job, &r), ERR_DUPLICATE, "audit");
            if (s == COMMITTED)
                REFUSED(kit_pay(&k, KIT_COORDINATOR, &job, &r, 1), ERR_STATE, "audit.status");
            for (size_t v = 0; v < 3; v++) { /* the vote of the first time, too, is to be cast again */
                assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_OPEN);
                assert_int_equal(run_verdict(&k, validators[v], &job, 0, 0), OK);
            }
            assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_VALID);
            assert_int_equal(chain_supply(k.c)->escrow, escrow);
            assert_int_equal(chain_worker(k.c, &worker)->audits, 0);
            REFUSED(run_open(&k, 3, &job, &r), ERR_DUPLICATE, "audit"); /* there was a verdict */
            kit_stop(&k);
        }
}

/* Again and again, but not after the last block for it, which is the bond's or the claim's, and never less than the window. */
static void opened_again_until(void **state)
{
    (void)state;
    void (*const tweaks[])(chain_genesis *g) = { four_wide, four_claimed };
    for (size_t i = 0; i < COUNT_OF(tweaks); i++)
        for (unsigned late = 0; late < 2; late++) {
            kit k;
            hash256 job;
            chain_receipt r = closed(&k, tweaks[i], &job, PAID);
            uint64_t first = chain_lease_first_block(chain_lease_row(k.c, &job, 0)), height = chain_head(k.c)->height;
            assert_true(height > first + WINDOW);
            assert_int_equal(chain_audit_may_open(k.c, &job, 0, first + AGAIN, NULL), OK);
            assert_int_equal(chain_audit_may_open(k.c, &job, 0, first + AGAIN + 1, NULL), ERR_EXPIRED);
            advance_to(&k, first + AGAIN - 1 + late);
            if (late) {
                REFUSED(run_open(&k, 3, &job, &r), ERR_EXPIRED, "audit.window");
                kit_stop(&k);
                continue;
            }
            assert_int_equal(run_open(&k, 3, &job, &r), OK);
            assert_int_equal(row(&k, &job, 0)->open_height, first + AGAIN);
            assert_int_equal(run(&k, kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0), 1), OK);
            advance_to(&k, first + AGAIN + PUSH + VERDICT);
            assert_int_equal(run_close(&k, 2, &job, 0), OK);
            REFUSED(run_open(&k, 3, &job, &r), ERR_EXPIRED, "audit.window");
            kit_stop(&k);
        }
    kit k;
    hash256 job;
    chain_receipt r = closed(&k, four_validators, &job, PAID); /* the least that parameters may say */
    REFUSED(run_open(&k, 3, &job, &r), ERR_EXPIRED, "audit.window");
    kit_stop(&k);
}

/* Who left right after the pay has the bond at stake until the last audit that may be opened has ended. */
static void the_bond_is_there_for_the_last_one(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_receipt r = start(&k, four_wide, &job, PAID);
    uint64_t first = chain_head(k.c)->height;
    assert_int_equal(run(&k, kit_tx(&k, 1, CHAIN_TX_WORKER_UNREGISTER, 0), 1), OK);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    advance_to(&k, first + 2 + PUSH + VERDICT);
    assert_int_equal(run_close(&k, 2, &job, 0), OK);
    advance_to(&k, first + AGAIN - 1);
    assert_int_equal(run_open(&k, 3, &job, &r), OK);
    advance_to(&k, first + AGAIN + PUSH + VERDICT - 3);
    uint64_t bonds = chain_supply(k.c)->bonds;
    for (size_t v = 0; v < 3; v++) /* the last of them in the last block for it */
        assert_int_equal(run_verdict(&k, validators[v], &job, 0, ERR_PROOF), OK);
    assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_FALSE);
    assert_true(chain_supply(k.c)->bonds < bonds);
    kit_stop(&k);
}

/* Evidence does not wait for the validators; then there is nothing left to judge. */
static void spoiled_meanwhile(void **state)
{
    (void)state;
    kit k;
    hash256 job;
    chain_lease l;
    chain_attestation a;
    chain_signed s;
    cr_address worker = kit_address(1);
    for (standing how = COMMITTED; how <= PAID; how++) {
        chain_receipt r = start(&k, four_validators, &job, how);
        assert_int_equal(run_open(&k, 3, &job, &r), OK);
        uint64_t opener = kit_balance(&k, 3);
        assert_int_equal(run_verdict(&k, 4, &job, 0, 0), OK);
        assert_int_equal(chain_lease_decode(&l, &s, r.lease, NULL), OK);
        assert_int_equal(chain_attestation_decode(&a, &s, r.attestation, NULL), OK);
        chain_tx slash = kit_tx(&k, 7, CHAIN_TX_SLASH, 0);
        slash.payload.slash = (chain_tx_slash){ .job = job, .lease = r.lease, .attestation = r.attestation, .evidence = kit_evidence(&l, &a) };
        assert_int_equal(run(&k, slash, 7), OK);
        assert_int_equal(row(&k, &job, 0)->status, CHAIN_AUDIT_OPEN);
        assert_int_equal(chain_worker(k.c, &worker)->leases_spoiled, 1);
        REFUSED(run_verdict(&k, 5, &job, 0, ERR_PROOF), ERR_STATE, "lease.status");
        uint64_t bonds = chain_supply(k.c)->bonds;
        assert_int_equal(run_close(&k, 1, &job, 0), OK); /* at once */
        assert_int_equal(kit_balance(&k, 3), opener + chain_param_value(k.c, CHAIN_PARAM_AUDIT_DEPOSIT));
        assert_int_equal(chain_supply(k.c)->bonds, bonds);
        assert_int_equal(chain_worker(k.c, &worker)->audits, 0);
        assert_int_equal(chain_worker(k.c, &worker)->leases_spoiled, 1);
        REFUSED(run_open(&k, 3, &job, &r), ERR_STATE, "lease.status"); /* closed, and yet there is nothing to open it for */
        kit_stop(&k);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_pair_is_known_by_hashes_and_signatures), cmocka_unit_test(opening_refused),
        cmocka_unit_test(window),
        cmocka_unit_test(drawn),
        cmocka_unit_test(opening_in_the_first_block),
        cmocka_unit_test(verdict_refused),
        cmocka_unit_test(quorum),
        cmocka_unit_test(quorum_of_three),
        cmocka_unit_test(closing),
        cmocka_unit_test(opened_again),
        cmocka_unit_test(opened_again_until),
        cmocka_unit_test(the_bond_is_there_for_the_last_one),
        cmocka_unit_test(spoiled_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
