/* SPDX-License-Identifier: Apache-2.0 */
#include "laws.h"

#include "econ/adsplit.h"
#include "econ/baseline.h"
#include "econ/diversity.h"
#include "econ/health.h"
#include "econ/issuance.h"
#include "econ/median.h"
#include "econ/multiplier.h"
#include "econ/reputation.h"
#include "econ/risk.h"
#include "econ/split.h"
#include "econ/subsidy.h"
#include "econ/tariff.h"
#include "econ/voting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One question: integers are read from `at`, in the order of the IN lines, and the answer is written behind `out`. */
typedef struct io {
    const char *at;
    char       *out;
    size_t      len;
    uint64_t    last;
    bool        bad; /* too few, too many, or one that its field cannot hold */
} io;

static uint64_t next(io *q)
{
    char *end = NULL;
    errno = 0;
    if (*q->at == '-')
        q->last = (uint64_t)strtoll(q->at, &end, 10);
    else
        q->last = strtoull(q->at, &end, 10);
    if (end == q->at || errno != 0)
        q->bad = true;
    q->at = end + strspn(end, " \n");
    return q->last;
}

#define IN(x) ((x) = (__typeof__(x))next(q), q->bad |= (uint64_t)(x) != q->last)

static void add(io *q, const char *text)
{
    const size_t n = strlen(text);
    CHECK(q->len + n + 2 < LAWS_LINE_MAX);
    if (q->len > 0)
        q->out[q->len++] = ' ';
    memcpy(q->out + q->len, text, n + 1);
    q->len += n;
}

static void put(io *q, uint64_t x)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRIu64, x);
    add(q, text);
}

static void put_q32(io *q, q32 x)
{
    char text[24];
    snprintf(text, sizeof text, "%" PRId64, x);
    add(q, text);
}

static size_t count(io *q, size_t most)
{
    uint64_t n = next(q);
    if (n > most) {
        q->bad = true;
        n = 0;
    }
    return (size_t)n;
}

static err quotient(io *q, fault *f)
{
    (void)f;
    int64_t a, b;
    uint32_t how;
    IN(a), IN(b), IN(how);
    if (b <= 0 || how > ROUND_FLOOR) {
        q->bad = true;
        return OK;
    }
    put_q32(q, (q32)q32_quotient(a, b, (rounding)how));
    return OK;
}

static err ratio(io *q, fault *f)
{
    (void)f;
    int64_t a;
    uint64_t b;
    uint32_t how;
    q32 r = 0;
    IN(a), IN(b), IN(how);
    if (how > ROUND_FLOOR) {
        q->bad = true;
        return OK;
    }
    TRY(q32_from_ratio(&r, a, b, (rounding)how));
    put_q32(q, r);
    return OK;
}

static err two_operands(io *q, err (*op)(q32 *, q32, q32, rounding))
{
    q32 a, b, r = 0;
    uint32_t how;
    IN(a), IN(b), IN(how);
    if (how > ROUND_FLOOR) {
        q->bad = true;
        return OK;
    }
    TRY(op(&r, a, b, (rounding)how));
    put_q32(q, r);
    return OK;
}

static err mul(io *q, fault *f)
{
    (void)f;
    return two_operands(q, q32_mul);
}

static err division(io *q, fault *f)
{
    (void)f;
    return two_operands(q, q32_div);
}

static err drift(io *q, fault *f)
{
    (void)f;
    q32 x, target;
    uint64_t rate, unit;
    IN(x), IN(target), IN(rate), IN(unit);
    if (unit == 0 || unit > (uint64_t)Q32_ONE || rate > unit) {
        q->bad = true;
        return OK;
    }
    put_q32(q, q32_drift(x, target, rate, unit));
    return OK;
}

static err sqrt_product(io *q, fault *f)
{
    (void)f;
    q32 a, b;
    IN(a), IN(b);
    if (a < 0 || b < 0) {
        q->bad = true;
        return OK;
    }
    put_q32(q, q32_sqrt_product(a, b));
    return OK;
}

