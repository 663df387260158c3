/* SPDX-License-Identifier: Apache-2.0 */
#include "train/dataset.h"

#include "base/port/file.h"
#include "numerics/data.h"
#include "train/dir_kit.h"
#include "train/store.h"

#include <fcntl.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

enum { LEN = 2 * TR_SHARD_BYTES + 12345, T = 64 };

static uint8_t text[LEN];

static int setup(void **state)
{
    (void)state;
    uint32_t s = 1;
    for (size_t i = 0; i < LEN; i++) {
        s = s * 1664525u + 1013904223u;
        text[i] = (uint8_t)"abcdefgh \nZ\xc3\xa4"[(s >> 24) % 13];
    }
    return 0;
}

static void characters(void **state)
{
    (void)state;
    tr_dataset d;
    fault f;
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_CHAR, T, &f), OK);
    assert_int_equal(d.manifest.vocab, 13);
    assert_memory_equal(d.manifest.symbols, "\n Zabcdefgh\xa4\xc3", 13);
    assert_int_equal(d.manifest.train_tokens, (uint64_t)LEN * 95 / 100);
    assert_int_equal(d.manifest.shard_count, 3);
    for (size_t i = 0; i < LEN; i += 97)
        assert_int_equal(tr_dataset_symbol(&d, d.tokens[i]), text[i]);
    assert_int_equal(tr_dataset_token(&d, 'Z'), 2);
    assert_int_equal(tr_dataset_token(&d, 'z'), -1);
    tr_dataset_deinit(&d);
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_BYTE, T, &f), OK);
    assert_int_equal(d.manifest.vocab, 256);
    assert_memory_equal(d.tokens, text, LEN);
    tr_dataset_deinit(&d);
}

static void windows(void **state)
{
    (void)state;
    tr_dataset d;
    hash256 job = { { 5 } };
    uint16_t w[T + 1];
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_BYTE, T, NULL), OK);
    uint64_t n = tr_dataset_windows(&d, T);
    assert_int_equal(n, (d.manifest.train_tokens - 1) / T);
    for (uint64_t s = 0; s < 3 * n; s += 1001) {
        uint64_t at = num_window_of_sequence(&job, n, s) * T;
        tr_dataset_sequence(w, &d, &job, s, T);
        for (size_t i = 0; i <= T; i++)
            assert_int_equal(w[i], text[at + i]);
    }
    uint64_t v = tr_dataset_valid_windows(&d, T);
    tr_dataset_valid_window(w, &d, v - 1, T);
    for (size_t i = 0; i <= T; i++)
        assert_int_equal(w[i], text[d.manifest.train_tokens + (v - 1) * T + i]);
    tr_dataset_deinit(&d);
}

static void save_load_and_damage(void **state)
{
    (void)state;
    dir_kit dir = dir_kit_make();
    tr_dataset d, e;
    fault f;
    char path[TR_PATH_MAX];
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_CHAR, T, &f), OK);
    assert_int_equal(tr_dataset_save(&d, dir.path, &f), OK);
    assert_int_equal(tr_dataset_load(&e, dir.path, &d.cid, &f), OK);
    assert_int_equal(e.missing, 0);
    assert_memory_equal(e.tokens, d.tokens, LEN);
    tr_dataset_deinit(&e);
    assert_int_equal(tr_store_path(path, dir.path, &d.manifest.shards[1], &f), OK);
    int fd;
    assert_int_equal(base_file_open(&fd, path, BASE_FILE_WRITE, &f), OK);
    assert_int_equal(base_file_write_at(fd, bytes_of("\x07", 1), 4000, &f), OK);
    assert_int_equal(base_file_write_at(fd, bytes_of("\x01", 1), 4001, &f), OK);
    base_file_close(fd);
    assert_int_equal(tr_dataset_load(&e, dir.path, &d.cid, &f), ERR_HASH);
    assert_string_equal(f.what, "dataset.shard");
    assert_int_equal(f.at, 1);
    unlink(path);
    assert_int_equal(tr_dataset_load(&e, dir.path, &d.cid, &f), ERR_NOT_FOUND);
    assert_int_equal(f.at, 1);
    hash256 other = d.cid;
    other.b[0] ^= 1;
    assert_int_equal(tr_dataset_load(&e, dir.path, &other, &f), ERR_NOT_FOUND);
    assert_string_equal(f.what, "dataset.manifest");
    tr_dataset_deinit(&d);
    dir_kit_remove(&dir);
}

