/* SPDX-License-Identifier: Apache-2.0
 * Random histories of governance, valid and invalid alike: after every block all sums agree, parameters are within bounds and rules,
 * nothing changes before its timelock or by another way than a passed proposal, a stake leaves once, whole or burned by its share, and
 * a block that is dropped leaves no trace. `chain_gov_random_test N` runs N histories; `print` writes the history of
 * spec/vectors/governance.json, which gov_vectors.py replays by a second implementation. */
#include "chain/gov/gov_kit.h"

#include <stdio.h>
#include <stdlib.h>

enum { BLOCKS = 120, PROPOSALS_MAX = 400 };

typedef struct history {
    kit      k;
    uint64_t seed;
    uint64_t staked[PROPOSALS_MAX], released[PROPOSALS_MAX]; /* by number: what it held; how often it left */
    uint64_t timelocked[PROPOSALS_MAX];                      /* epoch in whose end the vote passed */
    uint64_t ran, failed;
} history;

static char   text[400000]; /* the history as JSON, while one is recorded */
static size_t text_len;
static bool   recording;

static void put(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void put(const char *format, ...)
{
    va_list args;
    if (!recording)
        return;
    va_start(args, format);
    int n = vsnprintf(text + text_len, sizeof text - text_len, format, args);
    va_end(args);
    CHECK(n > 0 && (size_t)n < sizeof text - text_len);
    text_len += (size_t)n;
}

static unsigned who_is(const cr_address *a)
{
    unsigned who = 0;
    cr_address b = kit_address(who);
    while (!cr_address_equal(a, &b))
        b = kit_address(++who);
    return who;
}

static uint64_t ended[CHAIN_PROPOSAL_EXPIRED + 1], changed, delegated_votes;

static uint64_t pick(history *h, uint64_t n)
{
    return kit_random(&h->seed) % n;
}

static void rules(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_LATE_WINDOW] = 1;
    g->params.v[CHAIN_PARAM_GOV_EXTENSION] = 1;
    g->params.v[CHAIN_PARAM_GOV_SLOTS_PROPOSER] = 3;
    g->params.v[CHAIN_PARAM_GOV_IDENTITY_CAP] = 250000000;
    g->params.v[CHAIN_PARAM_GOV_QUORUM_OPERATORS] = g->params.v[CHAIN_PARAM_GOV_QUORUM_BUILDERS] = 50000;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_TERM] = 3;
    g->params.v[CHAIN_PARAM_GOV_EMERGENCY_VOTING] = 3;
    g->params.v[CHAIN_PARAM_FEE_BURN] = 123456;
    g->params.v[CHAIN_PARAM_GOV_DISCLOSURE] = 10;
    g->params.v[CHAIN_PARAM_GOV_FOREIGN_WEIGHT] = 700000;
}

/* Often an active proposal, or the newest that acted; sometimes any number. */
static uint64_t random_number(history *h, bool acted)
{
    uint64_t newest = chain_governance(h->k.c)->proposals, number = chain_governance(h->k.c)->first;
    if (pick(h, 10) == 0)
        return pick(h, newest + 2);
    if (!acted) {
        for (uint64_t skip = pick(h, 6); skip && number && gov_proposal(&h->k, number)->next; skip--)
            number = gov_proposal(&h->k, number)->next;
        return number;
    }
    for (number = newest; number; number--) {
        uint8_t status = gov_proposal(&h->k, number)->status, kind = gov_proposal(&h->k, number)->kind;
        if ((status == CHAIN_PROPOSAL_ACTIVATED || status == CHAIN_PROPOSAL_IN_FORCE) && kind != CHAIN_PROPOSAL_ROLLBACK && pick(h, 3))
            break;
    }
    return number;
}

/* An account that delegates to this one, if there is one. */
static unsigned delegator_of(history *h, unsigned who)
{
    cr_address to = kit_address(who);
    for (unsigned from = OPERATOR; from < VOTER_END; from++) {
        cr_address a = kit_address(from);
        const chain_row_voter *v = chain_voter(h->k.c, &a);
        if (v && (memcmp(v->delegate_operators.b, to.hash, 32) == 0 || memcmp(v->delegate_builders.b, to.hash, 32) == 0))
            return from;
    }
    return OPERATOR + (unsigned)pick(h, VOTER_END - OPERATOR);
}

/* Often a value that is allowed, sometimes an edge, sometimes anything. */
static uint64_t random_value(history *h, chain_param p)
{
    uint64_t now = param(h->k.c, p);
    switch (pick(h, 6)) {
    case 0: return chain_param_rows[p].min;
    case 1: return chain_param_rows[p].max;
    case 2: return kit_random(&h->seed);
    case 3: return now ? now - 1 : now;
    default: return now + 1;
    }
}

