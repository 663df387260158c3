/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "engine/block_log.h"

#include "base/port/file.h"
#include "crypto/ed25519.h"
#include "engine/log_record.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

typedef struct log_place {
    uint32_t segment;
    uint32_t offset; /* a segment is at most 1 GiB */
} log_place;

struct eng_log {
    char         dir[PATH_MAX - 64]; /* room for a segment's name */
    hash256      genesis;
    uint64_t     segment_bytes;
    log_segment *segments;
    size_t       n_segments, cap_segments;
    log_place   *places; /* of block h at h - 1 */
    size_t       n_places, cap_places;
    hash256      mark;
    int          fd;     /* the last segment */
    uint64_t     end;    /* where its next record goes */
    uint8_t     *record; /* the record being written */
    size_t       cap_record;
    bool         failed; /* what the disk has is unknown */
};

static err grow(void **array, size_t *cap, size_t need, size_t item)
{
    if (need <= *cap)
        return OK;
    size_t n = *cap ? *cap * 2 : 64;
    while (n < need)
        n *= 2;
    void *p = realloc(*array, n * item);
    if (!p)
        return ERR_MEMORY;
    *array = p;
    *cap = n;
    return OK;
}

static void segment_path(char out[PATH_MAX], const eng_log *log, uint64_t first_height, const char *suffix)
{
    int n = snprintf(out, PATH_MAX, "%s/%020llu.blocks%s", log->dir, (unsigned long long)first_height, suffix);
    CHECK(n > 0 && n < PATH_MAX);
}

/* A segment comes into being whole: its header and its reserved blocks are durable before it has its name. */
static err segment_create(eng_log *log, uint64_t first_height, fault *f)
{
    char temp[PATH_MAX], path[PATH_MAX];
    segment_path(temp, log, first_height, ".new");
    segment_path(path, log, first_height, "");
    err e = grow((void **)&log->segments, &log->cap_segments, log->n_segments + 1, sizeof *log->segments);
    if (e != OK)
        return fail(f, e, "block log: segments", log->n_segments);
    log_segment segment = { .bytes = log->segment_bytes, .first_height = first_height, .genesis = log->genesis,
                            .previous = log->mark };
    cr_random(segment.salt, LOG_SALT);
    log_segment_derive(&segment);
    uint8_t header[LOG_SEGMENT_HEADER];
    log_segment_encode(header, &segment);

    int fd = -1;
    unlink(temp);
    TRY(base_file_open(&fd, temp, BASE_FILE_CREATE, f));
    TRY_OUT(base_file_allocate(fd, segment.bytes, f));
    TRY_OUT(base_file_write_at(fd, bytes_of(header, sizeof header), 0, f));
    TRY_OUT(base_file_sync(fd, f));
    TRY_OUT(base_file_rename(temp, path, BASE_FILE_NEW, f));
    base_file_close(log->fd);
    log->fd = fd;
    log->segments[log->n_segments++] = segment;
    log->end = LOG_SEGMENT_HEADER;
    return OK;
out:
    base_file_close(fd);
    unlink(temp);
    /* Named, but perhaps not for good: a later record must go neither into it nor before it. */
    log->failed = access(path, F_OK) == 0;
    return e;
}

/* Notes the record and moves the end behind it. */
static err accept(eng_log *log, const log_record *record)
{
    TRY(grow((void **)&log->places, &log->cap_places, log->n_places + 1, sizeof *log->places));
    log->places[log->n_places++] = (log_place){ (uint32_t)(log->n_segments - 1), (uint32_t)log->end };
    log->mark = record->mark;
    log->end += record->size;
    return OK;
}

/* Every record of the last loaded segment, then the verdict on the rest; the torn bytes are blanked on the disk. */
static err scan_segment(eng_log *log, bytes image, bool last, eng_log_report *report, fault *f)
{
    const log_segment *segment = &log->segments[log->n_segments - 1];
    log->end = LOG_SEGMENT_HEADER;
    for (;;) {
        log_record record;
        report->offset = log->end;
        if (log_record_decode(&record, image, log->end, segment, NULL) != OK)
            break;
        if (record.height != log->n_places + 1)
            return fail(f, ERR_HASH, "block log: height out of order", log->end);
        if (!hash256_equal(&record.previous, &log->mark))
            return fail(f, ERR_HASH, "block log: record of another history", log->end);
        err e = accept(log, &record);
        if (e != OK)
            return fail(f, e, "block log: index", log->n_places);
        report->height = record.height;
    }
    uint64_t dirty_end;
    TRY(log_tail_judge(&dirty_end, image, log->end, segment, last, f));
    report->cut_bytes = dirty_end - log->end;
    if (report->cut_bytes == 0)
        return OK;
    uint8_t *zeros = calloc(1, report->cut_bytes);
    if (!zeros)
        return fail(f, ERR_MEMORY, "block log: cut", report->cut_bytes);
    err e = base_file_write_at(log->fd, bytes_of(zeros, report->cut_bytes), log->end, f);
    free(zeros);
    return e == OK ? base_file_sync(log->fd, f) : e;
}

