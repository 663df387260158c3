/* SPDX-License-Identifier: Apache-2.0
 * Voters: stakes, power, its history, houses, delegation, and the windows in which a stake stands still. */
#include "chain/gov/gov_kit.h"
#include "chain/ident/ident.h"

static const chain_row_voter *voter(const kit *k, unsigned who)
{
    cr_address a = kit_address(who);
    const chain_row_voter *v = chain_voter(k->c, &a);
    assert_non_null(v);
    return v;
}

static gov_powers power_at(const kit *k, unsigned who, uint64_t epoch)
{
    cr_address a = kit_address(who);
    return chain_gov_powers_at(k->c, &a, epoch);
}

static void stakes(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, gov_short);
    chain_tx take = kit_tx(&k, 1, CHAIN_TX_STAKE_WITHDRAW, 0);
    EXPECT_ERR(gov_stake(&k, 1, 0), ERR_RANGE, "stake_add.amount");
    EXPECT_ERR(gov_stake(&k, 1, KIT_BALANCE), ERR_FUNDS, "stake_add.amount");
    EXPECT_ERR(gov_unstake(&k, 1, 1), ERR_FUNDS, "stake_remove.amount");
    assert_int_equal(gov_stake(&k, 1, 500), OK);
    assert_int_equal(gov_stake(&k, 1, 500), OK);
    assert_int_equal(chain_supply(k.c)->stakes, 1000);
    EXPECT_ERR(gov_unstake(&k, 1, 1001), ERR_FUNDS, "stake_remove.amount");
    EXPECT_ERR(gov_unstake(&k, 1, 0), ERR_RANGE, "stake_remove.amount");
    assert_int_equal(gov_unstake(&k, 1, 300), OK);
    uint64_t first = chain_head(k.c)->height;
    assert_int_equal(voter(&k, 1)->stake, 700);
    assert_int_equal(voter(&k, 1)->unbonding, 300);
    assert_int_equal(gov_unstake(&k, 1, 200), OK); /* both wait from now on */
    assert_int_equal(voter(&k, 1)->unbond_height, first + 1 + 5);
    while (chain_head(k.c)->height < first + 4)
        kit_advance(&k, 1);
    take = kit_tx(&k, 1, CHAIN_TX_STAKE_WITHDRAW, 0);
    EXPECT_ERR(kit_run(&k, &take, 1), ERR_STATE, "voter.unbond_height");
    uint64_t before = kit_balance(&k, 1);
    take = kit_tx(&k, 1, CHAIN_TX_STAKE_WITHDRAW, 0);
    assert_int_equal(kit_run(&k, &take, 1), OK);
    assert_int_equal(kit_balance(&k, 1), before + 500 - k.result.txs[0].fee);
    take = kit_tx(&k, 1, CHAIN_TX_STAKE_WITHDRAW, 0);
    EXPECT_ERR(kit_run(&k, &take, 1), ERR_NOT_FOUND, "voter.unbonding");
    assert_int_equal(chain_supply(k.c)->stakes, 500);
    gov_audit(&k);
    kit_stop(&k);
}

