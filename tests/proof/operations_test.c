/* SPDX-License-Identifier: Apache-2.0
 *
 * Malicious provers who do a whole operation another way, and everything after it from that (liar.h): each is refused by the check of that
 * operation, and by no other, for a verifier without that check accepts him (plant.h). The honest twin is computed the same way and accepted. */
#include "liar.h"
#include "refused.h"

#include "numerics/dither.h"
#include "numerics/round.h"
#include "numerics/table.h"

static const num_shape shape = { 20, 8, 16, 2, 2, 12, NUM_NARROW };

enum { SEQUENCES = 2, T = 8 };

static const num_layer_fractions *fractions(const liar *x)
{
    return &x->model.fractions.layer[x->of.layer];
}

/* --- roundings --------------------------------------------------------------------------------------------------------------- */

static int64_t query_sum(const liar *x)
{
    int64_t acc = 0;
    for (uint32_t n = 0; n < shape.width; n++)
        acc += liar_get(x, x->of.layer, NUM_Y1, x->of.row, n) * liar_weight(x, num_tensor_of_layer(x->of.layer, NUM_W_Q), n, x->of.col);
    return acc;
}

static int query_shift(const liar *x)
{
    return fractions(x)->y1 + fractions(x)->wqkv - fractions(x)->q;
}

static bool toward_zero(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_QQ)
        return false;
    *out = num_sat(query_sum(x) / ((int64_t)1 << query_shift(x)), x->k.q_max);
    return true;
}

static bool saturated_early(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_QQ)
        return false;
    *out = num_sat(num_rhu(query_sum(x), query_shift(x)), x->k.q_max / 4);
    return true;
}

static bool without_dither(liar *x, int64_t *out)
{
    uint32_t above = x->of.layer + 1;
    if (x->of.slot != NUM_DM)
        return false;
    int64_t gx = liar_get(x, above, above == shape.layers ? NUM_DX1 : NUM_GX, x->of.row, x->of.col);
    *out = num_sat(num_rhu(gx, x->model.fractions.top.gx - fractions(x)->dm), x->k.q_max);
    return true;
}

static void dither_of_another_sequence(liar *x, pf_context *c)
{
    c->sequence += x->of.slot == NUM_DH;
}

static void dither_of_another_step(liar *x, pf_context *c)
{
    const pf_subject *s = &x->kit->subject;
    if (x->of.slot == NUM_DV)
        c->dither_seed = num_dither_seed(&s->job_id, &s->model_id, s->step + 1);
}

/* --- what an operation reads -------------------------------------------------------------------------------------------------- */

static bool no_residual(liar *x, const liar_place *at, int64_t *out)
{
    *out = 0;
    return x->of.slot == NUM_XMID && at->slot == NUM_X;
}

static bool no_residual_back(liar *x, const liar_place *at, int64_t *out)
{
    *out = 0;
    return x->of.slot == NUM_GX && at->layer == x->of.layer + 1;
}

/* Keys are made of the position before: k sees another y1 than q. */
static bool two_values_of_y1(liar *x, const liar_place *at, int64_t *out)
{
    if (x->of.slot != NUM_KK || at->slot != NUM_Y1)
        return false;
    *out = liar_get(x, at->layer, at->slot, at->row ? at->row - 1 : 0, at->col);
    return true;
}

static bool slope_of_a_neighbour(liar *x, const liar_place *at, int64_t *out)
{
    if (x->of.slot != NUM_DH || at->slot != NUM_HH)
        return false;
    *out = liar_get(x, at->layer, at->slot, at->row, at->col) + 1;
    return true;
}

static bool scale_of_one_row(liar *x, const liar_place *at, int64_t *out)
{
    if (at->slot != NUM_R1 || at->layer != 1 || at->row != 3)
        return false;
    *out = liar_get(x, at->layer, at->slot, at->row, at->col) + 1;
    return true;
}

