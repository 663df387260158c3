/* SPDX-License-Identifier: Apache-2.0
 *
 * Small whole files: read with a bound, written so that a crash leaves the old file or the new one, never a mixture. Files
 * written in place: positioned reads and writes that finish or fail (interruptions and short transfers are gone through),
 * preallocation, data sync. Directories: make, lock, sync. Every fault's `at` is the system's error number unless a call says
 * otherwise. Codes: ERR_NOT_FOUND, ERR_EXISTS, ERR_PERMISSION, ERR_DISK_FULL (no space, quota, file size limit), ERR_LIMIT,
 * ERR_BUSY, ERR_MEMORY, ERR_IO.
 * A process that runs under a file size limit ignores SIGXFSZ, else the system kills it before the error is seen. */
#ifndef BASE_PORT_FILE_H
#define BASE_PORT_FILE_H

#include "base/buf.h"

/* Appends the whole file to `out`; ERR_LIMIT if it does not fit below the buffer's bound, ERR_IO if it is no regular file. On failure
 * `out` is as before. */
err base_file_read(buf *out, const char *path, fault *f) MUST_USE;

typedef enum base_file_clobber {
    BASE_FILE_NEW,     /* ERR_EXISTS if something stands at `path`, decided in one step with the rename */
    BASE_FILE_REPLACE,
} base_file_clobber;

/* Temporary file beside `path` with `mode` (an octal permission such as 0600), fsync, rename, fsync of the directory. On
 * failure the temporary file is gone and `path` is untouched. After ERR_IO from the last fsync the new file stands, but it
 * may not survive a power cut. */
err base_file_write_atomic(const char *path, bytes content, unsigned mode, base_file_clobber how, fault *f) MUST_USE;

typedef enum base_file_mode {
    BASE_FILE_READ,
    BASE_FILE_WRITE,  /* read and write; the file exists */
    BASE_FILE_CREATE, /* read and write; a new file, 0600; ERR_EXISTS */
} base_file_mode;

/* `fd` is the caller's; base_file_close ignores -1. */
err  base_file_open(int *fd, const char *path, base_file_mode mode, fault *f) MUST_USE;
void base_file_close(int fd);

err base_file_size(uint64_t *out, int fd, fault *f) MUST_USE;

/* Exactly `len` bytes from `at`; ERR_TRUNCATED if the file ends before them (the fault's `at` is the file offset). */
err base_file_read_at(int fd, void *out, size_t len, uint64_t at, fault *f) MUST_USE;

/* All of `content` at `at`. On failure a part of it may have been written. */
err base_file_write_at(int fd, bytes content, uint64_t at, fault *f) MUST_USE;

/* The whole file, mapped for reading; *len is its length (ERR_TRUNCATED if that is 0). Nobody may shorten the file meanwhile. */
err  base_file_map(const uint8_t **out, uint64_t *len, int fd, fault *f) MUST_USE;
void base_file_unmap(const uint8_t *data, uint64_t len);

/* Reserves blocks so that bytes [0, len) exist and can be written without running out of space; new bytes read as zero. */
err base_file_allocate(int fd, uint64_t len, fault *f) MUST_USE;

/* fdatasync. After a failure nothing is known about what reached the disk: the caller must not carry on with this file. */
err base_file_sync(int fd, fault *f) MUST_USE;

/* Renames and syncs the directory: the name is durable when this returns. */
err base_file_rename(const char *from, const char *to, base_file_clobber how, fault *f) MUST_USE;

/* Makes `path` with mode 0700, or finds it there; ERR_IO if something else stands there. */
err base_dir_make(const char *path, fault *f) MUST_USE;

/* Syncs the folder `path`: the names made in it are durable when this returns. */
err base_dir_sync(const char *path, fault *f) MUST_USE;

/* Removes `path` and everything in it, on this file system, through no symbolic link; nothing there is fine, too. */
err base_tree_remove(const char *path, fault *f) MUST_USE;

/* ERR_PERMISSION unless `path` belongs to this user or to root and nobody but its owner may write to it; ERR_NOT_FOUND. `at`: its
 * mode, or its owner. */
err base_path_guard(const char *path, fault *f) MUST_USE;

/* Takes the exclusive advisory lock of the file `path` (made if absent); ERR_BUSY if another process or handle holds it.
 * Closing `fd`, or the end of the process however it comes, gives it back. */
err base_file_lock(int *fd, const char *path, fault *f) MUST_USE;

/* The `err` for a system error number. */
err base_errno_err(int number) MUST_USE;

#endif
