/* SPDX-License-Identifier: Apache-2.0 */
#include "base/port/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static char folder[] = "/tmp/file_test.XXXXXX";
static char path[64];

static int start(void **state)
{
    (void)state;
    if (!mkdtemp(folder))
        return 1;
    snprintf(path, sizeof path, "%s/a", folder);
    return 0;
}

static int stop(void **state)
{
    (void)state;
    return unlink(path) | rmdir(folder); /* also shows that no temporary file was left */
}

static void assert_content(const char *want)
{
    buf b;
    buf_init(&b, 100);
    assert_int_equal(base_file_read(&b, path, NULL), OK);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str(want)));
    buf_deinit(&b);
}

static void new_replace_and_mode(void **state)
{
    (void)state;
    struct stat st;
    fault f = { 0 };
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("one"), 0600, BASE_FILE_NEW, &f), OK);
    assert_content("one");
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("two"), 0600, BASE_FILE_NEW, &f), ERR_EXISTS);
    assert_int_equal(f.at, EEXIST);
    assert_content("one");
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("three"), 0640, BASE_FILE_REPLACE, &f), OK);
    assert_content("three");
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
}

static void refusals(void **state)
{
    (void)state;
    buf b;
    fault f = { 0 };
    buf_init(&b, 4);
    assert_int_equal(buf_put_str(&b, "k"), OK);
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("12345"), 0600, BASE_FILE_REPLACE, NULL), OK);
    assert_int_equal(base_file_read(&b, path, &f), ERR_LIMIT);
    assert_int_equal(base_file_read(&b, folder, &f), ERR_IO);
    assert_int_equal(base_file_read(&b, "/nonexistent/x", &f), ERR_NOT_FOUND);
    assert_int_equal(f.at, ENOENT);
    assert_true(bytes_equal(buf_bytes(&b), bytes_of_str("k")));
    buf_deinit(&b);
    assert_int_equal(base_file_write_atomic("/nonexistent/x", bytes_of_str("1"), 0600, BASE_FILE_REPLACE, &f), ERR_NOT_FOUND);
    char *long_path = calloc(1, 6000);
    assert_non_null(long_path);
    memset(long_path, 'a', 5999);
    assert_int_equal(base_file_write_atomic(long_path, bytes_of_str("1"), 0600, BASE_FILE_NEW, &f), ERR_LIMIT);
    free(long_path);
    assert_int_equal(base_errno_err(ENOSPC), ERR_DISK_FULL);
}

/* A pipe that nobody writes to is refused at once, not waited for. */
static void pipes(void **state)
{
    (void)state;
    buf b;
    fault f = { 0 };
    int fd = -1;
    uint64_t size;
    char fifo[64];
    snprintf(fifo, sizeof fifo, "%s/fifo", folder);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    alarm(10);
    buf_init(&b, 4);
    assert_int_equal(base_file_read(&b, fifo, &f), ERR_IO);
    assert_string_equal(f.what, "file: not a regular file");
    assert_int_equal(base_file_open(&fd, fifo, BASE_FILE_READ, &f), OK);
    assert_int_equal(base_file_size(&size, fd, &f), ERR_IO);
    base_file_close(fd);
    alarm(0);
    buf_deinit(&b);
    assert_int_equal(unlink(fifo), 0);
}

static void guards(void **state)
{
    (void)state;
    fault f = { 0 };
    static const struct { mode_t mode; err want; } cases[] = {
        { 0700, OK }, { 0755, OK }, { 0500, OK }, { 0720, ERR_PERMISSION }, { 0702, ERR_PERMISSION }, { 01777, ERR_PERMISSION },
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        assert_int_equal(chmod(folder, cases[i].mode), 0);
        assert_int_equal(base_path_guard(folder, &f), cases[i].want);
        assert_true(cases[i].want == OK || f.at == cases[i].mode);
    }
    assert_int_equal(chmod(folder, 0700), 0);
    assert_int_equal(base_path_guard("/nonexistent/x", &f), ERR_NOT_FOUND);
    assert_int_equal(base_path_guard("/", &f), OK); /* root's */
    if (geteuid() == 0) { /* only root can give something away */
        assert_int_equal(chown(folder, 12345, (gid_t)-1), 0);
        assert_int_equal(base_path_guard(folder, &f), ERR_PERMISSION);
        assert_int_equal(f.at, 12345);
        assert_int_equal(chown(folder, 0, (gid_t)-1), 0);
    }
}

static void trees(void **state)
{
    (void)state;
    char tree[64], deep[96], link[96];
    snprintf(tree, sizeof tree, "%s/tree", folder);
    snprintf(deep, sizeof deep, "%s/b/c", tree);
    snprintf(link, sizeof link, "%s/link", tree);
    assert_int_equal(base_tree_remove(tree, NULL), OK);
    assert_int_equal(base_dir_make(tree, NULL), OK);
    snprintf(deep, sizeof deep, "%s/b", tree);
    assert_int_equal(base_dir_make(deep, NULL), OK);
    strcat(deep, "/c");
    assert_int_equal(base_file_write_atomic(deep, bytes_of_str("1"), 0400, BASE_FILE_NEW, NULL), OK);
    assert_int_equal(base_file_write_atomic(path, bytes_of_str("kept"), 0600, BASE_FILE_REPLACE, NULL), OK);
    assert_int_equal(symlink(folder, link), 0);
    assert_int_equal(base_tree_remove(tree, NULL), OK);
    assert_int_equal(access(tree, F_OK), -1);
    assert_content("kept"); /* the link was removed, not what it led to */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(new_replace_and_mode),
        cmocka_unit_test(refusals),
        cmocka_unit_test(pipes),
        cmocka_unit_test(guards),
        cmocka_unit_test(trees),
    };
    return cmocka_run_group_tests(tests, start, stop);
}
