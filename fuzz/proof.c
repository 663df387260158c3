/* SPDX-License-Identifier: Apache-2.0
 * Proofs of a gradient: of all bytes a stranger may send for a given statement, the honest ones alone are accepted. First byte: the
 * statement; second: where the stranger's bytes begin. Below the number of parts: the honest proof up to that part, then the input.
 * From there on: the input is a list of changes to the honest proof, so that what comes late in a proof is reached. */
#include "prove/step_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* One so small that all columns are opened, with no dimension a power of two; and one whose opening draws queries. */
static const struct { num_shape shape; uint32_t sequences; } statements[] = {
    { { 7, 3, 15, 1, 3, 12, NUM_NARROW }, 1 },
    { { 20, 8, 16, 1, 2, 12, NUM_NARROW }, 2 },
};

typedef struct honest_proof {
    step_kit kit;
    buf      proof;
    size_t   first[PF_OF_PARTS + 1]; /* byte of each part */
} honest_proof;

static honest_proof honest[COUNT_OF(statements)];

static void make_honest(honest_proof *h, const num_shape *shape, uint32_t sequences)
{
    pf_report report;
    kit_make(&h->kit, shape, sequences, 1, NULL);
    buf_init(&h->proof, (size_t)1 << 24);
    CHECK(pv_prove(h->kit.ws, &h->kit.witness, &h->proof, NULL) == OK);
    CHECK(pf_verify(&h->kit.subject, buf_bytes(&h->proof), &report, NULL) == OK);
    for (size_t i = 0; i < PF_OF_PARTS; i++)
        h->first[i + 1] = h->first[i] + report.bytes[i];
    CHECK(h->first[PF_OF_PARTS] == h->proof.len);
}

enum { CHANGE_BYTES = 5 };

/* Five bytes a change: 8 x part + kind, place in the part (le24), a byte. Kind 1 puts an element of K in the place of another, as many
 * elements further as the byte says; the others add the byte there. Kind 2 counts the place from the end. Fewer bytes: how much is cut off. */
static size_t change(const honest_proof *h, uint8_t *proof, const uint8_t *data, size_t size)
{
    for (; size >= CHANGE_BYTES; size -= CHANGE_BYTES, data += CHANGE_BYTES) {
        size_t part = data[0] / 8 % PF_OF_PARTS, first = h->first[part], len = h->first[part + 1] - first;
        size_t place = (data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) % len, step = (size_t)data[4] * FX_BYTES;
        place = data[0] % 8 == 2 ? len - 1 - place : data[0] % 8 == 1 ? place - place % FX_BYTES : place;
        if (data[0] % 8 != 1)
            proof[first + place] = (uint8_t)(proof[first + place] + data[4]);
        else if (place + step + FX_BYTES <= len)
            memmove(proof + first + place, proof + first + place + step, FX_BYTES);
    }
    return size != 0 && data[0] < h->proof.len ? h->proof.len - data[0] : h->proof.len;
}

static void check_outcome(const honest_proof *h, const uint8_t *proof, size_t len)
{
    fault f = { 0 };
    err   e = pf_verify(&h->kit.subject, bytes_of(proof, len), NULL, &f);
    CHECK((e == OK) == bytes_equal(bytes_of(proof, len), buf_bytes(&h->proof)));
    CHECK(e == OK || e == ERR_TRUNCATED || e == ERR_TRAILING || e == ERR_CANONICAL || e == ERR_UNPROVED || e == ERR_VERSION || e == ERR_LIMIT);
    CHECK(e == f.code && (e == OK || f.what));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!honest[0].proof.data)
        for (size_t i = 0; i < COUNT_OF(statements); i++)
            make_honest(&honest[i], &statements[i].shape, statements[i].sequences);
    if (size < 2)
        return 0;
    const honest_proof *h = &honest[data[0] % COUNT_OF(statements)];
    bool     raw = data[1] < PF_OF_PARTS;
    size_t   from = raw ? h->first[data[1]] : h->proof.len, len = raw ? from + size - 2 : from;
    uint8_t *proof = malloc(len + (len == 0)); /* exactly as long, so that the sanitizer sees a read past it */
    CHECK(proof);
    memcpy(proof, h->proof.data, from);
    if (raw)
        memcpy(proof + from, data + 2, size - 2);
    else
        len = change(h, proof, data + 2, size - 2);
    check_outcome(h, proof, len);
    free(proof);
    return 0;
}