/* The power of each electorate by hand: isqrt(B x T), B in ppm. */
static void power(void **state)
{
    (void)state;
    static const struct {
        uint8_t  markets;
        bool     builder;
        uint32_t months, reputation_ppm;
        uint64_t stake, all, storage, ad, builders;
    } cases[] = {
        { 1, false, 24, 1000000, 1000000, 1000000, 1000000, 0, 0 },            /* B = 10^6 */
        { 1, false, 0, 1000000, 1000000, 707106, 707106, 0, 0 },               /* B = 500000 */
        { 9, false, 24, 1000000, 1000000, 1224744, 1000000, 1000000, 0 },      /* two badges: B = 1500000 */
        { 1, false, 240, 1000000, 1000000, 1000000, 1000000, 0, 0 },           /* months saturate */
        { 0, true, 24, 0, 4000000, 0, 0, 0, 1414213 },                          /* B = 500000 */
        { 0, false, 24, 1000000, 1000000, 0, 0, 0, 0 },                         /* no live badge, no say */
        { 15, true, 24, 1000000, 0, 0, 0, 0, 0 },                               /* no stake, no power */
        { 8, false, 12, 500000, 1000000000, 22360679, 0, 22360679, 0 },         /* B = 500000 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        kit_start(&k, gov_short);
        gov_badge(&k, 1, cases[i].markets, cases[i].builder, cases[i].months, cases[i].reputation_ppm);
        if (cases[i].stake)
            assert_int_equal(gov_stake(&k, 1, cases[i].stake), OK);
        else
            kit_advance(&k, 1);
        assert_int_equal(voter(&k, 1)->power_operators, cases[i].all);
        assert_int_equal(voter(&k, 1)->power_storage, cases[i].storage);
        assert_int_equal(voter(&k, 1)->power_energy, cases[i].markets == 15 ? cases[i].all : 0);
        assert_int_equal(voter(&k, 1)->power_ad, cases[i].ad);
        assert_int_equal(voter(&k, 1)->power_builders, cases[i].builders);
        assert_int_equal(chain_house(k.c, CHAIN_ELECTORATE_OPERATORS)->power, cases[i].all);
        assert_int_equal(chain_house(k.c, CHAIN_ELECTORATE_BUILDERS)->power, cases[i].builders);
        gov_audit(&k);
        kit_stop(&k);
    }
    kit k;
    kit_start(&k, gov_short);
    cr_address a = kit_address(1);
    chain_voter_inputs bad = { .reputation_ppm = 1000001 };
    fault f = { 0 };
    assert_int_equal(chain_voter_update(k.c, &a, &bad, 1, &f), ERR_RANGE);
    assert_string_equal(f.what, "voter.reputation_ppm");
    bad = (chain_voter_inputs){ .markets = 16 };
    assert_int_equal(chain_voter_update(k.c, &a, &bad, 1, &f), ERR_RANGE);
    kit_stop(&k);
}

/* Other mixes of token, service and reputation, by hand: B in ppm is the sum of each part times its weight, the power isqrt(B x T). */
static uint64_t mix[3];

static void mixed(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_WEIGHT_TOKEN] = mix[0];
    g->params.v[CHAIN_PARAM_GOV_WEIGHT_SERVICE] = mix[1];
    g->params.v[CHAIN_PARAM_GOV_WEIGHT_REPUTATION] = mix[2];
    g->params.v[CHAIN_PARAM_GOV_TOKEN_UNIT] = 1000000000;
}

static void weights(void **state)
{
    (void)state;
    /* Half of the full months, a quarter of the reputation, four units of token at stake: 4 x 10^9. */
    static const struct {
        uint64_t token, service, reputation, power;
    } cases[] = {
        { 0, 1000000, 0, 44721359 },      /* B = 500000 */
        { 0, 0, 1000000, 31622776 },      /* B = 250000 */
        { 1000000, 0, 0, 126491106 },     /* B = 4000000 */
        { 250000, 250000, 500000, 70710678 }, /* B = 1000000 + 125000 + 125000 */
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        mix[0] = cases[i].token, mix[1] = cases[i].service, mix[2] = cases[i].reputation;
        kit_start(&k, mixed);
        gov_badge(&k, 1, 1, false, 12, 250000);
        assert_int_equal(gov_stake(&k, 1, 4000000000), OK);
        assert_int_equal(voter(&k, 1)->power_operators, cases[i].power);
        gov_audit(&k);
        kit_stop(&k);
    }
}

static void low_cap(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_IDENTITY_CAP] = 600000;
}

