/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints: the state at some height in an LMDB environment, so that opening does not start from the genesis. Every row
 * changed since the last checkpoint goes in with one fully synced transaction. A cache: the block log is the truth, and a
 * checkpoint that does not fit the log is refused (spec/block-log.md). One environment per process, never open across a fork.
 * Not for use by several threads at once. */
#ifndef ENGINE_CHECKPOINT_H
#define ENGINE_CHECKPOINT_H

#include "chain/chain.h"

typedef struct eng_checkpoint eng_checkpoint;

/* What the checkpoint stands for. */
typedef struct eng_checkpoint_mark {
    uint64_t height;
    hash256  state_root;
    hash256  log_mark; /* of the log record of that height */
} eng_checkpoint_mark;

/* Opens the environment in the folder `dir`, or makes both. Frees the slots of readers that died. ERR_MAGIC, ERR_VERSION,
 * ERR_TRUNCATED, ERR_CHECKSUM for a file that is none; ERR_CHAIN_ID for another network's; codes of base/port/file.h. */
err  eng_checkpoint_open(eng_checkpoint **out, const char *dir, const hash256 *network, fault *f) MUST_USE;
void eng_checkpoint_close(eng_checkpoint *cp); /* NULL is fine */

/* The newest checkpoint; false if there is none yet. */
bool eng_checkpoint_newest(const eng_checkpoint *cp, eng_checkpoint_mark *mark);

/* A new chain with the checkpoint's state: every row loaded, tree and sums recomputed, root compared with the signed header's and
 * the one noted. ERR_NOT_FOUND if there is no checkpoint. */
err eng_checkpoint_load(eng_checkpoint *cp, chain **out, const chain_config *config, bytes genesis, fault *f) MUST_USE;

/* Copies what changed in `c` since the last collect into memory and marks it clean; the chain may change again at once.
 * ERR_MEMORY leaves both as they were. `log_mark` is the mark of the head's record. */
err eng_checkpoint_collect(eng_checkpoint *cp, chain *c, const hash256 *log_mark, fault *f) MUST_USE;

/* Writes all that was collected. On failure (ERR_DISK_FULL, ERR_IO, ...) the old checkpoint stands and what was collected is
 * kept for the next try. */
err eng_checkpoint_write(eng_checkpoint *cp, fault *f) MUST_USE;

/* Deletes the environment, so that the state is rebuilt from the log. It may not be open. */
err eng_checkpoint_remove(const char *dir, fault *f) MUST_USE;

#endif
