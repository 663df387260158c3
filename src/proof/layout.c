/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/layout.h"

#include "numerics/ledger.h"
#include "numerics/table.h"
#include "numerics/trace.h"
#include "proof/eq.h"

#include <stdlib.h>
#include <string.h>

enum { TENSORS_PER_LAYER = 64, ROUNDINGS_PER_LAYER = 24 };

typedef struct builder {
    pf_layout *y;
    uint32_t   layer, tensor_room, rounding_room, segment_room;
    uint32_t   end; /* place in the order of a trace that is not reached */
    pf_rounding unreached;
    fault     *f;
    err        e;
} builder;

/* --- tensors and roundings ----------------------------------------------------------------------------------------------- */

/* PF_NONE: it is not reached. */
static uint32_t add_tensor(builder *b, pf_slot slot, uint32_t digit, uint32_t features, uint32_t n)
{
    pf_layout *y = b->y;
    if (slot != PF_SLOTS && pf_trace_place(b->y, b->layer, slot) >= b->end)
        return PF_NONE;
    CHECK(y->tensor_count < b->tensor_room);
    uint32_t index = y->tensor_count++, blocks = pf_blocks(y, features);
    y->tensors[index] = (pf_tensor){ b->layer, slot, digit, features, n, n / 2, y->tiles, blocks };
    y->tiles += blocks;
    if (digit == 0 && slot != PF_SLOTS)
        y->at[b->layer * PF_SLOTS + slot] = index;
    return index;
}

static uint32_t add_plain(builder *b, pf_slot slot, uint32_t features, uint32_t n)
{
    return add_tensor(b, slot, 0, features, n);
}

/* The rounding that writes the tensors added last. `most`: the largest |t| that the cells hold. */
static pf_rounding *add_rounding(builder *b, pf_op op, uint32_t out, int64_t most, int shift)
{
    pf_layout *y = b->y;
    if (out == PF_NONE) {
        b->unreached = (pf_rounding){ .out = PF_NONE };
        return &b->unreached;
    }
    CHECK(y->rounding_count < b->rounding_room);
    pf_rounding *r = &y->roundings[y->rounding_count++];
    const pf_tensor *t = &y->tensors[out];
    *r = (pf_rounding){ .op = op, .layer = b->layer, .out = out, .out_hi = PF_NONE, .s = (uint32_t)shift, .dither_id = PF_NONE,
                        .features = t->features, .left = PF_NONE, .weight = PF_NONE, .mul = 1 };
    /* Both sides of acc mul + u = t 2^s + rem stay within p / 2. */
    if (b->e == OK && ((u128)(uint64_t)most + 1) << shift > NUM_FIELD_P / 2)
        b->e = fail(b->f, ERR_LEDGER, "rounding", y->rounding_count - 1);
    return r;
}

static void add_digits(builder *b, pf_rounding *r)
{
    pf_layout *y = b->y;
    if (r->out == PF_NONE)
        return;
    uint32_t slot = y->tensors[r->out].slot;
    r->digit = y->tensor_count;
    for (uint32_t done = PF_DIGIT_BITS; done < r->s; done += PF_DIGIT_BITS) {
        uint32_t bits = r->s - done < PF_DIGIT_BITS ? r->s - done : PF_DIGIT_BITS;
        (void)add_tensor(b, slot, ++r->digits, r->features, 1u << bits);
    }
}

/* The largest |t| that a cell may hold: `most`, or less where 2^s t would wrap: no product of the ledger reaches p / 2. */
static int64_t without_wrap(int64_t most, int shift)
{
    int64_t room = (int64_t)(NUM_FIELD_P / 2 >> shift) - 1;
    return room >= 0 && room < most ? room : most;
}

static pf_rounding *operand(builder *b, pf_op op, pf_slot slot, uint32_t features, int shift)
{
    int64_t most = without_wrap(b->y->k.q_max, shift);
    uint32_t out = add_plain(b, slot, features, 2 * (uint32_t)most + 1);
    pf_rounding *r = add_rounding(b, op, out, most, shift);
    r->saturates = true;
    add_digits(b, r);
    return r;
}

