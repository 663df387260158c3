/* SPDX-License-Identifier: Apache-2.0
 *
 * Checkpoints of the coordinator (spec/checkpoint.md): everything that the next step depends on, in one file named by its
 * content. The file `HEAD` names the newest, `PREVIOUS` the one before. A checkpoint is whole and durable before HEAD points to it,
 * so a crash or a full disk leaves the old one in force; the loader believes nothing that it has not checked. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "torch/optim.h"
#include "train/store.h"

typedef struct tr_checkpoint {
    hash256       job;
    uint64_t      determinism_seed;
    hash256       dataset;     /* manifest's content id */
    uint64_t      cursor;      /* the next global sequence number */
    bt_schedule   schedule;
    num_fractions fractions;   /* those of the last publication: in force until the next calibration */
    hash256       model;       /* model id of the last publication (zero before the first) */
    bt_state      state;       /* owned by the checkpoint after a load */
} tr_checkpoint;

/* Frees the state. */
void tr_checkpoint_deinit(tr_checkpoint *c);

/* Writes the file and moves HEAD; *id is its name. The file that PREVIOUS named before is removed. On failure HEAD
 * is what it was, and every file that a pointer named still stands. The fractions must be valid (numerics/config.h). ERR_DISK_FULL,
 * ERR_IO. One save at a time in a directory. */
err tr_checkpoint_save(const char *dir, const tr_checkpoint *c, hash256 *id, fault *f) MUST_USE;

/* The content id in HEAD (or PREVIOUS). ERR_NOT_FOUND if there is none, ERR_SYNTAX if the pointer is damaged. */
err tr_checkpoint_head(const char *dir, bool previous, hash256 *id, fault *f) MUST_USE;

/* ERR_NOT_FOUND, ERR_TRUNCATED, ERR_TRAILING, ERR_MAGIC, ERR_VERSION, ERR_SHAPE, ERR_RANGE, ERR_HASH: the fault names the part, and
 * *c holds nothing. */
err tr_checkpoint_load(tr_checkpoint *c, const char *dir, const hash256 *id, fault *f) MUST_USE;

/* The same from memory; `id` NULL: the whole is not compared with a name, the parts still are with the header. */
err tr_checkpoint_decode(tr_checkpoint *c, bytes file, const hash256 *id, fault *f) MUST_USE;

/* Size of the file. */
uint64_t tr_checkpoint_bytes(const tr_checkpoint *c);

#endif
