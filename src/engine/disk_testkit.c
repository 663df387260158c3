/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "engine/disk_testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { SECTOR = 512, NAME_BYTES = 128 };

typedef enum op_kind { OP_WRITE, OP_SYNC, OP_ALLOCATE, OP_RENAME, OP_SYNC_DIR } op_kind;

typedef struct disk_op {
    op_kind  kind;
    char     name[NAME_BYTES]; /* below the root */
    char     to[NAME_BYTES];   /* of a rename */
    uint8_t *data;
    size_t   len;              /* also the new size of an allocation */
    uint64_t at;
    bool     durable;          /* a write that returns only when it is on the disk (O_DSYNC) */
} disk_op;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static char            root[PATH_MAX];
static disk_op        *ops;
static size_t          n_ops, cap_ops;
static bool            watching, failing, fail_sticky, fast;
static size_t          fail_after, hiccup_max;
static int             fail_number;
static unsigned        hiccup_turn;

/* Name below the root of an open file, or false. */
static bool watched_name(char out[NAME_BYTES], int fd)
{
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    if (!watching || n <= 0)
        return false;
    path[n] = 0;
    size_t len = strlen(root);
    if (strncmp(path, root, len) != 0 || (path[len] != '/' && path[len] != 0))
        return false;
    const char *name = path[len] ? path + len + 1 : "";
    CHECK(strlen(name) < NAME_BYTES);
    memcpy(out, name, strlen(name) + 1);
    return true;
}

/* 0 and records, or the error that was asked for. */
static int note(disk_op op, const void *data)
{
    if (hiccup_max != 0 && hiccup_turn++ % 2 == 0 && op.kind != OP_RENAME)
        return EINTR;
    if (failing && fail_after == 0) {
        failing = fail_sticky;
        return fail_number;
    }
    if (failing)
        fail_after--;
    if (n_ops == cap_ops) {
        cap_ops = cap_ops ? 2 * cap_ops : 256;
        ops = realloc(ops, cap_ops * sizeof *ops);
        CHECK(ops != NULL);
    }
    if (data) {
        op.data = malloc(op.len ? op.len : 1);
        CHECK(op.data != NULL);
        memcpy(op.data, data, op.len);
    }
    ops[n_ops++] = op;
    return 0;
}

static int record(int fd, op_kind kind, const void *data, size_t len, uint64_t at)
{
    disk_op op = { .kind = kind, .len = len, .at = at };
    if (!watched_name(op.name, fd))
        return 0;
    op.durable = (fcntl(fd, F_GETFL) & O_DSYNC) != 0;
    pthread_mutex_lock(&lock);
    int number = note(op, data);
    pthread_mutex_unlock(&lock);
    return number;
}

static ssize_t refused(int number)
{
    errno = number;
    return -1;
}

/* LMDB writes its meta pages through a file that syncs every write. */
int open(const char *path, int flags, ...)
{
    va_list rest;
    va_start(rest, flags);
    mode_t mode = flags & O_CREAT ? va_arg(rest, mode_t) : 0;
    va_end(rest);
    if (fast && !watching)
        flags &= ~O_DSYNC;
    return (int)syscall(SYS_openat, AT_FDCWD, path, flags, mode);
}

ssize_t pwrite(int fd, const void *data, size_t len, off_t at)
{
    char name[NAME_BYTES];
    if (hiccup_max != 0 && len > hiccup_max && watched_name(name, fd))
        len = hiccup_max;
    int number = record(fd, OP_WRITE, data, len, (uint64_t)at);
    return number ? refused(number) : syscall(SYS_pwrite64, fd, data, len, at);
}

ssize_t writev(int fd, const struct iovec *parts, int count)
{
    off_t at = watching ? lseek(fd, 0, SEEK_CUR) : -1;
    if (at < 0)
        return syscall(SYS_writev, fd, parts, count);
    size_t len = 0;
    for (int i = 0; i < count; i++)
        len += parts[i].iov_len;
    uint8_t *joined = malloc(len ? len : 1);
    CHECK(joined != NULL);
    len = 0;
    for (int i = 0; i < count; i++) {
        memcpy(joined + len, parts[i].iov_base, parts[i].iov_len);
        len += parts[i].iov_len;
    }
    int number = record(fd, OP_WRITE, joined, len, (uint64_t)at);
    ssize_t n = number ? refused(number) : syscall(SYS_write, fd, joined, len);
    free(joined);
    return n;
}

ssize_t write(int fd, const void *data, size_t len)
{
    off_t at = watching ? lseek(fd, 0, SEEK_CUR) : -1;
    int number = at >= 0 ? record(fd, OP_WRITE, data, len, (uint64_t)at) : 0;
    return number ? refused(number) : syscall(SYS_write, fd, data, len);
}