/* An operand that is the product of `left` with weight tensor `weight`. */
static pf_rounding *product(builder *b, pf_op op, pf_slot slot, pf_slot left, uint32_t weight, int shift)
{
    pf_rounding *r = operand(b, op, slot, b->y->shape.width, shift);
    r->left = pf_at(b->y, b->layer, left);
    r->weight = weight;
    return r;
}

static pf_rounding *two_digits(builder *b, pf_op op, pf_slot lo, uint32_t n_lo, uint32_t n_hi, int64_t most, int shift)
{
    uint32_t d = b->y->shape.width, out = add_plain(b, lo, d, n_lo), hi = add_plain(b, (pf_slot)(lo + 1), d, n_hi);
    pf_rounding *r = add_rounding(b, op, out, most, shift);
    r->out_hi = hi;
    r->hi_mul = n_lo;
    add_digits(b, r);
    return r;
}

static pf_rounding *branch(builder *b, pf_slot lo, pf_slot left, uint32_t weight, int shift)
{
    pf_rounding *r = two_digits(b, PF_OP_MATMUL, lo, 513, 511, b->y->k.d_b, shift);
    r->left = pf_at(b->y, b->layer, left);
    r->weight = num_tensor_of_layer(b->layer, weight);
    return r;
}

static pf_rounding *norm_gradient(builder *b, pf_op op, pf_slot slot, int shift)
{
    int64_t most = without_wrap(b->y->k.d_t, shift);
    uint32_t out = add_plain(b, slot, b->y->shape.width, 2 * (uint32_t)most + 1);
    pf_rounding *r = add_rounding(b, op, out, most, shift);
    add_digits(b, r);
    return r;
}

static void dithered(builder *b, pf_rounding *r, num_slot slot)
{
    r->dither_id = NUM_TENSOR_ID(b->layer, slot);
}

/* t = max - D of `terms` products, times mul: |t| 2^s is at most theirs. D is bounded by its tuple; where that would let 2^s D wrap, D is looked up
 * on its own as well, in the least power of two that holds every honest value and the one under the mask. */
static pf_rounding *distances(builder *b, pf_op op, uint32_t features, uint32_t terms, int64_t mul, int shift)
{
    const num_const *k = &b->y->k;
    u128 acc = (u128)terms * (uint64_t)((int64_t)k->q_max * k->q_max) * (uint64_t)mul;
    uint64_t most = (uint64_t)(acc >> shift) + 1, d_max = 2 * (uint64_t)k->d_t, n = 0;
    if ((u128)(most + d_max + 1) << shift > NUM_FIELD_P / 2) {
        uint64_t hidden = b->y->hidden_d[op == PF_OP_LOGIT];
        n = (uint64_t)1 << pf_log2_up(2 * most + 1 > hidden ? 2 * most + 2 : hidden + 1);
        d_max = n - 1;
    }
    uint32_t out = add_plain(b, PF_D, features, n <= d_max + 1 ? (uint32_t)n : 0);
    if (out != PF_NONE)
        b->y->tensors[out].offset = (uint32_t)k->d_t;
    pf_rounding *r = add_rounding(b, op, out, (int64_t)(most + d_max), shift);
    r->mul = mul;
    add_digits(b, r);
    return r;
}

static void forward(builder *b)
{
    pf_layout *y = b->y;
    const num_const *k = &y->k;
    const num_layer_fractions *l = &y->fractions.layer[b->layer];
    uint32_t d = y->shape.width, scores = y->shape.heads << y->t_bits;
    (void)operand(b, PF_OP_NORM, PF_Y1, d, k->f_res + k->f_r - l->y1);
    (void)product(b, PF_OP_MATMUL, PF_Q, PF_Y1, num_tensor_of_layer(b->layer, NUM_W_Q), l->y1 + l->wqkv - l->q);
    (void)product(b, PF_OP_MATMUL, PF_K, PF_Y1, num_tensor_of_layer(b->layer, NUM_W_K), l->y1 + l->wqkv - l->k);
    (void)product(b, PF_OP_MATMUL, PF_V, PF_Y1, num_tensor_of_layer(b->layer, NUM_W_V), l->y1 + l->wqkv - l->v);
    (void)distances(b, PF_OP_SCORE, scores, k->head_dim, k->c_score, l->q + l->k + k->x_score - k->f_z);
    (void)add_plain(b, PF_E, scores, 0);
    (void)operand(b, PF_OP_ATTEND, PF_O, d, l->v + k->f_R + k->f_dl - l->o);
    (void)branch(b, PF_B1LO, PF_O, NUM_W_O, l->o + l->wo - k->f_res);
    (void)operand(b, PF_OP_NORM, PF_Y2, d, k->f_res + k->f_r - l->y2);
    uint32_t h = add_plain(b, PF_H, k->hidden, 0);
    pf_rounding *r = add_rounding(b, PF_OP_MATMUL, h, k->d_t, l->y2 + l->w1 - l->h);
    r->left = pf_at(y, b->layer, PF_Y2);
    r->weight = num_tensor_of_layer(b->layer, NUM_W_1);
    add_digits(b, r);
    (void)add_plain(b, PF_G, k->hidden, 0);
    (void)add_plain(b, PF_GD, k->hidden, 0);
    (void)branch(b, PF_B2LO, PF_G, NUM_W_2, l->g + l->w2 - k->f_res);
}

