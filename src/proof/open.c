/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/open.h"

#include "crypto/merkle.h"

#include <stdlib.h>

enum { LOG_CELLS_MAX = 40, BATCH = 32 };

_Static_assert(PF_QUERIES <= (int)CR_MERKLE_SEVERAL_MAX, "one multi-opening holds all queries");
_Static_assert(BATCH % FXV_LANES == 0, "a batch is whole blocks");

err pf_geometry_make(pf_geometry *out, uint64_t tiles, unsigned log_tile, fault *f)
{
    if (tiles == 0 || log_tile >= LOG_CELLS_MAX || tiles >> (LOG_CELLS_MAX - log_tile) != 0)
        return fail(f, ERR_LIMIT, "tiles", tiles);
    uint64_t cells = tiles << log_tile;
    unsigned m = PF_LOG_ROW_MIN;
    while ((u128)1 << (2 * m) < (u128)27 * cells) /* a longer row costs bytes in the two vectors, a further row in the columns */
        m++;
    m = m < log_tile ? m : log_tile;
    if (m > PF_LOG_ROW_MAX)
        return fail(f, ERR_LIMIT, "row", m);
    *out = (pf_geometry){ m, cells >> m };
    return OK;
}

hash256 pf_column_hash(bytes column, size_t symbol_bytes)
{
    hash256   h = { { 0 } };
    cr_blake3 state;
    size_t    band = PF_BAND * symbol_bytes;
    cr_blake3_init_derive(&state, "theblock 2026 proof column v1");
    for (size_t at = 0; at < column.len; at += band) {
        size_t left = column.len - at;
        cr_blake3_reset(&state);
        cr_blake3_update(&state, bytes_of(h.b, sizeof h.b));
        cr_blake3_update(&state, bytes_of(column.data + at, left < band ? left : band));
        h = cr_blake3_final(&state);
    }
    return h;
}

void pf_open_weights(pf_transcript *t, fx *chi, fxv *weights, uint64_t rows)
{
    pf_stream s;
    pf_squeeze(t, &s, "opening");
    *chi = pf_stream_fx(&s);
    for (size_t i = 0; i < rows; i++)
        fxv_set(weights, i, pf_stream_fx(&s));
}

/* Keeps out[0, n) ascending and without repetition. Returns the new n. */
static size_t insert(uint32_t *out, size_t n, uint32_t x)
{
    size_t at = n;
    while (at != 0 && out[at - 1] > x)
        at--;
    if (at != 0 && out[at - 1] == x)
        return n;
    memmove(out + at + 1, out + at, (n - at) * sizeof *out);
    out[at] = x;
    return n + 1;
}

size_t pf_open_queries(pf_transcript *t, unsigned m, uint32_t out[PF_QUERIES])
{
    pf_stream s;
    size_t    columns = (size_t)2 << m, n = 0;
    pf_squeeze(t, &s, "queries");
    if (columns <= PF_QUERIES) {
        for (; n < columns; n++)
            out[n] = (uint32_t)n;
        return n;
    }
    while (n < PF_QUERIES)
        n = insert(out, n, pf_stream_index(&s, m + 1));
    return n;
}

/* --- verifying ------------------------------------------------------------------------------------------------------- */

typedef enum vector { PROXIMITY, EVALUATION, VECTORS } vector;
static const char *const labels[VECTORS] = { "proximity", "evaluation" };

typedef struct opening {
    const pf_geometry   *g;
    const pf_open_claim *claim;
    pf_reader           *r;
    size_t   n, n_cells;                /* queries; those of them below M, which come first */
    uint32_t query[PF_QUERIES];
    fx       symbol[VECTORS][PF_QUERIES]; /* of the vectors' codewords */
    bytes    columns;
} opening;

static err receive_vector(pf_reader *r, pf_transcript *t, const char *label, fxv *out, fx *scratch, size_t n)
{
    TRY(pf_receive_fx(r, t, label, scratch, n));
    for (size_t i = 0; i < n; i++)
        fxv_set(out, i, scratch[i]);
    return OK;
}

static void take_queries(opening *o, pf_transcript *t)
{
    o->n = pf_open_queries(t, o->g->m, o->query);
    while (o->n_cells < o->n && o->query[o->n_cells] >> o->g->m == 0)
        o->n_cells++;
}

/* The queried symbols of the codeword of `v`, coordinate by coordinate: the code is linear over F_p. `half` has room for M elements. */
static void encode_queried(opening *o, vector which, const fxv *v, fp *half)
{
    size_t M = (size_t)1 << o->g->m;
    for (int k = 0; k < 3; k++) {
        for (size_t i = 0; i < M; i++)
            half[i] = v[i / FXV_LANES].c[k][i % FXV_LANES];
        for (size_t q = 0; q < o->n_cells; q++)
            o->symbol[which][q].c[k] = half[o->query[q]];
        fp_rs_parity(half, half, o->g->m);
        for (size_t q = o->n_cells; q < o->n; q++)
            o->symbol[which][q].c[k] = half[o->query[q] - M];
    }
}

