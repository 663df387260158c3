/* SPDX-License-Identifier: Apache-2.0
 *
 * A training job as its buyer writes it: one JSON object (schema/job.def, docs/reference/job.md). */
#ifndef APPS_JOB_SPEC_H
#define APPS_JOB_SPEC_H

#include "apps/home.h"
#include "base/buf.h"
#include "chain/tx.h"
#include "torch/optim.h"
#include "train/dataset.h"

typedef struct tb_job_spec {
    char        data[TB_PATH_MAX]; /* "": the default corpus */
    num_shape   shape;             /* vocab: after tb_job_spec_open */
    bt_schedule schedule;
    uint32_t    batch, lease;      /* sequences of a step, of a lease */
    uint64_t    steps, seed;
    uint64_t    price, price_sequences; /* nBLOCK for so many sequences, at most */
    uint64_t    escrow;            /* nBLOCK; 0 in the file: computed */
    uint64_t    expiry_blocks;
    uint8_t     level;             /* chain_level: the least that counts */
    uint32_t    lease_seconds;
    uint32_t    sample_ppm;
    uint32_t    checkpoint_steps;
} tb_job_spec;

const char *tb_level_name(uint8_t level); /* "refereed", "linear", "full"; "?" for anything else */
/* One of the levels that a job can have. ERR_RANGE "what". */
err tb_level_parse(uint8_t *out, const char *text, const char *what, fault *f) MUST_USE;

/* ERR_SYNTAX, ERR_FIELD, ERR_TYPE, ERR_RANGE naming the member; `at`: its value or place. */
err tb_job_spec_parse(tb_job_spec *out, bytes text, fault *f) MUST_USE;
/* From a file: ERR_CONFIG for every refusal of its content. */
err tb_job_spec_load(tb_job_spec *out, const char *path, fault *f) MUST_USE;

/* Opens the text, sets the vocabulary, checks the shape. */
err tb_job_spec_open(tb_job_spec *s, tr_dataset *data, const char **name, fault *f) MUST_USE;

/* Least and greatest cost of all sequences, without fee and tariff: the escrow's part that can be spent. ERR_OVERFLOW. */
err tb_job_spec_cost(uint64_t *nblock, const tb_job_spec *s, fault *f) MUST_USE;

/* The hash of everything that the clear fields of the post leave out. */
hash256 tb_job_config_hash(const num_shape *shape, const bt_schedule *schedule, uint32_t batch, uint64_t steps);

/* The post. `height` is the ledger's. Makes the initial weights once, to name them. */
err tb_job_spec_post(chain_tx *tx, const tb_job_spec *s, const tr_dataset *data, const cr_public_key *coordinator, uint64_t height,
                     fault *f) MUST_USE;

#endif
