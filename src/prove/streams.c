/* SPDX-License-Identifier: Apache-2.0
 *
 * The virtual tensors (spec/proof.md section 5): sums of the digits that the cells hold, made where they are needed. */
#include "prove/witness_int.h"

#include <string.h>

/* out += the two-digit tensor whose first is `lo`, row i; PF_NONE: it was not reached, and nobody wants the sum. */
static void add_digits(const pv_witness *w, int32_t *out, uint32_t lo, int32_t n, uint32_t i, pv_window at)
{
    if (lo == PF_NONE)
        return;
    const size_t   place = (size_t)i * pf_padded(&w->y, lo) + at.first;
    const int16_t *low = w->cell[lo] + place, *high = w->cell[lo + 1] + place;
    for (size_t j = 0; j < at.n; j++)
        out[j] += low[j] + n * high[j];
}

void pv_stream_row(const pv_witness *w, int32_t *out, uint32_t tensor, uint32_t i, pv_window at)
{
    const pf_layout *y = &w->y;
    const uint32_t L = y->shape.layers;
    if (tensor >= PF_VIRTUAL_GX) {
        memset(out, 0, at.n * sizeof *out);
        for (uint32_t k = 0; k < tensor - PF_VIRTUAL_GX; k++) /* from the top: dx1 of the last norm, then dx2 and dx1 of each layer */
            add_digits(w, out, pf_at(y, k == 0 ? L : L - (k + 1) / 2, k % 2 ? PF_DX2LO : PF_DX1LO), 4097, i, at);
        return;
    }
    memcpy(out, w->input + (size_t)i * pf_row_features(y, PF_VIRTUAL_X) + at.first, at.n * sizeof *out);
    for (uint32_t k = 0; k < tensor - PF_VIRTUAL_X; k++)
        add_digits(w, out, pf_at(y, k / 2, k % 2 ? PF_B2LO : PF_B1LO), 513, i, at);
}

size_t pv_stream_room(const pv_witness *w)
{
    return (size_t)pf_row_features(&w->y, PF_VIRTUAL_X) << w->y.nu;
}

fx_ints pv_matrix(const pv_witness *w, uint32_t tensor, int32_t *room)
{
    const pf_layout *y = &w->y;
    const size_t n = pf_row_features(y, tensor);
    if (tensor < PF_VIRTUAL_X)
        return (fx_ints){ w->cell[tensor], pf_tokens(y), n, n, sizeof(int16_t) };
    for (uint32_t i = 0; i < pf_tokens(y); i++)
        pv_stream_row(w, room + i * n, tensor, i, (pv_window){ 0, n });
    return (fx_ints){ room, pf_tokens(y), n, n, sizeof *room };
}
