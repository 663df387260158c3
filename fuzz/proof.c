/* SPDX-License-Identifier: Apache-2.0
 * Proofs of a gradient: of all bytes a stranger may send for a given statement, the honest ones alone are accepted. First byte: the
 * statement; second: where the stranger's bytes begin. Below the number of parts: the honest proof up to that part, then the input.
 * From there on: the input is a list of changes to the honest proof, so that what comes late in a proof is reached. */
#include "prove/range_kit.h"

int    LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed);

/* One so small that all columns are opened, with no dimension a power of two; and one whose opening draws queries, and with
 * operands that saturate. The tables fill most of a small commitment, and all columns of few cells take a verifier ten times as long as some of many: the first has its turn rarely.
 * So have the results RANGE: with nothing committed, early in a step, and late in it. */
static const struct { num_shape shape; uint32_t sequences; int finer; uint32_t layer, slot; } statements[] = {
    { .shape = { 7, 3, 15, 1, 3, 12, NUM_NARROW }, .sequences = 1 },
    { .shape = { 20, 30, 16, 1, 2, 12, NUM_NARROW }, .sequences = 2, .finer = 2 },
    { .layer = 0, .slot = NUM_Y1 },
    { .layer = 0, .slot = NUM_QQ },
    { .layer = 1, .slot = NUM_DS },
};

typedef struct honest_proof {
    step_kit kit;
    buf      proof;
    size_t   first[PF_OF_PARTS + 1]; /* byte of each part */
} honest_proof;

enum { TURNS = 16, CHANGE_BYTES = 5, MORE = 128, LIST = 255 };

static honest_proof honest[COUNT_OF(statements)];

/* One turn for each, and the others for the second. */
static size_t statement_of(uint8_t first)
{
    size_t turn = first % TURNS, rare = COUNT_OF(statements) - 2;
    return turn == 0 ? 0 : turn < TURNS - rare ? 1 : turn - (TURNS - rare) + 2;
}

static void make_step(step_kit *k, size_t i)
{
    if (statements[i].sequences) {
        kit_make(k, &statements[i].shape, statements[i].sequences, 1, NULL);
        if (statements[i].finer)
            kit_finer(k, statements[i].finer);
        return;
    }
    size_t c = 0;
    while (c < COUNT_OF(range_cases) && (range_cases[c].layer != statements[i].layer || range_cases[c].slot != statements[i].slot))
        c++;
    CHECK(c < COUNT_OF(range_cases));
    range_make(k, &range_cases[c]);
}

static void make_honest(honest_proof *h, size_t statement)
{
    pf_report report;
    make_step(&h->kit, statement);
    buf_init(&h->proof, (size_t)1 << 24);
    CHECK(pv_prove(h->kit.ws, &h->kit.witness, &h->proof, NULL) == OK);
    CHECK(pf_verify(&h->kit.subject, buf_bytes(&h->proof), &report, NULL) == OK);
    for (size_t i = 0; i < PF_OF_PARTS; i++)
        h->first[i + 1] = h->first[i] + report.bytes[i];
    CHECK(h->first[PF_OF_PARTS] == h->proof.len);
}

enum { MOVE = 1, FROM_END, ZERO, PAIR, ADD, KINDS = 8 };

/* An element of K more or less; nothing if one of the two is none. */
static void add_element(uint8_t *to, const uint8_t *from, bool minus)
{
    fx a, b;
    if (fx_decode(&a, to) && fx_decode(&b, from))
        fx_encode(to, minus ? fx_sub(a, b) : fx_add(a, b));
}

/* Five bytes a change: 8 x part + kind, place in the part (le24), a byte. MOVE puts an element of K in the place of another, as many elements
 * further as the byte says; ZERO puts nothing there; PAIR adds a third to it and takes it from the one further on, so that their sum stays. The
 * others add the byte at the place, FROM_END counts it from the end. */
static void change_one(const honest_proof *h, uint8_t *proof, const uint8_t data[CHANGE_BYTES])
{
    size_t part = data[0] / KINDS % PF_OF_PARTS, len = h->first[part + 1] - h->first[part], kind = data[0] % KINDS;
    if (len == 0) /* RANGE has no gradient */
        return;
    size_t place = (data[1] | (size_t)data[2] << 8 | (size_t)data[3] << 16) % len, element = place - place % FX_BYTES, step = (size_t)data[4] * FX_BYTES;
    uint8_t *at = proof + h->first[part];
    if (kind == 0 || kind >= ADD)
        at[place] = (uint8_t)(at[place] + data[4]);
    else if (kind == FROM_END)
        at[len - 1 - place] = (uint8_t)(at[len - 1 - place] + data[4]);
    else if (element + step + FX_BYTES > len)
        return;
    else if (kind == MOVE)
        memmove(at + element, at + element + step, FX_BYTES);
    else if (kind == ZERO)
        memset(at + element, 0, FX_BYTES);
    else if (step != 0) {
        add_element(at + element, at, false);
        add_element(at + element + step, at, true);
    }
}

