/* SPDX-License-Identifier: Apache-2.0
 *
 * The block log on a disk that loses power, runs full and is altered. */
#define _GNU_SOURCE
#include "base/port/file.h"
#include "crypto/blake3.h"
#include "engine/block_log.h"
#include "engine/disk_testkit.h"
#include "engine/log_record.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

static const eng_log_options options = { .genesis = { { 7, 1, 2 } }, .segment_bytes = 8192 };

/* The block of a height: a few hundred bytes that depend on it, zero runs included. */
static size_t make_block(uint8_t out[2048], uint64_t height)
{
    size_t len = 1 + (size_t)(height * 977 % 1900);
    for (size_t i = 0; i < len; i++)
        out[i] = i % 700 < 300 ? 0 : (uint8_t)(height * 31 + i * 7);
    return len;
}

static void append_block(eng_log *log)
{
    uint8_t block[2048];
    size_t len = make_block(block, eng_log_height(log) + 1);
    fault f = { 0 };
    assert_int_equal(eng_log_append(log, bytes_of(block, len), &f), OK);
}

static void assert_block(const eng_log *log, uint64_t height)
{
    uint8_t block[2048];
    size_t len = make_block(block, height);
    buf b;
    buf_init(&b, LIMIT_LOG_RECORD_BYTES);
    assert_int_equal(eng_log_read(log, &b, height, NULL), OK);
    assert_int_equal(b.len, len);
    assert_memory_equal(b.data, block, len);
    buf_deinit(&b);
}

static eng_log *open_log(const char *dir, eng_log_report *report)
{
    eng_log *log = NULL;
    fault f = { 0 };
    err e = eng_log_open(&log, dir, &options, report, &f);
    if (e != OK)
        fail_msg("%s: %s at %llu", dir, f.what, (unsigned long long)f.at);
    return log;
}

static void test_append_reopen_read(void **state)
{
    (void)state;
    char dir[256];
    disk_temp(dir, "log");
    eng_log *log = open_log(dir, NULL);
    assert_int_equal(eng_log_height(log), 0);
    hash256 mark = eng_log_mark(log);
    assert_memory_equal(mark.b, options.genesis.b, 32);
    hash256 marks[51];
    for (uint64_t h = 1; h <= 50; h++) {
        append_block(log);
        marks[h] = eng_log_mark(log);
        if (h % 13 == 0) {
            eng_log_close(log);
            eng_log_report report;
            log = open_log(dir, &report);
            assert_int_equal(report.height, h);
            assert_int_equal(report.cut_bytes, 0);
            mark = eng_log_mark(log);
            assert_memory_equal(mark.b, marks[h].b, 32);
        }
    }
    for (uint64_t h = 1; h <= 50; h++) {
        assert_block(log, h);
        assert_int_equal(eng_log_mark_at(log, &mark, h, NULL), OK);
        assert_memory_equal(mark.b, marks[h].b, 32);
    }
    buf b;
    buf_init(&b, 100);
    assert_int_equal(eng_log_read(log, &b, 51, NULL), ERR_NOT_FOUND);
    assert_int_equal(eng_log_read(log, &b, 0, NULL), ERR_NOT_FOUND);
    uint8_t big[8192] = { 1 };
    assert_int_equal(eng_log_append(log, bytes_of(big, sizeof big), NULL), ERR_LIMIT);
    assert_int_equal(eng_log_append(log, bytes_of(big, 0), NULL), ERR_LIMIT);
    buf_deinit(&b);
    eng_log_close(log);

    eng_log_options other = options;
    other.genesis.b[31] ^= 1;
    fault f = { 0 };
    assert_int_equal(eng_log_open(&log, dir, &other, NULL, &f), ERR_CHAIN_ID);
    assert_string_equal(f.what, "block log segment: genesis");
    disk_remove(dir);
}