static void norm_back(builder *b, pf_slot lo, num_slot slot, int f_dn)
{
    const num_const *k = &b->y->k;
    pf_rounding *r = two_digits(b, PF_OP_DX, lo, 4097, 4095, k->d_g, k->f_r + f_dn - b->y->fractions.top.gx);
    dithered(b, r, slot);
}

static pf_rounding *back_operand(builder *b, pf_op op, pf_slot slot, num_slot id, uint32_t features, uint32_t left, uint32_t weight, int shift)
{
    pf_rounding *r = operand(b, op, slot, features, shift);
    r->left = left;
    r->weight = weight;
    dithered(b, r, id);
    return r;
}

static void backward(builder *b)
{
    pf_layout *y = b->y;
    const num_const *k = &y->k;
    const num_layer_fractions *l = &y->fractions.layer[b->layer];
    uint32_t d = y->shape.width, layer = b->layer, scores = y->shape.heads << y->t_bits;
    int gx = y->fractions.top.gx, top = l->dq > l->dk ? l->dq : l->dk;
    top = top > l->dv ? top : l->dv;
    (void)back_operand(b, PF_OP_STREAM, PF_DM, NUM_DM, d, PF_NONE, PF_NONE, gx - l->dm);
    (void)back_operand(b, PF_OP_GELU, PF_DH, NUM_DH, k->hidden, pf_at(y, layer, PF_DM), num_tensor_of_layer(layer, NUM_W_2),
                 l->dm + l->w2 + k->f_gd - l->dh);
    pf_rounding *r = norm_gradient(b, PF_OP_BACK, PF_DN2, l->dh + l->w1 - l->dn2);
    r->left = pf_at(y, layer, PF_DH);
    r->weight = num_tensor_of_layer(layer, NUM_W_1);
    dithered(b, r, NUM_DN2);
    norm_back(b, PF_DX2LO, NUM_DX2, l->dn2);
    (void)back_operand(b, PF_OP_STREAM, PF_DA, NUM_DA, d, PF_NONE, PF_NONE, gx - l->da);
    (void)back_operand(b, PF_OP_DP, PF_DP, NUM_DP, d, pf_at(y, layer, PF_DA), num_tensor_of_layer(layer, NUM_W_O), l->da + l->wo + k->f_R - l->dp);
    (void)back_operand(b, PF_OP_DV, PF_DV, NUM_DV, d, PF_NONE, PF_NONE, l->dp + k->f_dl - l->dv);
    (void)back_operand(b, PF_OP_DS, PF_DS, NUM_DS, scores, PF_NONE, PF_NONE, l->dp + l->o + k->f_dl - l->ds);
    back_operand(b, PF_OP_DQ, PF_DQ, NUM_DQ, d, PF_NONE, PF_NONE, l->ds + l->k + k->x_grad - l->dq)->mul = k->c_grad;
    back_operand(b, PF_OP_DK, PF_DK, NUM_DK, d, PF_NONE, PF_NONE, l->ds + l->q + k->x_grad - l->dk)->mul = k->c_grad;
    dithered(b, norm_gradient(b, PF_OP_BACK3, PF_DN1, l->wqkv + top - l->dn1), NUM_DN1);
    norm_back(b, PF_DX1LO, NUM_DX1, l->dn1);
}

