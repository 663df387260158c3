/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/dither.h"

#include "crypto/blake3.h"

hash256 num_dither_seed(const hash256 *job_id, const hash256 *model_id, uint64_t step)
{
    uint8_t le_step[8];
    store_le64(le_step, step);
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 dither seed v1");
    cr_blake3_update(&h, BYTES_OF(*job_id));
    cr_blake3_update(&h, BYTES_OF(*model_id));
    cr_blake3_update(&h, bytes_of(le_step, sizeof le_step));
    return cr_blake3_final(&h);
}

static void start_rows(cr_blake3 *h, const hash256 *seed, uint32_t tensor, uint64_t sequence)
{
    uint8_t message[1 + 4 + 8] = { 'a' };
    store_le32(message + 1, tensor);
    store_le64(message + 5, sequence);
    cr_blake3_init_keyed(h, seed->b);
    cr_blake3_update(h, bytes_of(message, sizeof message));
}

static void start_cols(cr_blake3 *h, const hash256 *seed, uint32_t tensor)
{
    uint8_t message[1 + 4] = { 'b' };
    store_le32(message + 1, tensor);
    cr_blake3_init_keyed(h, seed->b);
    cr_blake3_update(h, bytes_of(message, sizeof message));
}

static void words(const cr_blake3 *h, uint64_t *out, size_t n)
{
    cr_blake3_final_xof(h, 0, (uint8_t *)out, n * sizeof *out);
    for (size_t i = 0; i < n; i++) /* in place: a no-op on little-endian machines */
        out[i] = load_le64((const uint8_t *)&out[i]);
}

static uint64_t word_at(const cr_blake3 *h, uint64_t index)
{
    uint8_t word[8];
    cr_blake3_final_xof(h, index * sizeof word, word, sizeof word);
    return load_le64(word);
}

void num_dither_rows(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor, uint64_t sequence)
{
    cr_blake3 h;
    start_rows(&h, seed, tensor, sequence);
    words(&h, out, n);
}

void num_dither_cols(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor)
{
    cr_blake3 h;
    start_cols(&h, seed, tensor);
    words(&h, out, n);
}

uint64_t num_dither_row_at(const hash256 *seed, uint32_t tensor, uint64_t sequence, uint64_t index)
{
    cr_blake3 h;
    start_rows(&h, seed, tensor, sequence);
    return word_at(&h, index);
}

uint64_t num_dither_col_at(const hash256 *seed, uint32_t tensor, uint64_t index)
{
    cr_blake3 h;
    start_cols(&h, seed, tensor);
    return word_at(&h, index);
}
