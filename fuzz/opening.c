/* SPDX-License-Identifier: Apache-2.0
 * Openings of a commitment: of all bytes a stranger may send for a given case, the honest ones alone are accepted. The first byte chooses
 * the case; the second, whether the rest is the proof itself or a list of changes to the honest one. */
#include "prove/open_kit.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct { unsigned m; uint64_t rows; } shapes[] = { { 0, 1 }, { 1, 3 }, { 2, 20 }, { 3, 145 }, { 7, 2 }, { 8, 1 } };

static kit_case cases[COUNT_OF(shapes)];
static buf      honest[COUNT_OF(shapes)];

static void make_cases(void)
{
    for (size_t i = 0; i < COUNT_OF(shapes); i++) {
        kit_init(&cases[i], shapes[i].m, shapes[i].rows, i);
        CHECK(kit_prove(&cases[i], NULL, &honest[i]) == OK);
        CHECK(kit_verify(&cases[i], buf_bytes(&honest[i]), NULL) == OK);
    }
}

/* Three bytes a change: place (le16), what is added there. Fewer bytes at the end: how much is cut off. */
static size_t change(uint8_t *proof, size_t len, const uint8_t *data, size_t size)
{
    for (; size >= 3 && len != 0; size -= 3, data += 3)
        proof[load_le16(data) % len] = (uint8_t)(proof[load_le16(data) % len] + data[2]);
    return size == 1 && data[0] < len ? len - data[0] : size == 2 && load_le16(data) < len ? len - load_le16(data) : len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (!cases[0].cells)
        make_cases();
    if (size < 2)
        return 0;
    size_t   which = data[0] % COUNT_OF(shapes), len = data[1] % 2 ? size - 2 : honest[which].len;
    uint8_t *proof = malloc(len + (len == 0)); /* exactly as long, so that the sanitizer sees a read past it */
    CHECK(proof);
    if (data[1] % 2)
        memcpy(proof, data + 2, len);
    else {
        memcpy(proof, honest[which].data, len);
        len = change(proof, len, data + 2, size - 2);
    }
    fault f = { 0 };
    err   e = kit_verify(&cases[which], bytes_of(proof, len), &f);
    CHECK((e == OK) == bytes_equal(bytes_of(proof, len), buf_bytes(&honest[which])));
    CHECK(e == OK || e == ERR_TRUNCATED || e == ERR_TRAILING || e == ERR_CANONICAL || e == ERR_UNPROVED);
    CHECK(e == f.code);
    free(proof);
    return 0;
}