static void top_layer(builder *b)
{
    pf_layout *y = b->y;
    const num_const *k = &y->k;
    const num_top_fractions *t = &y->fractions.top;
    uint32_t head = num_tensor_count(&y->shape) - 1;
    (void)operand(b, PF_OP_NORM, PF_Y1, y->shape.width, k->f_res + k->f_r - t->yf);
    pf_rounding *r = distances(b, PF_OP_LOGIT, y->shape.vocab, y->shape.width, k->c_logit, t->yf + t->wh + k->x_2 - k->f_l);
    r->left = pf_at(y, b->layer, PF_Y1);
    r->weight = head;
    (void)add_plain(b, PF_E, y->shape.vocab, 0);
    (void)back_operand(b, PF_OP_LOSS, PF_DL, NUM_DL, y->shape.vocab, PF_NONE, PF_NONE, k->n_l - k->f_dl);
    r = norm_gradient(b, PF_OP_BACK, PF_DN1, k->f_dl + t->wh - t->dnf);
    r->left = pf_at(y, b->layer, PF_DL);
    r->weight = head;
    dithered(b, r, NUM_DN1);
    norm_back(b, PF_DX1LO, NUM_DX1, t->dnf);
}

/* --- leaves -------------------------------------------------------------------------------------------------------------- */

static void add_segment(builder *b, pf_part part, uint32_t index, uint32_t n, uint32_t features)
{
    pf_layout *y = b->y;
    CHECK(y->segment_count < b->segment_room);
    y->segments[y->segment_count++] = (pf_segment){ part, index, n, 0, pf_blocks(y, features), 0 };
}

static uint32_t digit_size(const pf_rounding *r)
{
    return 1u << (r->s < PF_DIGIT_BITS ? r->s : PF_DIGIT_BITS);
}

/* The integer leaves in order: each tensor's cells; after the output of a rounding (both of its tensors) and before its digits, the remainder. */
static void list_integers(builder *b)
{
    pf_layout *y = b->y;
    uint32_t next = 0;
    for (uint32_t t = 0; t < y->tensor_count; t++) {
        const pf_tensor *x = &y->tensors[t];
        if (x->n)
            add_segment(b, PF_PART_CELL, t, x->n, x->features);
        if (next < y->rounding_count) {
            const pf_rounding *r = &y->roundings[next];
            if (t != (r->out_hi == PF_NONE ? r->out : r->out_hi))
                continue;
            add_segment(b, PF_PART_REM, next, digit_size(r), r->features);
            if (r->op == PF_OP_SCORE || r->op == PF_OP_LOGIT)
                add_segment(b, PF_PART_DOMAIN, next, 2 * (uint32_t)y->k.d_t + 1, r->features);
            next++;
        }
    }
    CHECK(next == y->rounding_count);
}

static void list_tuples(builder *b)
{
    pf_layout *y = b->y;
    uint32_t L = y->shape.layers;
    for (uint32_t l = 0; l < L; l++)
        if (pf_has(y, l, PF_E))
            add_segment(b, PF_PART_EXP, l, 0, y->shape.heads << y->t_bits);
    for (uint32_t l = 0; l < L; l++)
        if (pf_has(y, l, PF_G))
            add_segment(b, PF_PART_GELU, l, 0, y->k.hidden);
    if (pf_has(y, L, PF_E))
        add_segment(b, PF_PART_EXPL, L, 0, y->shape.vocab);
}

typedef struct cutter {
    pf_layout  *y;
    pf_segment *out;
    uint32_t    count;
} cutter;

