/* SPDX-License-Identifier: Apache-2.0
 *
 * The safetensors reader: what it accepts covers the data exactly, tensor after tensor. */
#include "train/safetensors.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const num_shape shape = { .vocab = 2, .context = 1, .width = 2, .layers = 1, .heads = 1, .bits = 12, .helper = NUM_NARROW };
    int32_t master[128];
    tr_st_file s;
    fault f = { 0 };
    err e = tr_st_parse(&s, bytes_of(data, size), size, &f);
    CHECK(e == OK || (f.code == e && f.what));
    if (e == OK) {
        uint64_t at = 0;
        for (size_t i = 0; i < s.count; i++) {
            CHECK(s.tensors[i].begin == at && s.tensors[i].end >= at);
            CHECK(tr_st_find(&s, s.tensors[i].name) == &s.tensors[i]);
            at = s.tensors[i].end;
        }
        CHECK(s.data_at + at == size);
    }
    tr_st_deinit(&s);
    CHECK(num_parameter_count(&shape) <= COUNT_OF(master));
    f = (fault){ 0 };
    e = tr_st_import_master_bytes(master, &shape, bytes_of(data, size), &f);
    CHECK(e == OK || (f.code == e && f.what));
    return 0;
}