int fdatasync(int fd)
{
    int number = record(fd, OP_SYNC, NULL, 0, 0);
    return number ? (int)refused(number) : fast ? 0 : (int)syscall(SYS_fdatasync, fd);
}

int fsync(int fd)
{
    struct stat st;
    op_kind kind = fstat(fd, &st) == 0 && S_ISDIR(st.st_mode) ? OP_SYNC_DIR : OP_SYNC;
    int number = record(fd, kind, NULL, 0, 0);
    return number ? (int)refused(number) : fast ? 0 : (int)syscall(SYS_fsync, fd);
}

int posix_fallocate(int fd, off_t at, off_t len)
{
    int number = record(fd, OP_ALLOCATE, NULL, (size_t)(at + len), 0);
    if (number != 0)
        return number;
    return syscall(SYS_fallocate, fd, 0, at, len) == 0 ? 0 : errno;
}

static int note_rename(const char *from, const char *to)
{
    disk_op op = { .kind = OP_RENAME };
    size_t len = strlen(root);
    if (!watching || strncmp(from, root, len) != 0 || from[len] != '/')
        return 0;
    CHECK(strncmp(to, root, len) == 0 && strlen(to + len) < NAME_BYTES && strlen(from + len) < NAME_BYTES);
    memcpy(op.name, from + len + 1, strlen(from + len + 1) + 1);
    memcpy(op.to, to + len + 1, strlen(to + len + 1) + 1);
    pthread_mutex_lock(&lock);
    int number = note(op, NULL);
    pthread_mutex_unlock(&lock);
    return number;
}

int rename(const char *from, const char *to)
{
    int number = note_rename(from, to);
    return number ? (int)refused(number) : (int)syscall(SYS_renameat2, AT_FDCWD, from, AT_FDCWD, to, 0);
}

int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags)
{
    int number = note_rename(from, to);
    return number ? (int)refused(number) : (int)syscall(SYS_renameat2, from_dir, from, to_dir, to, flags);
}

void disk_watch(const char *path)
{
    for (size_t i = 0; i < n_ops; i++)
        free(ops[i].data);
    free(ops);
    ops = NULL;
    n_ops = cap_ops = 0;
    CHECK(realpath(path, root) != NULL);
    disk_fail(0, 0, false);
    watching = true;
}

void disk_unwatch(void)
{
    watching = false;
    disk_fail(0, 0, false);
    disk_hiccup(0);
}

size_t disk_op_count(void)
{
    return n_ops;
}

void disk_fail(size_t after, int number, bool sticky)
{
    failing = number != 0;
    fail_after = after;
    fail_number = number;
    fail_sticky = sticky;
}

void disk_hiccup(size_t bytes_max)
{
    hiccup_max = bytes_max;
    hiccup_turn = 0;
}

void disk_fast(bool on)
{
    fast = on;
}

typedef struct image_file {
    char     name[NAME_BYTES];    /* as the running system sees it */
    char     durable[NAME_BYTES]; /* as it was at the last sync of its folder; empty if it was not there */
    uint8_t *data;
    size_t   len;
} image_file;

typedef struct image {
    image_file files[256];
    size_t     count;
} image;

static image_file *image_find(image *im, const char *name)
{
    for (size_t i = 0; i < im->count; i++) {
        if (strcmp(im->files[i].name, name) == 0)
            return &im->files[i];
    }
    CHECK(im->count < COUNT_OF(im->files));
    image_file *file = &im->files[im->count++];
    memcpy(file->name, name, strlen(name) + 1);
    return file;
}

static void image_resize(image_file *file, size_t len)
{
    if (len <= file->len)
        return;
    file->data = realloc(file->data, len);
    CHECK(file->data != NULL);
    memset(file->data + file->len, 0, len - file->len);
    file->len = len;
}

/* A sync of `folder`: what stands in it keeps its name. A folder below it keeps its own name, so a file in there that was
 * durable under that folder's old name moves along. */
static void sync_name(image_file *file, const char *folder)
{
    size_t len = strlen(folder);
    if (strncmp(file->name, folder, len) != 0 || (len && file->name[len] != '/'))
        return;
    const char *rest = file->name + len + (len ? 1 : 0);
    if (!strchr(rest, '/') || file->durable[0])
        memcpy(file->durable, file->name, NAME_BYTES);
}

/* `name` after a rename of it or of a folder above it. */
static bool renamed(char name[NAME_BYTES], const disk_op *op)
{
    size_t len = strlen(op->name);
    if (strncmp(name, op->name, len) != 0 || (name[len] != 0 && name[len] != '/'))
        return false;
    char next[2 * NAME_BYTES];
    int n = snprintf(next, sizeof next, "%s%s", op->to, name + len);
    CHECK(n > 0 && n < NAME_BYTES);
    memcpy(name, next, (size_t)n + 1);
    return true;
}