static bool denominators_of_the_other_head(liar *x, const liar_place *at, int64_t *out)
{
    if (x->of.slot != NUM_ZSUM || at->slot != NUM_EE)
        return false;
    *out = liar_get(x, at->layer, at->slot, (1 - x->of.col) * T + x->of.row, at->col);
    return true;
}

static bool activations_of_another_layer(liar *x, const liar_place *at, int64_t *out)
{
    if (x->of.id != PF_GRADIENT + num_tensor_of_layer(1, NUM_W_1) || at->slot != NUM_Y2)
        return false;
    *out = liar_get(x, 0, at->slot, at->row, at->col);
    return true;
}

/* --- tables ------------------------------------------------------------------------------------------------------------------- */

static bool relu(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_GG)
        return false;
    int64_t h = liar_get(x, x->of.layer, NUM_HH, x->of.row, x->of.col);
    *out = h > 0 ? num_gelu_at(&x->k, fractions(x)->h, fractions(x)->g, h) : 0;
    return true;
}

static void commit_to_the_slope_of_a_neighbour(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    for (uint32_t l = 0; l < shape.layers; l++) {
        uint32_t gd = pf_at(&w->y, l, PF_GD), h = pf_at(&w->y, l, PF_H), ld = pf_padded(&w->y, gd);
        for (uint32_t i = 0; i < T; i++)
            for (uint32_t j = 0; j < x->k.hidden; j++) {
                size_t c = (size_t)((x->sequence << w->y.t_bits) + i) * ld + j;
                w->cell[gd][c] = (int16_t)w->s->tables->slope[l][w->cell[h][c] + 1 + x->k.d_t];
            }
    }
}

/* --- attention that sees one token ahead --------------------------------------------------------------------------------------- */

/* From the third position on: where fewer are seen, one more exceeds what Z may be (spec/proof.md section 6). */
static uint32_t last_seen(uint32_t i)
{
    return i >= 2 && i + 1 < T ? i + 1 : i;
}

static int64_t head_dot(const liar *x, uint32_t a, uint32_t i, uint32_t b, uint32_t j, uint32_t head)
{
    int64_t acc = 0;
    for (uint32_t n = head * x->k.head_dim; n < (head + 1) * x->k.head_dim; n++)
        acc += liar_get(x, x->of.layer, a, i, n) * liar_get(x, x->of.layer, b, j, n);
    return acc;
}

static int64_t score_ahead(const liar *x, uint32_t head, uint32_t i, uint32_t j)
{
    const num_layer_fractions *l = fractions(x);
    return num_rhu(head_dot(x, NUM_QQ, i, NUM_KK, j, head) * x->k.c_score, l->q + l->k + x->k.x_score - x->k.f_z);
}

static int64_t maximum_ahead(const liar *x, uint32_t row)
{
    int64_t most = liar_get(x, x->of.layer, NUM_ZZ, row, 0);
    for (uint32_t j = 1; j <= last_seen(row % T); j++) {
        int64_t z = liar_get(x, x->of.layer, NUM_ZZ, row, j);
        most = z > most ? z : most;
    }
    return most;
}

static int64_t score_gradient_ahead(const liar *x, uint32_t head, uint32_t i, uint32_t j)
{
    const num_layer_fractions *l = fractions(x);
    int64_t inner = head_dot(x, NUM_DP, i, NUM_VV, j, head) * ((int64_t)1 << (l->o - l->v)) - liar_get(x, x->of.layer, NUM_CC, i, head);
    return liar_dithered(x, liar_get(x, x->of.layer, NUM_EE, x->of.row, j) * inner, l->dp + l->o + x->k.f_dl - l->ds, x->of.row, head * T + j);
}

