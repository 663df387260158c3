/* SPDX-License-Identifier: Apache-2.0
 * Any bytes are refused with a typed error and a part named, or end in a claim on the leaves. First byte: variables and kind. */
#include "proof/lookup.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 1)
        return 0;
    unsigned k = data[0] / 2 % (PF_VARS_MAX + 1);
    bool table = data[0] % 2;
    pf_transcript t;
    pf_lookup out;
    fault f = { 0 };
    pf_reader r = { .in = bytes_of(data + 1, size - 1), .f = &f };
    pf_start(&t, 1);
    err e = pf_lookup_verify(&out, &r, &t, k, table ? PF_LOOKUP_TABLE : PF_LOOKUP_UNIT);
    CHECK(r.at <= r.in.len);
    if (e == OK)
        CHECK(!fx_equal(out.root.q, FX_ZERO) && (table || fx_equal(out.claim.p, FX_ONE)) && pf_fractions_balance(&out.root, 1, out.root));
    else
        CHECK((e == ERR_TRUNCATED || e == ERR_CANONICAL || e == ERR_UNPROVED) && f.code == e && f.what);
    return 0;
}
