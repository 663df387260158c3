/* SPDX-License-Identifier: Apache-2.0
 *
 * A disk that loses power and runs full, for tests. It takes the place of the C library's calls that change files (ours and
 * LMDB's alike), records what a watched folder was told, and can write out what any cut of the power leaves of it. One
 * thread changes files while it records; paths are those of the first use. */
#ifndef ENGINE_DISK_TESTKIT_H
#define ENGINE_DISK_TESTKIT_H

#include "base/err.h"

/* Records every change below `root` from here on; forgets an earlier recording. `root` starts as an empty folder. */
void disk_watch(const char *root);
void disk_unwatch(void);

/* Changes recorded so far: writes, syncs, allocations, renames. */
size_t disk_op_count(void);

/* The recorded change `after` (0: the next one) and, if `sticky`, all later ones fail with the error `number`. 0 heals. */
void disk_fail(size_t after, int number, bool sticky);

/* Every other call is interrupted first, and a write takes at most `bytes_max` bytes; 0 ends it. */
void disk_hiccup(size_t bytes_max);

/* Syncs return at once: for runs that only read what a cut left. */
void disk_fast(bool on);

typedef enum disk_cut {
    DISK_LOST,      /* what was not synced is gone, names included */
    DISK_PREFIX,    /* everything before the cut arrived */
    DISK_TORN,      /* and of the change under way, its first sectors */
    DISK_REORDERED, /* of what was not synced, every other sector arrived, the last ones first */
    DISK_CUTS,
} disk_cut;

/* Writes what the power cut at change `op` (of disk_op_count) leaves into the new folder `to`. */
void disk_image(const char *to, size_t op, disk_cut how);

/* A new folder below the build's temporary folder; disk_remove deletes it with all it holds. */
void disk_temp(char out[256], const char *name);
void disk_remove(const char *path);

#endif
