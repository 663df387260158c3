/* SPDX-License-Identifier: Apache-2.0
 *
 * Checks the structure of an LMDB 0.9 data file before LMDB maps it. LMDB trusts its file: a changed byte in a page makes it read or
 * write anywhere. This walks every page that the newest commit can reach, and the list of free pages, and refuses what LMDB
 * would not have written. The values themselves are for their reader to judge. */
#ifndef ENGINE_LMDB_CHECK_H
#define ENGINE_LMDB_CHECK_H

#include "base/bytes.h"

/* `file` is a whole data.mdb of ours: named databases without flags in the main one. Faults give the page's offset. ERR_MAGIC,
 * ERR_VERSION, ERR_TRUNCATED, ERR_CHECKSUM; ERR_MEMORY for the map of visited pages. */
err lmdb_check(bytes file, fault *f) MUST_USE;

#endif