/* A copy of the honest proof with the changes made. Fewer bytes than one has: below MORE how many are cut off, else how many zeros follow. */
static uint8_t *changed(size_t *len, const honest_proof *h, const uint8_t *data, size_t size)
{
    uint8_t *proof = malloc(h->proof.len);
    CHECK(proof);
    memcpy(proof, h->proof.data, h->proof.len);
    for (; size >= CHANGE_BYTES; size -= CHANGE_BYTES, data += CHANGE_BYTES)
        change_one(h, proof, data);
    *len = size == 0 ? h->proof.len : data[0] < MORE ? h->proof.len - data[0] : h->proof.len + data[0] - MORE;
    proof = realloc(proof, *len);
    CHECK(proof);
    for (size_t i = h->proof.len; i < *len; i++)
        proof[i] = 0;
    return proof;
}

static uint8_t *raw(size_t *len, const honest_proof *h, size_t part, const uint8_t *data, size_t size)
{
    size_t from = h->first[part];
    *len = from + size;
    uint8_t *proof = malloc(*len + (*len == 0));
    CHECK(proof);
    memcpy(proof, h->proof.data, from);
    memcpy(proof + from, data, size);
    return proof;
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
    if (size < 2)
        return 0;
    size_t        statement = statement_of(data[0]);
    honest_proof *h = &honest[statement];
    if (!h->proof.data)
        make_honest(h, statement);
    size_t   len; /* and no byte more is allocated, so that the sanitizer sees a read past it */
    uint8_t *proof = data[1] < PF_OF_PARTS ? raw(&len, h, data[1], data + 2, size - 2) : changed(&len, h, data + 2, size - 2);
    check_outcome(h, proof, len);
    free(proof);
    return 0;
}

/* --- what is tried next ----------------------------------------------------------------------------------------------------- */

static uint32_t draw(uint64_t *seed)
{
    *seed = *seed * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(*seed >> 33);
}

/* Places near either end of a part, anywhere, or where an element begins. */
static void draw_change(uint8_t out[CHANGE_BYTES], uint64_t *seed)
{
    uint32_t how = draw(seed) % 3, place = draw(seed) % (how == 0 ? 1 << 24 : 1 << 10);
    place = how == 2 ? place * FX_BYTES : place;
    out[0] = (uint8_t)(draw(seed) % PF_OF_PARTS * KINDS + draw(seed) % KINDS);
    out[1] = (uint8_t)place;
    out[2] = (uint8_t)(place >> 8);
    out[3] = (uint8_t)(place >> 16);
    out[4] = (uint8_t)(1u << draw(seed) % 8);
}

/* The stranger's own bytes: one of them another, more of them, or fewer. */
static size_t mutate_raw(uint8_t *data, size_t size, size_t size_max, uint64_t *seed)
{
    uint32_t how = draw(seed) % 4, more = draw(seed) % (4 * FX_BYTES);
    if (how == 0 && size > 2)
        return 2 + draw(seed) % (size - 2);
    for (uint32_t i = 0; how == 1 && i < more && size < size_max; i++)
        data[size++] = (uint8_t)(draw(seed) % 2 ? draw(seed) : 0);
    if (size > 2)
        data[2 + draw(seed) % (size - 2)] ^= (uint8_t)(1u << draw(seed) % 8);
    return size;
}

static size_t mutate_list(uint8_t *data, size_t size, size_t size_max, uint64_t *seed)
{
    size_t n = (size - 2) / CHANGE_BYTES, how = draw(seed) % 8;
    size = 2 + n * CHANGE_BYTES;
    if (how == 0 && n > 0) { /* one of them is left out */
        memmove(data + 2, data + 2 + CHANGE_BYTES, size - 2 - CHANGE_BYTES);
        return size - CHANGE_BYTES;
    }
    if (how == 1 && size < size_max) {
        data[size] = (uint8_t)draw(seed);
        return size + 1;
    }
    bool more = n == 0 || (how < 5 && size + CHANGE_BYTES <= size_max);
    draw_change(data + 2 + (more ? n : draw(seed) % n) * CHANGE_BYTES, seed);
    return more ? size + CHANGE_BYTES : size;
}

size_t LLVMFuzzerCustomMutator(uint8_t *data, size_t size, size_t size_max, unsigned seed)
{
    uint64_t s = seed;
    if (size_max < 2 + CHANGE_BYTES)
        return size;
    if (size < 2 || draw(&s) % 16 == 0) {
        size = 2;
        data[1] = (uint8_t)(draw(&s) % 2 ? LIST : draw(&s) % PF_OF_PARTS);
    }
    data[0] = (uint8_t)(draw(&s) % TURNS);
    return data[1] < PF_OF_PARTS ? mutate_raw(data, size, size_max, &s) : mutate_list(data, size, size_max, &s);
}
