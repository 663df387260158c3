/* SPDX-License-Identifier: Apache-2.0 */
#include "prove/writer.h"

err pv_send_fx(pv_writer *w, const char *label, const fx *x, size_t n)
{
    TRY(buf_reserve(&w->out, n * FX_BYTES));
    size_t at = w->out.len;
    for (size_t i = 0; i < n; i++) {
        uint8_t b[FX_BYTES];
        fx_encode(b, x[i]);
        TRY(buf_put(&w->out, b, sizeof b));
    }
    pf_absorb(&w->t, label, bytes_of(w->out.data + at, w->out.len - at));
    return OK;
}

err pv_send_bytes(pv_writer *w, const char *label, bytes data)
{
    TRY(buf_put(&w->out, data.data, data.len));
    pf_absorb(&w->t, label, data);
    return OK;
}