static void cap(void **state)
{
    (void)state;
    kit k;
    kit_start(&k, low_cap);
    gov_badge(&k, 1, 1, true, 24, 1000000);
    assert_int_equal(gov_stake(&k, 1, 1000000), OK);
    assert_int_equal(voter(&k, 1)->power_operators, 600000);
    assert_int_equal(voter(&k, 1)->power_builders, 600000);
    assert_int_equal(chain_house(k.c, CHAIN_ELECTORATE_OPERATORS)->power, 600000);
    kit_stop(&k);
}

/* What a voter had at the end of each epoch, against a plain list, over more changes than there are places. */
static void checkpoints(void **state)
{
    (void)state;
    enum { CHANGES = 2000 };
    kit k;
    kit_start(&k, gov_short);
    static uint64_t had[2 * CHANGES + 10];
    uint64_t seed = 7, epoch = 1;
    for (unsigned i = 0; i < CHANGES; i++) {
        epoch = gov_now(&k);
        uint32_t months = (uint32_t)(kit_random(&seed) % 25);
        gov_badge(&k, 1, kit_random(&seed) % 8 ? 1 : 0, false, months, 300000);
        if (i == 0)
            assert_int_equal(gov_stake(&k, 1, 1000000000), OK);
        kit_advance(&k, 1);
        had[epoch] = voter(&k, 1)->power_operators;
        if (gov_now(&k) != epoch && kit_random(&seed) % 3 == 0) { /* an epoch without a change */
            kit_advance(&k, GOV_EPOCH);
            had[epoch + 1] = had[epoch];
        }
    }
    assert_true(voter(&k, 1)->checkpoints > LIMIT_VOTER_CHECKPOINTS);
    assert_int_equal(chain_row_count(k.c, CHAIN_TABLE_VOTER_AT), LIMIT_VOTER_CHECKPOINTS);
    uint64_t last = gov_now(&k) - 1;
    cr_address a = kit_address(1);
    chain_key key = chain_key_voter_at(&a, voter(&k, 1)->checkpoints); /* the oldest: its place is the next to be taken */
    const chain_row_voter_at *oldest = chain_row_get(k.c, CHAIN_TABLE_VOTER_AT, &key);
    assert_true(oldest->epoch + LIMIT_VOTER_CHECKPOINTS <= last);
    for (uint64_t e = oldest->epoch; e <= last; e++)
        assert_int_equal(power_at(&k, 1, e).v[CHAIN_ELECTORATE_OPERATORS], had[e]);
    assert_int_equal(power_at(&k, 1, 0).v[CHAIN_ELECTORATE_OPERATORS], 0);
    assert_int_equal(power_at(&k, 2, last).v[CHAIN_ELECTORATE_OPERATORS], 0);
    gov_audit(&k);
    kit_stop(&k);
}

static err delegate(kit *k, unsigned who, uint8_t house, unsigned to)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_DELEGATE, 0);
    tx.payload.delegate = (chain_tx_delegate){ .house = house, .to = kit_address(to) };
    return kit_run(k, &tx, who);
}

static err undelegate(kit *k, unsigned who, uint8_t house)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_UNDELEGATE, 0);
    tx.payload.undelegate.house = house;
    return kit_run(k, &tx, who);
}

static err vote_for(kit *k, unsigned who, uint64_t number, uint8_t house, unsigned voter_of)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_VOTE_FOR, 0);
    tx.payload.vote_for = (chain_tx_vote_for){ .proposal = number, .house = house, .voter = kit_address(voter_of) };
    return kit_run(k, &tx, who);
}

static void long_vote(chain_genesis *g)
{
    gov_short(g);
    g->params.v[CHAIN_PARAM_GOV_VOTING] = 20;
}

