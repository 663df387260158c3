/* SPDX-License-Identifier: Apache-2.0 */
#include "train/checkpoint.h"

#include "base/port/file.h"
#include "numerics/test_model.h"
#include "train/dir_kit.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <sys/resource.h>
#include <cmocka.h>

static tr_checkpoint made;
static uint64_t      elements;

static int setup(void **state)
{
    (void)state;
    num_shape shape = test_model_shape();
    elements = num_parameter_count(&shape);
    made = (tr_checkpoint){ .job = { { 1 } }, .determinism_seed = UINT64_MAX, .dataset = { { 2 } }, .cursor = 77,
                            .schedule = { 800000, 10, 200 }, .fractions = test_model_fractions(&shape), .model = { { 3 } } };
    made.state = (bt_state){ .shape = shape, .step = 12, .retries = 1, .p1 = 5, .p2 = (uint64_t)1 << 32 };
    made.state.master = malloc(elements * 4);
    made.state.m = malloc(elements * 8);
    made.state.v = malloc(elements * 8);
    uint64_t s = 1;
    for (uint64_t i = 0; i < elements; i++) {
        s = s * 6364136223846793005u + 1442695040888963407u;
        made.state.master[i] = (int32_t)(s >> 33) - (1 << 30);
        made.state.m[i] = (int64_t)s >> 28;
        made.state.v[i] = (int64_t)(s >> 10);
    }
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    tr_checkpoint_deinit(&made);
    return 0;
}

static void assert_same(const tr_checkpoint *a, const tr_checkpoint *b)
{
    assert_memory_equal(a->job.b, b->job.b, 32);
    assert_memory_equal(a->model.b, b->model.b, 32);
    assert_memory_equal(a->dataset.b, b->dataset.b, 32);
    assert_memory_equal(&a->fractions, &b->fractions, sizeof a->fractions);
    assert_memory_equal(&a->state.shape, &b->state.shape, sizeof a->state.shape);
    assert_true(a->cursor == b->cursor && a->determinism_seed == b->determinism_seed);
    assert_true(a->schedule.lr_max == b->schedule.lr_max && a->schedule.warm_steps == b->schedule.warm_steps);
    assert_true(a->schedule.total_steps == b->schedule.total_steps);
    assert_true(a->state.step == b->state.step && a->state.retries == b->state.retries);
    assert_true(a->state.p1 == b->state.p1 && a->state.p2 == b->state.p2);
    assert_memory_equal(a->state.master, b->state.master, elements * 4);
    assert_memory_equal(a->state.m, b->state.m, elements * 8);
    assert_memory_equal(a->state.v, b->state.v, elements * 8);
}

static void save_load_and_pointers(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    hash256 id[4], head;
    fault f;
    tr_checkpoint c;
    assert_int_equal(tr_checkpoint_head(d.path, false, &head, &f), ERR_NOT_FOUND);
    for (size_t i = 0; i < 4; i++) {
        made.state.step = 12 + i;
        assert_int_equal(tr_checkpoint_save(d.path, &made, &id[i], &f), OK);
        assert_int_equal(tr_checkpoint_head(d.path, false, &head, &f), OK);
        assert_memory_equal(head.b, id[i].b, 32);
    }
    assert_int_equal(tr_checkpoint_head(d.path, true, &head, &f), OK);
    assert_memory_equal(head.b, id[2].b, 32);
    assert_false(tr_store_has(d.path, &id[1]));
    assert_int_equal(dir_kit_count(&d, ""), 4); /* two checkpoints, two pointers */
    assert_int_equal(tr_checkpoint_load(&c, d.path, &id[3], &f), OK);
    assert_same(&c, &made);
    tr_checkpoint_deinit(&c);
    assert_int_equal(tr_checkpoint_save(d.path, &made, &id[0], &f), OK); /* the same again changes nothing */
    assert_memory_equal(id[0].b, id[3].b, 32);
    assert_int_equal(tr_checkpoint_load(&c, d.path, &id[2], &f), OK);
    assert_int_equal(c.state.step, 14);
    tr_checkpoint_deinit(&c);
    dir_kit_remove(&d);
}

static buf read_back(const dir_kit *d, hash256 *id)
{
    buf b;
    buf_init(&b, 1 << 24);
    assert_int_equal(tr_checkpoint_save(d->path, &made, id, NULL), OK);
    assert_int_equal(tr_store_get(&b, d->path, id, NULL), OK);
    assert_int_equal(b.len, tr_checkpoint_bytes(&made));
    return b;
}

