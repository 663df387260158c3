/* SPDX-License-Identifier: Apache-2.0
 * Any bytes are refused with a typed error and a part named, or make up the value that was claimed. First byte: variables; second:
 * products; then the value and the proof. */
#include "proof/sumcheck.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { PRODUCTS_MAX = 8 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fx value, point[PF_VARS_MAX], ends[2 * PRODUCTS_MAX];
    if (size < 2 + FX_BYTES || !fx_decode(&value, data + 2))
        return 0;
    unsigned n = data[0] % (PF_VARS_MAX + 1), count = data[1] % (PRODUCTS_MAX + 1);
    pf_transcript t;
    fault f = { 0 };
    pf_reader r = { .in = bytes_of(data + 2 + FX_BYTES, size - 2 - FX_BYTES), .f = &f };
    pf_start(&t, 1);
    err e = pf_inner_product(&r, &t, "product", value, n, count, point, ends);
    CHECK(r.at <= r.in.len);
    if (e == OK)
        CHECK(r.at == (2 * n + 2 * count) * FX_BYTES);
    else
        CHECK((e == ERR_TRUNCATED || e == ERR_CANONICAL || e == ERR_UNPROVED) && f.code == e && f.what);
    return 0;
}