static void delegations(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, long_vote);
    EXPECT_ERR(delegate(&k, 1, 0, 2), ERR_RANGE, "delegate.house");
    EXPECT_ERR(delegate(&k, 1, 1, 1), ERR_ADDRESS, "delegate.to");
    EXPECT_ERR(delegate(&k, 7, 1, 2), ERR_NOT_FOUND, "voter");
    EXPECT_ERR(delegate(&k, 1, 1, BUILDER), ERR_PERMISSION, "delegate.to"); /* of the other house */
    EXPECT_ERR(undelegate(&k, 1, 1), ERR_NOT_FOUND, "undelegate.house");
    assert_int_equal(delegate(&k, 1, 1, 2), OK);
    EXPECT_ERR(delegate(&k, 3, 1, 1), ERR_STATE, "delegate.to");     /* no chains: neither to who delegates */
    EXPECT_ERR(delegate(&k, 2, 1, 3), ERR_STATE, "delegate.sender"); /* nor from who is delegated to */
    assert_int_equal(delegate(&k, 1, 1, 3), OK);                     /* another one */
    assert_int_equal(voter(&k, 2)->delegators_operators, 0);
    assert_int_equal(voter(&k, 3)->delegators_operators, 1);
    assert_int_equal(undelegate(&k, 1, 1), OK);
    assert_int_equal(delegate(&k, 1, 1, 2), OK);
    assert_int_equal(delegate(&k, 3, 1, 2), OK);
    gov_audit(&k);

    uint64_t n, p1, p2 = voter(&k, 2)->power_operators;
    p1 = voter(&k, 1)->power_operators;
    chain_param_change change = { CHAIN_PARAM_FEE_MIN, 1001 };
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &n), OK);
    EXPECT_ERR(vote_for(&k, 2, n, 1, 1), ERR_BUSY, "proposal.vote_start");
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    EXPECT_ERR(vote_for(&k, 2, n, 1, 1), ERR_NOT_FOUND, "vote_for.sender"); /* it has not voted itself */
    assert_int_equal(gov_vote(&k, 2, n, CHAIN_VOTE_NO), OK);
    assert_int_equal(gov_proposal(&k, n)->no_operators, p2);
    EXPECT_ERR(vote_for(&k, 4, n, 1, 1), ERR_PERMISSION, "vote_for.voter");
    EXPECT_ERR(vote_for(&k, 2, n, 2, 1), ERR_PERMISSION, "vote_for.voter");
    assert_int_equal(vote_for(&k, 2, n, 1, 1), OK);
    assert_int_equal(gov_proposal(&k, n)->no_operators, p1 + p2);
    EXPECT_ERR(gov_unstake(&k, 1, 1), ERR_STATE, "voter.lock_epoch"); /* what voted through a delegate stays, too */
    assert_int_equal(vote_for(&k, 2, n, 1, 1), OK); /* again: counts once */
    assert_int_equal(gov_proposal(&k, n)->no_operators, p1 + p2);
    gov_audit(&k);
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_YES), OK); /* a direct vote overrides */
    assert_int_equal(gov_proposal(&k, n)->no_operators, p2);
    assert_int_equal(gov_proposal(&k, n)->yes_operators, p1);
    EXPECT_ERR(vote_for(&k, 2, n, 1, 1), ERR_EXISTS, "vote_for.voter");
    assert_int_equal(undelegate(&k, 3, 1), OK);
    EXPECT_ERR(vote_for(&k, 2, n, 1, 3), ERR_PERMISSION, "vote_for.voter");
    gov_audit(&k);
    kit_stop(&k);
}

/* --- packs --- */

enum { RULER = 7, REGION = 756 };

static void with_ruler(chain_genesis *g)
{
    long_vote(g);
    g->authorities[0] = (chain_authority){ CHAIN_ROLE_PACKS, 0, kit_public(RULER) };
    g->authority_count = 1;
}

static void publish(kit *k, chain_tx_pack_publish p)
{
    chain_tx tx = kit_tx(k, RULER, CHAIN_TX_PACK_PUBLISH, 0);
    p.region = p.parent = REGION;
    tx.payload.pack_publish = p;
    assert_int_equal(kit_run(k, &tx, RULER), OK);
}

