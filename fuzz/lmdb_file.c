/* SPDX-License-Identifier: Apache-2.0
 *
 * The structure check of a checkpoint's data file, on hostile bytes. */
#include "engine/lmdb_check.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    fault f = { 0 };
    if (len > 1 << 20)
        return 0;
    if (lmdb_check(bytes_of(data, len), &f) != OK)
        CHECK(f.what != NULL);
    return 0;
}
