/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/witness_int.h"

#include "base/port/pages.h"
#include "numerics/trace.h"

#include <stdlib.h>
#include <string.h>

static size_t cells_of(const pf_layout *y, uint32_t tensor)
{
    return (size_t)pf_padded(y, tensor) << y->nu;
}

static err place_cells(pv_witness *w, fault *f)
{
    const pf_layout *y = &w->y;
    size_t cells = 0;
    for (uint32_t t = 0; t < y->tensor_count; t++)
        cells += cells_of(y, t);
    w->cells = base_pages_zeroed(cells * sizeof *w->cells);
    if (!w->cells)
        return fail(f, ERR_MEMORY, "witness", cells);
    int16_t *c = w->cells;
    for (uint32_t t = 0; t < y->tensor_count; t++, c += cells_of(y, t - 1))
        w->cell[t] = c;
    return OK;
}

err pv_witness_init(pv_witness *w, const pf_subject *s, base_pool *pool, fault *f)
{
    memset(w, 0, sizeof *w);
    w->s = s;
    w->pool = pool;
    TRY(pf_layout_init(&w->y, &s->shape, &s->fractions, s->sequences, PF_NONE, f));
    TRY(pf_rows_init(&w->rows, &w->y, s, f));
    const pf_layout *y = &w->y;
    w->cell = calloc(y->tensor_count, sizeof *w->cell);
    w->input = base_pages_zeroed(pv_stream_room(w) * sizeof *w->input);
    if (!w->cell || !w->input)
        return fail(f, ERR_MEMORY, "witness", 0);
    return place_cells(w, f);
}

void pv_witness_deinit(pv_witness *w)
{
    free(w->cell);
    free(w->input);
    free(w->cells);
    pf_rows_deinit(&w->rows);
    pf_layout_deinit(&w->y);
    memset(w, 0, sizeof *w);
}

uint64_t pv_witness_bytes(const pv_witness *w)
{
    const pf_layout *y = &w->y;
    uint64_t size = pv_stream_room(w) * sizeof *w->input;
    for (uint32_t t = 0; t < y->tensor_count; t++)
        size += 2 * cells_of(y, t);
    return size;
}

/* --- taking the trace ------------------------------------------------------------------------------------------------------ */

typedef struct source {
    pv_witness *w;
    uint32_t    layer, first; /* first: token index of the sequence */
    const void *data;
    uint32_t    rows, cols, elem;
} source;

static int64_t at(const source *s, size_t i)
{
    return s->elem == 2 ? ((const int16_t *)s->data)[i] : s->elem == 4 ? ((const int32_t *)s->data)[i] : ((const int64_t *)s->data)[i];
}

static int16_t *cell_row(const source *s, pf_slot slot, uint32_t row)
{
    const pf_layout *y = &s->w->y;
    uint32_t t = pf_at(y, s->layer, slot);
    return s->w->cell[t] + (size_t)(s->first + row) * pf_padded(y, t);
}

/* n elements from `first` on, in 16 bits, and in 32. */
static void narrow(int16_t *out, const source *s, size_t first, size_t n)
{
    if (s->elem == 2)
        memcpy(out, (const int16_t *)s->data + first, n * sizeof *out);
    else if (s->elem == 4)
        for (size_t j = 0; j < n; j++)
            out[j] = (int16_t)((const int32_t *)s->data)[first + j];
    else
        for (size_t j = 0; j < n; j++)
            out[j] = (int16_t)((const int64_t *)s->data)[first + j];
}

static void widen(int32_t *out, const source *s, size_t first, size_t n)
{
    if (s->elem == 2)
        for (size_t j = 0; j < n; j++)
            out[j] = ((const int16_t *)s->data)[first + j];
    else
        for (size_t j = 0; j < n; j++)
            out[j] = (int32_t)at(s, first + j);
}

static void take_plain(const source *s, pf_slot slot)
{
    for (uint32_t i = 0; i < s->rows; i++)
        narrow(cell_row(s, slot, i), s, (size_t)i * s->cols, s->cols);
}

enum { PIECE = 256 };