static err receive_vectors(opening *o, pf_transcript *t)
{
    size_t M = (size_t)1 << o->g->m;
    if (o->r->in.len - o->r->at < VECTORS * M * FX_BYTES) /* before anything is allocated */
        return fail(o->r->f, ERR_TRUNCATED, labels[PROXIMITY], o->r->at);
    fxv *v[VECTORS] = { fxv_alloc(M), fxv_alloc(M) };
    fx  *scratch = malloc(M * sizeof *scratch);
    fp  *half = malloc(M * sizeof *half);
    err  e = v[0] && v[1] && scratch && half ? OK : ERR_MEMORY;
    if (e != OK)
        goto out;
    for (vector i = 0; i < VECTORS; i++)
        TRY_OUT(receive_vector(o->r, t, labels[i], v[i], scratch, M));
    TRY_OUT(pf_want(fx_equal(fxv_dot(v[EVALUATION], o->claim->factors, M), o->claim->value), o->r->f, "value", o->r->at));
    take_queries(o, t);
    for (vector i = 0; i < VECTORS; i++)
        encode_queried(o, i, v[i], half);
out:
    free(half);
    free(scratch);
    free(v[EVALUATION]);
    free(v[PROXIMITY]);
    return e;
}

static err check_tree(opening *o, const hash256 *root)
{
    hash256 leaf[PF_QUERIES];
    bytes   siblings;
    size_t  at = 0;
    for (size_t q = 0; q < o->n; q++) {
        size_t len = pf_column_bytes(o->g, o->query[q]);
        leaf[q] = pf_column_hash(bytes_of(o->columns.data + at, len), q < o->n_cells ? (size_t)PF_CELL_BYTES : (size_t)FP_BYTES);
        at += len;
    }
    size_t n = cr_merkle_several_len(o->g->m + 1, o->query, o->n);
    TRY(pf_read(o->r, "siblings", n * sizeof(hash256), &siblings));
    if (cr_merkle_several_verify(&cr_merkle_blake3, root, o->g->m + 1, o->query, leaf, o->n, (const hash256 *)siblings.data, n) != OK)
        return fail(o->r->f, ERR_UNPROVED, "commitment", o->r->at);
    return OK;
}

static void decode_cells(int16_t *out, const uint8_t *in, size_t n)
{
    for (size_t i = 0; i < n; i++)
        out[i] = (int16_t)load_le16(in + PF_CELL_BYTES * i);
}

/* Residues of least magnitude. *bad: the first that is not below p; false if there is one. */
static bool decode_symbols(int64_t *out, const uint8_t *in, size_t n, size_t *bad)
{
    for (size_t i = 0; i < n; i++, in += FP_BYTES) {
        uint64_t x = load_le32(in) | (uint64_t)load_le16(in + 4) << 32;
        if (x >= FP_P) {
            *bad = i;
            return false;
        }
        out[i] = x > FP_P / 2 ? (int64_t)x - (int64_t)FP_P : (int64_t)x;
    }
    return true;
}

/* The weighted sums of the columns of queries [q, q + m->rows) against the codewords' symbols. */
static err check_sums(const opening *o, const fx_ints *m, size_t q)
{
    const fxv *weights[VECTORS] = { o->claim->proximity, o->claim->row_weights };
    for (vector i = 0; i < VECTORS; i++) {
        fxv sum[BATCH / FXV_LANES] = { 0 };
        fxv_cols(sum, m, weights[i]);
        for (size_t k = 0; k < m->rows; k++)
            TRY(pf_want(fx_equal(fxv_get(sum, k), o->symbol[i][q + k]), o->r->f, labels[i], o->query[q + k]));
    }
    return OK;
}

/* The columns of queries [q, end), all below M or all from M on, a batch at a time. */
static err check_columns(const opening *o, void *batch, size_t q, size_t end, size_t *at)
{
    size_t rows = (size_t)o->g->rows, bad = 0;
    bool   cells = end <= o->n_cells;
    while (q < end) {
        size_t         n = end - q < BATCH ? end - q : BATCH;
        const uint8_t *in = o->columns.data + *at;
        if (cells)
            decode_cells(batch, in, n * rows);
        else if (!decode_symbols(batch, in, n * rows, &bad))
            return fail(o->r->f, ERR_CANONICAL, "column", o->query[q + bad / rows]);
        fx_ints m = { batch, n, rows, rows, cells ? sizeof(int16_t) : sizeof(int64_t) };
        TRY(check_sums(o, &m, q));
        *at += n * pf_column_bytes(o->g, o->query[q]);
        q += n;
    }
    return OK;
}

err pf_open_verify(pf_reader *r, pf_transcript *t, const hash256 *root, const pf_geometry *g, const pf_open_claim *claim)
{
    opening o = { .g = g, .claim = claim, .r = r };
    size_t  len = 0, at = 0;
    TRY(receive_vectors(&o, t));
    for (size_t q = 0; q < o.n; q++)
        len += pf_column_bytes(g, o.query[q]);
    TRY(pf_read(r, "columns", len, &o.columns));
    TRY(check_tree(&o, root));
    void *batch = malloc(BATCH * (size_t)g->rows * sizeof(int64_t));
    if (!batch)
        return ERR_MEMORY;
    err e;
    TRY_OUT(check_columns(&o, batch, 0, o.n_cells, &at));
    TRY_OUT(check_columns(&o, batch, o.n_cells, o.n, &at));
out:
    free(batch);
    return e;
}