/* What would make governance too slow or too dear for the rest of a history stays as it is. */
static bool keeps_going(chain_param p)
{
    static const chain_param fixed[] = { CHAIN_PARAM_FEE_MIN, CHAIN_PARAM_FEE_PER_BYTE, CHAIN_PARAM_GOV_PROPOSAL_STAKE, CHAIN_PARAM_TX_TERM_MAX,
                                         CHAIN_PARAM_GOV_VOTING, CHAIN_PARAM_GOV_KYC_REQUIRED, CHAIN_PARAM_GOV_COOLDOWN,
                                         CHAIN_PARAM_GOV_TIMELOCK_OPERATIONAL, CHAIN_PARAM_GOV_TIMELOCK_STRUCTURAL };
    for (size_t i = 0; i < COUNT_OF(fixed); i++)
        if (fixed[i] == p)
            return false;
    return true;
}

static void random_proposal(history *h, chain_tx *tx, unsigned who)
{
    static const chain_proposal_kind kinds[] = { CHAIN_PROPOSAL_PARAMETERS, CHAIN_PROPOSAL_PARAMETERS, CHAIN_PROPOSAL_PARAMETERS,
                                                 CHAIN_PROPOSAL_AMENDMENT, CHAIN_PROPOSAL_EMERGENCY, CHAIN_PROPOSAL_ROLLBACK };
    static uint8_t buffer[256];
    chain_proposal_kind kind = pick(h, 40) ? kinds[pick(h, COUNT_OF(kinds))] : (chain_proposal_kind)pick(h, 8);
    chain_param_change changes[3];
    size_t count = kind == CHAIN_PROPOSAL_ROLLBACK ? 0 : 1 + pick(h, 3) / 2;
    chain_param p = (chain_param)pick(h, CHAIN_PARAM_COUNT);
    for (size_t i = 0; i < count; i++) {
        while (!keeps_going(p) || (kind == CHAIN_PROPOSAL_EMERGENCY && pick(h, 8) && chain_param_tightens(p) == CHAIN_TIGHTENS_NONE))
            p = (chain_param)(((unsigned)p + 1) % CHAIN_PARAM_COUNT);
        changes[i] = (chain_param_change){ p, random_value(h, p) };
        p = (chain_param)(((unsigned)p + 1) % CHAIN_PARAM_COUNT);
    }
    CHECK(chain_changes_encode(&tx->payload.proposal_submit.changes, buffer, sizeof buffer, changes, count) == OK);
    tx->type = CHAIN_TX_PROPOSAL_SUBMIT;
    tx->payload.proposal_submit.kind = (uint8_t)kind;
    tx->payload.proposal_submit.house = (uint8_t)(pick(h, 8) ? (who < BUILDER ? 1 : 2) : pick(h, 3));
    tx->payload.proposal_submit.target = count ? 0 : random_number(h, true);
    tx->payload.proposal_submit.stake = GOV_PROPOSAL_STAKE + pick(h, 5) - 1;
}

static bytes random_tx(history *h, unsigned who, uint64_t ahead)
{
    chain_tx tx = kit_tx(&h->k, who, CHAIN_TX_VOTE, ahead);
    uint64_t number = random_number(h, false);
    unsigned other = 1 + (unsigned)pick(h, VOTER_END);
    uint8_t house = (uint8_t)(pick(h, 10) ? (who < BUILDER ? 1 : 2) : pick(h, 3));
    switch (pick(h, 14)) {
    case 0:
        tx.type = CHAIN_TX_STAKE_ADD;
        tx.payload.stake_add.amount = pick(h, 10) ? pick(h, 1000000000) : KIT_BALANCE;
        break;
    case 1:
        tx.type = CHAIN_TX_STAKE_REMOVE;
        tx.payload.stake_remove.amount = pick(h, 2 * GOV_STAKE);
        break;
    case 2:
        tx.type = CHAIN_TX_STAKE_WITHDRAW;
        break;
    case 3:
    case 4:
    case 5:
        random_proposal(h, &tx, who);
        break;
    case 6:
        tx.type = CHAIN_TX_DELEGATE;
        tx.payload.delegate = (chain_tx_delegate){ .house = house, .to = kit_address(other) };
        break;
    case 7:
        tx.type = CHAIN_TX_UNDELEGATE;
        tx.payload.undelegate.house = house;
        break;
    case 8:
    case 9:
        tx.type = CHAIN_TX_VOTE_FOR;
        tx.payload.vote_for = (chain_tx_vote_for){ .proposal = number, .house = house, .voter = kit_address(delegator_of(h, who)) };
        break;
    case 10:
        tx.type = CHAIN_TX_TRANSFER;
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(other), .amount = pick(h, 2000000000) };
        break;
    default:
        tx.payload.vote = (chain_tx_vote){ .proposal = number, .choice = (uint8_t)(pick(h, 8) ? CHAIN_VOTE_YES : pick(h, 4)) };
    }
    return kit_sign(&tx, who);
}