static err exp2_of(io *q, fault *f)
{
    (void)f;
    q32 x, r = 0;
    IN(x);
    TRY(q32_exp2(&r, x));
    put_q32(q, r);
    return OK;
}

static err exp_of(io *q, fault *f)
{
    (void)f;
    q32 x, r = 0;
    IN(x);
    TRY(q32_exp(&r, x));
    put_q32(q, r);
    return OK;
}

static err exp62_of(io *q, fault *f)
{
    (void)f;
    q32 x;
    q62 r = 0;
    IN(x);
    TRY(q62_exp(&r, x));
    put(q, r);
    return OK;
}

static err split(io *q, fault *f)
{
    uint64_t total, weights[ECON_SPLIT_MAX + 1] = { 0 }, parts[ECON_SPLIT_MAX];
    IN(total);
    const size_t n = count(q, COUNT_OF(weights));
    for (size_t i = 0; i < n; i++)
        IN(weights[i]);
    TRY(econ_split(parts, total, weights, n, f));
    for (size_t i = 0; i < n; i++)
        put(q, parts[i]);
    return OK;
}

static err mint_split(io *q, fault *f)
{
    uint64_t mint;
    econ_mint_shares s;
    econ_mint_parts r;
    IN(mint), IN(s.producer_ppm), IN(s.subsidy_ppm), IN(s.treasury_ppm);
    TRY(econ_mint_split(&r, mint, &s, f));
    put(q, r.producer_nblock), put(q, r.subsidy_nblock), put(q, r.treasury_nblock);
    return OK;
}

static err baseline(io *q, fault *f)
{
    econ_baseline now, r;
    econ_baseline_params p;
    q32 observed;
    IN(now.value), IN(now.high), IN(observed);
    IN(p.up_ppm), IN(p.down_ppm), IN(p.floor_ppm), IN(p.high_keep_ppm), IN(p.min), IN(p.max);
    TRY(econ_baseline_next(&r, &now, observed, &p, f));
    put_q32(q, r.value), put_q32(q, r.high);
    return OK;
}

static err issuance(io *q, fault *f)
{
    econ_issuance_in in;
    econ_issuance_out r;
    IN(in.decay_cap_nblock), IN(in.time_constant_blocks), IN(in.epoch_blocks), IN(in.minted_nblock);
    IN(in.tx_count), IN(in.volume_nblock), IN(in.miners);
    IN(in.tx_baseline), IN(in.volume_baseline), IN(in.miner_baseline);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(in.utilisation[i]);
    TRY(econ_issuance(&r, &in, f));
    put_q32(q, r.activity), put_q32(q, r.decentralisation), put(q, r.decay), put(q, r.mint_nblock);
    return OK;
}

static err envelope(io *q, fault *f)
{
    econ_envelope_in in;
    econ_envelope_out r;
    IN(in.cap_nblock), IN(in.minted_nblock), IN(in.circulating_nblock), IN(in.annual_nblock), IN(in.mint_nblock);
    IN(in.target_bps), IN(in.gain_milli), IN(in.min_block), IN(in.max_block), IN(in.on_ppm), IN(in.epochs_per_year);
    TRY(econ_envelope(&r, &in, f));
    put(q, r.on), put_q32(q, r.realised), put(q, r.annual_nblock), put(q, r.mint_nblock);
    return OK;
}

static err tail(io *q, fault *f)
{
    econ_tail_in in;
    uint64_t r;
    IN(in.circulating_nblock), IN(in.reserve_nblock), IN(in.minted_nblock), IN(in.mint_nblock), IN(in.tail_ppm), IN(in.epochs_per_year);
    TRY(econ_tail(&r, &in, f));
    put(q, r);
    return OK;
}

static err utilisation(io *q, fault *f)
{
    (void)f;
    uint64_t used, offered;
    IN(used), IN(offered);
    put_q32(q, econ_utilisation(used, offered));
    return OK;
}

static err margin(io *q, fault *f)
{
    (void)f;
    uint64_t payout, cost;
    IN(payout), IN(cost);
    put_q32(q, econ_margin(payout, cost));
    return OK;
}

