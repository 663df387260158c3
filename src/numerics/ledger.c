/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/ledger.h"

static void rows_of(num_ledger_row rows[NUM_LEDGER_ROWS], const num_shape *s, const num_const *c)
{
    const u128 one = 1, d = s->width, T = s->context, L = s->layers, V = s->vocab, F = c->hidden, hd = c->head_dim;
    const u128 Q = (u128)c->q_max, A = Q * Q, D_t = (u128)c->d_t, D_g = (u128)c->d_g, Q_l = (u128)c->q_l, C2 = (uint64_t)c->c_logit;
    const u128 stream = (2 * L + 2) * ((u128)c->d_b + 1), score = one << c->b_C;
    const u128 R_one = one << (c->f_R + c->f_dl), R_max = (R_one + Q / 2) / Q; /* Z is at least Q, from the row's maximum */
    const u128 slope_max = ((one << c->f_gd) * 113 + 99) / 100;              /* GELU' stays below 1.13 */
    const u128 norm_one = one << (c->f_r + c->f_res);
    const num_ledger_row all[NUM_LEDGER_ROWS] = {
        { "stream", stream, false },
        { "squares", (u128)c->d_s, false },
        { "squares of a row", d * stream * stream, true },
        { "norm", ((u128)isqrt_u128(d - 1) + 2) * norm_one, false },
        { "q k v h b1", d * A, false },
        { "b2", F * A, false },
        { "z", hd * A * (score - 1), false },
        { "o", Q * (R_one + T * Q), false },
        { "logits", d * A * C2, false },
        { "loss gradient", (one << c->n_l) + Q_l + (one << (c->n_l - c->f_dl)), false },
        { "dnF", V * A, false },
        { "dn2", F * A, false },
        { "row sums M", d * D_t * Q, false },
        { "normback", (one << (c->f_r + 9)) * D_t + Q * (one << 34), false },
        { "dh", d * A * slope_max, false },
        { "dp", d * A * R_max, false },
        { "dv", T * A, false },
        { "c and dp v", hd * A * 4, false },
        { "ds", 2 * hd * A * 4 * Q, false },
        { "dq dk", T * A * score, false },
        { "dn1", 3 * d * A * 256, false },
        { "weight gradients", LIMIT_LEASE_TOKENS * A, false },
        { "embedding gradients", LIMIT_LEASE_TOKENS * (2 * L + 1) * D_g, false },
    };
    memcpy(rows, all, sizeof all);
}

err num_ledger_check(num_ledger_row rows[NUM_LEDGER_ROWS], const num_shape *shape, num_ledger_bound bound, fault *f)
{
    num_const c;
    num_ledger_row own[NUM_LEDGER_ROWS];
    if (!rows)
        rows = own;
    TRY(num_const_of(&c, shape, f));
    rows_of(rows, shape, &c);
    for (size_t i = 0; i < NUM_LEDGER_ROWS; i++) {
        bool word = rows[i].word_only || bound == NUM_LEDGER_WORD;
        if (rows[i].most > (word ? (u128)1 << 62 : NUM_FIELD_P / 2))
            return fail(f, ERR_LEDGER, rows[i].relation, i);
    }
    return OK;
}
