/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/port/file.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

err base_errno_err(int number)
{
    switch (number) {
    case ENOENT: case ENOTDIR: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case EACCES: case EPERM: case EROFS: return ERR_PERMISSION;
    case ENOSPC: case EDQUOT: case EFBIG: return ERR_DISK_FULL;
    case ENOMEM: return ERR_MEMORY;
    default: return ERR_IO;
    }
}

static err fail_errno(fault *f, const char *what)
{
    int number = errno;
    return fail(f, base_errno_err(number), what, (uint64_t)number);
}

err base_file_read(buf *out, const char *path, fault *f)
{
    err e = OK;
    size_t start = out->len;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe without a writer must not hold us up: it is refused below */
    if (fd < 0)
        return fail_errno(f, "file: open");
    struct stat st;
    if (fstat(fd, &st) != 0)
        e = fail_errno(f, "file: stat");
    else if (!S_ISREG(st.st_mode))
        e = fail(f, ERR_IO, "file: not a regular file", 0);
    while (e == OK) {
        uint8_t chunk[4096];
        ssize_t n = read(fd, chunk, sizeof chunk);
        if (n == 0)
            break;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            e = fail_errno(f, "file: read");
        } else {
            e = buf_put(out, chunk, (size_t)n);
            if (e != OK)
                e = fail(f, e, "file: too large", 0);
        }
    }
    close(fd);
    if (e != OK)
        out->len = start;
    return e;
}

static err write_all(int fd, bytes content, fault *f)
{
    for (size_t at = 0; at < content.len;) {
        ssize_t n = write(fd, content.data + at, content.len - at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(f, "file: write");
        at += (size_t)n;
    }
    if (fsync(fd) != 0)
        return fail_errno(f, "file: fsync");
    return OK;
}

static err move(const char *from, const char *to, base_file_clobber how, fault *f)
{
    if (how == BASE_FILE_REPLACE)
        return rename(from, to) == 0 ? OK : fail_errno(f, "file: rename");
    if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0)
        return OK;
    if (errno != EINVAL && errno != ENOSYS)
        return fail_errno(f, "file: rename");
    /* A file system without that flag: link refuses an existing target in one step as well. */
    if (link(from, to) != 0)
        return fail_errno(f, "file: link");
    unlink(from);
    return OK;
}

err base_dir_sync(const char *path, fault *f)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(f, "directory: open");
    err e = fsync(fd) == 0 ? OK : fail_errno(f, "directory: sync");
    close(fd);
    return e;
}

/* The folder that `path` stands in. */
static err sync_parent(const char *path, fault *f)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(dir, path, len);
    dir[len] = 0;
    return base_dir_sync(len ? dir : ".", f);
}

err base_file_write_atomic(const char *path, bytes content, unsigned mode, base_file_clobber how, fault *f)
{
    char temp[PATH_MAX];
    int n = snprintf(temp, sizeof temp, "%s.tmp.XXXXXX", path);
    if (n < 0 || (size_t)n >= sizeof temp)
        return fail(f, ERR_LIMIT, "file: path too long", PATH_MAX);
    int fd = mkostemp(temp, O_CLOEXEC); /* 0600, and a name that nobody else has */
    if (fd < 0)
        return fail_errno(f, "file: create");
    err e = fchmod(fd, (mode_t)mode) == 0 ? OK : fail_errno(f, "file: mode");
    if (e == OK)
        e = write_all(fd, content, f);
    if (close(fd) != 0 && e == OK)
        e = fail_errno(f, "file: close");
    if (e == OK)
        e = move(temp, path, how, f);
    if (e != OK) {
        unlink(temp);
        return e;
    }
    return sync_parent(path, f);
}

err base_file_open(int *fd, const char *path, base_file_mode mode, fault *f)
{
    int flags = O_CLOEXEC | O_NONBLOCK | (mode == BASE_FILE_READ ? O_RDONLY : O_RDWR) | (mode == BASE_FILE_CREATE ? O_CREAT | O_EXCL : 0);
    int n = open(path, flags, 0600);
    if (n < 0)
        return fail_errno(f, "file: open");
    *fd = n;
    return OK;
}

void base_file_close(int fd)
{
    if (fd >= 0)
        close(fd);
}