/* Every change of the script as the moment of the cut, in every way that the bytes may have arrived. */
static void test_cut_at_every_write(void **state)
{
    (void)state;
    enum { BLOCKS = 60 };
    char base[256], dir[300], image[300];
    disk_temp(base, "cut");
    snprintf(dir, sizeof dir, "%s/log", base);
    snprintf(image, sizeof image, "%s/image", base);
    assert_int_equal(base_dir_make(dir, NULL), OK);
    disk_watch(dir);
    eng_log *log = open_log(dir, NULL);
    size_t ops_at[BLOCKS + 1];
    hash256 marks[BLOCKS + 1];
    marks[0] = eng_log_mark(log);
    ops_at[0] = disk_op_count();
    for (uint64_t h = 1; h <= BLOCKS; h++) {
        append_block(log);
        ops_at[h] = disk_op_count();
        marks[h] = eng_log_mark(log);
    }
    eng_log_close(log);
    disk_unwatch();
    disk_fast(true);
    uint64_t acknowledged = 0;
    size_t cuts = 0, torn = 0;
    for (size_t op = 0; op <= disk_op_count(); op++) {
        while (acknowledged < BLOCKS && ops_at[acknowledged + 1] <= op)
            acknowledged++;
        for (disk_cut how = 0; how < DISK_CUTS; how++) {
            disk_image(image, op, how);
            eng_log_report report;
            log = open_log(image, &report);
            uint64_t height = eng_log_height(log);
            assert_true(height >= acknowledged && height <= acknowledged + 1);
            hash256 mark = eng_log_mark(log);
            assert_memory_equal(mark.b, marks[height].b, 32);
            torn += report.cut_bytes != 0;
            append_block(log); /* and goes on as if nothing had been */
            eng_log_close(log);
            log = open_log(image, &report);
            assert_int_equal(eng_log_height(log), height + 1);
            assert_int_equal(report.cut_bytes, 0);
            eng_log_close(log);
            disk_remove(image);
            cuts++;
        }
    }
    disk_fast(false);
    assert_true(cuts > 4 * 2 * BLOCKS && torn > BLOCKS);
    disk_remove(base);
}

/* A record cut at any byte of its length. */
static void test_cut_at_every_byte(void **state)
{
    (void)state;
    enum { AT = LOG_SEGMENT_HEADER };
    static uint8_t image[8192];
    log_segment segment = { .bytes = sizeof image, .first_height = 1 };
    log_segment_derive(&segment);
    uint8_t block[2048];
    size_t len = make_block(block, 1);
    assert_true(len > LOG_SECTOR);
    hash256 mark, previous = { { 0 } };
    log_record_encode(image + AT, &mark, &segment, 1, &previous, bytes_of(block, len));
    uint8_t whole[2048];
    memcpy(whole, image + AT, log_record_size(len));
    for (size_t n = 0; n < log_record_size(len); n++) {
        memset(image + AT + n, 0, sizeof image - AT - n);
        memcpy(image + AT, whole, n);
        log_record record;
        uint64_t dirty_end;
        fault f = { 0 };
        assert_int_not_equal(log_record_decode(&record, bytes_of(image, sizeof image), AT, &segment, &f), OK);
        err e = log_tail_judge(&dirty_end, bytes_of(image, sizeof image), AT, &segment, true, &f);
        if (e != OK)
            fail_msg("cut at %zu: %s", n, f.what);
        assert_true(dirty_end <= AT + n);
    }
}

static hash256 keyed(const log_segment *segment, bytes header, bytes body)
{
    cr_blake3 h;
    cr_blake3_init_keyed(&h, segment->key);
    cr_blake3_update(&h, header);
    cr_blake3_update(&h, body);
    return cr_blake3_final(&h);
}

/* A record with right tag and mark, but bytes behind its block: only who has the key can make one, and it is refused, too. */
static void test_padding_is_zero(void **state)
{
    (void)state;
    enum { LEN = 72 };
    static const uint8_t block[LEN] = { 1 };
    uint8_t image[LOG_RECORD_HEADER + LEN + LOG_TRAILER];
    log_segment segment = { .first_height = 1 };
    log_segment_derive(&segment);
    hash256 mark, previous = { { 0 } };
    log_record_encode(image, &mark, &segment, 1, &previous, bytes_of(block, LEN));
    store_le32(image + 4, LEN - 5);
    hash256 tag = keyed(&segment, bytes_of(image, 48), bytes_of(image, 0));
    memcpy(image + 48, tag.b, 8);
    mark = keyed(&segment, bytes_of(image, 56), bytes_of(image + LOG_RECORD_HEADER, LEN));
    memcpy(image + 56, mark.b, 32);
    log_record record;
    fault f = { 0 };
    assert_int_equal(log_record_decode(&record, bytes_of(image, sizeof image), 0, &segment, &f), ERR_CANONICAL);
    assert_string_equal(f.what, "block log record: padding");
}

