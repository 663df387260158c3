/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/data.h"

#include "crypto/blake3.h"

/* ---- sequence numbers (sections 10 and 13) ---- */

static uint32_t shuffle_round(const hash256 *key, uint64_t epoch, uint32_t round, uint32_t x)
{
    uint8_t message[16];
    store_le64(message, epoch);
    store_le32(message + 8, round);
    store_le32(message + 12, x);
    cr_blake3 h;
    cr_blake3_init_keyed(&h, key->b);
    cr_blake3_update(&h, bytes_of(message, sizeof message));
    return load_le32(cr_blake3_final(&h).b);
}

uint64_t num_window_of_sequence(const hash256 *job_id, uint64_t windows, uint64_t sequence)
{
    CHECK(windows >= 1);
    const hash256 key = cr_blake3_hash_in("theblock 2026 shuffle v1", BYTES_OF(*job_id));
    uint64_t epoch = sequence / windows, x = sequence % windows;
    unsigned bits = bit_length_u64(windows - 1);
    unsigned half = ((bits < 2 ? 2 : bits) + 1) / 2;
    uint32_t mask = (uint32_t)(((uint64_t)1 << half) - 1);
    do { /* a permutation of [0, 4^half): the walk comes back into [0, windows), at the latest where it started */
        uint32_t left = (uint32_t)(x >> half), right = (uint32_t)x & mask;
        for (uint32_t r = 0; r < 4; r++) {
            uint32_t next = left ^ (shuffle_round(&key, epoch, r, right) & mask);
            left = right;
            right = next;
        }
        x = (uint64_t)left << half | right;
    } while (x >= windows);
    return x;
}

bool num_calibrates(uint64_t step)
{
    unsigned bits = bit_length_u64(step);
    unsigned shift = bits < 4 ? 0 : bits - 4;
    return step % ((uint64_t)1 << (shift > 5 ? 5 : shift)) == 0;
}

uint32_t num_calibration_sequences(uint64_t out[NUM_CALIBRATION_SEQUENCES], const hash256 *job_id, uint64_t step,
                                   uint32_t repetitions, uint64_t windows)
{
    CHECK(windows >= 1);
    uint8_t in[40], words[8 * NUM_CALIBRATION_SEQUENCES];
    memcpy(in, job_id->b, 32);
    store_le64(in + 32, step);
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 calibration v1");
    cr_blake3_update(&h, bytes_of(in, sizeof in));
    cr_blake3_final_xof(&h, 8 * 64 * (uint64_t)repetitions, words, sizeof words);
    uint32_t count = windows < NUM_CALIBRATION_SEQUENCES ? (uint32_t)windows : NUM_CALIBRATION_SEQUENCES;
    for (uint32_t k = 0; k < count; k++)
        out[k] = load_le64(words + 8 * k) % windows;
    return count;
}

/* ---- initial weights (section 12) ---- */

void num_init_tensor(int32_t *out, const num_shape *shape, uint32_t tensor, uint64_t determinism_seed)
{
    enum { WORDS = 12, ELEMENT = 2 * WORDS, BATCH = 128 };
    const uint64_t sigma_all = 5368709; /* round(0.02 2^28) */
    num_tensor_info info = num_tensor_describe(shape, tensor);
    uint32_t which = (tensor - 2) % NUM_W_PER_LAYER;
    bool residual = tensor >= 2 && tensor + 1 < num_tensor_count(shape) && (which == NUM_W_O || which == NUM_W_2);
    int64_t sigma = (int64_t)(residual ? num_isqrt_u64(sigma_all * sigma_all / (2 * shape->layers)) : sigma_all);

    uint8_t seed[8], index[4], words[BATCH * ELEMENT];
    store_le64(seed, determinism_seed);
    store_le32(index, tensor);
    hash256 key = cr_blake3_hash_in("theblock 2026 init v1", bytes_of(seed, sizeof seed));
    cr_blake3 h;
    cr_blake3_init_keyed(&h, key.b);
    cr_blake3_update(&h, bytes_of(index, sizeof index));
    uint64_t count = (uint64_t)info.rows * info.cols;
    for (uint64_t n = 0; n < count; n++) {
        uint64_t at = n % BATCH;
        if (at == 0)
            cr_blake3_final_xof(&h, ELEMENT * n, words, ELEMENT * (count - n < BATCH ? (size_t)(count - n) : BATCH));
        int64_t sum = -6 * 65535;
        for (int k = 0; k < WORDS; k++)
            sum += load_le16(words + ELEMENT * at + 2 * k);
        out[n] = (int32_t)num_rhu(sum * sigma, 16);
    }
}

/* ---- learning rate (section 12) ---- */

int64_t num_cos30(uint64_t x)
{
    const uint64_t pi_62 = 14488038916154245685u, right_angle = (uint64_t)1 << 29;
    CHECK(x <= 2 * right_angle);
    if (x > right_angle)
        return -num_cos30(2 * right_angle - x);
    uint64_t y = (uint64_t)((u128)pi_62 * x >> 30), term = (uint64_t)1 << 62;
    int64_t sum = (int64_t)term;
    for (unsigned k = 1; k <= 14; k++) {
        term = (uint64_t)((u128)term * y >> 62);
        term = (uint64_t)((u128)term * y >> 62) / (2 * k * (2 * k - 1));
        sum += k & 1 ? -(int64_t)term : (int64_t)term;
    }
    return num_rhu(sum, 32);
}

int32_t num_learning_rate(int32_t lr_max, uint64_t warm, uint64_t total, uint64_t step)
{
    CHECK(lr_max >= 0);
    if (step < warm)
        return (int32_t)((u128)(uint32_t)lr_max * ((u128)step + 1) / warm);
    int64_t lr_min = lr_max / 10;
    uint64_t span = total > warm ? total - warm : 1, done = step - warm < span ? step - warm : span;
    uint64_t x = (uint64_t)(((u128)done << 30) / span);
    return (int32_t)(lr_min + (((lr_max - lr_min) * (((int64_t)1 << 30) + num_cos30(x))) >> 31));
}
