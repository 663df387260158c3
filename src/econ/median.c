/* SPDX-License-Identifier: Apache-2.0 */
#include "econ/median.h"

static bool before(const econ_reading *a, const econ_reading *b)
{
    return a->value != b->value ? a->value < b->value : a->id < b->id;
}

/* By insertion: n is at most ECON_READINGS_MAX. */
static void sort(econ_reading *r, size_t n)
{
    for (size_t i = 1; i < n; i++) {
        const econ_reading x = r[i];
        size_t at = i;
        for (; at > 0 && before(&x, &r[at - 1]); at--)
            r[at] = r[at - 1];
        r[at] = x;
    }
}

static err check(u128 *weight, const econ_reading *r, size_t n, const econ_median_params *p, fault *f)
{
    TRY(econ_within(p->sources_min, 1, ECON_READINGS_MAX, "median.sources_min", f));
    TRY(econ_within(p->deviation_ppm, 0, ECON_PPM, "median.deviation", f));
    TRY(econ_within(p->quorum_ppm, 0, ECON_PPM, "median.quorum", f));
    TRY(econ_within(n, p->sources_min, ECON_READINGS_MAX, "median.sources", f));
    *weight = 0;
    for (size_t i = 0; i < n; i++) {
        *weight += r[i].weight;
        for (size_t j = 0; j < i; j++)
            if (r[i].id == r[j].id)
                return fail(f, ERR_DUPLICATE, "median.id", r[i].id);
    }
    return *weight == 0 ? fail(f, ERR_RANGE, "median.weight", 0) : OK;
}

err econ_median(econ_median_out *out, econ_reading *r, size_t n, const econ_median_params *p, fault *f)
{
    u128 weight;
    TRY(check(&weight, r, n, p, f));
    sort(r, n);
    size_t at = 0;
    for (u128 sum = r[0].weight; 2 * sum < weight; sum += r[at].weight)
        at++;
    econ_median_out result = { .value = r[at].value };
    const uint64_t share = (uint64_t)((u128)result.value * p->deviation_ppm / ECON_PPM);
    const uint64_t most = result.value == 0 ? p->tolerance : share;
    u128 kept = 0;
    for (size_t i = 0; i < n; i++) {
        const uint64_t off = r[i].value > result.value ? r[i].value - result.value : result.value - r[i].value;
        r[i].accepted = off <= most;
        if (r[i].accepted) {
            result.accepted++;
            kept += r[i].weight;
        }
    }
    TRY(econ_within(result.accepted, p->sources_min, n, "median.accepted", f));
    if (kept * ECON_PPM < weight * p->quorum_ppm)
        return fail(f, ERR_RANGE, "median.quorum", (uint64_t)(kept * ECON_PPM / weight));
    result.confidence_ppm = (uint32_t)(kept * ECON_PPM / weight);
    *out = result;
    return OK;
}
