/* SPDX-License-Identifier: Apache-2.0
 * A data set's manifest that decodes encodes to the same bytes. */
#include "train/dataset.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    bytes in = bytes_of(data, size);
    tr_manifest m;
    fault f = { 0 };
    err e = tr_manifest_decode(&m, in, &f);
    if (e != OK) {
        CHECK(f.code == e && f.what != NULL);
        return 0;
    }
    buf again;
    buf_init(&again, size);
    CHECK(tr_manifest_encode(&again, &m) == OK && bytes_equal(in, buf_bytes(&again)));
    buf_deinit(&again);
    tr_manifest_deinit(&m);
    return 0;
}