/* Cuts the segments of one kind into instances of 2^kappa tiles, and what is left into ever smaller powers of two: no leaf is there to fill up. */
static void cut(cutter *c, pf_kind kind, const pf_segment *in, size_t n)
{
    pf_layout *y = c->y;
    uint32_t kappa = y->nu + y->b < PF_INSTANCE_BITS ? PF_INSTANCE_BITS - y->nu - y->b : 0, room = 0;
    uint64_t left = 0;
    pf_instance *now = NULL;
    for (size_t i = 0; i < n; i++)
        left += in[i].blocks;
    for (size_t i = 0; i < n; i++) {
        for (uint32_t done = 0; done < in[i].blocks;) {
            if (room == 0) {
                uint32_t bits = kappa;
                while (left >> bits == 0)
                    bits--;
                now = &y->instances[y->instance_count++];
                *now = (pf_instance){ kind, bits, bits + y->nu + y->b, c->count, 0 };
                room = 1u << bits;
                y->leaves += (uint64_t)1 << now->bits;
            }
            uint32_t take = in[i].blocks - done < room ? in[i].blocks - done : room;
            pf_segment *s = &c->out[c->count++];
            *s = in[i];
            s->block = done;
            s->blocks = take;
            s->place = (1u << now->tile_bits) - room;
            now->segments++;
            done += take;
            room -= take;
            left -= take;
        }
    }
    CHECK(room == 0);
}

static err cut_instances(builder *b, fault *f)
{
    pf_layout *y = b->y;
    uint32_t integers = y->segment_count;
    uint64_t tiles = 0;
    list_tuples(b);
    for (uint32_t i = 0; i < y->segment_count; i++)
        tiles += y->segments[i].blocks;
    y->instances = calloc((size_t)tiles + 3, sizeof *y->instances);
    cutter c = { y, calloc((size_t)tiles + y->segment_count + 4, sizeof *c.out), 0 };
    if (!y->instances || !c.out) {
        free(c.out);
        return fail(f, ERR_MEMORY, "layout", 0);
    }
    cut(&c, PF_INTEGERS, y->segments, integers);
    cut(&c, PF_TUPLES, y->segments + integers, y->segment_count - integers);
    free(y->segments);
    y->segments = c.out;
    y->segment_count = c.count;
    return OK;
}

/* --- tables -------------------------------------------------------------------------------------------------------------- */

static int by_size(const void *x, const void *y)
{
    uint32_t a = *(const uint32_t *)x, b = *(const uint32_t *)y;
    return (a > b) - (a < b);
}

static void add_table(pf_layout *y, pf_part part, uint64_t tag, uint32_t n, uint32_t layer)
{
    y->tables[y->table_count++] = (pf_table){ tag, part, n, layer, y->entries };
    y->entries += n;
}

static err list_tables(builder *b, fault *f)
{
    pf_layout *y = b->y;
    uint32_t *sizes = malloc((y->segment_count + 1) * sizeof *sizes), count = 0, whole = (uint32_t)num_table_len(&y->k);
    y->tables = calloc(y->segment_count + y->shape.layers + 3, sizeof *y->tables);
    if (!sizes || !y->tables) {
        free(sizes);
        return fail(f, ERR_MEMORY, "layout", 0);
    }
    for (uint32_t i = 0; i < y->segment_count; i++)
        if (y->segments[i].n)
            sizes[count++] = y->segments[i].n;
    qsort(sizes, count, sizeof *sizes, by_size);
    for (uint32_t i = 0; i < count; i++)
        if (i == 0 || sizes[i] != sizes[i - 1])
            add_table(y, PF_PART_CELL, sizes[i], sizes[i], 0);
    free(sizes);
    const uint64_t first = (uint64_t)1 << 20;
    if (pf_has(y, 0, PF_E))
        add_table(y, PF_PART_EXP, first, whole, 0);
    if (pf_has(y, y->shape.layers, PF_E))
        add_table(y, PF_PART_EXPL, first + 1, whole, 0);
    for (uint32_t l = 0; l < y->shape.layers; l++)
        if (pf_has(y, l, PF_G))
            add_table(y, PF_PART_GELU, first + 2 + l, whole, l);
    uint32_t bits = pf_log2_up(y->entries);
    y->instances[y->instance_count++] = (pf_instance){ PF_TABLE, 0, bits, y->segment_count, 0 };
    return OK;
}

/* EXP and EXPL fall: the least D with the value 0. */
static err hidden_distance(uint32_t *out, const num_const *k, int32_t (*at)(const num_const *, int64_t), fault *f)
{
    int64_t lo = 0, hi = 2 * k->d_t;
    if (at(k, hi) != 0)
        return fail(f, ERR_UNSUPPORTED, "the exponential's table has no 0", 0);
    while (lo < hi) {
        int64_t mid = (lo + hi) / 2;
        if (at(k, mid) == 0)
            hi = mid;
        else
            lo = mid + 1;
    }
    *out = (uint32_t)lo;
    return OK;
}