static err load_segment(eng_log *log, uint64_t first_height, bool last, eng_log_report *report, fault *f)
{
    char path[PATH_MAX];
    segment_path(path, log, first_height, "");
    report->segment_first = first_height;
    report->offset = 0;
    err e = grow((void **)&log->segments, &log->cap_segments, log->n_segments + 1, sizeof *log->segments);
    if (e != OK)
        return fail(f, e, "block log: segments", log->n_segments);
    base_file_close(log->fd);
    log->fd = -1;
    TRY(base_file_open(&log->fd, path, BASE_FILE_WRITE, f));
    uint64_t size;
    TRY(base_file_size(&size, log->fd, f));
    if (size < LOG_SEGMENT_HEADER || size > ENG_LOG_SEGMENT_MAX)
        return fail(f, ERR_RANGE, "block log segment: file size", size);
    uint8_t *data = malloc(size);
    if (!data)
        return fail(f, ERR_MEMORY, "block log: segment", size);
    bytes image = bytes_of(data, size);
    log_segment segment;
    TRY_OUT(base_file_read_at(log->fd, data, size, 0, f));
    TRY_OUT(log_segment_decode(&segment, image, f));
    if (!hash256_equal(&segment.genesis, &log->genesis))
        TRY_OUT(fail(f, ERR_CHAIN_ID, "block log segment: genesis", 32));
    if (segment.bytes != size)
        TRY_OUT(fail(f, ERR_TRUNCATED, "block log segment: file size", size));
    if (segment.first_height != first_height || first_height != log->n_places + 1)
        TRY_OUT(fail(f, ERR_NOT_FOUND, "block log: a segment is missing before height", first_height));
    if (!hash256_equal(&segment.previous, &log->mark))
        TRY_OUT(fail(f, ERR_HASH, "block log segment: of another history", 64));
    log->segments[log->n_segments++] = segment;
    e = scan_segment(log, image, last, report, f);
out:
    free(data);
    return e;
}

