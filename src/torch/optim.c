/* SPDX-License-Identifier: Apache-2.0
 *
 * Training state and its update; the arithmetic of one element is numerics/data.h. */
#include "torch/optim.h"

#include "crypto/blake3.h"
#include "numerics/data.h"
#include "numerics/round.h"
#include "torch/kernels/adam.h"
#include "torch/tables.h"

#include <stdlib.h>

err bt_state_init(bt_state *s, const num_shape *shape, uint64_t determinism_seed, fault *f)
{
    num_const c;
    TRY(num_const_of(&c, shape, f));
    uint64_t n = num_parameter_count(shape);
    *s = (bt_state){ .shape = *shape, .p1 = (uint64_t)1 << 32, .p2 = (uint64_t)1 << 32 };
    s->master = malloc(n * sizeof *s->master);
    s->m = calloc(n, sizeof *s->m);
    s->v = calloc(n, sizeof *s->v);
    if (!s->master || !s->m || !s->v) {
        bt_state_deinit(s);
        return fail(f, ERR_MEMORY, "training state", n);
    }
    for (uint32_t i = 0; i < num_tensor_count(shape); i++)
        num_init_tensor(s->master + num_tensor_describe(shape, i).offset, shape, i, determinism_seed);
    return OK;
}

void bt_state_deinit(bt_state *s)
{
    free(s->master);
    free(s->m);
    free(s->v);
    *s = (bt_state){ 0 };
}

enum { QUANTISE_BLOCK = 65536 };

typedef struct quantise_job {
    int16_t       *out;
    const int32_t *master;
    size_t         count;
    int            shift;
    int32_t        q_max;
} quantise_job;

static void quantise_block(void *ctx, size_t block, unsigned thread)
{
    const quantise_job *job = ctx;
    (void)thread;
    size_t at = block * QUANTISE_BLOCK, end = job->count - at < QUANTISE_BLOCK ? job->count : at + QUANTISE_BLOCK;
    int shift = job->shift;
    const int32_t q = job->q_max, *restrict from = job->master;
    int16_t *restrict to = job->out;
    if (shift == 0 || shift > 31) {
        for (; at < end; at++)
            to[at] = (int16_t)num_sat(num_rhu(from[at], shift), q);
        return;
    }
    for (; at < end; at++) { /* floor((x + 2^(s-1)) / 2^s) without a wider sum */
        int32_t t = (from[at] >> shift) + ((from[at] >> (shift - 1)) & 1);
        t = t > q ? q : t;
        to[at] = (int16_t)(t < -q ? -q : t);
    }
}

void bt_quantise(int16_t *out, const int32_t *master, const num_fractions *f, const num_shape *s, base_pool *pool)
{
    num_const c;
    CHECK(num_const_of(&c, s, NULL) == OK);
    for (uint32_t i = 0; i < num_tensor_count(s); i++) {
        num_tensor_info info = num_tensor_describe(s, i);
        quantise_job job = { .out = out + info.offset, .master = master + info.offset, .count = (size_t)info.rows * info.cols,
                             .shift = 28 - num_weight_fraction(f, s, i), .q_max = c.q_max };
        base_pool_for(pool, (job.count + QUANTISE_BLOCK - 1) / QUANTISE_BLOCK, quantise_block, &job);
    }
}

err bt_state_publish(const bt_state *s, const num_fractions *fractions, bt_model *model, bt_tables *tables, fault *f)
{
    CHECK(memcmp(&s->shape, &model->shape, sizeof s->shape) == 0);
    TRY(num_fractions_check(fractions, &s->shape, f));
    model->fractions = *fractions;
    bt_quantise(model->weights, s->master, fractions, &s->shape, bt_tables_pool(tables));
    return bt_model_seal(model, tables, f);
}

/* Elements that a thread updates at a time. */
enum { UPDATE_BLOCK = 16384 };

typedef struct update_job {
    bt_state      *s;
    const int64_t *gradient;
    uint64_t       first, count; /* of the tensor */
    bt_adam        adam;
} update_job;

static void update_block(void *ctx, size_t block, unsigned thread)
{
    const update_job *job = ctx;
    (void)thread;
    uint64_t done = (uint64_t)block * UPDATE_BLOCK, at = job->first + done, n = job->count - done < UPDATE_BLOCK ? job->count - done : UPDATE_BLOCK;
    bt_adam_update(&job->adam, job->gradient + at, job->s->master + at, job->s->m + at, job->s->v + at, (size_t)n);
}

err bt_state_update(bt_state *s, const num_fractions *fractions, const int64_t *gradient, uint64_t tokens, const bt_schedule *schedule)
{
    if (tokens == 0 || tokens >= (uint64_t)1 << 40)
        return ERR_RANGE;
    int32_t rate = bt_schedule_rate(schedule, s->step);
    num_adam_powers(&s->p1, &s->p2);
    uint64_t c1 = ((uint64_t)1 << 32) - s->p1, c2 = ((uint64_t)1 << 32) - s->p2;
    for (uint32_t i = 0; i < num_tensor_count(&s->shape); i++) {
        num_tensor_info info = num_tensor_describe(&s->shape, i);
        int fraction = num_gradient_fraction(fractions, &s->shape, i);
        update_job job = { .s = s, .gradient = gradient, .first = info.offset, .count = (uint64_t)info.rows * info.cols,
                           .adam = { .gradient_fraction = fraction, .tokens = tokens, .rate = rate, .c1 = c1, .c2 = c2 } };
        base_pool_for(s->pool, (size_t)((job.count + UPDATE_BLOCK - 1) / UPDATE_BLOCK), update_block, &job);
    }
    s->step++;
    s->retries = 0;
    return OK;
}

int32_t bt_schedule_rate(const bt_schedule *schedule, uint64_t step)
{
    return num_learning_rate(schedule->lr_max, schedule->warm_steps, schedule->total_steps, step);
}

bool bt_state_calibrates(const bt_state *s)
{
    return s->retries != 0 || num_calibrates(s->step);
}

/* BLAKE3 of an array as little-endian bytes. */
static hash256 array_hash(const void *data, uint64_t count, size_t size)
{
    enum { BATCH = 4096 };
    uint8_t le[BATCH * 8];
    cr_blake3 h;
    cr_blake3_init(&h);
    for (uint64_t n0 = 0; n0 < count; n0 += BATCH) {
        size_t n = count - n0 < BATCH ? (size_t)(count - n0) : BATCH;
        for (size_t i = 0; i < n; i++) {
            if (size == 4)
                store_le32(le + 4 * i, (uint32_t)((const int32_t *)data)[n0 + i]);
            else
                store_le64(le + 8 * i, (uint64_t)((const int64_t *)data)[n0 + i]);
        }
        cr_blake3_update(&h, bytes_of(le, n * size));
    }
    return cr_blake3_final(&h);
}

hash256 bt_state_id(const bt_state *s, const bt_model *model)
{
    uint64_t n = num_parameter_count(&s->shape);
    uint8_t step[8];
    store_le64(step, s->step);
    hash256 master = array_hash(s->master, n, 4), m = array_hash(s->m, n, 8), v = array_hash(s->v, n, 8);
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 state id v1");
    cr_blake3_update(&h, BYTES_OF(model->id));
    cr_blake3_update(&h, bytes_of(step, sizeof step));
    cr_blake3_update(&h, BYTES_OF(master));
    cr_blake3_update(&h, BYTES_OF(m));
    cr_blake3_update(&h, BYTES_OF(v));
    return cr_blake3_final(&h);
}