/* t = lo + n hi with |lo| <= n / 2: hi = floor((t + n / 2) / n). A division by a constant is a product. */
static inline __attribute__((always_inline)) void take_digits(const source *s, pf_slot lo, const int32_t n)
{
    int32_t t[PIECE];
    for (uint32_t i = 0; i < s->rows; i++) {
        int16_t *low = cell_row(s, lo, i), *high = cell_row(s, (pf_slot)(lo + 1), i);
        for (uint32_t first = 0; first < s->cols; first += PIECE) {
            const uint32_t count = s->cols - first < PIECE ? s->cols - first : PIECE;
            widen(t, s, (size_t)i * s->cols + first, count);
            for (uint32_t j = 0; j < count; j++) {
                int32_t up = t[j] + n / 2, hi = up >= 0 ? up / n : -((n - 1 - up) / n);
                high[first + j] = (int16_t)hi;
                low[first + j] = (int16_t)(t[j] - n * hi);
            }
        }
    }
}

/* Rows of (H T) x T become features h T' + j. */
static void take_heads(const source *s, pf_slot slot)
{
    const pf_layout *y = &s->w->y;
    const uint32_t T = y->shape.context;
    for (uint32_t h = 0; h < y->shape.heads; h++)
        for (uint32_t i = 0; i < T; i++)
            narrow(cell_row(s, slot, i) + ((size_t)h << y->t_bits), s, ((size_t)h * T + i) * T, T);
}

/* The place of the first maximum of n elements, n > 0. */
static uint32_t first_maximum(const source *s, size_t first, uint32_t n, int64_t *max)
{
    int32_t  t[PIECE];
    uint32_t best = 0;
    *max = at(s, first);
    for (uint32_t from = 0; from < n; from += PIECE) {
        const uint32_t count = n - from < PIECE ? n - from : PIECE;
        int32_t most = INT32_MIN;
        widen(t, s, first + from, count);
        for (uint32_t j = 0; j < count; j++)
            most = t[j] > most ? t[j] : most;
        if (most <= *max && from > 0)
            continue;
        for (best = 0; t[best] != most; best++) {
        }
        best += from;
        *max = most;
    }
    return best;
}

/* max - D_t - t for n elements. */
static void put_distances(int16_t *out, const source *s, size_t first, uint32_t n, int64_t max)
{
    const int32_t top = (int32_t)(max - s->w->y.k.d_t);
    int32_t t[PIECE];
    for (uint32_t from = 0; from < n; from += PIECE) {
        const uint32_t count = n - from < PIECE ? n - from : PIECE;
        widen(t, s, first + from, count);
        for (uint32_t j = 0; j < count; j++)
            out[from + j] = (int16_t)(top - t[j]);
    }
}

/* Scores become distances from the maximum of what is seen. */
static void take_scores(const source *s)
{
    const pf_layout *y = &s->w->y;
    const uint32_t T = y->shape.context;
    for (uint32_t h = 0; h < y->shape.heads; h++) {
        const pf_head_rows *a = pf_head_of(&s->w->rows, y, s->layer, h);
        for (uint32_t i = 0; i < T; i++) {
            const size_t row = ((size_t)h * T + i) * T;
            a->index[s->first + i] = first_maximum(s, row, i + 1, &a->max[s->first + i]);
            put_distances(cell_row(s, PF_D, i) + ((size_t)h << y->t_bits), s, row, i + 1, a->max[s->first + i]);
        }
    }
}

static void take_logits(const source *s)
{
    pf_head_rows *a = &s->w->rows.logits;
    for (uint32_t i = 0; i < s->rows; i++) {
        const size_t row = (size_t)i * s->cols;
        a->index[s->first + i] = first_maximum(s, row, s->cols, &a->max[s->first + i]);
        a->c[s->first + i] = a->max[s->first + i] - at(s, row + s->w->rows.targets[s->first + i]);
        put_distances(cell_row(s, PF_D, i), s, row, s->cols, a->max[s->first + i]);
    }
}