#define LLU(x) ((unsigned long long)(x))

/* What ran and has to do with governance. */
static void record(const chain_tx *tx, uint64_t epoch)
{
    unsigned who = who_is(&tx->sender_address);
    chain_param_change changes[LIMIT_PROPOSAL_CHANGES_N];
    size_t count = 0;
    const chain_tx_proposal_submit *p = &tx->payload.proposal_submit;
    switch (tx->type) {
    case CHAIN_TX_STAKE_ADD:
        put(",\n  {\"epoch\": %llu, \"step\": \"stake\", \"who\": %u, \"change\": %llu}", LLU(epoch), who, LLU(tx->payload.stake_add.amount));
        break;
    case CHAIN_TX_STAKE_REMOVE:
        put(",\n  {\"epoch\": %llu, \"step\": \"stake\", \"who\": %u, \"change\": -%llu}", LLU(epoch), who, LLU(tx->payload.stake_remove.amount));
        break;
    case CHAIN_TX_PROPOSAL_SUBMIT:
        if (p->kind != CHAIN_PROPOSAL_ROLLBACK)
            CHECK(chain_changes_decode(changes, &count, p->changes, NULL) == OK);
        put(",\n  {\"epoch\": %llu, \"step\": \"propose\", \"who\": %u, \"kind\": %u, \"target\": %llu, \"changes\": [", LLU(epoch), who, p->kind,
            LLU(p->target));
        for (size_t i = 0; i < count; i++)
            put("%s[%u, %llu]", i ? ", " : "", chain_param_rows[changes[i].param].number, LLU(changes[i].value));
        put("]}");
        break;
    case CHAIN_TX_VOTE:
        put(",\n  {\"epoch\": %llu, \"step\": \"vote\", \"who\": %u, \"proposal\": %llu, \"choice\": %u}", LLU(epoch), who,
            LLU(tx->payload.vote.proposal), tx->payload.vote.choice);
        break;
    case CHAIN_TX_VOTE_FOR:
        put(",\n  {\"epoch\": %llu, \"step\": \"vote_for\", \"who\": %u, \"proposal\": %llu, \"house\": %u, \"voter\": %u}", LLU(epoch), who,
            LLU(tx->payload.vote_for.proposal), tx->payload.vote_for.house, who_is(&tx->payload.vote_for.voter));
        break;
    default:
        break;
    }
}

static void record_badge(uint64_t epoch, unsigned who, uint8_t markets, bool builder, uint32_t months, uint32_t reputation_ppm)
{
    put(",\n  {\"epoch\": %llu, \"step\": \"identity\", \"who\": %u, \"markets\": %u, \"builder\": %u, \"months\": %u, \"reputation_ppm\": %u}",
        LLU(epoch), who, markets, builder, months, reputation_ppm);
}

static void check_event(history *h, const chain_event *e)
{
    uint64_t epoch = gov_now(&h->k); /* the one that begins with the next block */
    if (e->type == CHAIN_EVENT_STAKE_RELEASED) {
        chain_event_stake_released r = e->data.stake_released;
        assert_int_equal(h->released[r.proposal]++, 0);
        assert_int_equal(r.returned + r.burned, h->staked[r.proposal]);
        assert_true(r.burned == 0 || gov_proposal(&h->k, r.proposal)->status == CHAIN_PROPOSAL_REJECTED);
    } else if (e->type == CHAIN_EVENT_PROPOSAL_MOVED) {
        chain_event_proposal_moved m = e->data.proposal_moved;
        ended[m.status]++;
        if (m.status == CHAIN_PROPOSAL_TIMELOCKED)
            h->timelocked[m.proposal] = epoch;
    } else if (e->type == CHAIN_EVENT_PARAM_CHANGED) {
        uint64_t by = e->data.param_changed.proposal;
        changed++;
        assert_true(h->timelocked[by] && epoch >= h->timelocked[by] + param(h->k.c, CHAIN_PARAM_GOV_TIMELOCK_MIN));
        assert_true(epoch >= gov_proposal(&h->k, by)->activate_epoch);
    } else if (e->type == CHAIN_EVENT_VOTED) {
        const chain_row_vote *v = chain_vote(h->k.c, e->data.voted.proposal, 1, (chain_house_id)e->data.voted.house, &e->data.voted.voter);
        delegated_votes += v && !v->direct;
    }
}