static err remove_ruler(kit *k, unsigned who)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_MEMBERSHIP_PROPOSE, 0);
    tx.payload.membership_propose = (chain_tx_membership_propose){ .house = 1, .action = CHAIN_MEMBERSHIP_AUTHORITY_REMOVE, .subject = kit_address(RULER),
                                                                   .role = CHAIN_ROLE_PACKS, .stake = GOV_PROPOSAL_STAKE };
    return kit_run(k, &tx, who);
}

/* A pack closes stakes and votes to its region and to nobody else; what is there comes back; and the vote that removes its authority is free. */
static void packs_rule_stakes_and_votes(void **state)
{
    (void)state;
    kit k;
    uint64_t n, removal, none;
    gov_start(&k, with_ruler);
    for (unsigned who = 1; who <= 2; who++) {
        chain_tx tx = kit_tx(&k, KIT_ISSUER, CHAIN_TX_KYC_ATTEST, 0);
        tx.payload.kyc_attest = (chain_tx_kyc_attest){ .subject = kit_address(who), .level = 1, .jurisdiction = REGION, .expiry_height = 100000,
                                                       .commitment = { { (uint8_t)who } } };
        assert_int_equal(kit_run(&k, &tx, KIT_ISSUER), OK);
    }
    assert_int_equal(delegate(&k, 2, 1, 3), OK);
    assert_int_equal(gov_propose(&k, 3, CHAIN_PROPOSAL_PARAMETERS, &fee, 1, 0, &n), OK);
    publish(&k, (chain_tx_pack_publish){ .version = 1, .features_off = 1u << CHAIN_FEATURE_STAKE | 1u << CHAIN_FEATURE_VOTE });
    EXPECT_ERR(gov_stake(&k, 1, 5), ERR_PERMISSION, "pack.features_off: stake");
    EXPECT_ERR(gov_propose(&k, 1, CHAIN_PROPOSAL_PARAMETERS, &storage, 1, 0, &none), ERR_PERMISSION, "pack.features_off: vote");
    EXPECT_ERR(delegate(&k, 1, 1, 3), ERR_PERMISSION, "pack.features_off: vote");
    assert_int_equal(remove_ruler(&k, 1), OK);
    removal = chain_governance(k.c)->proposals;
    assert_int_equal(removal, n + 1);
    gov_until(&k, gov_proposal(&k, removal)->vote_start);
    EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_NO), ERR_PERMISSION, "pack.features_off: vote");
    assert_int_equal(gov_vote(&k, 3, n, CHAIN_VOTE_YES), OK); /* of no region */
    EXPECT_ERR(vote_for(&k, 3, n, 1, 2), ERR_PERMISSION, "pack.features_off: vote");
    assert_int_equal(gov_vote(&k, 3, removal, CHAIN_VOTE_YES), OK);
    assert_int_equal(vote_for(&k, 3, removal, 1, 2), OK);
    assert_int_equal(gov_vote(&k, 1, removal, CHAIN_VOTE_YES), OK);
    assert_int_equal(undelegate(&k, 2, 1), OK);
    publish(&k, (chain_tx_pack_publish){ .version = 2, .consent_required = 1, .text = { { 1 } } });
    EXPECT_ERR(gov_vote(&k, 1, n, CHAIN_VOTE_NO), ERR_PERMISSION, "pack.consent: vote");
    EXPECT_ERR(gov_stake(&k, 1, 5), ERR_PERMISSION, "pack.consent: stake");
    chain_tx tx = kit_tx(&k, 1, CHAIN_TX_PACK_CONSENT, 0);
    tx.payload.pack_consent = (chain_tx_pack_consent){ .region = REGION, .version = 2 };
    assert_int_equal(kit_run(&k, &tx, 1), OK);
    assert_int_equal(gov_vote(&k, 1, n, CHAIN_VOTE_NO), OK);
    publish(&k, (chain_tx_pack_publish){ .version = 3, .features_off = 127 });
    gov_votes(&k, BUILDER, VOTER_END, removal, CHAIN_VOTE_YES);
    gov_until(&k, gov_proposal(&k, removal)->vote_end);
    assert_int_equal(gov_unstake(&k, 1, 7), OK); /* the last vote that it took part in is over: the stake goes */
    gov_until(&k, gov_proposal(&k, removal)->activate_epoch);
    cr_address ruler = kit_address(RULER);
    assert_null(chain_authority_get(k.c, CHAIN_ROLE_PACKS, &ruler));
    gov_audit(&k);
    kit_stop(&k);
}