static err block_q32(io *q, fault *f)
{
    (void)f;
    uint64_t nblock;
    IN(nblock);
    put_q32(q, econ_block_q32(nblock)), put_q32(q, econ_count_q32(nblock));
    return OK;
}

static err distress(io *q, fault *f)
{
    q32 used, gain, r;
    econ_distress_params p;
    IN(used), IN(gain), IN(p.util_target_bps), IN(p.margin_target_bps), IN(p.alpha_milli), IN(p.beta_milli);
    TRY(econ_distress(&r, used, gain, &p, f));
    put_q32(q, r);
    return OK;
}

static err softmax(io *q, fault *f)
{
    q32 s[ECON_MARKETS], r[ECON_MARKETS];
    uint32_t temperature;
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(s[i]);
    IN(temperature);
    TRY(econ_softmax(r, s, temperature, f));
    for (size_t i = 0; i < ECON_MARKETS; i++)
        put_q32(q, r[i]);
    return OK;
}

static err subsidy(io *q, fault *f)
{
    econ_subsidy_in in;
    econ_subsidy_out r;
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(in.share[i]);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(in.target[i]);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(in.declining[i]);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(in.declining_epochs[i]);
    IN(in.drift_milli), IN(in.freeze_epochs), IN(in.wind_down_ppm);
    TRY(econ_subsidy_next(&r, &in, f));
    for (size_t i = 0; i < ECON_MARKETS; i++)
        put_q32(q, r.share[i]);
    for (size_t i = 0; i < ECON_MARKETS; i++)
        put(q, r.share_ppm[i]);
    put(q, r.rest_ppm);
    return OK;
}

static err budget(io *q, fault *f)
{
    econ_budget_in in;
    econ_budget_out r;
    IN(in.mint_nblock), IN(in.fees_nblock), IN(in.capture_ppm), IN(in.peak_nblock), IN(in.floor_bps), IN(in.treasury_nblock);
    TRY(econ_budget(&r, &in, f));
    put(q, r.from_fees_nblock), put(q, r.from_treasury_nblock), put(q, r.budget_nblock), put(q, r.peak_nblock);
    return OK;
}

static err health(io *q, fault *f)
{
    econ_health now, r;
    econ_health_params p;
    q32 s;
    bool rose;
    IN(now.distress_epochs), IN(now.recovery_attempts), IN(now.recovery_successes), IN(now.declining), IN(now.declining_epochs);
    IN(s), IN(rose), IN(p.distress_ppm), IN(p.flag_epochs), IN(p.clear_epochs);
    TRY(econ_health_next(&r, &now, s, rose, &p, f));
    put(q, r.distress_epochs), put(q, r.recovery_attempts), put(q, r.recovery_successes), put(q, r.declining), put(q, r.declining_epochs);
    return OK;
}

static err diversity(io *q, fault *f)
{
    econ_diversity_params p;
    uint64_t stake[ECON_REGIONS_MAX + 1] = { 0 };
    q32 r;
    IN(p.penalty_ppm), IN(p.bonus_ppm);
    const size_t n = count(q, COUNT_OF(stake));
    for (size_t i = 0; i < n; i++)
        IN(stake[i]);
    TRY(econ_diversity(&r, stake, n, &p, f));
    put_q32(q, r);
    return OK;
}

static err multiplier(io *q, fault *f)
{
    econ_multiplier_in in;
    q32 r;
    IN(in.utilisation), IN(in.cost_nblock), IN(in.payout_nblock), IN(in.util_target_bps), IN(in.margin_target_bps);
    IN(in.util_response_milli), IN(in.cost_response_milli), IN(in.floor_milli), IN(in.ceiling_milli);
    TRY(econ_multiplier(&r, &in, f));
    put_q32(q, r);
    return OK;
}

static err topup(io *q, fault *f)
{
    uint64_t due, sum, budget_nblock, paid;
    IN(due), IN(sum), IN(budget_nblock);
    TRY(econ_topup_paid(&paid, due, sum, budget_nblock, f));
    put(q, paid);
    return OK;
}