/* The sum over positions of an attention tensor's row or column times an operand. */
static int64_t weighted_ahead(const liar *x, uint32_t weights, uint32_t by, bool column)
{
    uint32_t head = x->of.col / x->k.head_dim;
    int64_t acc = 0;
    for (uint32_t n = 0; n < T; n++) /* what is not seen is 0 */
        acc += (column ? liar_get(x, x->of.layer, weights, head * T + n, x->of.row) : liar_get(x, x->of.layer, weights, head * T + x->of.row, n)) *
               liar_get(x, x->of.layer, by, n, x->of.col);
    return acc;
}

static int64_t row_sum_ahead(const liar *x)
{
    int64_t acc = 0;
    for (uint32_t j = 0; j < T; j++)
        acc += liar_get(x, x->of.layer, NUM_EE, x->of.col * T + x->of.row, j);
    return acc;
}

static bool token_ahead(liar *x, int64_t *out)
{
    const num_layer_fractions *l = fractions(x);
    uint32_t head = x->of.row / T, i = x->of.row % T, j = x->of.col;
    bool seen = j <= last_seen(i);
    switch (x->of.slot) {
    case NUM_ZZ:   *out = seen ? score_ahead(x, head, i, j) : 0; break;
    case NUM_EE:   *out = seen ? num_exp_at(&x->k, maximum_ahead(x, x->of.row) - liar_get(x, x->of.layer, NUM_ZZ, x->of.row, j)) : 0; break;
    case NUM_ZSUM: *out = row_sum_ahead(x); break;
    case NUM_OO:
        *out = weighted_ahead(x, NUM_EE, NUM_VV, false) * liar_get(x, x->of.layer, NUM_RSUM, x->of.row, j / x->k.head_dim);
        *out = num_sat(num_rhu(*out, l->v + x->k.f_R + x->k.f_dl - l->o), x->k.q_max);
        break;
    case NUM_DS: *out = seen ? score_gradient_ahead(x, head, i, j) : 0; break;
    case NUM_DV: *out = liar_dithered(x, weighted_ahead(x, NUM_EE, NUM_DP, true), l->dp + x->k.f_dl - l->dv, x->of.row, j); break;
    case NUM_DQ:
        *out = liar_dithered(x, weighted_ahead(x, NUM_DS, NUM_KK, false) * x->k.c_grad, l->ds + l->k + x->k.x_grad - l->dq, x->of.row, j);
        break;
    case NUM_DK:
        *out = liar_dithered(x, weighted_ahead(x, NUM_DS, NUM_QQ, true) * x->k.c_grad, l->ds + l->q + x->k.x_grad - l->dk, x->of.row, j);
        break;
    default: return false;
    }
    return true;
}

/* Distances from the maximum of what is seen, one more than the witness takes by itself. */
static void distances_ahead(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    for (x->of.layer = 0; x->of.layer < shape.layers; x->of.layer++) {
        uint32_t D = pf_at(&w->y, x->of.layer, PF_D), ld = pf_padded(&w->y, D);
        for (uint32_t row = 0; row < shape.heads * T; row++) {
            uint32_t head = row / T, i = row % T, token = (x->sequence << w->y.t_bits) + i;
            const pf_head_rows *a = pf_head_of(&w->rows, &w->y, x->of.layer, head);
            int64_t most = a->max[token] = maximum_ahead(x, row);
            for (uint32_t j = 0; j <= last_seen(i); j++) {
                int64_t z = liar_get(x, x->of.layer, NUM_ZZ, row, j);
                w->cell[D][(size_t)token * ld + (head << w->y.t_bits) + j] = (int16_t)(most - z - x->k.d_t);
                if (z == most && j <= i)
                    a->index[token] = j;
            }
        }
    }
}

/* --- maxima -------------------------------------------------------------------------------------------------------------------- */

/* By how much a maximum is given too high; D, e and all that follows move along. Scores: in layer 1, in the second half of the positions; where
 * fewer are seen, Z would be less than it may be. */
enum { TOO_HIGH = 3 };