static uint8_t *slurp(const char *path, size_t *len)
{
    buf b;
    buf_init(&b, 1 << 20);
    assert_int_equal(base_file_read(&b, path, NULL), OK);
    *len = b.len;
    return b.data;
}

static void put_file(const char *path, const uint8_t *data, size_t len)
{
    assert_int_equal(base_file_write_atomic(path, bytes_of(data, len), 0600, BASE_FILE_REPLACE, NULL), OK);
}

/* Every byte of a segment changed, one at a time. */
static void test_every_altered_byte_is_refused(void **state)
{
    (void)state;
    char dir[256], path[300];
    disk_temp(dir, "flip");
    disk_fast(true);
    eng_log *log = open_log(dir, NULL);
    for (int i = 0; i < 6; i++)
        append_block(log);
    eng_log_report good;
    eng_log_close(log);
    log = open_log(dir, &good);
    eng_log_close(log);
    assert_int_equal(good.segment_first, 1);
    snprintf(path, sizeof path, "%s/%020d.blocks", dir, 1);
    size_t len;
    uint8_t *data = slurp(path, &len);
    assert_int_equal(len, options.segment_bytes);
    for (size_t at = 0; at < len; at += at < 600 || at > good.offset ? 1 : 7) {
        data[at] ^= 0x40;
        put_file(path, data, len);
        data[at] ^= 0x40;
        eng_log_report report;
        fault f = { 0 };
        err e = eng_log_open(&log, dir, &options, &report, &f);
        if (e == OK) { /* behind the end, in a sector of its own: as a torn append leaves it, and blanked again */
            assert_true(at / LOG_SECTOR > good.offset / LOG_SECTOR);
            assert_int_equal(eng_log_height(log), good.height);
            assert_int_equal(report.cut_bytes, at + 1 - good.offset);
            eng_log_close(log);
            continue;
        }
        assert_non_null(f.what);
        assert_true(report.offset <= at + LOG_SECTOR);
    }
    /* Cut short, lengthened, missing, and doubled. */
    put_file(path, data, len - 512);
    fault f = { 0 };
    assert_int_equal(eng_log_open(&log, dir, &options, NULL, &f), ERR_TRUNCATED);
    put_file(path, data, 100);
    assert_int_equal(eng_log_open(&log, dir, &options, NULL, &f), ERR_RANGE);
    put_file(path, data, len);
    char other[300];
    snprintf(other, sizeof other, "%s/%020d.blocks", dir, 9);
    put_file(other, data, len);
    assert_int_equal(eng_log_open(&log, dir, &options, NULL, &f), ERR_NOT_FOUND);
    unlink(path);
    assert_int_equal(eng_log_open(&log, dir, &options, NULL, &f), ERR_NOT_FOUND);
    free(data);
    disk_fast(false);
    disk_remove(dir);
}

static void test_wrong_in_earlier_segment(void **state)
{
    (void)state;
    char dir[256], path[300];
    disk_temp(dir, "early");
    eng_log *log = open_log(dir, NULL);
    for (int i = 0; i < 30; i++)
        append_block(log);
    eng_log_close(log);
    snprintf(path, sizeof path, "%s/%020d.blocks", dir, 1);
    size_t len;
    uint8_t *data = slurp(path, &len);
    eng_log_report report;
    fault f = { 0 };
    /* The last record of a finished segment, blanked in part: a torn tail only in the last segment, damage here. */
    size_t end = len;
    while (data[end - 1] == 0)
        end--;
    memset(data + end - 600, 0, 600);
    put_file(path, data, len);
    assert_int_equal(eng_log_open(&log, dir, &options, &report, &f), ERR_CHECKSUM);
    assert_int_equal(report.segment_first, 1);
    assert_true(f.at >= LOG_SEGMENT_HEADER && f.at < end);
    free(data);
    disk_remove(dir);
}