static err allocate(builder *b, fault *f)
{
    pf_layout *y = b->y;
    size_t layers = (size_t)y->shape.layers + 1;
    b->tensor_room = (uint32_t)layers * TENSORS_PER_LAYER + 2;
    b->rounding_room = (uint32_t)layers * ROUNDINGS_PER_LAYER;
    b->segment_room = b->tensor_room + b->rounding_room + 2 * (uint32_t)layers;
    y->tensors = calloc(b->tensor_room, sizeof *y->tensors);
    y->roundings = calloc(b->rounding_room, sizeof *y->roundings);
    y->segments = calloc(b->segment_room, sizeof *y->segments);
    y->at = malloc(layers * PF_SLOTS * sizeof *y->at);
    if (!y->tensors || !y->roundings || !y->segments || !y->at)
        return fail(f, ERR_MEMORY, "layout", 0);
    memset(y->at, 0xff, layers * PF_SLOTS * sizeof *y->at);
    return OK;
}

uint32_t pf_segment_features(const pf_layout *y, const pf_segment *s)
{
    switch (s->part) {
    case PF_PART_CELL: return y->tensors[s->index].features;
    case PF_PART_REM: case PF_PART_DOMAIN: return y->roundings[s->index].features;
    case PF_PART_EXP:  return y->shape.heads << y->t_bits;
    case PF_PART_GELU: return y->k.hidden;
    default:           return y->shape.vocab;
    }
}

static err finish(builder *b, fault *f)
{
    pf_layout *y = b->y;
    list_integers(b);
    TRY(cut_instances(b, f));
    TRY(list_tables(b, f));
    uint32_t cells = 1u << (y->nu + y->b), tiles = (y->entries + cells - 1) / cells;
    y->mult = add_tensor(b, PF_SLOTS, 0, tiles << y->b, 0);
    (void)add_tensor(b, PF_SLOTS, 1, tiles << y->b, 0);
    return OK;
}

err pf_layout_init(pf_layout *y, const num_shape *shape, const num_fractions *fractions, uint32_t sequences, uint32_t until, fault *f)
{
    memset(y, 0, sizeof *y);
    TRY(num_const_of(&y->k, shape, f));
    TRY(num_fractions_check(fractions, shape, f));
    if (shape->helper != NUM_NARROW || shape->bits > 12)
        return fail(f, ERR_UNSUPPORTED, "helper set", shape->helper);
    TRY(num_ledger_check(NULL, shape, NUM_LEDGER_FIELD, f));
    if (sequences == 0 || (uint64_t)sequences * shape->context > LIMIT_LEASE_TOKENS)
        return fail(f, ERR_LIMIT, "sequences", sequences);
    y->shape = *shape;
    y->fractions = *fractions;
    y->sequences = sequences;
    y->until = until;
    y->t_bits = pf_log2_up(shape->context);
    y->s_bits = pf_log2_up(sequences);
    y->nu = y->t_bits + y->s_bits;
    y->b = pf_log2_up(shape->width) < PF_BLOCK_BITS ? pf_log2_up(shape->width) : PF_BLOCK_BITS;
    TRY(hidden_distance(&y->hidden_d[0], &y->k, num_exp_at, f));
    TRY(hidden_distance(&y->hidden_d[1], &y->k, num_exp_loss_at, f));
    builder b = { .y = y, .end = UINT32_MAX, .f = f, .e = OK };
    num_trace_tensor failed;
    if (until != PF_NONE && num_trace_find(&failed, &b.end, shape, until) != OK)
        return fail(f, ERR_UNPROVED, "range: tensor", until);
    TRY(allocate(&b, f));
    for (b.layer = 0; b.layer < shape->layers; b.layer++) {
        forward(&b);
        backward(&b);
    }
    top_layer(&b);
    TRY(b.e);
    return y->tensor_count ? finish(&b, f) : OK;
}

void pf_layout_deinit(pf_layout *y)
{
    free(y->tensors);
    free(y->at);
    free(y->roundings);
    free(y->segments);
    free(y->instances);
    free(y->tables);
    memset(y, 0, sizeof *y);
}
