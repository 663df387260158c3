/* SPDX-License-Identifier: Apache-2.0 */
#include "proof/reader.h"

err pf_read(pf_reader *r, const char *what, size_t len, bytes *out)
{
    if (len > r->in.len - r->at)
        return fail(r->f, ERR_TRUNCATED, what, r->at);
    *out = bytes_of(r->in.data + r->at, len);
    r->at += len;
    return OK;
}

err pf_receive_fx(pf_reader *r, pf_transcript *t, const char *label, fx *out, size_t n)
{
    bytes raw;
    if (n > r->in.len / FX_BYTES)
        return fail(r->f, ERR_TRUNCATED, label, r->at);
    size_t at = r->at;
    TRY(pf_read(r, label, n * FX_BYTES, &raw));
    for (size_t i = 0; i < n; i++)
        if (!fx_decode(&out[i], raw.data + i * FX_BYTES))
            return fail(r->f, ERR_CANONICAL, label, at + i * FX_BYTES);
    pf_absorb(t, label, raw);
    return OK;
}

err pf_read_end(const pf_reader *r)
{
    return r->at == r->in.len ? OK : fail(r->f, ERR_TRAILING, "proof", r->at);
}