static int by_height(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* First heights of the segments in the folder, ascending; unfinished segments (".new") are removed. */
static err list_segments(eng_log *log, uint64_t **firsts, size_t *count, fault *f)
{
    size_t cap = 0;
    *firsts = NULL;
    *count = 0;
    DIR *dir = opendir(log->dir);
    if (!dir)
        return fail(f, base_errno_err(errno), "block log: folder", (uint64_t)errno);
    err e = OK;
    for (struct dirent *entry; e == OK && (entry = readdir(dir)) != NULL;) {
        unsigned long long first = 0;
        int end = 0;
        if (sscanf(entry->d_name, "%20llu.blocks%n", &first, &end) != 1 || end != 27)
            continue;
        if (strcmp(entry->d_name + end, ".new") == 0) {
            char path[PATH_MAX];
            segment_path(path, log, first, ".new");
            unlink(path);
        }
        if (entry->d_name[end] != 0)
            continue;
        e = grow((void **)firsts, &cap, *count + 1, sizeof **firsts);
        if (e == OK)
            (*firsts)[(*count)++] = first;
        else
            e = fail(f, e, "block log: folder", *count);
    }
    closedir(dir);
    if (e == OK && *count > 1)
        qsort(*firsts, *count, sizeof **firsts, by_height);
    return e;
}

static err load_all(eng_log *log, eng_log_report *report, fault *f)
{
    uint64_t *firsts = NULL;
    size_t    count = 0;
    err e = list_segments(log, &firsts, &count, f);
    for (size_t i = 0; e == OK && i < count; i++)
        e = load_segment(log, firsts[i], i + 1 == count, report, f);
    free(firsts);
    if (e == OK && count == 0)
        e = segment_create(log, 1, f);
    return e;
}

err eng_log_open(eng_log **out, const char *dir, const eng_log_options *options, eng_log_report *report, fault *f)
{
    eng_log_report ignored;
    if (!report)
        report = &ignored;
    *report = (eng_log_report){ 0 };
    uint64_t segment_bytes = options->segment_bytes ? options->segment_bytes : ENG_LOG_SEGMENT_DEFAULT;
    if (segment_bytes < ENG_LOG_SEGMENT_MIN || segment_bytes > ENG_LOG_SEGMENT_MAX || segment_bytes % 8 != 0)
        return fail(f, ERR_RANGE, "block log: segment bytes", segment_bytes);
    eng_log *log = calloc(1, sizeof *log);
    if (!log)
        return fail(f, ERR_MEMORY, "block log", sizeof *log);
    log->fd = -1;
    log->genesis = log->mark = options->genesis;
    log->segment_bytes = segment_bytes;
    err e;
    if (strlen(dir) >= sizeof log->dir)
        TRY_OUT(fail(f, ERR_LIMIT, "block log: path too long", sizeof log->dir));
    memcpy(log->dir, dir, strlen(dir) + 1);
    TRY_OUT(load_all(log, report, f));
    *out = log;
    return OK;
out:
    eng_log_close(log);
    return e;
}

void eng_log_close(eng_log *log)
{
    if (!log)
        return;
    base_file_close(log->fd);
    free(log->segments);
    free(log->places);
    free(log->record);
    free(log);
}

uint64_t eng_log_height(const eng_log *log)
{
    return log->n_places;
}

hash256 eng_log_mark(const eng_log *log)
{
    return log->mark;
}

bool eng_log_failed(const eng_log *log)
{
    return log->failed;
}

/* Everything that may fail for want of memory or space, before the first byte is written. */
static err prepare(eng_log *log, size_t size, fault *f)
{
    err e = grow((void **)&log->places, &log->cap_places, log->n_places + 1, sizeof *log->places);
    if (e == OK)
        e = grow((void **)&log->record, &log->cap_record, size, 1);
    if (e != OK)
        return fail(f, e, "block log: append", size);
    if (size > log->segment_bytes - LOG_SEGMENT_HEADER)
        return fail(f, ERR_LIMIT, "block log: block longer than a segment", size);
    if (log->end + size > log->segments[log->n_segments - 1].bytes)
        return segment_create(log, log->n_places + 1, f);
    return OK;
}

err eng_log_append(eng_log *log, bytes block, fault *f)
{
    if (log->failed)
        return fail(f, ERR_IO, "block log: an earlier failure left it unknown what the disk has", log->n_places);
    if (block.len == 0 || block.len > LIMIT_LOG_RECORD_BYTES)
        return fail(f, ERR_LIMIT, "block log: block length", block.len);
    size_t size = log_record_size(block.len);
    TRY(prepare(log, size, f));
    log_record record = { .height = log->n_places + 1, .previous = log->mark, .size = size };
    log_record_encode(log->record, &record.mark, &log->segments[log->n_segments - 1], record.height, &log->mark, block);
    err e = base_file_write_at(log->fd, bytes_of(log->record, size), log->end, f);
    if (e != OK) {
        /* A part may stand in the file. Blank it: the next record must not be followed by leftovers of this one. */
        memset(log->record, 0, size);
        log->failed = base_file_write_at(log->fd, bytes_of(log->record, size), log->end, NULL) != OK;
        return e;
    }
    e = base_file_sync(log->fd, f);
    if (e != OK) {
        log->failed = true;
        return e;
    }
    return accept(log, &record);
}

/* *fd: the segment of `height`, to be closed by the caller unless it is log->fd. */
static err open_segment_of(int *fd, const eng_log *log, uint64_t height, fault *f)
{
    const log_place *place = &log->places[height - 1];
    if (place->segment + 1 == log->n_segments) {
        *fd = log->fd;
        return OK;
    }
    char path[PATH_MAX];
    segment_path(path, log, log->segments[place->segment].first_height, "");
    return base_file_open(fd, path, BASE_FILE_READ, f);
}

err eng_log_read(const eng_log *log, buf *out, uint64_t height, fault *f)
{
    if (height == 0 || height > log->n_places)
        return fail(f, ERR_NOT_FOUND, "block log: height", height);
    const log_place *place = &log->places[height - 1];
    int      fd = -1;
    uint8_t  header[LOG_RECORD_HEADER];
    uint8_t *data = NULL;
    TRY(open_segment_of(&fd, log, height, f));
    err e;
    TRY_OUT(base_file_read_at(fd, header, sizeof header, place->offset, f));
    size_t len = load_le32(header + 4);
    if (len > LIMIT_LOG_RECORD_BYTES)
        TRY_OUT(fail(f, ERR_CHECKSUM, "block log: record changed since it was opened", place->offset));
    size_t size = log_record_size(len);
    data = malloc(size);
    if (!data)
        TRY_OUT(fail(f, ERR_MEMORY, "block log: read", size));
    TRY_OUT(base_file_read_at(fd, data, size, place->offset, f));
    log_record record;
    TRY_OUT(log_record_decode(&record, bytes_of(data, size), 0, &log->segments[place->segment], f));
    if (record.height != height)
        TRY_OUT(fail(f, ERR_HASH, "block log: height", place->offset));
    e = buf_reserve(out, record.len);
    if (e != OK)
        TRY_OUT(fail(f, e, "block log: read", record.len));
    log_record_block(out->data + out->len, &record);
    out->len += record.len;
out:
    if (fd != log->fd)
        base_file_close(fd);
    free(data);
    return e;
}

err eng_log_mark_at(const eng_log *log, hash256 *out, uint64_t height, fault *f)
{
    if (height > log->n_places)
        return fail(f, ERR_NOT_FOUND, "block log: height", height);
    if (height == 0) {
        *out = log->genesis;
        return OK;
    }
    int fd = -1;
    TRY(open_segment_of(&fd, log, height, f));
    err e = base_file_read_at(fd, out->b, 32, log->places[height - 1].offset + 56, f);
    if (fd != log->fd)
        base_file_close(fd);
    return e;
}
