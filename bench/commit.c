/* SPDX-License-Identifier: Apache-2.0
 *
 * The commitment of a proof, in ns per cell: encode (the Reed-Solomon transform alone), hash (the rest of a commitment: cells to field
 * elements, columns, tree), open (the two vectors; the columns, which are encoded again), verify. One thread, processor time, the best of some
 * rounds, each instruction set of this machine; the portable kernels on the small shape alone. Freed memory stays with the process, as in one that
 * makes proof after proof: page faults, which cost more than the work on small shapes, fall into the first round. */
#include "prove/commit.h"

#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

typedef struct matrix {
    pf_geometry g;
    int16_t    *cells;
} matrix;

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void fill(void *ctx, int16_t *out, size_t stride, uint64_t row, size_t n)
{
    const matrix *m = ctx;
    size_t        M = (size_t)1 << m->g.m;
    for (size_t k = 0; k < n; k++)
        memcpy(out + k * stride, m->cells + (row + k) * M, M * sizeof *out);
}

static double encode_s(const matrix *m)
{
    size_t n = (size_t)FP_RS_ROWS << m->g.m;
    fp    *x = aligned_alloc(64, n * sizeof *x);
    CHECK(x);
    for (size_t i = 0; i < n; i++)
        x[i] = i % FP_P;
    double start = now_s();
    for (uint64_t row = 0; row < m->g.rows; row += FP_RS_ROWS)
        fp_rs_parity_rows(x, x, m->g.m);
    double s = now_s() - start;
    free(x);
    return s;
}

typedef struct timing {
    double encode, hash, open, verify;
} timing;

static timing measure(matrix *m)
{
    timing        t = { .encode = encode_s(m) };
    pv_cells      cells = { m, fill };
    pv_commitment c;
    size_t        rows = (size_t)m->g.rows, M = (size_t)1 << m->g.m;
    fxv          *g = fxv_alloc(rows), *e = fxv_alloc(rows), *factors = fxv_alloc(M);
    fx            chi;
    CHECK(g && e && factors);
    double start = now_s();
    CHECK(pv_commit(&c, &m->g, &cells, NULL, NULL) == OK);
    t.hash = now_s() - start - t.encode;
    pv_writer w;
    buf_init(&w.out, SIZE_MAX / 2);
    pf_start(&w.t, 1);
    pf_absorb(&w.t, "commitment", BYTES_OF(*pv_commitment_root(&c)));
    pf_open_weights(&w.t, &chi, g, rows);
    pf_open_weights(&w.t, &chi, e, rows);
    pf_transcript at = w.t;
    start = now_s();
    CHECK(pv_open(&w, &c, &cells, g, e, NULL) == OK);
    t.open = now_s() - start;
    pf_reader     r = { .in = buf_bytes(&w.out) };
    pf_open_claim claim = { g, e, factors, FX_ZERO }; /* no factors: the value is 0 */
    start = now_s();
    CHECK(pf_open_verify(&r, &at, pv_commitment_root(&c), &m->g, &claim) == OK);
    t.verify = now_s() - start;
    buf_deinit(&w.out);
    pv_commitment_deinit(&c);
    free(g);
    free(e);
    free(factors);
    return t;
}

static double least(double a, double b)
{
    return a < b ? a : b;
}

static void report(const char *isa, matrix *m, int rounds)
{
    timing best = measure(m);
    for (int i = 1; i < rounds; i++) {
        timing t = measure(m);
        best = (timing){ least(best.encode, t.encode), least(best.hash, t.hash), least(best.open, t.open), least(best.verify, t.verify) };
    }
    double cells = (double)m->g.rows * (double)((size_t)1 << m->g.m) * 1e-9;
    printf("%5zu x 2^%-2u  %-10s  encode %6.2f  hash %6.2f  open %6.2f  sum %6.2f ns/cell   verify %7.2f ms\n", (size_t)m->g.rows, m->g.m, isa,
           best.encode / cells, best.hash / cells, best.open / cells, (best.encode + best.hash + best.open) / cells, 1e3 * best.verify);
}

int main(void)
{
    static const struct { unsigned m; uint64_t rows; int rounds; } shape[] = { { 13, 160, 7 }, { 15, 640, 3 }, { 17, 3000, 2 } };
    static const char *const name[FX_ISA_COUNT] = { "portable", "avx2", "avx512ifma" };
    mallopt(M_MMAP_THRESHOLD, INT32_MAX);
    mallopt(M_TRIM_THRESHOLD, INT32_MAX);
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t i = 0; i < COUNT_OF(shape); i++) {
        matrix m = { .g = { shape[i].m, shape[i].rows } };
        size_t n = (size_t)m.g.rows << m.g.m;
        m.cells = malloc(n * sizeof *m.cells);
        if (!m.cells) {
            printf("SKIP %zu x 2^%u: not enough memory\n", (size_t)m.g.rows, m.g.m);
            continue;
        }
        uint32_t z = 1;
        for (size_t k = 0; k < n; k++)
            m.cells[k] = (int16_t)((z = z * 1664525u + 1013904223u) >> 16);
        for (fx_isa isa = FX_ISA_PORTABLE; isa < FX_ISA_COUNT; isa++)
            if (fx_isa_available(isa) && (isa != FX_ISA_PORTABLE || i == 0)) {
                fx_isa_use(isa);
                report(name[isa], &m, shape[i].rounds);
            }
        free(m.cells);
    }
    return 0;
}