/* Every change of a script fails in turn with a full disk: a typed error, the same log afterwards, and it can go on. */
static void test_full_disk_at_every_write(void **state)
{
    (void)state;
    disk_fast(true);
    for (size_t n = 0;; n++) {
        char dir[256];
        disk_temp(dir, "full");
        disk_watch(dir);
        disk_fail(n, ENOSPC, false);
        eng_log *log = NULL;
        fault f = { 0 };
        err e = eng_log_open(&log, dir, &options, NULL, &f);
        bool met = e != OK, sync_failed = false;
        if (met) {
            assert_true(e == ERR_DISK_FULL);
            log = open_log(dir, NULL);
        }
        for (uint64_t h = 1; h <= 12; h++) {
            uint8_t block[2048];
            size_t len = make_block(block, h);
            e = eng_log_append(log, bytes_of(block, len), &f);
            if (e != OK) {
                assert_false(met);
                met = true;
                assert_int_equal(e, ERR_DISK_FULL);
                assert_int_equal(eng_log_height(log), h - 1);
                sync_failed = strcmp(f.what, "file: sync") == 0 || strcmp(f.what, "directory: sync") == 0;
                e = eng_log_append(log, bytes_of(block, len), &f);
                if (e == ERR_IO) { /* after a sync that failed, only reopening tells */
                    assert_true(sync_failed);
                    eng_log_close(log);
                    log = open_log(dir, NULL);
                    assert_true(eng_log_height(log) >= h - 1);
                    if (eng_log_height(log) == h - 1)
                        append_block(log);
                    e = OK;
                }
                assert_int_equal(e, OK);
            }
        }
        assert_int_equal(eng_log_height(log), 12);
        eng_log_close(log);
        disk_unwatch();
        log = open_log(dir, NULL);
        for (uint64_t h = 1; h <= 12; h++)
            assert_block(log, h);
        eng_log_close(log);
        disk_remove(dir);
        if (!met)
            break; /* n is past the script's changes */
        assert_true(n < 100);
    }
    disk_fast(false);
}

/* The same through the kernel: a file size limit in the middle of the log. */
static void test_file_size_limit(void **state)
{
    (void)state;
    char dir[256];
    disk_temp(dir, "limit");
    signal(SIGXFSZ, SIG_IGN);
    struct rlimit old, tight;
    getrlimit(RLIMIT_FSIZE, &old);
    tight = old;
    tight.rlim_cur = 8192;
    eng_log *log = open_log(dir, NULL);
    setrlimit(RLIMIT_FSIZE, &tight);
    for (int i = 0; i < 5; i++)
        append_block(log);
    eng_log_options big = options;
    big.segment_bytes = 16384;
    eng_log_close(log);
    fault f = { 0 };
    assert_int_equal(eng_log_open(&log, dir, &big, NULL, &f), OK);
    uint64_t height = 0;
    err e = OK;
    while (e == OK) {
        uint8_t block[2048];
        height = eng_log_height(log);
        e = eng_log_append(log, bytes_of(block, make_block(block, height + 1)), &f);
    }
    assert_int_equal(e, ERR_DISK_FULL);
    assert_int_equal(eng_log_height(log), height);
    setrlimit(RLIMIT_FSIZE, &old);
    append_block(log);
    assert_int_equal(eng_log_height(log), height + 1);
    eng_log_close(log);
    log = open_log(dir, NULL);
    assert_int_equal(eng_log_height(log), height + 1);
    eng_log_close(log);
    disk_remove(dir);
}

static void test_interruptions_and_short_writes(void **state)
{
    (void)state;
    char dir[256];
    disk_temp(dir, "short");
    disk_fast(true);
    disk_watch(dir);
    disk_hiccup(100);
    eng_log *log = open_log(dir, NULL);
    for (int i = 0; i < 20; i++)
        append_block(log);
    eng_log_close(log);
    disk_unwatch();
    log = open_log(dir, NULL);
    assert_int_equal(eng_log_height(log), 20);
    for (uint64_t h = 1; h <= 20; h++)
        assert_block(log, h);
    eng_log_close(log);
    disk_fast(false);
    disk_remove(dir);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_append_reopen_read),
        cmocka_unit_test(test_cut_at_every_write),
        cmocka_unit_test(test_cut_at_every_byte),
        cmocka_unit_test(test_padding_is_zero),
        cmocka_unit_test(test_every_altered_byte_is_refused),
        cmocka_unit_test(test_wrong_in_earlier_segment),
        cmocka_unit_test(test_full_disk_at_every_write),
        cmocka_unit_test(test_file_size_limit),
        cmocka_unit_test(test_interruptions_and_short_writes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
