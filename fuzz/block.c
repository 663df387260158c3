/* SPDX-License-Identifier: Apache-2.0
 *
 * Encoded blocks: what decodes encodes to the same bytes. */
#include "engine/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static bytes txs[256];
    eng_block block = { .txs = txs };
    fault f = { 0 };
    if (eng_block_decode(&block, bytes_of(data, len), COUNT_OF(txs), &f) != OK) {
        CHECK(f.what != NULL && f.at <= len);
        return 0;
    }
    buf out;
    buf_init(&out, LIMIT_LOG_RECORD_BYTES);
    err e = eng_block_encode(&out, &block, &f);
    CHECK(e == ERR_LIMIT || (e == OK && bytes_equal(buf_bytes(&out), bytes_of(data, len))));
    buf_deinit(&out);
    return 0;
}
