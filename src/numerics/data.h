/* SPDX-License-Identifier: Apache-2.0
 *
 * What coordinator and workers must agree on around a step: which windows a sequence number means (spec/numerics.md section
 * 13), what calibration looks at and when (10), initial weights, learning rate and one weight's Adam update (12). */
#ifndef NUMERICS_DATA_H
#define NUMERICS_DATA_H

#include "numerics/config.h"
#include "numerics/round.h"

/* Training windows of a data set: floor((tokens - 1) / T), 0 for none. */
static inline uint64_t num_windows(uint64_t tokens, uint32_t context)
{
    return tokens == 0 ? 0 : (tokens - 1) / context;
}

/* The window that global sequence `sequence` of a job trains on; windows >= 1. */
uint64_t num_window_of_sequence(const hash256 *job_id, uint64_t windows, uint64_t sequence);

/* True if calibration precedes every first try of this step. */
bool num_calibrates(uint64_t step);

enum { NUM_CALIBRATION_SEQUENCES = 4 };

/* Global sequence numbers of the calibration batch before `step` after `repetitions` of it. Returns how many: 4, or the
 * number of windows (>= 1) if that is less. */
uint32_t num_calibration_sequences(uint64_t out[NUM_CALIBRATION_SEQUENCES], const hash256 *job_id, uint64_t step,
                                   uint32_t repetitions, uint64_t windows);

/* Initial master weights (fraction 28) of weight tensor `tensor`: rows x cols elements. */
void num_init_tensor(int32_t *out, const num_shape *shape, uint32_t tensor, uint64_t determinism_seed);

/* 2^30 cos(pi x / 2^30), 0 <= x <= 2^30, by the series of section 12. */
int64_t num_cos30(uint64_t x);

/* Learning rate of a step at fraction 28; lr_max >= 0. From `total` steps on it is lr_min. */
int32_t num_learning_rate(int32_t lr_max, uint64_t warm, uint64_t total, uint64_t step);

/* ---- Adam. p1 and p2 start at 2^32. ---- */

static inline void num_adam_powers(uint64_t *p1, uint64_t *p2)
{
    *p1 = (*p1 * 7) >> 3;
    *p2 = (*p2 * 127) >> 7;
}

/* The gradient per token at fraction 34, |result| < 2^35: G is the exact sum at fraction f_G in [-64, 124] over `tokens` in
 * [1, 2^48]. Total for every G. */
static inline int64_t num_adam_gradient(int64_t G, int f_G, uint64_t tokens)
{
    const int64_t most = ((int64_t)1 << 35) - 1;
    i128 top, bottom;
    if (G == 0)
        return 0;
    if (f_G <= 34) {
        int up = 34 - f_G;
        if (num_bitlen(G) + up > num_bitlen((int64_t)tokens) + 36) /* |G| 2^up >= 2^36 tokens */
            return G < 0 ? -most : most;
        top = G * ((i128)2 << up) + (i128)tokens;
        bottom = 2 * (i128)tokens;
    } else {
        int down = f_G - 34;
        if (down > 64) /* |2 G| <= 2^64 < tokens 2^down: the quotient lies in (0, 1) */
            return 0;
        top = 2 * (i128)G + ((i128)tokens << down);
        bottom = (i128)tokens << (down + 1);
    }
    i128 g = num_floor_div(top, bottom);
    return g > most ? most : g < -most ? -most : (int64_t)g;
}

/* One weight. |m| <= 2^35 and 0 <= v <= 2^62 hold after any number of steps if they hold before: both are means of numbers in
 * those ranges, rounded down. */
typedef struct num_adam {
    int32_t w; /* fraction 28 */
    int64_t m; /* fraction 34 */
    int64_t v; /* fraction 60 */
} num_adam;

/* `g` from num_adam_gradient; `rate` at fraction 28; c1 = 2^32 - p1 >= 2^29 and c2 = 2^32 - p2 >= 2^25 after num_adam_powers.
 * Bounds: |mh| <= 2^38, v 2^32 / c2 <= 2^69, |rate mh| <= 2^69: all within 128 bits, the usual ones within 64. */
static inline void num_adam_step(num_adam *a, int64_t g, int32_t rate, uint64_t c1, uint64_t c2)
{
    a->m += (g - a->m) >> 3;
    a->v += ((int64_t)(((i128)g * g) >> 8) - a->v) >> 7;
    int64_t mh = (int64_t)num_floor_div((i128)a->m * ((i128)1 << 32), (i128)c1);
    int64_t s = (int64_t)num_isqrt(((u128)(uint64_t)a->v << 32) / c2) + 11;
    i128 step = (num_floor_div((i128)rate * mh, s) + 8) >> 4;
    i128 w = a->w - step;
    a->w = w > INT32_MAX ? INT32_MAX : w < -INT32_MAX ? -INT32_MAX : (int32_t)w;
}

#endif