static void check(history *h, const chain_params *before)
{
    kit *k = &h->k;
    chain_params now;
    bool change = false, said = false;
    gov_audit(k);
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++) {
        now.v[i] = param(k->c, (chain_param)i);
        change |= now.v[i] != before->v[i];
        if (chain_param_rows[i].changer == CHAIN_CHANGER_NOBODY)
            assert_int_equal(now.v[i], before->v[i]);
    }
    assert_int_equal(chain_params_check(&now, NULL), OK);
    for (uint64_t n = 1; n <= chain_governance(k->c)->proposals; n++)
        if (!h->staked[n])
            h->staked[n] = gov_proposal(k, n)->stake;
    for (size_t i = 0; i < k->result.event_count; i++) {
        said |= k->result.events[i].type == CHAIN_EVENT_PARAM_CHANGED;
        check_event(h, &k->result.events[i]);
    }
    assert_true(said || !change);
    assert_true(!said || chain_head(k->c)->height % GOV_EPOCH == 0);
    for (size_t i = 0; i < k->result.tx_count; i++)
        *(k->result.txs[i].code == OK ? &h->ran : &h->failed) += 1;
}

static void one_block(history *h)
{
    kit *k = &h->k;
    bytes txs[16];
    size_t n = 0;
    chain_params before;
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        before.v[i] = param(k->c, (chain_param)i);
    for (unsigned who = OPERATOR; who < VOTER_END; who++)
        for (uint64_t ahead = 0; ahead < 2 && pick(h, 2); ahead++)
            txs[n++] = random_tx(h, who, ahead);
    if (pick(h, 6) == 0) {
        unsigned who = OPERATOR + (unsigned)pick(h, VOTER_END - OPERATOR);
        uint8_t markets = (uint8_t)(who < BUILDER ? pick(h, 16) : 0);
        bool builder = who >= BUILDER && pick(h, 6);
        uint32_t months = (uint32_t)pick(h, 30), reputation = (uint32_t)pick(h, 1000001);
        record_badge(gov_now(k), who, markets, builder, months, reputation);
        gov_badge(k, who, markets, builder, months, reputation);
    } else if (pick(h, 4) == 0) {
        hash256 root = chain_head(k->c)->state_root;
        assert_int_equal(kit_execute(k, txs, n, false, NULL), OK);
        chain_abort(k->c);
        gov_audit(k);
        assert_true(hash256_equal(&root, &chain_head(k->c)->state_root));
    }
    uint64_t epoch = gov_now(k);
    assert_int_equal(kit_block(k, txs, n), OK);
    for (size_t i = 0; recording && i < n; i++) {
        chain_tx tx;
        CHECK(chain_tx_decode(&tx, txs[i], NULL) == OK);
        if (k->result.txs[i].code == OK)
            record(&tx, epoch);
    }
    check(h, &before);
}

enum { ENOUGH = 40 }; /* histories that do all kinds of things between them */
static unsigned histories = ENOUGH;

static void random_histories(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= histories; seed++) {
        static history h;
        memset(&h, 0, sizeof h);
        h.seed = seed;
        gov_start(&h.k, rules);
        for (unsigned i = 0; i < BLOCKS; i++)
            one_block(&h);
        assert_true(h.ran > 100 && h.failed > 50);
        for (uint64_t n = 1; n <= chain_governance(h.k.c)->proposals; n++)
            assert_int_equal(h.released[n] + (gov_proposal(&h.k, n)->stake > 0), 1);
        kit_stop(&h.k);
    }
    printf("%u histories: %llu changes; rejected %llu, failed %llu, activated %llu, rolled back %llu, in force %llu, expired %llu; %llu votes by delegates\n",
           histories, (unsigned long long)changed, (unsigned long long)ended[CHAIN_PROPOSAL_REJECTED], (unsigned long long)ended[CHAIN_PROPOSAL_FAILED],
           (unsigned long long)ended[CHAIN_PROPOSAL_ACTIVATED], (unsigned long long)ended[CHAIN_PROPOSAL_ROLLED_BACK],
           (unsigned long long)ended[CHAIN_PROPOSAL_IN_FORCE], (unsigned long long)ended[CHAIN_PROPOSAL_EXPIRED], (unsigned long long)delegated_votes);
    if (histories < ENOUGH)
        return;
    assert_true(changed > 20 && ended[CHAIN_PROPOSAL_REJECTED] > 20 && ended[CHAIN_PROPOSAL_ACTIVATED] > 20 && delegated_votes > 5);
    assert_true(ended[CHAIN_PROPOSAL_ROLLED_BACK] > 5 && ended[CHAIN_PROPOSAL_IN_FORCE] > 2 && ended[CHAIN_PROPOSAL_EXPIRED] > 2);
}

