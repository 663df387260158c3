/* SPDX-License-Identifier: Apache-2.0
 *
 * The text that training reads: a file of the user's, or the default corpus. */
#ifndef APPS_CORPUS_H
#define APPS_CORPUS_H

#include "train/dataset.h"

/* `path` "": the King James Bible, printed by the program of Debian's bible-kjv package. `name` gets what to call it. Files with more than 128
 * symbols become byte tokens, others character tokens. */
err corpus_open(tr_dataset *out, const char *path, uint32_t context, const char **name, fault *f) MUST_USE;

/* Text sampled from a model: greedy choice among the best by the integer logits with a seeded draw (temperature 0.8), `count` tokens after the
 * prompt's. `out` gets bytes. */
typedef struct bt_gpt   bt_gpt;
typedef struct bt_model bt_model;
err corpus_sample(uint8_t *out, size_t count, bt_gpt *gpt, const bt_model *model, const tr_dataset *data, uint64_t seed, fault *f) MUST_USE;

#endif
