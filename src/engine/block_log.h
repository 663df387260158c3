/* SPDX-License-Identifier: Apache-2.0
 *
 * The block log: the only thing that must reach the disk before a block counts. One append and one fdatasync commit a block;
 * opening replays nothing but checks every byte (spec/block-log.md).
 *
 * An incomplete last record, as a power cut leaves it, is cut off. Anything else that is not exactly what was appended is
 * refused, with segment and offset: another chain's log, a missing segment, a changed byte, a record after a hole.
 * Not for use by several threads at once. */
#ifndef ENGINE_BLOCK_LOG_H
#define ENGINE_BLOCK_LOG_H

#include "base/buf.h"
#include "base/limits.h"

typedef struct eng_log eng_log;

typedef struct eng_log_options {
    hash256  genesis;       /* the chain whose log this is */
    uint64_t segment_bytes; /* size of new segments; 0 takes the default, else at least ENG_LOG_SEGMENT_MIN */
} eng_log_options;

enum {
    ENG_LOG_SEGMENT_MIN = 4096,
    ENG_LOG_SEGMENT_DEFAULT = 64 << 20,
    ENG_LOG_SEGMENT_MAX = 1 << 30,
};

/* What opening found. After a failure, segment and offset say where: the fault's `what` says what. */
typedef struct eng_log_report {
    uint64_t height;        /* last whole block; 0 if there is none */
    uint64_t segment_first; /* first height of the segment looked at last: its file name */
    uint64_t offset;        /* byte in that segment: the end of the last whole record, or the place of the damage */
    uint64_t cut_bytes;     /* length of the incomplete record that was cut off; 0 if the log ended cleanly */
} eng_log_report;

/* Opens the log in the folder `dir`, or starts one there; the folder exists and nobody else has it open. Owned by the caller.
 * `report` and `f` may be NULL. ERR_CHAIN_ID, ERR_MAGIC, ERR_VERSION, ERR_RANGE, ERR_CHECKSUM, ERR_HASH, ERR_TRUNCATED for
 * logs that are refused; and the codes of base/port/file.h. */
err eng_log_open(eng_log **out, const char *dir, const eng_log_options *options, eng_log_report *report, fault *f) MUST_USE;

/* NULL is fine. */
void eng_log_close(eng_log *log);

/* Height of the last block; 0 if there is none. */
uint64_t eng_log_height(const eng_log *log);

/* The mark of the last record (of the genesis while there is none): a hash over the whole history up to it. */
hash256 eng_log_mark(const eng_log *log);

/* Appends block eng_log_height + 1 and makes it durable: when this returns OK the block survives any crash. ERR_LIMIT if it is
 * longer than LIMIT_LOG_RECORD_BYTES or than a segment holds. After ERR_DISK_FULL or another failure to write, the log is as
 * before and may be tried again. After a failed sync nobody can know what the disk has: every later append gives ERR_IO, and
 * reopening tells whether the block made it. */
err eng_log_append(eng_log *log, bytes block, fault *f) MUST_USE;

/* Whether every later append fails until the log is opened again. */
bool eng_log_failed(const eng_log *log);

/* Appends the block of `height` to `out`, checked again on the way; ERR_NOT_FOUND past the end or for 0. */
err eng_log_read(const eng_log *log, buf *out, uint64_t height, fault *f) MUST_USE;

/* The mark of the record of `height` (0: the genesis). */
err eng_log_mark_at(const eng_log *log, hash256 *out, uint64_t height, fault *f) MUST_USE;

#endif
