/* SPDX-License-Identifier: Apache-2.0
 *
 * Nanoseconds per leaf of the lookup argument's prover, by phase and instruction set: one instance of integer tiles, tuples or a table. "build" is the
 * sums from the leaves to the root, "leaves" the last layer's sumcheck, "rest" all other layers with their transcript. A proof buffer that
 * has no room for the root, or for the end of the last layer but one, ends the prover there. Then the verifier. */
#include "prove/lookup.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { REPEATS = 7, TILE_VARS = 16, BYTES_MAX = 1 << 20 };

static pv_lookup_room *room;

static const char *const isa_names[FX_ISA_COUNT] = { "portable", "avx2", "avx512ifma" };

static uint64_t random_u64(void)
{
    static uint64_t seed;
    uint64_t z = (seed += 0x9e3779b97f4a7c15u);
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static fx random_fx(void)
{
    fx x;
    for (int i = 0; i < 3; i++)
        x.c[i] = fp_from_u64(random_u64());
    return x;
}

/* The processor time of this thread, so that other work on the machine does not count. */
static double now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

typedef enum form { INTS, TUPLES, TABLE, FORMS } form;
static const char *const form_names[FORMS] = { "integers", "tuples", "table" };

typedef struct instance {
    form                  form;
    unsigned              k;
    const int32_t        *tile[16];
    fx                    alpha[16];
    int32_t              *x;
    fxv                  *q;      /* fresh leaves of TUPLES and TABLE (there with p), copied before each run */
    fxv                  *used;
    size_t                blocks;
    buf                   out;
} instance;

static instance instance_make(form which, unsigned k)
{
    size_t n = (size_t)1 << k;
    instance t = { .form = which, .k = k, .x = malloc(n * sizeof(int32_t)), .blocks = fxv_blocks(n) * (which == TABLE ? 2 : 1) };
    t.q = fxv_alloc(t.blocks * FXV_LANES);
    t.used = fxv_alloc(t.blocks * FXV_LANES);
    CHECK(t.x && t.q && t.used);
    for (size_t i = 0; i < n; i++)
        t.x[i] = (int32_t)(random_u64() % 65536);
    for (size_t i = 0; i < t.blocks * FXV_LANES; i++)
        fxv_set(t.q, i, random_fx());
    for (size_t i = 0; i < 16; i++) {
        t.tile[i] = t.x + (i << TILE_VARS) % n;
        t.alpha[i] = random_fx();
    }
    return t;
}

static void instance_drop(instance *t)
{
    free(t->x);
    free(t->q);
    free(t->used);
}

static err prove(instance *t, pv_writer *w)
{
    pf_lookup out;
    if (t->form == INTS)
        return pv_lookup_ints(&out, w, room, &(pv_int_leaves){ t->tile, t->alpha, t->k, TILE_VARS });
    if (t->form == TUPLES)
        return pv_lookup_tuples(&out, w, room, t->used, t->k);
    return pv_lookup_table(&out, w, room, (fx_fractions *)t->used, t->k);
}

/* Least time of a prover that stops when its proof exceeds `bytes_max`; the proof is left in `keep` if that is not NULL. */
static double least(instance *t, size_t bytes_max, buf *keep)
{
    double best = 1e18;
    for (int i = 0; i < REPEATS; i++) {
        pv_writer w;
        pf_start(&w.t, 1);
        buf_init(&w.out, bytes_max);
        memcpy(t->used, t->q, t->blocks * sizeof *t->q);
        double start = now_ns();
        err e = prove(t, &w);
        double took = now_ns() - start;
        CHECK(e == (bytes_max == BYTES_MAX ? OK : ERR_LIMIT));
        best = took < best ? took : best;
        if (keep && i == 0)
            *keep = w.out;
        else
            buf_deinit(&w.out);
    }
    return best;
}

static double least_verify(const instance *t, bytes proof)
{
    double best = 1e18;
    for (int i = 0; i < REPEATS; i++) {
        pf_transcript tr;
        pf_lookup out;
        fault f;
        pf_reader r = { .in = proof, .f = &f };
        pf_start(&tr, 1);
        double start = now_ns();
        CHECK(pf_lookup_verify(&out, &r, &tr, t->k, t->form == TABLE ? PF_LOOKUP_TABLE : PF_LOOKUP_UNIT) == OK);
        double took = now_ns() - start;
        best = took < best ? took : best;
    }
    return best;
}

static double measure(instance *t, double slow)
{
    buf proof;
    double n = (double)((size_t)1 << t->k), total = least(t, BYTES_MAX, &proof) / n, build = least(t, 0, NULL) / n;
    size_t last = (2 * (t->k - 1) + (t->form == TABLE ? 4 : 2)) * FX_BYTES;
    double before = least(t, proof.len - last - 1, NULL) / n;
    printf("  %-10s 2^%u %-9s %7.2f = build %6.2f + rest %6.2f + leaves %6.2f", isa_names[fx_isa_in_use()], t->k, form_names[t->form], total, build,
           before - build, total - before);
    if (slow > 0)
        printf("   x%.1f", slow / total);
    printf("   verify %.0f us, %zu bytes\n", least_verify(t, buf_bytes(&proof)) / 1000, proof.len);
    buf_deinit(&proof);
    return total;
}

int main(void)
{
    static const unsigned ks[] = { 16, 18, 20 };
    fx_isa best = fx_isa_in_use();
    CHECK(pv_lookup_room_new(&room, 20) == OK);
    printf("ns per leaf, least of %d, one thread\n", REPEATS);
    for (size_t i = 0; i < COUNT_OF(ks); i++)
        for (form which = INTS; which < FORMS; which++) {
            instance t = instance_make(which, ks[i]);
            fx_isa_use(FX_ISA_PORTABLE);
            double slow = measure(&t, 0);
            fx_isa_use(best);
            if (best != FX_ISA_PORTABLE)
                measure(&t, slow);
            instance_drop(&t);
        }
    pv_lookup_room_free(room);
    return 0;
}
