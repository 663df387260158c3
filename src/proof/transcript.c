/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/transcript.h"

#include <string.h>

/* A context and its key: BLAKE3 of the context in the mode of contexts. Most messages are short, and hashing the context would be a third of the work. */
typedef struct context {
    const char *name;
    uint32_t    key[8];
} context;

static const context
    absorbs = { "theblock 2026 proof absorb v1", { 0xfa22f4cd, 0x2bfb67ad, 0x0c1c8270, 0x9e4b2a81, 0xb9ca88a3, 0x4c7a0ac1, 0x70f115ce, 0x231e311d } },
    squeezes = { "theblock 2026 proof squeeze v1", { 0xd1ac5347, 0xb284ce88, 0x4be11c4f, 0xa8cece48, 0x77366981, 0xf0499bd0, 0xa28d2a3d, 0x0a7d5346 } },
    forks_of = { "theblock 2026 proof fork v1", { 0xa52903c4, 0x2fc58a69, 0xe5536938, 0x9370f235, 0x5c82d593, 0x536ea4fb, 0x087d9a17, 0xba6f9c2c } };

enum { LABEL_MAX = 64, HEAD_MAX = 32 + 8 + LABEL_MAX + 8 };

/* state || le64(|label|) || label; how long it is. */
static size_t put_head(uint8_t *to, const pf_transcript *t, const char *label)
{
    size_t len = strlen(label);
    CHECK(len <= LABEL_MAX);
    memcpy(to, t->state.b, sizeof t->state.b);
    store_le64(to + 32, len);
    memcpy(to + 40, label, len);
    return 40 + len;
}

static size_t put_u64(uint8_t *to, size_t at, uint64_t x)
{
    store_le64(to + at, x);
    return at + 8;
}

/* The hash of a message of which `len` bytes are in `m`, a chunk at most, and `rest` follow. */
static hash256 hash_message(const context *c, const uint8_t *m, size_t len, bytes rest)
{
    hash256 out;
    uint8_t block[64];
    if (rest.len != 0) {
        cr_blake3 h;
        cr_blake3_init_derive(&h, c->name);
        cr_blake3_update(&h, bytes_of(m, len));
        cr_blake3_update(&h, rest);
        return cr_blake3_final(&h);
    }
    cr_blake3_chunk(block, c->key, m, len);
    memcpy(out.b, block, sizeof out.b);
    return out;
}

void pf_start(pf_transcript *t, uint64_t version)
{
    uint8_t m[8];
    store_le64(m, version);
    t->state = cr_blake3_hash_in("theblock 2026 proof start v1", bytes_of(m, sizeof m));
}

void pf_absorb(pf_transcript *t, const char *label, bytes data)
{
    uint8_t m[CR_BLAKE3_CHUNK_BYTES];
    size_t  at = put_u64(m, put_head(m, t, label), data.len), fits = data.len <= sizeof m - at ? data.len : 0;
    if (fits != 0)
        memcpy(m + at, data.data, fits);
    t->state = hash_message(&absorbs, m, at + fits, bytes_of(data.data, data.len - fits));
}

void pf_absorb_u64(pf_transcript *t, const char *label, uint64_t x)
{
    uint8_t b[8];
    store_le64(b, x);
    pf_absorb(t, label, bytes_of(b, sizeof b));
}

void pf_absorb_fx(pf_transcript *t, const char *label, const fx *x, size_t n)
{
    enum { FEW = (CR_BLAKE3_CHUNK_BYTES - HEAD_MAX) / FX_BYTES };
    uint8_t m[CR_BLAKE3_CHUNK_BYTES];
    size_t  at = put_u64(m, put_head(m, t, label), n * FX_BYTES);
    if (n <= FEW) {
        for (size_t i = 0; i < n; i++, at += FX_BYTES)
            fx_encode(m + at, x[i]);
        t->state = hash_message(&absorbs, m, at, bytes_of(NULL, 0));
        return;
    }
    cr_blake3 h;
    cr_blake3_init_derive(&h, absorbs.name);
    cr_blake3_update(&h, bytes_of(m, at));
    for (size_t i = 0; i < n; i++) {
        uint8_t b[FX_BYTES];
        fx_encode(b, x[i]);
        cr_blake3_update(&h, bytes_of(b, sizeof b));
    }
    t->state = cr_blake3_final(&h);
}

pf_transcript pf_fork(const pf_transcript *t, const char *label, uint64_t n)
{
    uint8_t m[HEAD_MAX];
    size_t  at = put_u64(m, put_head(m, t, label), n);
    return (pf_transcript){ hash_message(&forks_of, m, at, bytes_of(NULL, 0)) };
}

void pf_join(pf_transcript *t, const pf_transcript *forks, size_t n)
{
    uint8_t   m[HEAD_MAX];
    cr_blake3 h;
    cr_blake3_init_derive(&h, absorbs.name);
    cr_blake3_update(&h, bytes_of(m, put_u64(m, put_head(m, t, "join"), n * sizeof forks->state.b)));
    for (size_t i = 0; i < n; i++)
        cr_blake3_update(&h, bytes_of(forks[i].state.b, sizeof forks[i].state.b));
    t->state = cr_blake3_final(&h);
}

void pf_squeeze(pf_transcript *t, pf_stream *s, const char *label)
{
    uint8_t first[64]; /* one block of output: the state, and all that most streams give */
    s->head_len = put_head(s->head, t, label);
    cr_blake3_chunk(first, squeezes.key, s->head, s->head_len);
    memcpy(t->state.b, first, sizeof t->state.b);
    s->at = sizeof first;
    s->used = sizeof s->buffer - (sizeof first - sizeof t->state.b);
    memcpy(s->buffer + s->used, first + sizeof t->state.b, sizeof s->buffer - s->used);
}

static void more_bytes(pf_stream *s)
{
    if (s->head_len != 0) {
        cr_blake3_init_derive(&s->hash, squeezes.name);
        cr_blake3_update(&s->hash, bytes_of(s->head, s->head_len));
        s->head_len = 0;
    }
    cr_blake3_final_xof(&s->hash, s->at, s->buffer, sizeof s->buffer);
    s->at += sizeof s->buffer;
    s->used = 0;
}

static void stream_bytes(pf_stream *s, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s->used == sizeof s->buffer)
            more_bytes(s);
        out[i] = s->buffer[s->used++];
    }
}

fp pf_stream_fp(pf_stream *s)
{
    uint8_t b[FP_BYTES];
    fp x;
    do
        stream_bytes(s, b, FP_BYTES);
    while (!fp_decode(&x, b));
    return x;
}

fx pf_stream_fx(pf_stream *s)
{
    fx x;
    for (int i = 0; i < 3; i++)
        x.c[i] = pf_stream_fp(s);
    return x;
}

uint32_t pf_stream_index(pf_stream *s, unsigned bits)
{
    uint8_t b[4];
    stream_bytes(s, b, sizeof b);
    return (uint32_t)(load_le32(b) & ((UINT64_C(1) << bits) - 1));
}

void pf_challenge(pf_transcript *t, const char *label, fx *out, size_t n)
{
    pf_stream s;
    pf_squeeze(t, &s, label);
    for (size_t i = 0; i < n; i++)
        out[i] = pf_stream_fx(&s);
}
