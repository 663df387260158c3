/* SPDX-License-Identifier: Apache-2.0
 * Reputation of providers (Rec. 1.1): the law stands in econ/reputation.h; here is what it is fed with. */
#include "chain/ident/ident_int.h"
#include "econ/reputation.h"
#include "econ/split.h"

/* The governed weights against each other, as shares that add up. */
static err law_of(const chain *c, econ_reputation_params *p, fault *f)
{
    const uint64_t weights[] = { param(c, CHAIN_PARAM_REPUTATION_UPTIME), param(c, CHAIN_PARAM_REPUTATION_QUALITY),
                                 param(c, CHAIN_PARAM_REPUTATION_LATENCY), param(c, CHAIN_PARAM_REPUTATION_VERIFICATION) };
    uint64_t parts[COUNT_OF(weights)];
    TRY(econ_split(parts, PPM, weights, COUNT_OF(weights), f));
    *p = (econ_reputation_params){
        .weights = { (uint32_t)parts[0], (uint32_t)parts[1], (uint32_t)parts[2], (uint32_t)parts[3] },
        .keep_ppm = (uint32_t)param(c, CHAIN_PARAM_REPUTATION_KEEP),
        .earn_ppm = (uint32_t)param(c, CHAIN_PARAM_REPUTATION_EARN),
        .lose_ppm = (uint32_t)param(c, CHAIN_PARAM_REPUTATION_LOSE),
    };
    return OK;
}

/* floor(10^6 x share / whole). */
static uint32_t ppm_of(uint64_t share, uint64_t whole)
{
    return (uint32_t)((u128)share * PPM / whole);
}

/* Full up to the latency of a good epoch, falling to nothing at twice it. */
static uint32_t latency_ppm(uint64_t latency, uint64_t good)
{
    return latency <= good ? PPM : latency >= 2 * good ? 0 : ppm_of(2 * good - latency, good);
}

/* What was not measured counts as the weighted mean of what was: it neither helps nor harms. */
static econ_contribution measure(const chain *c, const chain_service_epoch *e, const econ_contribution *w)
{
    const uint64_t asked = e->answered + e->missed, proofs = e->proofs_ok + e->proofs_failed;
    const struct {
        bool     measured;
        uint32_t weight, ppm;
    } all[] = {
        { asked > 0, w->uptime_ppm, asked ? ppm_of(e->answered, asked) : 0 },
        { e->served > 0, w->quality_ppm, e->served ? ppm_of(e->served - e->spoiled, e->served) : 0 },
        { e->answered > 0, w->latency_ppm, latency_ppm(e->latency_p95_blocks, param(c, CHAIN_PARAM_BADGE_LATENCY)) },
        { proofs > 0, w->verification_ppm, proofs ? ppm_of(e->proofs_ok, proofs) : 0 },
    };
    uint64_t sum = 0, weight = 0;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        sum += all[i].measured ? (uint64_t)all[i].weight * all[i].ppm : 0;
        weight += all[i].measured ? all[i].weight : 0;
    }
    uint32_t mean = weight ? (uint32_t)(sum / weight) : 0, got[COUNT_OF(all)];
    for (size_t i = 0; i < COUNT_OF(all); i++)
        got[i] = all[i].measured ? all[i].ppm : mean;
    return (econ_contribution){ .uptime_ppm = got[0], .quality_ppm = got[1], .latency_ppm = got[2], .verification_ppm = got[3] };
}

err chain_reputation_record(chain *c, chain_row_badge *row, const chain_service_epoch *e, fault *f)
{
    econ_reputation_params p;
    q32 contribution, score, before;
    bool eligible = row->eligible;
    TRY(law_of(c, &p, f));
    econ_contribution measured = measure(c, e, &p.weights);
    TRY(econ_contribution_score(&contribution, &measured, &p, f));
    const uint64_t epochs = e->epoch - row->recorded_epoch;
    TRY(econ_reputation_decay(&before, (q32)row->score, epochs - 1, &p, f));
    TRY(econ_eligible_next(&eligible, before, &p, f)); /* it may have fallen while nothing was recorded */
    TRY(econ_reputation_next(&score, (q32)row->score, epochs, contribution, &p, f));
    TRY(econ_eligible_next(&eligible, score, &p, f));
    row->score = (uint64_t)score;
    row->eligible = eligible;
    return OK;
}

q32 chain_reputation_of_row(const chain *c, const chain_row_badge *row, uint64_t epoch)
{
    econ_reputation_params p;
    q32 score;
    uint64_t epochs = epoch > row->recorded_epoch + 1 ? epoch - row->recorded_epoch - 1 : 0;
    CHECK(law_of(c, &p, NULL) == OK && econ_reputation_decay(&score, (q32)row->score, epochs, &p, NULL) == OK);
    return score;
}

static const chain_row_badge *row_of(const chain *c, econ_market m, const cr_address *a)
{
    chain_key key = chain_key_badge((uint8_t)m, CHAIN_BADGE_OPERATOR, a);
    return chain_row_get(c, CHAIN_TABLE_BADGE, &key);
}

q32 chain_reputation_at(const chain *c, econ_market m, const cr_address *a, uint64_t epoch)
{
    const chain_row_badge *row = row_of(c, m, a);
    return row ? chain_reputation_of_row(c, row, epoch) : 0;
}

bool chain_reputation_eligible(const chain *c, econ_market m, const cr_address *a, uint64_t epoch)
{
    const chain_row_badge *row = row_of(c, m, a);
    return row && row->eligible && chain_reputation_of_row(c, row, epoch) >= (q32)param(c, CHAIN_PARAM_REPUTATION_LOSE) * Q32_ONE;
}