static void manifest_is_canonical(void **state)
{
    (void)state;
    tr_dataset d, e;
    tr_manifest m;
    fault f;
    buf b;
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_CHAR, T, &f), OK);
    assert_int_equal(tr_manifest_encode(&b, &d.manifest), OK);
    assert_int_equal(tr_manifest_decode(&m, buf_bytes(&b), &f), OK);
    tr_manifest_deinit(&m);
    size_t fixed = b.len - 3 * 34;
    for (size_t at = 0; at < fixed; at++) {
        b.data[at] ^= 1;
        if (tr_manifest_decode(&m, buf_bytes(&b), &f) == OK) { /* another manifest, then, and another id */
            buf again;
            assert_int_equal(tr_manifest_encode(&again, &m), OK);
            assert_true(bytes_equal(buf_bytes(&again), buf_bytes(&b)));
            buf_deinit(&again);
            tr_manifest_deinit(&m);
        }
        assert_int_equal(tr_dataset_open(&e, buf_bytes(&b), &d.cid, &f), ERR_HASH);
        b.data[at] ^= 1;
    }
    for (size_t len = 0; len < b.len; len++)
        assert_int_not_equal(tr_manifest_decode(&m, bytes_of(b.data, len), &f), OK);
    /* Shards in any order, twice, or not ours. */
    assert_int_equal(tr_dataset_open(&e, buf_bytes(&b), &d.cid, &f), OK);
    assert_int_equal(tr_dataset_put_shard(&e, 2, tr_dataset_shard(&d, 2), &f), OK);
    assert_int_equal(tr_dataset_put_shard(&e, 0, tr_dataset_shard(&d, 1), &f), ERR_HASH);
    assert_int_equal(tr_dataset_put_shard(&e, 3, tr_dataset_shard(&d, 1), &f), ERR_NOT_FOUND);
    assert_int_equal(tr_dataset_put_shard(&e, 2, bytes_of("", 0), &f), OK);
    assert_int_equal(tr_dataset_put_shard(&e, 1, tr_dataset_shard(&d, 1), &f), OK);
    assert_int_equal(e.missing, 1);
    assert_int_equal(tr_dataset_put_shard(&e, 0, tr_dataset_shard(&d, 0), &f), OK);
    assert_int_equal(e.missing, 0);
    assert_memory_equal(e.tokens, d.tokens, LEN);
    tr_dataset_deinit(&e);
    tr_dataset_deinit(&d);
    buf_deinit(&b);
}

static void bad_texts_are_refused(void **state)
{
    (void)state;
    dir_kit dir = dir_kit_make();
    tr_dataset d;
    fault f;
    char path[TR_PATH_MAX];
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, 0), TR_TOKENIZER_CHAR, T, &f), ERR_RANGE);
    assert_string_equal(f.what, "dataset: empty");
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, 20 * T), TR_TOKENIZER_CHAR, T, &f), ERR_RANGE);
    assert_string_equal(f.what, "dataset: too short");
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, 20 * (T + 1)), TR_TOKENIZER_CHAR, T, &f), OK);
    tr_dataset_deinit(&d);
    uint8_t *same = calloc(4000, 1);
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(same, 4000), TR_TOKENIZER_CHAR, T, &f), ERR_RANGE);
    free(same);
    assert_int_equal(tr_store_name(path, dir.path, "huge", &f), OK);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(ftruncate(fd, (off_t)LIMIT_DATASET_TEXT_BYTES + 1), 0);
    close(fd);
    assert_int_equal(tr_dataset_from_file(&d, path, TR_TOKENIZER_CHAR, T, &f), ERR_LIMIT);
    assert_int_equal(tr_dataset_from_file(&d, dir.path, TR_TOKENIZER_CHAR, T, &f), ERR_IO);
    assert_int_equal(tr_dataset_from_file(&d, "/nonexistent/text", TR_TOKENIZER_CHAR, T, &f), ERR_NOT_FOUND);
    dir_kit_remove(&dir);
}

static void entropies(void **state)
{
    (void)state;
    tr_dataset d;
    double one, two;
    /* a and b alternate: one bit in isolation, nothing given the one before. */
    uint8_t *ab = malloc(4000);
    for (size_t i = 0; i < 4000; i++)
        ab[i] = i % 2 ? 'b' : 'a';
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(ab, 4000), TR_TOKENIZER_CHAR, T, NULL), OK);
    tr_dataset_entropy(&d, &one, &two);
    assert_true(fabs(one - log(2)) < 1e-12);
    assert_true(fabs(two) < 1e-12);
    tr_dataset_deinit(&d);
    free(ab);
    /* Independent symbols: both are log(13), up to the bias of counting 169 pairs. */
    assert_int_equal(tr_dataset_from_text(&d, bytes_of(text, LEN), TR_TOKENIZER_CHAR, T, NULL), OK);
    tr_dataset_entropy(&d, &one, &two);
    assert_true(fabs(one - log(13)) < 1e-3);
    assert_true(fabs(two - log(13)) < 3e-3);
    tr_dataset_deinit(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(characters), cmocka_unit_test(windows), cmocka_unit_test(save_load_and_damage),
        cmocka_unit_test(manifest_is_canonical), cmocka_unit_test(bad_texts_are_refused), cmocka_unit_test(entropies),
    };
    return cmocka_run_group_tests(tests, setup, NULL);
}