static chain_tx registration(const kit *k, unsigned who)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_WORKER_REGISTER, 0);
    tx.payload.worker_register = (chain_tx_worker_register){ .bond = 10000001, .blocktorch_version = 1 << 10,
        .supported_backends = CHAIN_BACKEND_CPU, .max_model_parameters = 1000000, .max_batch_size = 8,
        .measured_throughput = 5000, .proof_overhead_ppm = 1 };
    return tx;
}

static err register_worker(kit *k, unsigned who)
{
    chain_tx tx = registration(k, who);
    return kit_run(k, &tx, who);
}

/* Who voted yes, and who proposed, stands still before the change acts; others, other markets and other times do not. */
static void blind_windows(void **state)
{
    (void)state;
    static const struct {
        chain_param p;
        err         registers;
    } cases[] = { { CHAIN_PARAM_COMPUTE_UTIL_TARGET, ERR_STATE }, { CHAIN_PARAM_ENERGY_UTIL_TARGET, OK }, { CHAIN_PARAM_SUBSIDY_ALPHA, ERR_STATE } };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        kit k;
        gov_start(&k, NULL);
        uint64_t n;
        chain_param_change change = { cases[i].p, 700 + (i < 2 ? 4000 : 0) };
        assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &n), OK);
        gov_until(&k, gov_proposal(&k, n)->vote_start);
        gov_votes(&k, 2, 4, n, CHAIN_VOTE_YES);
        gov_votes(&k, BUILDER, BUILDER + 2, n, CHAIN_VOTE_YES);
        assert_int_equal(gov_vote(&k, BUILDER + 2, n, CHAIN_VOTE_NO), OK);
        gov_until(&k, gov_proposal(&k, n)->vote_end);
        assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_TIMELOCKED);
        assert_int_equal(gov_stake(&k, 2, 5), OK); /* two epochs before: not frozen yet */
        gov_until(&k, gov_proposal(&k, n)->activate_epoch - 1);
        EXPECT_ERR(gov_stake(&k, 2, 5), ERR_STATE, "gov.freeze");
        gov_until(&k, gov_proposal(&k, n)->activate_epoch);
        assert_int_equal(gov_proposal(&k, n)->status, CHAIN_PROPOSAL_ACTIVATED);
        assert_int_equal(gov_stake(&k, 2, 5), OK);
        kit_stop(&k);

        static const struct { unsigned who; bool bound; } who[] = { { OPERATOR, true }, { 2, true }, { BUILDER, true }, { BUILDER + 2, false }, { 7, false } };
        for (size_t w = 0; w < COUNT_OF(who); w++) {
            gov_start(&k, NULL);
            if (w == 1) /* who is a worker already may top its bond up */
                assert_int_equal(register_worker(&k, 2), OK);
            assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &n), OK);
            gov_until(&k, gov_proposal(&k, n)->vote_start);
            gov_votes(&k, 2, 4, n, CHAIN_VOTE_YES);
            gov_votes(&k, BUILDER, BUILDER + 2, n, CHAIN_VOTE_YES);
            assert_int_equal(gov_vote(&k, BUILDER + 2, n, CHAIN_VOTE_NO), OK);
            gov_until(&k, gov_proposal(&k, n)->vote_end + 1);
            EXPECT_ERR(register_worker(&k, who[w].who), who[w].bound && w != 1 ? cases[i].registers : OK, "gov.freeze");
            EXPECT_ERR(gov_unstake(&k, who[w].who, 5), who[w].bound ? ERR_STATE : w == 4 ? ERR_FUNDS : OK, w == 4 ? "stake_remove.amount" : "gov.freeze");
            kit_stop(&k);
        }
    }
}

