/* SPDX-License-Identifier: Apache-2.0
 *
 * Small whole files: read with a bound, written so that a crash leaves the old file or the new one, never a mixture. Every
 * fault's `at` is the system's error number. Codes: ERR_NOT_FOUND, ERR_EXISTS, ERR_PERMISSION, ERR_DISK_FULL, ERR_LIMIT,
 * ERR_MEMORY, ERR_IO. */
#ifndef BASE_PORT_FILE_H
#define BASE_PORT_FILE_H

#include "base/buf.h"

/* Appends the whole file to `out`; ERR_LIMIT if it does not fit below the buffer's bound. On failure `out` is as before. */
err base_file_read(buf *out, const char *path, fault *f) MUST_USE;

typedef enum base_file_clobber {
    BASE_FILE_NEW,     /* ERR_EXISTS if something stands at `path`, decided in one step with the rename */
    BASE_FILE_REPLACE,
} base_file_clobber;

/* Temporary file beside `path` with `mode` (an octal permission such as 0600), fsync, rename, fsync of the directory. On
 * failure the temporary file is gone and `path` is untouched. After ERR_IO from the last fsync the new file stands, but it
 * may not survive a power cut. */
err base_file_write_atomic(const char *path, bytes content, unsigned mode, base_file_clobber how, fault *f) MUST_USE;

/* The `err` for a system error number. */
err base_errno_err(int number) MUST_USE;

#endif
