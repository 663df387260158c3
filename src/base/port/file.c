/* SPDX-License-Identifier: Apache-2.0 */
#define _GNU_SOURCE
#include "base/port/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

err base_errno_err(int number)
{
    switch (number) {
    case ENOENT: case ENOTDIR: return ERR_NOT_FOUND;
    case EEXIST: return ERR_EXISTS;
    case EACCES: case EPERM: case EROFS: return ERR_PERMISSION;
    case ENOSPC: case EDQUOT: return ERR_DISK_FULL;
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
    int fd = open(path, O_RDONLY | O_CLOEXEC);
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

static err sync_directory(const char *path, fault *f)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');
    size_t len = !slash ? 0 : slash == path ? 1 : (size_t)(slash - path);
    memcpy(dir, path, len);
    dir[len] = 0;
    int fd = open(len ? dir : ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return fail_errno(f, "file: open directory");
    err e = fsync(fd) == 0 ? OK : fail_errno(f, "file: fsync directory");
    close(fd);
    return e;
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
    return sync_directory(path, f);
}