static err adsplit(io *q, fault *f)
{
    econ_adsplit now;
    econ_adsplit_params p;
    econ_adsplit_out r;
    IN(now.platform), IN(now.user), IN(p.platform_bps), IN(p.user_bps), IN(p.drift_milli);
    TRY(econ_adsplit_next(&r, &now, &p, f));
    put_q32(q, r.next.platform), put_q32(q, r.next.user), put(q, r.platform_ppm), put(q, r.user_ppm), put(q, r.publisher_ppm);
    return OK;
}

static err converge(io *q, fault *f)
{
    bool emergency;
    q32 deviation;
    econ_converge_params p;
    uint32_t rate;
    IN(emergency), IN(deviation), IN(p.base_milli), IN(p.emergency_milli), IN(p.enter_bps), IN(p.leave_bps);
    TRY(econ_converge(&rate, &emergency, deviation, &p, f));
    put(q, rate), put(q, emergency);
    return OK;
}

static err tariff(io *q, fault *f)
{
    econ_tariff_in in;
    econ_tariff_out r;
    IN(in.rate_bps), IN(in.emergency), IN(in.volume_nblock), IN(in.inflow_nblock), IN(in.target_bps), IN(in.min_bps), IN(in.max_bps);
    IN(in.converge.base_milli), IN(in.converge.emergency_milli), IN(in.converge.enter_bps), IN(in.converge.leave_bps);
    TRY(econ_tariff_next(&r, &in, f));
    put_q32(q, r.rate_bps), put(q, r.emergency), put_q32(q, r.implied_bps), put(q, r.contribution_ppm);
    return OK;
}

static err charge(io *q, fault *f)
{
    uint64_t value, r;
    q32 rate;
    IN(value), IN(rate);
    TRY(econ_tariff_charge(&r, value, rate, f));
    put(q, r);
    return OK;
}

static err risk(io *q, fault *f)
{
    q32 s[ECON_MARKETS], r;
    uint32_t threshold;
    bool trips;
    econ_edge edges[ECON_EDGES_MAX + 1] = { 0 };
    for (size_t i = 0; i < ECON_MARKETS; i++)
        IN(s[i]);
    IN(threshold);
    const size_t n = count(q, COUNT_OF(edges));
    for (size_t i = 0; i < n; i++)
        IN(edges[i].from), IN(edges[i].to), IN(edges[i].weight_ppm);
    TRY(econ_risk(&r, &trips, s, edges, n, threshold, f));
    put_q32(q, r), put(q, trips);
    return OK;
}

static err security(io *q, fault *f)
{
    q32 now, r;
    bool incident;
    econ_security_params p;
    uint64_t base, min, max, value;
    uint32_t way;
    IN(now), IN(incident), IN(p.tighten_ppm), IN(p.recover_ppm), IN(p.least_ppm), IN(base), IN(way), IN(min), IN(max);
    TRY(econ_security_next(&r, now, incident, &p, f));
    TRY(econ_security_value(&value, base, r, (econ_tightening)way, min, max, f));
    put_q32(q, r), put(q, value);
    return OK;
}

static void in_reputation(io *q, econ_reputation_params *p)
{
    IN(p->weights.uptime_ppm), IN(p->weights.quality_ppm), IN(p->weights.latency_ppm), IN(p->weights.verification_ppm);
    IN(p->keep_ppm), IN(p->earn_ppm), IN(p->lose_ppm);
}

static err contribution(io *q, fault *f)
{
    econ_contribution m;
    econ_reputation_params p;
    q32 r;
    IN(m.uptime_ppm), IN(m.quality_ppm), IN(m.latency_ppm), IN(m.verification_ppm);
    in_reputation(q, &p);
    TRY(econ_contribution_score(&r, &m, &p, f));
    put_q32(q, r);
    return OK;
}

