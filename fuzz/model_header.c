/* SPDX-License-Identifier: Apache-2.0
 * A model header that decodes encodes to the same bytes. */
#include "numerics/model_header.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    num_model_header header;
    uint8_t out[NUM_MODEL_HEADER_BYTES_MAX];
    bytes in = bytes_of(data, size), again;
    fault f = { 0 };
    err e = num_model_header_decode(&header, in, &f);
    if (e == OK)
        CHECK(num_model_header_encode(out, sizeof out, &header, &again) == OK && bytes_equal(in, again));
    else
        CHECK(f.code == e && f.what != NULL);
    return 0;
}
