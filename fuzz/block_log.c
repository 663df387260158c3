/* SPDX-License-Identifier: Apache-2.0
 *
 * A segment of the block log with hostile bytes: header, records, and the verdict on the rest. The marks of the records are
 * keyed with the zero salt, as in the seeds. */
#include "engine/log_record.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

/* A record made of the input, with one byte of it changed, must not be taken for whole. */
static void change_one(const uint8_t *data, size_t len, const log_segment *segment)
{
    if (len < 4 || len > 4096)
        return;
    static uint8_t image[8192];
    memset(image, 0, sizeof image);
    hash256    mark;
    bytes      block = bytes_of(data + 3, len - 3);
    log_record record;
    log_record_encode(image, &mark, segment, data[0], &segment->genesis, block);
    CHECK(log_record_decode(&record, bytes_of(image, sizeof image), 0, segment, NULL) == OK);
    static uint8_t again[4096];
    log_record_block(again, &record);
    CHECK(record.len == block.len && memcmp(again, block.data, block.len) == 0 && hash256_equal(&record.mark, &mark));
    size_t at = (size_t)(data[1] | data[2] << 8) % record.size;
    image[at] ^= 1;
    CHECK(log_record_decode(&record, bytes_of(image, sizeof image), 0, segment, NULL) != OK);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    log_segment segment = { .first_height = 1 }, header;
    log_segment_derive(&segment);
    if (len > 1 << 16)
        return 0;
    change_one(data, len, &segment);
    bytes image = bytes_of(data, len);
    fault f = { 0 };
    if (log_segment_decode(&header, image, &f) == OK) {
        uint8_t out[LOG_SEGMENT_HEADER];
        log_segment_encode(out, &header);
        CHECK(memcmp(out, data, sizeof out) == 0);
    } else {
        CHECK(f.what != NULL && f.at <= len);
    }
    uint64_t   at = 0;
    log_record record;
    while (log_record_decode(&record, image, at, &segment, &f) == OK) {
        CHECK(record.size >= LOG_RECORD_HEADER && record.size <= len - at);
        uint8_t *block = malloc(record.len), *out = malloc(record.size);
        hash256  mark;
        CHECK(block != NULL && out != NULL);
        log_record_block(block, &record);
        log_record_encode(out, &mark, &segment, record.height, &record.previous, bytes_of(block, record.len));
        CHECK(memcmp(out, data + at, record.size) == 0);
        free(block);
        free(out);
        at += record.size;
    }
    for (int last = 0; last < 2; last++) {
        uint64_t dirty_end = 0;
        err e = log_tail_judge(&dirty_end, image, at, &segment, last, &f);
        CHECK(e != OK ? f.what != NULL : dirty_end >= at && dirty_end <= len);
    }
    return 0;
}
