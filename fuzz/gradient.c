/* SPDX-License-Identifier: Apache-2.0
 *
 * The gradient reader: byte 0 picks the shape, byte 1 the size of the parts. What it accepts is what the writer writes. */
#include "numerics/config.h"
#include "train/gradient.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const num_shape shapes[] = {
    { .vocab = 2, .context = 1, .width = 16, .layers = 1, .heads = 1, .bits = 8, .helper = NUM_NARROW },
    { .vocab = 19, .context = 4, .width = 24, .layers = 2, .heads = 3, .bits = 12, .helper = NUM_NARROW },
    { .vocab = 73, .context = 8, .width = 56, .layers = 1, .heads = 7, .bits = 12, .helper = NUM_NARROW }, /* two chunks */
};
static int64_t values[2 * TR_CHUNK_ELEMENTS];

static err keep(void *ctx, uint64_t first, const int64_t *part, size_t count)
{
    (void)ctx;
    memcpy(values + first, part, count * sizeof *part);
    return OK;
}

/* Seeds may carry any model and lease: the receiver wants what the header says. */
static void wish(tr_gradient_head *want, bytes file)
{
    static const size_t model_at = 4 + 1 + 21 + 2, lease_at = model_at + 32 + 2;
    if (file.len > lease_at + 32) {
        memcpy(want->model.b, file.data + model_at, 32);
        memcpy(want->lease.b, file.data + lease_at, 32);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    int64_t chunk[600];
    size_t n = 1 + data[0] * 2u;
    bytes file = bytes_of(data + 2, size - 2);
    if (tr_chunk_unpack(chunk, n, file) == OK) {
        static uint8_t again[TR_CHUNK_PACKED_MAX];
        CHECK(bytes_equal(file, bytes_of(again, tr_chunk_pack(again, chunk, n))));
    }

    tr_gradient_head want = { .shape = shapes[data[0] % COUNT_OF(shapes)] };
    uint64_t elements = num_parameter_count(&want.shape);
    num_const derived;
    CHECK(num_const_of(&derived, &want.shape, NULL) == OK && elements <= COUNT_OF(values));
    wish(&want, file);
    tr_gradient_reader *r;
    if (tr_gradient_reader_new(&r, &want, keep, NULL) != OK)
        return 0;
    fault f = { 0 };
    err e = OK;
    size_t step = 1 + data[1] * 16u;
    for (size_t at = 0; at < file.len && e == OK; at += step)
        e = tr_gradient_reader_feed(r, bytes_of(file.data + at, file.len - at < step ? file.len - at : step), &f);
    hash256 root;
    if (e == OK)
        e = tr_gradient_reader_finish(r, &root, &f);
    tr_gradient_reader_free(r);
    CHECK(e == OK || (f.code == e && f.what));
    if (e == OK) {
        buf b;
        buf_init(&b, tr_gradient_bytes_max(elements));
        CHECK(tr_gradient_encode(&b, &want, values, NULL, NULL) == OK);
        CHECK(bytes_equal(buf_bytes(&b), file));
        buf_deinit(&b);
    }
    return 0;
}
