/* SPDX-License-Identifier: Apache-2.0
 * Any file is refused with exit code 8 and a part named, or holds; what has the form of a receipt is what the encoder writes. */
#include "apps/receipt.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static tb_receipt r;
    tb_receipt_parts parts;
    chain_header header;
    tb_trust trust = { 0 };
    fault f = { 0 };
    CHECK(cr_ed25519_self_test() == OK);
    if (tb_receipt_decode(&parts, bytes_of(data, size), &f) == OK) {
        buf again;
        buf_init(&again, TB_RECEIPT_BYTES_MAX);
        CHECK(tb_receipt_encode(&again, &parts, NULL) == OK && bytes_equal(buf_bytes(&again), bytes_of(data, size)));
        buf_deinit(&again);
        trust.genesis = parts.genesis;
        if (chain_header_decode(&header, NULL, parts.header, NULL) == OK)
            trust.producer = header.producer;
    }
    if (tb_receipt_verify(&r, bytes_of(data, size), &trust, &f) != OK)
        CHECK(f.what && err_describe(f.code)->exit_code == 8);
    return 0;
}