static void take_el(const source *s)
{
    for (uint32_t i = 0; i < s->rows; i++)
        for (uint32_t j = 0; j < s->cols; j++)
            cell_row(s, PF_E, i)[j] = (int16_t)(at(s, (size_t)i * s->cols + j) - 32768);
}

static void take_head_scalars(const source *s, bool is_c)
{
    const pf_layout *y = &s->w->y;
    for (uint32_t i = 0; i < s->rows; i++)
        for (uint32_t h = 0; h < y->shape.heads; h++) {
            const pf_head_rows *a = pf_head_of(&s->w->rows, y, s->layer, h);
            (is_c ? a->c : a->Z)[s->first + i] = at(s, (size_t)i * s->cols + h);
        }
}

static void take_input(const source *s)
{
    const pf_layout *y = &s->w->y;
    uint32_t features = pf_row_features(y, PF_VIRTUAL_X);
    for (uint32_t i = 0; i < s->rows; i++)
        memcpy(s->w->input + (size_t)(s->first + i) * features, (const int32_t *)s->data + (size_t)i * s->cols, s->cols * sizeof(int32_t));
}

err pv_witness_take(void *ctx, uint32_t tensor_id, uint64_t sequence, const void *data, uint32_t rows, uint32_t cols, uint32_t elem_bytes)
{
    pv_witness *w = ctx;
    uint32_t q = 0, slot = tensor_id % 64;
    while (q < w->s->sequences && w->s->numbers[q] != sequence)
        q++;
    if (q == w->s->sequences)
        return ERR_NOT_FOUND;
    const source s = { w, tensor_id / 64, q << w->y.t_bits, data, rows, cols, elem_bytes };
    static const int8_t plain[NUM_SLOT_COUNT] = {
        [NUM_Y1] = PF_Y1 + 1, [NUM_QQ] = PF_Q + 1, [NUM_KK] = PF_K + 1, [NUM_VV] = PF_V + 1, [NUM_OO] = PF_O + 1, [NUM_Y2] = PF_Y2 + 1,
        [NUM_HH] = PF_H + 1, [NUM_GG] = PF_G + 1, [NUM_DM] = PF_DM + 1, [NUM_DH] = PF_DH + 1, [NUM_DN2] = PF_DN2 + 1, [NUM_DA] = PF_DA + 1,
        [NUM_DP] = PF_DP + 1, [NUM_DV] = PF_DV + 1, [NUM_DQ] = PF_DQ + 1, [NUM_DK] = PF_DK + 1, [NUM_DN1] = PF_DN1 + 1, [NUM_DL] = PF_DL + 1 };
    w->seen++;
    switch (slot) {
    case NUM_X:    if (s.layer == 0) take_input(&s); break;
    case NUM_ZZ:   take_scores(&s); break;
    case NUM_EE:   take_heads(&s, PF_E); break;
    case NUM_DS:   take_heads(&s, PF_DS); break;
    case NUM_ZSUM: take_head_scalars(&s, false); break;
    case NUM_CC:   take_head_scalars(&s, true); break;
    case NUM_B1:   take_digits(&s, PF_B1LO, 513); break;
    case NUM_B2:   take_digits(&s, PF_B2LO, 513); break;
    case NUM_DX1:  take_digits(&s, PF_DX1LO, 4097); break;
    case NUM_DX2:  take_digits(&s, PF_DX2LO, 4097); break;
    case NUM_LG:   take_logits(&s); break;
    case NUM_EL:   take_el(&s); break;
    case NUM_ZL:
        for (uint32_t i = 0; i < rows; i++)
            w->rows.logits.Z[s.first + i] = at(&s, i);
        break;
    default:
        if (plain[slot])
            take_plain(&s, (pf_slot)(plain[slot] - 1));
    }
    return OK;
}

void pv_witness_reset(pv_witness *w)
{
    w->seen = 0;
}

/* --- derived ------------------------------------------------------------------------------------------------------------- */