/* now, epochs, score, eligible -> decayed, next, eligible */
static err reputation(io *q, fault *f)
{
    q32 now, score, decayed, r;
    uint64_t epochs;
    bool eligible;
    econ_reputation_params p;
    IN(now), IN(epochs), IN(score), IN(eligible);
    in_reputation(q, &p);
    TRY(econ_reputation_decay(&decayed, now, epochs, &p, f));
    TRY(econ_reputation_next(&r, now, epochs, score, &p, f));
    TRY(econ_eligible_next(&eligible, r, &p, f));
    put_q32(q, decayed), put_q32(q, r), put(q, eligible);
    return OK;
}

static err median(io *q, fault *f)
{
    econ_median_params p;
    econ_median_out r;
    econ_reading readings[ECON_READINGS_MAX + 1] = { 0 };
    IN(p.sources_min), IN(p.deviation_ppm), IN(p.tolerance), IN(p.quorum_ppm);
    const size_t n = count(q, COUNT_OF(readings));
    for (size_t i = 0; i < n; i++)
        IN(readings[i].value), IN(readings[i].id), IN(readings[i].weight);
    TRY(econ_median(&r, readings, n, &p, f));
    put(q, r.value), put(q, r.accepted), put(q, r.confidence_ppm);
    for (size_t i = 0; i < n; i++)
        put(q, readings[i].id), put(q, readings[i].accepted);
    return OK;
}

static err power(io *q, fault *f)
{
    uint64_t months, score, stake, r;
    econ_power_params p;
    IN(months), IN(score), IN(stake), IN(p.service_ppm), IN(p.reputation_ppm), IN(p.token_ppm), IN(p.months_full), IN(p.token_unit_nblock);
    TRY(econ_power(&r, months, score, stake, &p, f));
    put(q, r);
    return OK;
}

static err vote_weight(io *q, fault *f)
{
    uint64_t base, epoch, deadline, r;
    econ_vote_params p;
    IN(base), IN(epoch), IN(deadline), IN(p.early_bonus_bps), IN(p.late_epochs), IN(p.late_ppm);
    TRY(econ_vote_weight(&r, base, epoch, deadline, &p, f));
    put(q, r);
    return OK;
}

static const struct {
    const char *name;
    err (*call)(io *q, fault *f);
} laws[] = {
    { "quotient", quotient },
    { "ratio", ratio },
    { "mul", mul },
    { "div", division },
    { "drift", drift },
    { "sqrt_product", sqrt_product },
    { "exp2", exp2_of },
    { "exp", exp_of },
    { "exp62", exp62_of },
    { "split", split },
    { "mint_split", mint_split },
    { "baseline", baseline },
    { "issuance", issuance },
    { "envelope", envelope },
    { "tail", tail },
    { "utilisation", utilisation },
    { "margin", margin },
    { "block_q32", block_q32 },
    { "distress", distress },
    { "softmax", softmax },
    { "subsidy", subsidy },
    { "budget", budget },
    { "health", health },
    { "diversity", diversity },
    { "multiplier", multiplier },
    { "topup", topup },
    { "adsplit", adsplit },
    { "converge", converge },
    { "tariff", tariff },
    { "charge", charge },
    { "risk", risk },
    { "security", security },
    { "contribution", contribution },
    { "reputation", reputation },
    { "median", median },
    { "power", power },
    { "vote_weight", vote_weight },
};

const char *laws_name(size_t index)
{
    return index < COUNT_OF(laws) ? laws[index].name : NULL;
}

bool laws_answer(char out[LAWS_LINE_MAX], const char *line)
{
    const size_t n = strcspn(line, " \n");
    for (size_t i = 0; i < COUNT_OF(laws); i++) {
        if (strlen(laws[i].name) != n || memcmp(laws[i].name, line, n) != 0)
            continue;
        io q = { .at = line + n + strspn(line + n, " \n"), .out = out };
        fault f = { .what = "" };
        out[0] = 0;
        const err e = laws[i].call(&q, &f);
        if (e != OK)
            snprintf(out, LAWS_LINE_MAX, "%s%s%s", err_describe(e)->name, *f.what ? " " : "", f.what);
        return !q.bad && *q.at == 0;
    }
    return false;
}
