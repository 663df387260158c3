/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/issuance.h"

enum { RATIO_MIN_MILLI = 10, ACTIVITY_MIN_MILLI = 500, ACTIVITY_MAX_MILLI = 2000, MINERS_MIN_MILLI = 500, MINERS_MAX_MILLI = 1500 };

static const uint64_t amount_max = (uint64_t)1 << 62;

static q32 milli(int64_t x)
{
    return econ_floor_q32((i128)x * Q32_ONE, ECON_MILLI);
}

/* max(observed / baseline, 0.01) */
static q32 load(q32 observed, q32 baseline)
{
    const q32 ratio = econ_floor_q32((i128)observed * Q32_ONE, baseline), least = milli(RATIO_MIN_MILLI);
    return ratio < least ? least : ratio;
}

/* clamp(sqrt(tx ratio x volume ratio) x (1 + mean utilisation), 0.5, 2) */
static q32 activity(const econ_issuance_in *in)
{
    const q32 root = q32_sqrt_product(load(econ_count_q32(in->tx_count), in->tx_baseline),
                                      load(econ_block_q32(in->volume_nblock), in->volume_baseline));
    i128 used = 0;
    for (size_t i = 0; i < ECON_MARKETS; i++)
        used += in->utilisation[i];
    const q32 product = econ_floor_q32(root * (ECON_MARKETS * (i128)Q32_ONE + used), ECON_MARKETS * (i128)Q32_ONE);
    return q32_clamp(product, milli(ACTIVITY_MIN_MILLI), milli(ACTIVITY_MAX_MILLI));
}

/* clamp(sqrt(miners / baseline), 0.5, 1.5), the ratio in Q64. */
static q32 decentralisation(const econ_issuance_in *in)
{
    const u128 ratio = ((u128)(uint64_t)econ_count_q32(in->miners) << 64) / (u128)in->miner_baseline;
    return q32_clamp((q32)isqrt_u128(ratio), milli(MINERS_MIN_MILLI), milli(MINERS_MAX_MILLI));
}

err econ_issuance(econ_issuance_out *out, const econ_issuance_in *in, fault *f)
{
    TRY(econ_within(in->decay_cap_nblock, 1, amount_max, "issuance.decay_cap", f));
    TRY(econ_within(in->time_constant_blocks, 1, UINT64_MAX, "issuance.time_constant", f));
    TRY(econ_within(in->epoch_blocks, 1, in->time_constant_blocks, "issuance.epoch_blocks", f));
    TRY(econ_within(in->minted_nblock, 0, in->decay_cap_nblock, "issuance.minted", f));
    TRY(econ_within_q32(in->tx_baseline, Q32_ONE, Q32_MAX, "issuance.tx_baseline", f));
    TRY(econ_within_q32(in->volume_baseline, Q32_ONE, Q32_MAX, "issuance.volume_baseline", f));
    TRY(econ_within_q32(in->miner_baseline, Q32_ONE, Q32_MAX, "issuance.miner_baseline", f));
    for (size_t i = 0; i < ECON_MARKETS; i++)
        TRY(econ_within_q32(in->utilisation[i], 0, Q32_ONE, "issuance.utilisation", f));

    const uint64_t remaining = in->decay_cap_nblock - in->minted_nblock;
    const q62 ratio = (q62)(((u128)remaining << 62) / in->decay_cap_nblock);
    const q62 decay = (q62)((u128)ratio * ratio >> 62);
    const q32 active = activity(in), spread = decentralisation(in);
    const uint64_t factor = (uint64_t)((u128)active * (u128)spread >> 32); /* at most 3 */
    const u128 base = (u128)in->decay_cap_nblock * in->epoch_blocks / in->time_constant_blocks;
    const u128 scaled = base * factor >> 32;
    u128 mint = scaled * decay >> 62;
    if (mint > remaining)
        mint = remaining;
    *out = (econ_issuance_out){ active, spread, decay, (uint64_t)mint };
    return OK;
}

err econ_envelope(econ_envelope_out *out, const econ_envelope_in *in, fault *f)
{
    TRY(econ_within(in->cap_nblock, 1, amount_max, "envelope.cap", f));
    TRY(econ_within(in->minted_nblock, 0, in->cap_nblock, "envelope.minted", f));
    TRY(econ_within(in->circulating_nblock, 0, in->minted_nblock, "envelope.circulating", f));
    TRY(econ_within(in->annual_nblock, 0, amount_max, "envelope.annual", f));
    TRY(econ_within(in->mint_nblock, 0, amount_max, "envelope.mint", f));
    TRY(econ_within(in->target_bps, 0, ECON_BPS, "envelope.target", f));
    TRY(econ_within(in->gain_milli, 0, ECON_MILLI, "envelope.gain", f));
    TRY(econ_within(in->max_block, 0, (uint64_t)1 << 32, "envelope.max", f));
    TRY(econ_within(in->min_block, 0, in->max_block, "envelope.min", f));
    TRY(econ_within(in->on_ppm, 0, ECON_PPM, "envelope.on", f));
    TRY(econ_within(in->epochs_per_year, 1, (uint64_t)1 << 32, "envelope.epochs_per_year", f));

    const i128 min = (i128)in->min_block * ECON_BLOCK, max = (i128)in->max_block * ECON_BLOCK, year = in->epochs_per_year;
    const i128 annual = in->annual_nblock, limit = max / year;
    econ_envelope_out r = { .mint_nblock = in->mint_nblock < limit ? in->mint_nblock : (uint64_t)limit };
    r.on = (u128)in->minted_nblock * ECON_PPM >= (u128)in->cap_nblock * in->on_ppm;
    if (in->circulating_nblock > 0)
        r.realised = econ_floor_q32(annual * Q32_ONE, in->circulating_nblock);
    i128 next = r.mint_nblock * year;
    if (r.on && in->circulating_nblock == 0) {
        next = min;
    } else if (r.on) {
        const q32 target = econ_floor_q32((i128)in->target_bps * Q32_ONE, ECON_BPS);
        const q32 error = q32_clamp(target - r.realised, -Q32_ONE, Q32_ONE);
        next = annual + q32_quotient(annual * in->gain_milli * error, ECON_MILLI * (i128)Q32_ONE, ROUND_FLOOR);
    }
    r.annual_nblock = (uint64_t)(next < min ? min : next > max ? max : next);
    if (r.on && r.mint_nblock > r.annual_nblock / in->epochs_per_year)
        r.mint_nblock = r.annual_nblock / in->epochs_per_year;
    *out = r;
    return OK;
}

err econ_tail(uint64_t *tail_nblock, const econ_tail_in *in, fault *f)
{
    TRY(econ_within(in->circulating_nblock, 0, amount_max, "tail.circulating", f));
    TRY(econ_within(in->reserve_nblock, 0, amount_max, "tail.reserve", f));
    TRY(econ_within(in->minted_nblock, 0, in->reserve_nblock, "tail.minted", f));
    TRY(econ_within(in->tail_ppm, 0, ECON_PPM, "tail.rate", f));
    TRY(econ_within(in->epochs_per_year, 1, (uint64_t)1 << 32, "tail.epochs_per_year", f));
    const uint64_t due = (uint64_t)((u128)in->circulating_nblock * in->tail_ppm / ((u128)ECON_PPM * in->epochs_per_year));
    const uint64_t left = in->reserve_nblock - in->minted_nblock;
    const uint64_t wanted = due > in->mint_nblock ? due - in->mint_nblock : 0;
    *tail_nblock = wanted < left ? wanted : left;
    return OK;
}