static bool exponentials_from_above(liar *x, int64_t *out)
{
    if (x->of.slot != NUM_EE || x->of.layer != 1 || x->of.row % T < T / 2 || x->of.col > x->of.row % T)
        return false;
    int64_t most = INT64_MIN;
    for (uint32_t j = 0; j <= x->of.row % T; j++) {
        int64_t z = liar_get(x, 1, NUM_ZZ, x->of.row, j);
        most = z > most ? z : most;
    }
    *out = num_exp_at(&x->k, most + TOO_HIGH - liar_get(x, 1, NUM_ZZ, x->of.row, x->of.col));
    return true;
}

static void maximum_above(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    uint32_t D = pf_at(&w->y, 1, PF_D), ld = pf_padded(&w->y, D);
    for (uint32_t head = 0; head < shape.heads; head++)
        for (uint32_t i = T / 2; i < T; i++) {
            uint32_t token = (x->sequence << w->y.t_bits) + i;
            pf_head_of(&w->rows, &w->y, 1, head)->max[token] += TOO_HIGH;
            for (uint32_t j = 0; j <= i; j++) {
                int16_t *cell = &w->cell[D][(size_t)token * ld + (head << w->y.t_bits) + j];
                *cell = (int16_t)(*cell + TOO_HIGH);
            }
        }
}

static int64_t largest_logit(const liar *x)
{
    int64_t most = INT64_MIN;
    for (uint32_t j = 0; j < shape.vocab; j++) {
        int64_t z = liar_get(x, shape.layers, NUM_LG, x->of.row, j);
        most = z > most ? z : most;
    }
    return most;
}

static bool logits_from_above(liar *x, int64_t *out)
{
    if (x->of.slot == NUM_EL) {
        *out = num_exp_loss_at(&x->k, largest_logit(x) + TOO_HIGH - liar_get(x, shape.layers, NUM_LG, x->of.row, x->of.col));
        return true;
    }
    if (x->of.slot != NUM_LOSS)
        return false;
    int64_t gap = largest_logit(x) + TOO_HIGH - liar_get(x, shape.layers, NUM_LG, x->of.row, liar_token(x, x->sequence, x->of.row + 1));
    int64_t sum = liar_get(x, shape.layers, NUM_ZL, x->of.row, 0);
    *out = gap * ((int64_t)1 << (16 - x->k.f_l)) + num_ilog2((uint64_t)sum) - num_ilog2((uint64_t)x->k.q_l + 1);
    return true;
}

static void logit_maximum_above(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    uint32_t D = pf_at(&w->y, shape.layers, PF_D), ld = pf_padded(&w->y, D);
    for (uint32_t i = 0; i < T; i++) {
        uint32_t token = (x->sequence << w->y.t_bits) + i;
        w->rows.logits.max[token] += TOO_HIGH;
        w->rows.logits.c[token] += TOO_HIGH;
        for (uint32_t j = 0; j < shape.vocab; j++) {
            int16_t *cell = &w->cell[D][(size_t)token * ld + j];
            *cell = (int16_t)(*cell + TOO_HIGH);
        }
    }
}

/* --- tokens -------------------------------------------------------------------------------------------------------------------- */

/* Each position learns to repeat its own token. */
static bool own_token(liar *x, uint32_t position, uint16_t *out)
{
    if (x->of.slot != NUM_DL && x->of.slot != NUM_LOSS)
        return false;
    *out = liar_token(x, x->sequence, position - 1);
    return true;
}

static void distance_of_own_token(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    for (uint32_t i = 0; i < T; i++) {
        uint32_t token = (x->sequence << w->y.t_bits) + i;
        w->rows.logits.c[token] = w->rows.logits.max[token] - liar_get(x, shape.layers, NUM_LG, i, liar_token(x, x->sequence, i));
    }
}

static bool first_sequence(liar *x, uint32_t position, uint16_t *out)
{
    *out = liar_token(x, 0, position);
    return true;
}