static bool disclosed(kit *k, unsigned who, uint64_t amount)
{
    chain_tx tx = kit_tx(k, who, CHAIN_TX_TRANSFER, 0);
    tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(0), .amount = amount };
    assert_int_equal(kit_run(k, &tx, who), OK);
    for (size_t i = 0; i < k->result.event_count; i++)
        if (k->result.events[i].type == CHAIN_EVENT_POSITION_DISCLOSED) {
            assert_int_equal(k->result.events[i].data.position_disclosed.amount, amount);
            return true;
        }
    return false;
}

/* The least amount that is 0.1 % of the supply. */
static uint64_t edge(const kit *k)
{
    return (chain_supply(k->c)->minted - chain_supply(k->c)->burned + 999) / 1000;
}

static void disclosure(void **state)
{
    (void)state;
    kit k;
    gov_start(&k, NULL);
    uint64_t n;
    chain_param_change change = { CHAIN_PARAM_FEE_MIN, 1001 };
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &n), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, 2, VOTER_END - 1, n, CHAIN_VOTE_YES);
    assert_int_equal(gov_vote(&k, VOTER_END - 1, n, CHAIN_VOTE_NO), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_end);
    assert_false(disclosed(&k, 2, edge(&k)));
    gov_until(&k, gov_proposal(&k, n)->activate_epoch - 1);
    assert_true(disclosed(&k, 2, edge(&k)));
    assert_false(disclosed(&k, 3, edge(&k) - 1));
    gov_until(&k, gov_proposal(&k, n)->activate_epoch);
    assert_false(disclosed(&k, 2, edge(&k)));
    kit_stop(&k);
    gov_start(&k, NULL); /* who voted no knows as much; who did neither does not count */
    assert_int_equal(gov_propose(&k, OPERATOR, CHAIN_PROPOSAL_PARAMETERS, &change, 1, 0, &n), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_start);
    gov_votes(&k, 2, VOTER_END - 1, n, CHAIN_VOTE_YES);
    assert_int_equal(gov_vote(&k, VOTER_END - 1, n, CHAIN_VOTE_NO), OK);
    gov_until(&k, gov_proposal(&k, n)->vote_end + 1);
    bytes txs[3];
    static const unsigned who[] = { VOTER_END - 1, OPERATOR, 7 };
    for (size_t i = 0; i < 3; i++) {
        chain_tx tx = kit_tx(&k, who[i], CHAIN_TX_TRANSFER, 0);
        tx.payload.transfer = (chain_tx_transfer){ .to = kit_address(0), .amount = edge(&k) };
        txs[i] = kit_sign(&tx, who[i]);
    }
    assert_int_equal(kit_block(&k, txs, 3), OK);
    for (size_t i = 0; i < 3; i++) {
        bool found = false;
        for (uint32_t e = 0; e < k.result.txs[i].event_count; e++)
            found |= k.result.events[k.result.txs[i].event_first + e].type == CHAIN_EVENT_POSITION_DISCLOSED;
        assert_int_equal(found, i < 2);
    }
    kit_stop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(stakes), cmocka_unit_test(power), cmocka_unit_test(weights), cmocka_unit_test(cap), cmocka_unit_test(checkpoints),
                                        cmocka_unit_test(delegations), cmocka_unit_test(packs_rule_stakes_and_votes),
                                        cmocka_unit_test(blind_windows), cmocka_unit_test(disclosure) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