err base_file_size(uint64_t *out, int fd, fault *f)
{
    struct stat st;
    if (fstat(fd, &st) != 0)
        return fail_errno(f, "file: stat");
    if (!S_ISREG(st.st_mode))
        return fail(f, ERR_IO, "file: not a regular file", 0);
    *out = (uint64_t)st.st_size;
    return OK;
}

err base_file_read_at(int fd, void *out, size_t len, uint64_t at, fault *f)
{
    uint8_t *to = out;
    for (size_t done = 0; done < len;) {
        ssize_t n = pread(fd, to + done, len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(f, "file: read");
        if (n == 0)
            return fail(f, ERR_TRUNCATED, "file: ends early", at + done);
        done += (size_t)n;
    }
    return OK;
}

err base_file_write_at(int fd, bytes content, uint64_t at, fault *f)
{
    for (size_t done = 0; done < content.len;) {
        ssize_t n = pwrite(fd, content.data + done, content.len - done, (off_t)(at + done));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return fail_errno(f, "file: write");
        if (n == 0)
            return fail(f, ERR_IO, "file: write made no progress", 0);
        done += (size_t)n;
    }
    return OK;
}

err base_file_map(const uint8_t **out, uint64_t *len, int fd, fault *f)
{
    TRY(base_file_size(len, fd, f));
    if (*len == 0)
        return fail(f, ERR_TRUNCATED, "file: empty", 0);
    void *p = mmap(NULL, (size_t)*len, PROT_READ, MAP_PRIVATE, fd, 0);
    if (p == MAP_FAILED)
        return fail_errno(f, "file: map");
    *out = p;
    return OK;
}

void base_file_unmap(const uint8_t *data, uint64_t len)
{
    munmap((void *)(uintptr_t)data, (size_t)len);
}

err base_file_allocate(int fd, uint64_t len, fault *f)
{
    int number;
    do {
        number = posix_fallocate(fd, 0, (off_t)len);
    } while (number == EINTR);
    return number == 0 ? OK : fail(f, base_errno_err(number), "file: allocate", (uint64_t)number);
}

err base_file_sync(int fd, fault *f)
{
    while (fdatasync(fd) != 0) {
        if (errno != EINTR)
            return fail_errno(f, "file: sync");
    }
    return OK;
}

err base_file_rename(const char *from, const char *to, base_file_clobber how, fault *f)
{
    TRY(move(from, to, how, f));
    return sync_parent(to, f);
}

err base_dir_make(const char *path, fault *f)
{
    struct stat st;
    if (mkdir(path, 0700) == 0)
        return sync_parent(path, f);
    if (errno != EEXIST)
        return fail_errno(f, "directory: make");
    if (stat(path, &st) != 0)
        return fail_errno(f, "directory: stat");
    return S_ISDIR(st.st_mode) ? OK : fail(f, ERR_IO, "directory: something else stands there", ENOTDIR);
}

err base_path_guard(const char *path, fault *f)
{
    struct stat st;
    if (stat(path, &st) != 0)
        return fail_errno(f, "guard: stat");
    if (st.st_uid != geteuid() && st.st_uid != 0)
        return fail(f, ERR_PERMISSION, "guard: belongs to another user", st.st_uid);
    return st.st_mode & 022 ? fail(f, ERR_PERMISSION, "guard: others may write to it (chmod go-w)", st.st_mode & 07777) : OK;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *where)
{
    (void)st, (void)kind, (void)where;
    return remove(path) == 0 || errno == ENOENT ? 0 : -1;
}

err base_tree_remove(const char *path, fault *f)
{
    enum { DESCRIPTORS = 16 };
    return nftw(path, remove_one, DESCRIPTORS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT) == 0 || errno == ENOENT ? OK : fail_errno(f, "directory: remove");
}

err base_file_lock(int *fd, const char *path, fault *f)
{
    int n = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (n < 0)
        return fail_errno(f, "lock: open");
    while (flock(n, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EINTR)
            continue;
        err e = errno == EWOULDBLOCK ? fail(f, ERR_BUSY, "lock: held by another process", EWOULDBLOCK)
                                     : fail_errno(f, "lock: take");
        close(n);
        return e;
    }
    *fd = n;
    return OK;
}
