/* SPDX-License-Identifier: Apache-2.0 */
#include "numerics/dither.h"

#include "crypto/blake3.h"

hash256 num_dither_seed(const hash256 *job_id, const hash256 *model_id, uint64_t step)
{
    uint8_t in[32 + 32 + 8];
    memcpy(in, job_id->b, 32);
    memcpy(in + 32, model_id->b, 32);
    store_le64(in + 64, step);
    return cr_blake3_hash_in("theblock 2026 dither seed v1", bytes_of(in, sizeof in));
}

/* Words [first, first + n) of the keyed output for one message. */
static void words(uint64_t *out, uint64_t first, size_t n, const hash256 *seed, bytes message)
{
    cr_blake3 h;
    uint8_t chunk[512];
    cr_blake3_init_keyed(&h, seed->b);
    cr_blake3_update(&h, message);
    for (size_t done = 0; done < n;) {
        size_t take = n - done < sizeof chunk / 8 ? n - done : sizeof chunk / 8;
        cr_blake3_final_xof(&h, 8 * (first + done), chunk, 8 * take);
        for (size_t i = 0; i < take; i++)
            out[done + i] = load_le64(chunk + 8 * i);
        done += take;
    }
}

static void row_words(uint64_t *out, uint64_t first, size_t n, const hash256 *seed, uint32_t tensor, uint64_t sequence)
{
    uint8_t message[13] = { 'a' };
    store_le32(message + 1, tensor);
    store_le64(message + 5, sequence);
    words(out, first, n, seed, bytes_of(message, sizeof message));
}

static void col_words(uint64_t *out, uint64_t first, size_t n, const hash256 *seed, uint32_t tensor)
{
    uint8_t message[5] = { 'b' };
    store_le32(message + 1, tensor);
    words(out, first, n, seed, bytes_of(message, sizeof message));
}

void num_dither_rows(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor, uint64_t sequence)
{
    row_words(out, 0, n, seed, tensor, sequence);
}

void num_dither_cols(uint64_t *out, size_t n, const hash256 *seed, uint32_t tensor)
{
    col_words(out, 0, n, seed, tensor);
}

uint64_t num_dither_row(const hash256 *seed, uint32_t tensor, uint64_t sequence, uint64_t index)
{
    uint64_t word;
    row_words(&word, index, 1, seed, tensor, sequence);
    return word;
}

uint64_t num_dither_col(const hash256 *seed, uint32_t tensor, uint64_t index)
{
    uint64_t word;
    col_words(&word, index, 1, seed, tensor);
    return word;
}
