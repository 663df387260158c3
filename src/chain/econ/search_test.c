/* SPDX-License-Identifier: Apache-2.0
 * A seeded search for an income without customers. A coalition of two identified providers of one market buys from itself, keeps its market in
 * distress to raise its share, works in bursts, proves capacity once and then stands by for ever: whatever pattern the search finds, what it gets out of the
 * pool is at most what its work costs by reference. Its payments to itself come back to it, so they do not count; that a worker with real costs
 * below the reference gains shows that the search finds what there is to find. */
#include "chain/econ/market_kit.h"

enum { ACTIVE = 6, TAIL = 12, TRIES = 40, STEPS = 40 };

/* What the coalition does. */
typedef struct plan {
    uint8_t market;
    uint8_t work[ACTIVE][2];  /* by identity: so many tenths of the base; 0: it lets its market starve */
    uint8_t price[ACTIVE];    /* paid to itself: so many quarters of the reference cost */
    bool    stands_by[2];
    bool    others_busy;      /* the world: other markets are in use */
    uint8_t honest;           /* tenths of the base that an honest provider of its market sells */
} plan;

static const uint64_t base[ECON_MARKETS] = { 1024000, 1000000000, 100000, 100000 };

static plan draw_plan(uint64_t *seed)
{
    plan p = { .market = (uint8_t)(kit_random(seed) % ECON_MARKETS), .others_busy = kit_random(seed) % 2, .honest = (uint8_t)(kit_random(seed) % 3 * 5) };
    for (unsigned e = 0; e < ACTIVE; e++) {
        p.price[e] = (uint8_t)(kit_random(seed) % 9);
        for (unsigned i = 0; i < 2; i++)
            p.work[e][i] = (uint8_t)(kit_random(seed) % 3 ? 0 : kit_random(seed) % 21);
    }
    p.stands_by[0] = kit_random(seed) % 4;
    p.stands_by[1] = kit_random(seed) % 4;
    return p;
}

static plan mutated(const plan *from, uint64_t *seed)
{
    plan p = *from, other = draw_plan(seed);
    unsigned e = (unsigned)(kit_random(seed) % ACTIVE);
    switch (kit_random(seed) % 5) {
    case 0: p.price[e] = other.price[e]; break;
    case 1: memcpy(p.work[e], other.work[e], sizeof p.work[e]); break;
    case 2: p.stands_by[0] = p.stands_by[1] = true; break;
    case 3: p.others_busy = other.others_busy; break;
    default: p.honest = other.honest; break;
    }
    return p;
}

static void trade(kit *k, const plan *p, unsigned epoch)
{
    for (unsigned m = 0; m < ECON_MARKETS; m++)
        if (m != p->market && p->others_busy)
            provider_works(k, m, 3, base[m], 3 * chain_reference_cost(k->c, m, base[m]) / 2);
    if (p->honest)
        provider_works(k, p->market, 3, base[p->market] / 10 * p->honest, chain_reference_cost(k->c, p->market, base[p->market] / 10 * p->honest));
    for (unsigned i = 0; epoch < ACTIVE && i < 2; i++) {
        uint64_t units = base[p->market] / 10 * p->work[epoch][i];
        if (units)
            provider_works(k, p->market, 1 + i, units, chain_reference_cost(k->c, p->market, units) / 4 * p->price[epoch]);
    }
}

/* What the coalition got out of the pool, and what its work cost. */
static void play(const plan *p, uint64_t *got, uint64_t *cost)
{
    kit k;
    kit_start(&k, short_epochs);
    for (unsigned who = 1; who <= 3; who++) {
        give_kyc(&k, who, 276);
        for (unsigned m = 0; m < ECON_MARKETS; m++)
            provider_joins(&k, m, who, 1000000);
    }
    finish_epoch(&k);
    *cost = 0;
    for (unsigned e = 0; e < ACTIVE + TAIL; e++) {
        for (unsigned i = 0; e < ACTIVE && i < 2; i++)
            *cost += chain_reference_cost(k.c, p->market, base[p->market] / 10 * p->work[e][i]);
        trade(&k, p, e);
        do {
            kit_advance(&k, 1);
            for (unsigned i = 0; i < 2 && chain_head(k.c)->height % EPOCH; i++)
                if (p->stands_by[i])
                    (void)stand_by(&k, p->market, 1 + i);
        } while (chain_head(k.c)->height % EPOCH);
    }
    finish_epoch(&k);
    *got = 0;
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned m = 0; m < ECON_MARKETS; m++)
            *got += provider_row(&k, m, 1 + i)->subsidies;
        /* What it will get for ever after, its capacity decaying: a geometric series, at the best rate. */
        if (p->stands_by[i])
            *got += chain_reference_cost(k.c, p->market, provider_row(&k, p->market, 1 + i)->capacity) * param(k.c, CHAIN_PARAM_SUBSIDY_READY) /
                    (PPM - param(k.c, CHAIN_PARAM_CAPACITY_KEEP));
    }
    fault f = { 0 };
    assert_int_equal(chain_audit(k.c, &f), OK);
    kit_stop(&k);
}

/* ppm of its cost; a plan without work has none and must have no income. */
static uint64_t yield(const plan *p)
{
    uint64_t got, cost;
    play(p, &got, &cost);
    assert_true(cost > 0 || got == 0);
    return cost ? (uint64_t)((u128)got * PPM / cost) : 0;
}

static void nothing_found_pays(void **state)
{
    (void)state;
    uint64_t seed = 20261201, best = 0;
    plan found = { 0 };
    for (unsigned i = 0; i < TRIES + STEPS; i++) {
        plan p = i < TRIES ? draw_plan(&seed) : mutated(&found, &seed);
        uint64_t now = yield(&p);
        if (now > PPM)
            fail_msg("market %u: %llu ppm of the cost", p.market, (unsigned long long)now);
        if (now >= best) {
            best = now;
            found = p;
        }
    }
    print_message("best of %d patterns: %llu ppm of what its work costs (market %u)\n", TRIES + STEPS, (unsigned long long)best, found.market);
    assert_true(best > 700000); /* the search looks where the income is */
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(nothing_found_pays) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
