/* SPDX-License-Identifier: Apache-2.0
 *
 * The checkpoint reader. The fuzzer cannot find the hashes of the arrays, so a copy of the input gets right ones: then ranges, sizes and
 * the header's own rules are what decides. */
#include "train/checkpoint.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void one(bytes file)
{
    tr_checkpoint c;
    fault f = { 0 };
    err e = tr_checkpoint_decode(&c, file, NULL, &f);
    CHECK(e == OK || (f.code == e && f.what && !c.state.master));
    if (e == OK)
        CHECK(tr_checkpoint_bytes(&c) == file.len);
    tr_checkpoint_deinit(&c);
}

/* The three hashes are the last 3 * 34 bytes of the header. */
static void mend(uint8_t *file, size_t size)
{
    size_t header = size < 4 ? 0 : load_le32(file);
    if (header < 102 || header > size - 4 || (size - 4 - header) % 20)
        return;
    size_t n = (size - 4 - header) / 20;
    uint8_t *at = file + 4 + header, *hash = at - 102;
    const size_t width[] = { 4, 8, 8 };
    for (size_t i = 0; i < 3; i++) {
        hash256 h = cr_blake3_hash(bytes_of(at, n * width[i]));
        memcpy(hash + 34 * i + 2, h.b, 32);
        at += n * width[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    one(bytes_of(data, size));
    uint8_t *copy = malloc(size + 1);
    if (!copy)
        return 0;
    memcpy(copy, data, size);
    mend(copy, size);
    one(bytes_of(copy, size));
    free(copy);
    return 0;
}