static void distance_in_first_sequence(liar *x)
{
    const pv_witness *w = &x->kit->witness;
    for (uint32_t i = 0; i < T; i++) {
        uint32_t token = (x->sequence << w->y.t_bits) + i;
        w->rows.logits.c[token] = w->rows.logits.max[token] - liar_get(x, shape.layers, NUM_LG, i, liar_token(x, 0, i + 1));
    }
}

/* The embedding's gradient alone is that of other tokens. */
static bool embedding_of_first_sequence(liar *x, uint32_t position, uint16_t *out)
{
    return x->of.id == PF_GRADIENT && first_sequence(x, position, out);
}

/* -------------------------------------------------------------------------------------------------------------------------------- */

static const lie lies[] = {
    { "q rounded toward zero", "claims: features", .write = toward_zero },
    { "q saturated early", "claims: features", .write = saturated_early },
    { "dm rounded without dither", "claims: features", .write = without_dither },
    { "dh with the dither of another sequence", "claims: features", .context = dither_of_another_sequence },
    { "dv with the dither of another step", "claims: features", .context = dither_of_another_step },
    { "residual dropped", "claims: features", .read = no_residual },
    { "residual of the gradient dropped", "claims: features", .read = no_residual_back },
    { "q and k of two values of y1", "claims: features", .read = two_values_of_y1 },
    { "scale of one row", "claims: features", .read = scale_of_one_row },
    { "denominators of the other head", "claims: features", .read = denominators_of_the_other_head },
    { "dW1 from another layer's activations", "gradient", .read = activations_of_another_layer },
    { "slope of a neighbour", "claims: features", .read = slope_of_a_neighbour },
    { "slope of a neighbour, committed to", "claims: features", .read = slope_of_a_neighbour, .after = commit_to_the_slope_of_a_neighbour },
    { "ReLU", "claims: features", .write = relu },
    { "a token ahead", "attention: sum|product: maxima of scores|claims: features", .write = token_ahead, .after = distances_ahead },
    { "maximum of scores not attained", "product: maxima of scores", .write = exponentials_from_above, .after = maximum_above },
    { "maximum of logits not attained", "product: maxima and targets of logits", .write = logits_from_above, .after = logit_maximum_above },
    { "own token for target", "product: maxima and targets of logits|claims: features", .token = own_token, .after = distance_of_own_token },
    { "another sequence", "product: maxima and targets of logits|claims: features|claims: tokens", .token = first_sequence, .after = distance_in_first_sequence },
    { "embedding's gradient of another sequence", "claims: features", .token = embedding_of_first_sequence },
};

static void prove(step_kit *k, buf *proof)
{
    buf_init(proof, (size_t)1 << 24);
    assert_int_equal(pv_prove(k->ws, &k->witness, proof, NULL), OK);
}

static void whole_operations(void **state)
{
    (void)state;
    static const lie none = { .name = "none" };
    step_kit k;
    liar x;
    buf  proof;
    kit_make(&k, &shape, SEQUENCES, 1, NULL);
    liar_init(&x, &k);
    const size_t gradient_n = num_parameter_count(&shape) * sizeof *k.gradient;
    int64_t *honest = malloc(gradient_n), loss = k.subject.loss;
    assert_non_null(honest);
    memcpy(honest, k.gradient, gradient_n);
    liar_step(&x, &none);
    assert_memory_equal(k.gradient, honest, gradient_n);
    assert_int_equal(k.subject.loss, loss);
    free(honest);
    prove(&k, &proof);
    assert_int_equal(verify_without(NULL, &k, &proof, NULL), OK);
    buf_deinit(&proof);
    for (size_t i = 0; i < COUNT_OF(lies); i++) {
        liar_step(&x, &lies[i]);
        prove(&k, &proof);
        assert_refused(lies[i].name, lies[i].check, &k, &proof);
        buf_deinit(&proof);
    }
    liar_deinit(&x);
    kit_drop(&k);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(whole_operations) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