static void put_proposal(uint64_t n, const chain_row_proposal *p)
{
    put("%s\n  {\"kind\": %u, \"class\": %u, \"electorate\": %u, \"status\": %u, \"round\": %u, \"snapshot_epoch\": %llu, \"vote_start\": %llu, "
        "\"vote_end\": %llu, \"activate_epoch\": %llu, \"expire_epoch\": %llu, \"held\": %u,\n   \"operators\": [%llu, %llu, %llu, %llu], "
        "\"builders\": [%llu, %llu, %llu, %llu]}",
        n > 1 ? "," : "", p->kind, p->class, p->electorate, p->status, p->round, LLU(p->snapshot_epoch), LLU(p->vote_start), LLU(p->vote_end),
        LLU(p->activate_epoch), LLU(p->expire_epoch), p->stake > 0, LLU(p->eligible_operators), LLU(p->cast_operators), LLU(p->yes_operators),
        LLU(p->no_operators), LLU(p->eligible_builders), LLU(p->cast_builders), LLU(p->yes_builders), LLU(p->no_builders));
}

/* Accounts 4 and 5 are one person, and citizens. */
static void make_vectors(void)
{
    static history h;
    memset(&h, 0, sizeof h);
    h.seed = 10;
    gov_start(&h.k, rules);
    recording = true;
    text_len = 0;
    put("{\"comment\": \"made by chain_gov_random_test print; replayed by src/chain/gov/gov_vectors.py\",\n \"params\": [");
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        put("%s[%u, %llu]", i ? ", " : "", chain_param_rows[i].number, LLU(param(h.k.c, (chain_param)i)));
    put("],\n \"persons\": [[4, 5]], \"regions\": [[4, 40], [5, 40]],\n \"steps\": [\n  {\"epoch\": 1, \"step\": \"start\"}");
    for (unsigned who = OPERATOR; who < VOTER_END; who++) { /* as gov_start has done it, in block `who` */
        uint64_t epoch = (who + GOV_EPOCH - 1) / GOV_EPOCH;
        record_badge(epoch, who, who < BUILDER ? ALL_MARKETS : 0, who >= BUILDER, 12, 800000);
        put(",\n  {\"epoch\": %llu, \"step\": \"stake\", \"who\": %u, \"change\": %llu}", LLU(epoch), who, LLU(GOV_STAKE));
    }
    for (unsigned who = 4; who <= 5; who++) {
        chain_tx tx = kit_tx(&h.k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = 40, .expiry_height = 100000 };
        assert_int_equal(kit_run(&h.k, &tx, KIT_ISSUER), OK);
    }
    for (unsigned i = 0; i < 4 * BLOCKS; i++)
        one_block(&h);
    while (chain_head(h.k.c)->height % GOV_EPOCH)
        kit_advance(&h.k, 1);
    put(",\n  {\"epoch\": %llu, \"step\": \"end\"}\n ],\n \"proposals\": [", LLU(chain_head(h.k.c)->height / GOV_EPOCH));
    for (uint64_t n = 1; n <= chain_governance(h.k.c)->proposals; n++)
        put_proposal(n, gov_proposal(&h.k, n));
    put("\n ],\n \"values\": [");
    for (unsigned i = 0; i < CHAIN_PARAM_COUNT; i++)
        put("%s[%u, %llu]", i ? ", " : "", chain_param_rows[i].number, LLU(param(h.k.c, (chain_param)i)));
    put("]\n}\n");
    recording = false;
    kit_stop(&h.k);
}

static void vectors(void **state)
{
    (void)state;
    make_vectors();
    FILE *file = fopen(TB_SOURCE_DIR "/spec/vectors/governance.json", "rb");
    assert_non_null(file);
    static char stored[sizeof text];
    size_t n = fread(stored, 1, sizeof stored, file);
    (void)fclose(file);
    assert_int_equal(n, text_len);
    assert_memory_equal(stored, text, n);
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "print") == 0) {
        make_vectors();
        return fwrite(text, 1, text_len, stdout) == text_len ? 0 : 1;
    }
    if (argc == 2)
        histories = (unsigned)strtoul(argv[1], NULL, 10);
    const struct CMUnitTest tests[] = { cmocka_unit_test(random_histories), cmocka_unit_test(vectors) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
