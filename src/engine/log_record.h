/* SPDX-License-Identifier: Apache-2.0
 *
 * The bytes of the block log, without files: segment header, records, and the verdict on what follows the last whole record
 * (spec/block-log.md; fuzzed). */
#ifndef ENGINE_LOG_RECORD_H
#define ENGINE_LOG_RECORD_H

#include "base/bytes.h"
#include "base/limits.h"

enum {
    LOG_VERSION = 1,
    LOG_SEGMENT_HEADER = 128,
    LOG_RECORD_HEADER = 88,
    LOG_TRAILER = 8,
    LOG_SECTOR = 512, /* the unit that a disk writes whole or not at all */
    LOG_SALT = 16,
};

typedef struct log_segment {
    uint64_t bytes;        /* length of the file */
    uint64_t first_height; /* height of its first record */
    hash256  genesis;
    hash256  previous;     /* mark of the record before its first one */
    uint8_t  salt[LOG_SALT];
    uint8_t  key[32];      /* derived: keys the marks of its records */
} log_segment;

/* Fills in `key` from genesis and salt. */
void log_segment_derive(log_segment *segment);

void log_segment_encode(uint8_t out[LOG_SEGMENT_HEADER], const log_segment *segment);

/* `file` starts with the header; only its first bytes are looked at. */
err log_segment_decode(log_segment *out, bytes file, fault *f) MUST_USE;

typedef struct log_record {
    uint64_t height;
    hash256  previous; /* mark of the record before it */
    hash256  mark;     /* keyed BLAKE3 over header and body */
    const uint8_t *body; /* the whitened block, in the image */
    size_t   len;        /* of the block */
    uint64_t seed;       /* of the whitening */
    size_t   size;       /* bytes it takes in the segment */
} log_record;

/* Bytes that a record of a block of `len` takes; a multiple of 8. */
size_t log_record_size(size_t len);

/* Writes log_record_size(block.len) bytes and the new mark. `out` may not overlap `block`. */
void log_record_encode(uint8_t *out, hash256 *mark, const log_segment *segment, uint64_t height, const hash256 *previous,
                       bytes block);

/* The record at `at`, if it is whole: header, trailer and mark. Height and previous mark are for the caller to
 * compare. */
err log_record_decode(log_record *out, bytes image, uint64_t at, const log_segment *segment, fault *f) MUST_USE;

/* Writes the record->len bytes of its block. */
void log_record_block(uint8_t *out, const log_record *record);

/* Judges image[at ..) where log_record_decode failed. OK if it is blank, or what a single torn append can leave: then
 * *dirty_end is the offset behind its last non-zero byte (= at if blank). Else the damage, with its offset. `last` tells
 * whether this is the last segment; in any other only blank is allowed. */
err log_tail_judge(uint64_t *dirty_end, bytes image, uint64_t at, const log_segment *segment, bool last, fault *f) MUST_USE;

#endif