static void damage_is_named(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    hash256 id;
    fault f;
    tr_checkpoint c;
    buf b = read_back(&d, &id);
    size_t arrays = b.len - 20 * elements;
    const struct { size_t at; const char *what; } cases[] = {
        { 0, NULL }, { 5, NULL }, { 10, NULL }, { 200, NULL }, { arrays + 5, "checkpoint.master" },
        { arrays + 4 * elements + 100, "checkpoint.m" }, { arrays + 12 * elements + 8, "checkpoint.v" }, { b.len - 1, "checkpoint.v" },
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        b.data[cases[i].at] ^= 4;
        f = (fault){ 0 };
        err e = tr_checkpoint_decode(&c, buf_bytes(&b), &id, &f);
        assert_int_not_equal(e, OK);
        assert_int_equal(f.code, e);
        if (cases[i].what)
            assert_string_equal(f.what, cases[i].what);
        assert_null(c.state.master);
        b.data[cases[i].at] ^= 4;
    }
    for (size_t at = 0; at < arrays; at++) {
        b.data[at] ^= 1;
        assert_int_not_equal(tr_checkpoint_decode(&c, buf_bytes(&b), &id, &f), OK);
        b.data[at] ^= 1;
    }
    for (size_t len = 0; len < b.len; len += len < 700 ? 1 : 9973)
        assert_int_equal(tr_checkpoint_decode(&c, bytes_of(b.data, len), &id, &f), ERR_TRUNCATED);
    b.data[b.len++] = 0; /* the buffer has grown in powers of two: there is room */
    assert_int_equal(tr_checkpoint_decode(&c, buf_bytes(&b), NULL, &f), ERR_TRAILING);
    buf_deinit(&b);
    dir_kit_remove(&d);
}

static void damaged_file_leaves_the_previous(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    hash256 first, second, id;
    fault f;
    tr_checkpoint c;
    char path[TR_PATH_MAX];
    made.state.step = 20;
    assert_int_equal(tr_checkpoint_save(d.path, &made, &first, &f), OK);
    made.state.step = 21;
    assert_int_equal(tr_checkpoint_save(d.path, &made, &second, &f), OK);
    assert_int_equal(tr_store_path(path, d.path, &second, &f), OK);
    int fd;
    assert_int_equal(base_file_open(&fd, path, BASE_FILE_WRITE, &f), OK);
    assert_int_equal(base_file_write_at(fd, bytes_of("x", 1), 5000, &f), OK);
    base_file_close(fd);
    assert_int_equal(tr_checkpoint_load(&c, d.path, &second, &f), ERR_HASH);
    assert_int_equal(tr_checkpoint_head(d.path, true, &id, &f), OK);
    assert_int_equal(tr_checkpoint_load(&c, d.path, &id, &f), OK);
    assert_int_equal(c.state.step, 20);
    tr_checkpoint_deinit(&c);
    assert_int_equal(tr_store_name(path, d.path, "HEAD", &f), OK);
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("0123\n"), 0600, BASE_FILE_REPLACE, &f), OK);
    assert_int_equal(tr_checkpoint_head(d.path, false, &id, &f), ERR_SYNTAX);
    dir_kit_remove(&d);
}

static void full_disk_leaves_the_old_one(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    hash256 old, next, head;
    fault f;
    tr_checkpoint c;
    made.state.step = 30;
    assert_int_equal(tr_checkpoint_save(d.path, &made, &old, &f), OK);
    made.state.step = 31;
    struct rlimit before, tight;
    signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before);
    const uint64_t sizes[] = { 0, 3, 600, 70000, tr_checkpoint_bytes(&made) - 1 };
    for (size_t i = 0; i < COUNT_OF(sizes); i++) {
        tight = before;
        tight.rlim_cur = sizes[i];
        setrlimit(RLIMIT_FSIZE, &tight);
        err e = tr_checkpoint_save(d.path, &made, &next, &f);
        setrlimit(RLIMIT_FSIZE, &before);
        assert_int_equal(e, ERR_DISK_FULL);
        assert_int_equal(tr_checkpoint_head(d.path, false, &head, &f), OK);
        assert_memory_equal(head.b, old.b, 32);
        assert_int_equal(dir_kit_count(&d, ""), 2);
        assert_int_equal(tr_checkpoint_load(&c, d.path, &head, &f), OK);
        assert_int_equal(c.state.step, 30);
        tr_checkpoint_deinit(&c);
    }
    assert_int_equal(tr_checkpoint_save(d.path, &made, &next, &f), OK);
    dir_kit_remove(&d);
}

static void store_reports_damage_and_heals(void **state)
{
    (void)state;
    dir_kit d = dir_kit_make();
    hash256 id;
    fault f;
    buf b;
    buf_init(&b, 64);
    assert_int_equal(tr_store_put(d.path, bytes_of_str("content"), &id, &f), OK);
    char path[TR_PATH_MAX];
    assert_int_equal(tr_store_path(path, d.path, &id, &f), OK);
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("Content"), 0600, BASE_FILE_REPLACE, &f), OK);
    assert_int_equal(tr_store_get(&b, d.path, &id, &f), ERR_HASH);
    assert_int_equal(b.len, 0);
    assert_int_equal(tr_store_put(d.path, bytes_of_str("content"), &id, &f), OK);
    assert_int_equal(tr_store_get(&b, d.path, &id, &f), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("content")));
    id.b[0] ^= 1;
    assert_int_equal(tr_store_get(&b, d.path, &id, &f), ERR_NOT_FOUND);
    buf_deinit(&b);
    dir_kit_remove(&d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(save_load_and_pointers),           cmocka_unit_test(damage_is_named),
        cmocka_unit_test(damaged_file_leaves_the_previous), cmocka_unit_test(full_disk_leaves_the_old_one),
        cmocka_unit_test(store_reports_damage_and_heals),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