static void image_rename(image_file *file, const disk_op *op)
{
    if (strcmp(file->name, op->to) == 0)
        file->name[0] = 0; /* replaced */
    else if (file->name[0])
        renamed(file->name, op);
}

/* True if a later change before `cut` makes change i durable. */
static bool synced(size_t i, size_t cut)
{
    const disk_op *op = &ops[i];
    char name[NAME_BYTES];
    memcpy(name, op->name, sizeof name);
    for (size_t j = i + 1; j < cut && !op->durable; j++) {
        if (ops[j].kind == OP_RENAME)
            renamed(name, &ops[j]);
        if (ops[j].kind == OP_SYNC && strcmp(ops[j].name, name) == 0)
            return true;
    }
    return op->durable;
}

/* Applies the sectors of a write that arrive; all of them, the first half, or every other one. */
static void apply_write(image_file *file, const disk_op *op, disk_cut how, bool arrived)
{
    if (!arrived && how == DISK_LOST)
        return;
    image_resize(file, op->at + op->len);
    uint64_t first = op->at / SECTOR, last = (op->at + op->len - 1) / SECTOR;
    for (size_t i = 0; i < op->len; i++) {
        uint64_t sector = (op->at + i) / SECTOR;
        bool torn = how == DISK_TORN && sector >= first + (last - first + 1) / 2;
        bool dropped = how == DISK_REORDERED && (last - sector) % 2 == 1;
        if (arrived || (!torn && !dropped))
            file->data[op->at + i] = op->data[i];
    }
}

static void apply(image *im, size_t i, size_t cut, disk_cut how)
{
    const disk_op *op = &ops[i];
    if (op->kind == OP_SYNC_DIR) {
        for (size_t k = 0; k < im->count && i < cut; k++)
            sync_name(&im->files[k], op->name);
        return;
    }
    image_file *file = op->kind == OP_RENAME ? NULL : image_find(im, op->name);
    bool under_way = i == cut;
    bool arrived = synced(i, cut) || (!under_way && (how == DISK_PREFIX || how == DISK_TORN));
    if (op->kind == OP_WRITE && !(under_way && how == DISK_PREFIX))
        apply_write(file, op, how, arrived);
    else if (op->kind == OP_ALLOCATE && (arrived || how != DISK_LOST))
        image_resize(file, op->len);
    else if (op->kind == OP_RENAME && !under_way) {
        for (size_t k = 0; k < im->count; k++)
            image_rename(&im->files[k], op);
    }
}

static void make_parents(char *path, size_t from)
{
    for (char *p = path + from; *p; p++) {
        if (*p == '/') {
            *p = 0;
            CHECK(mkdir(path, 0700) == 0 || errno == EEXIST);
            *p = '/';
        }
    }
}

static void image_write(const char *to, const char *name, const image_file *file)
{
    char path[PATH_MAX];
    int n = snprintf(path, sizeof path, "%s/%s", to, name);
    CHECK(n > 0 && (size_t)n < sizeof path);
    make_parents(path, strlen(to) + 1);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    CHECK(fd >= 0 && ftruncate(fd, (off_t)file->len) == 0);
    for (size_t at = 0; at < file->len; at += SECTOR) { /* keeps holes: images are made by the thousand */
        size_t len = file->len - at < SECTOR ? file->len - at : SECTOR;
        static const uint8_t zeros[SECTOR];
        if (memcmp(file->data + at, zeros, len) != 0)
            CHECK(syscall(SYS_pwrite64, fd, file->data + at, len, at) == (long)len);
    }
    close(fd);
}

void disk_image(const char *to, size_t op, disk_cut how)
{
    image *im = calloc(1, sizeof *im);
    CHECK(im != NULL && op <= n_ops);
    for (size_t i = 0; i <= op && i < n_ops; i++)
        apply(im, i, op, how);
    CHECK(mkdir(to, 0700) == 0);
    for (size_t i = 0; i < im->count; i++) {
        const image_file *file = &im->files[i];
        const char *name = how == DISK_LOST ? file->durable : file->name;
        if (name[0])
            image_write(to, name, file);
        free(file->data);
    }
    free(im);
}

void disk_temp(char out[256], const char *name)
{
    const char *base = getenv("TMPDIR");
    int n = snprintf(out, 256, "%s/tb-%s-XXXXXX", base && *base ? base : "/tmp", name);
    CHECK(n > 0 && n < 256 && mkdtemp(out) != NULL);
}

static int remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st, (void)flag, (void)ftw;
    return remove(path);
}

void disk_remove(const char *path)
{
    (void)nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}
