/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/transcript.h"

#include <string.h>

static void hash_u64(cr_blake3 *h, uint64_t x)
{
    uint8_t b[8];
    store_le64(b, x);
    cr_blake3_update(h, bytes_of(b, sizeof b));
}

static void hash_label(cr_blake3 *h, const pf_transcript *t, const char *label)
{
    size_t len = strlen(label);
    cr_blake3_update(h, bytes_of(t->state.b, sizeof t->state.b));
    hash_u64(h, len);
    cr_blake3_update(h, bytes_of((const uint8_t *)label, len));
}

void pf_start(pf_transcript *t, uint64_t version)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 proof start v1");
    hash_u64(&h, version);
    t->state = cr_blake3_final(&h);
}

void pf_absorb(pf_transcript *t, const char *label, bytes data)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 proof absorb v1");
    hash_label(&h, t, label);
    hash_u64(&h, data.len);
    cr_blake3_update(&h, data);
    t->state = cr_blake3_final(&h);
}

void pf_absorb_u64(pf_transcript *t, const char *label, uint64_t x)
{
    uint8_t b[8];
    store_le64(b, x);
    pf_absorb(t, label, bytes_of(b, sizeof b));
}

void pf_absorb_fx(pf_transcript *t, const char *label, const fx *x, size_t n)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 proof absorb v1");
    hash_label(&h, t, label);
    hash_u64(&h, n * FX_BYTES);
    for (size_t i = 0; i < n; i++) {
        uint8_t b[FX_BYTES];
        fx_encode(b, x[i]);
        cr_blake3_update(&h, bytes_of(b, sizeof b));
    }
    t->state = cr_blake3_final(&h);
}

pf_transcript pf_fork(const pf_transcript *t, const char *label, uint64_t n)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 proof fork v1");
    hash_label(&h, t, label);
    hash_u64(&h, n);
    return (pf_transcript){ cr_blake3_final(&h) };
}

void pf_join(pf_transcript *t, const pf_transcript *forks, size_t n)
{
    cr_blake3 h;
    cr_blake3_init_derive(&h, "theblock 2026 proof absorb v1");
    hash_label(&h, t, "join");
    hash_u64(&h, n * sizeof forks->state.b);
    for (size_t i = 0; i < n; i++)
        cr_blake3_update(&h, bytes_of(forks[i].state.b, sizeof forks[i].state.b));
    t->state = cr_blake3_final(&h);
}

void pf_squeeze(pf_transcript *t, pf_stream *s, const char *label)
{
    cr_blake3_init_derive(&s->hash, "theblock 2026 proof squeeze v1");
    hash_label(&s->hash, t, label);
    uint8_t first[64]; /* one block of output: the state, and all that most streams give */
    cr_blake3_final_xof(&s->hash, 0, first, sizeof first);
    memcpy(t->state.b, first, sizeof t->state.b);
    s->at = sizeof first;
    s->used = sizeof s->buffer - (sizeof first - sizeof t->state.b);
    memcpy(s->buffer + s->used, first + sizeof t->state.b, sizeof s->buffer - s->used);
}

static void stream_bytes(pf_stream *s, uint8_t *out, uint32_t n)
{
    for (uint32_t i = 0; i < n; i++) {
        if (s->used == sizeof s->buffer) {
            cr_blake3_final_xof(&s->hash, s->at, s->buffer, sizeof s->buffer);
            s->at += sizeof s->buffer;
            s->used = 0;
        }
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