/* Padding of the tensors whose honest value there is not 0, and what is masked. */
static void fill_padding(pv_witness *w)
{
    const pf_layout *y = &w->y;
    uint32_t L = y->shape.layers, keys = 1u << y->t_bits;
    for (uint32_t l = 0; l < L; l++) {
        uint32_t D = pf_at(y, l, PF_D), gd = pf_at(y, l, PF_GD), h = pf_at(y, l, PF_H), scores = y->shape.heads << y->t_bits;
        for (uint32_t i = 0; D != PF_NONE && i < pf_tokens(y); i++)
            for (uint32_t j = 0, n = pf_padded(y, D); j < n; j++) {
                uint32_t key = j & (keys - 1), place = i & (keys - 1);
                if (j >= scores || !pf_is_token(y, i) || key > place)
                    w->cell[D][(size_t)i * n + j] = (int16_t)((int64_t)y->hidden_d[0] - y->k.d_t);
            }
        for (size_t i = 0; gd != PF_NONE && i < cells_of(y, gd); i++)
            w->cell[gd][i] = (int16_t)w->s->tables->slope[l][w->cell[h][i] + y->k.d_t];
    }
    uint32_t D = pf_at(y, L, PF_D), E = pf_at(y, L, PF_E);
    for (uint32_t i = 0; D != PF_NONE && i < pf_tokens(y); i++)
        for (uint32_t j = 0, n = pf_padded(y, D); j < n; j++)
            if (!pf_is_token(y, i) || j >= y->shape.vocab) {
                w->cell[D][(size_t)i * n + j] = (int16_t)((int64_t)y->hidden_d[1] - y->k.d_t);
                w->cell[E][(size_t)i * n + j] = -32768;
            }
}

/* x: room for a row. */
static void norm_rows(pv_witness *w, uint32_t k, int32_t *x)
{
    const pf_layout *y = &w->y;
    uint32_t l = k / 2, yy = pf_at(y, l, k & 1 ? PF_Y2 : PF_Y1), dn = pf_at(y, l, k & 1 ? PF_DN2 : PF_DN1), n;
    if (!pf_has_squares(y, k))
        return;
    n = pf_padded(y, yy);
    pf_norm_rows *r = &w->rows.norms[k];
    for (uint32_t i = 0; i < pf_tokens(y); i++) {
        if (!pf_is_token(y, i))
            continue;
        pv_stream_row(w, x, PF_VIRTUAL_X + k, i, (pv_window){ 0, n });
        r->squares[i] = r->y_squares[i] = r->M[i] = 0;
        for (uint32_t j = 0; j < y->shape.width; j++) {
            size_t c = (size_t)i * n + j;
            r->squares[i] += (int64_t)x[j] * x[j];
            r->y_squares[i] += (int64_t)w->cell[yy][c] * w->cell[yy][c];
            if (pf_has_m(y, k))
                r->M[i] += (int64_t)w->cell[dn][c] * w->cell[yy][c];
        }
    }
}

err pv_witness_count(pv_witness *w, fault *f)
{
    uint32_t *counts = calloc(2 * (size_t)w->y.entries, sizeof *counts);
    err e = counts ? OK : fail(f, ERR_MEMORY, "witness", w->y.entries);
    w->rows.exception_count = 0;
    if (e == OK)
        e = pv_remainders(w, counts, f);
    if (e == OK)
        pv_multiplicities(w, counts);
    free(counts);
    return e;
}

err pv_witness_finish(pv_witness *w, fault *f)
{
    if (w->s->result.range)
        TRY(pv_reach(w, f));
    else if (w->seen != num_trace_count(&w->y.shape) * w->s->sequences)
        return fail(f, ERR_STATE, "trace", w->seen);
    base_pages_trim(); /* of the step's tensors */
    fill_padding(w);
    int32_t *x = malloc(pf_row_features(&w->y, PF_VIRTUAL_X) * sizeof *x);
    if (!x)
        return fail(f, ERR_MEMORY, "witness", 0);
    for (uint32_t k = 0; k < 2 * w->y.shape.layers + 1; k++)
        norm_rows(w, k, x);
    free(x);
    if (w->y.tensor_count)
        TRY(pv_witness_count(w, f));
    pv_inputs(w);
    return OK;
}
